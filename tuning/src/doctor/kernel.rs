//! What the kernel lets the engine do: io_uring, and being asked before data is accessed.

use super::facts::{Facts, Tried};
use super::finding::{DoctorReport, Finding};
use super::wanted::{SYSCTL_FILE, SYSCTLS, WATCH_KERNEL};

pub(super) fn check(facts: &Facts, report: &mut DoctorReport) {
    ring(facts, report);
    watch(facts, report);
}

fn ring(facts: &Facts, report: &mut DoctorReport) {
    let check = "io_uring";
    let [(key, wanted)] = SYSCTLS;
    let switch = facts.read(format!("/proc/sys/{}", key.replace('.', "/")));
    let because = "without it data is moved with plain reads and writes, one at a time per core";
    let closed = match switch.as_deref() {
        Some("2") => true,
        // For those only who are privileged or in a group.
        Some("1") => !facts.trials.privileged,
        _ => false,
    };
    if closed && !matches!(facts.trials.ring, Tried::Works(_)) {
        report.add(
            Finding::new(check, "")
                .seen(format!("{key} = {}", switch.unwrap_or_default()))
                .wanted(wanted)
                .because(because)
                .mend(format!("sysctl -w {key}={wanted}"))
                .lasting(format!("echo '{key} = {wanted}' > {SYSCTL_FILE}")),
        );
        return;
    }
    match &facts.trials.ring {
        Tried::Fails(why) => report.add(
            Finding::new(check, "")
                .seen(format!("a ring cannot be made ({why}), though {key} does not forbid it"))
                .wanted("a ring can be made")
                .because(because)
                .mend(
                    "let the seccomp filter pass io_uring_setup, io_uring_enter and \
                     io_uring_register: e.g. docker run --security-opt seccomp=FILE",
                )
                .lasting("systemctl edit drayd  # SystemCallFilter=@system-service @io-uring"),
        ),
        Tried::Not(why) => report.cannot(check, why),
        Tried::Works(_) | Tried::Pointless => {}
    }
}

fn watch(facts: &Facts, report: &mut DoctorReport) {
    let check = "fanotify";
    let release = facts.read("/proc/sys/kernel/osrelease").unwrap_or_default();
    match &facts.trials.watch {
        Tried::Pointless | Tried::Works(()) => {}
        Tried::Not(why) => report.cannot(check, why),
        Tried::Fails(why) => {
            let old = older(&release, WATCH_KERNEL);
            let finding = Finding::new(check, "")
                .seen(format!("accesses cannot be watched ({why}); Linux {release}"))
                .wanted(format!(
                    "Linux {WATCH_KERNEL} or later with CONFIG_FANOTIFY_ACCESS_PERMISSIONS"
                ))
                .because("without it [recall] cannot work: a released file reads as zeros");
            report.add(if old {
                let apt = "apt-get install linux-image-amd64  # of a release with Linux 6.14";
                finding.mend(apt).lasting("systemctl reboot")
            } else {
                finding
                    .mend("run it as root in the first user name space, or give CAP_SYS_ADMIN")
                    .lasting("systemctl enable dray-holder  # its unit has what is needed")
            });
        }
    }
}

/// Whether a release like `6.12.1-amd64` comes before one like `6.14`.
fn older(release: &str, than: &str) -> bool {
    let parts = |text: &str| -> Vec<u64> {
        let numbers = text.split(|c: char| !c.is_ascii_digit());
        numbers.take(2).map(|part| part.parse().unwrap_or(0)).collect()
    };
    parts(release) < parts(than)
}

#[cfg(test)]
mod tests {
    use super::older;

    #[test]
    fn releases_are_compared_by_number() {
        assert!(older("6.9.1-amd64", "6.14") && older("5.15.0", "6.14"));
        assert!(!older("6.14.0", "6.14") && !older("6.18.44-fc", "6.14") && !older("7.0", "6.14"));
    }
}
