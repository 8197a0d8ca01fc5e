//! Memory that the rings move data through: may it be locked, and is it of huge pages?

use super::facts::{Facts, Tried};
use super::finding::{DoctorReport, Finding};
use super::wanted::{DROP_IN, HUGE_PAGES, TMPFILES_FILE};

const CAP_IPC_LOCK: u32 = 14;

/// The queues of a ring, which newer kernels count as locked, too: 1,024 entries take 100 KiB.
const RING_BYTES: u64 = 1 << 20;

/// Soft and hard limit of a line of `/proc/PID/limits`; none where there is no limit.
pub(super) fn limit(facts: &Facts, name: &str) -> Option<(Option<u64>, Option<u64>)> {
    let text = facts.read("/proc/self/limits")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let mut words = line.split_whitespace();
    let number = |word: Option<&str>| match word? {
        "unlimited" => Some(None),
        number => number.parse().ok().map(Some),
    };
    Some((number(words.next())?, number(words.next())?))
}

fn has_capability(facts: &Facts, bit: u32) -> bool {
    let status = facts.read("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> bit & 1 == 1)
}

pub(super) fn check(facts: &Facts, report: &mut DoctorReport) {
    locked(facts, report);
    let (file, wanted) = HUGE_PAGES;
    match facts.chosen(file) {
        None => report.cannot("huge pages", format!("no {file}: this kernel has none")),
        Some(chosen) if !wanted.contains(&chosen.as_str()) => report.add(switched_off(&chosen)),
        Some(_) => used(facts, report),
    }
}

fn locked(facts: &Facts, report: &mut DoctorReport) {
    let check = "locked memory";
    let Some((soft, _)) = limit(facts, "Max locked memory") else {
        return report.cannot(check, "no such line in /proc/self/limits");
    };
    let cores = facts.core_cpus().len().max(1) as u64;
    let needed = (facts.arena() + RING_BYTES) * cores;
    let refused = matches!(&facts.trials.ring, Tried::Works(ring) if !ring.registered);
    let short = soft.is_some_and(|soft| soft < needed) && !has_capability(facts, CAP_IPC_LOCK);
    if !refused && !short {
        return;
    }
    let soft = soft.map_or("no limit, and yet refused".into(), |soft| format!("{soft} bytes"));
    report.add(
        Finding::new(check, "")
            .seen(format!("at most {soft}"))
            .wanted(format!(
                "{needed} bytes: {cores} core(s) with a ring and {} buffers of {} bytes",
                facts.engine().depth(),
                facts.unit()
            ))
            .because(
                "buffers that cannot be locked are not registered: the kernel pins and lets go of \
                 their pages again with each request",
            )
            .mend(format!("ulimit -l {}", needed.div_ceil(1024)))
            .lasting(format!(
                "mkdir -p {DROP_IN_DIR} && printf '[Service]\\nLimitMEMLOCK=infinity\\n' > \
                 {DROP_IN} && systemctl daemon-reload",
            ))
            .lasting(
                "echo '* - memlock unlimited' > /etc/security/limits.d/60-dray.conf  # for shells",
            ),
    );
}

const DROP_IN_DIR: &str = "/etc/systemd/system/drayd.service.d";

fn switched_off(chosen: &str) -> Finding {
    let (file, wanted) = HUGE_PAGES;
    Finding::new("huge pages", "")
        .seen(format!("transparent huge pages are set to {chosen}"))
        .wanted(wanted.join(" or "))
        .because(
            "a request of 1 MiB out of pages of 4 KiB has 256 segments: more than many queues \
             take, so it is split, and on a LUN handed to a worker thread; the rings ask for huge \
             pages by themselves (madvise), none need be reserved in vm.nr_hugepages",
        )
        .mend(format!("echo {} > {file}", wanted[0]))
        .lasting(format!("echo 'w {file} - - - - {}' > {TMPFILES_FILE}", wanted[0]))
}

/// They may be had; but are they?
fn used(facts: &Facts, report: &mut DoctorReport) {
    let status = facts.read("/proc/self/status").unwrap_or_default();
    let off = status.lines().find_map(|line| line.strip_prefix("THP_enabled:"));
    if off.is_some_and(|value| value.trim() == "0") {
        report.add(
            Finding::new("huge pages", "this process")
                .seen("switched off for this process and those that it starts (prctl)")
                .wanted("not switched off")
                .because("its requests are split as if the machine had no huge pages")
                .mend("start it from a process without PR_SET_THP_DISABLE")
                .lasting(
                    "remove PR_SET_THP_DISABLE, or the container's option, from what starts it",
                ),
        );
        return;
    }
    let Tried::Works(ring) = &facts.trials.ring else { return };
    let Some(huge) = ring.huge else {
        return report.cannot("huge pages", "no AnonHugePages in /proc/self/smaps_rollup");
    };
    if huge < ring.bytes / 10 * 9 {
        report.add(
            Finding::new("huge pages", "")
                .seen(format!("{huge} of the {} bytes of a ring are on them", ring.bytes))
                .wanted("all of them")
                .because("memory is in pieces: requests on the rest are split")
                .mend("echo 1 > /proc/sys/vm/compact_memory")
                .lasting("start drayd early, when memory is whole: systemctl enable drayd"),
        );
    }
}
