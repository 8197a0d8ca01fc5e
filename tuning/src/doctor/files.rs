//! File systems, by the options that they are mounted with.

use dray_results::Mount;

use super::facts::Facts;
use super::finding::{DoctorReport, Finding, quoted};

pub(super) fn check(facts: &Facts, report: &mut DoctorReport) {
    let mut seen: Vec<&str> = Vec::new();
    for mount in facts.subjects.iter().filter_map(|subject| subject.mount.as_ref()) {
        if !seen.contains(&mount.point.as_str()) {
            seen.push(&mount.point);
            look(facts, mount, report);
        }
    }
}

fn remount(mount: &Mount, finding: Finding, option: &str, instead: &str) -> Finding {
    let point = quoted(&mount.point);
    finding
        .mend(format!("mount -o remount,{option} {point}"))
        .lasting(format!("in /etc/fstab, for {point}: {instead}"))
}

fn look(facts: &Facts, mount: &Mount, report: &mut DoctorReport) {
    let (point, source) = (quoted(&mount.point), quoted(&mount.source));
    let fault = |check| Finding::new(check, mount.point.as_str());
    if mount.has("data=journal") {
        report.add(
            fault("data=journal")
                .seen("data goes through the journal")
                .wanted("data=ordered, which is usual")
                .because("all data is written twice, and direct I/O is turned off (ext4(5))")
                .mend(format!("umount {point} && mount -o data=ordered {source} {point}"))
                .lasting(format!("in /etc/fstab, for {point}: without data=journal")),
        );
    }
    // The kernel does not list `strictatime`: it is what there is without the others.
    let usual = ["relatime", "noatime", "ro"].iter().any(|option| mount.has(option));
    if !usual && matches!(mount.kind.as_str(), "ext4" | "xfs" | "btrfs") {
        let finding = fault("atime")
            .seen("strictatime: neither relatime nor noatime")
            .wanted("relatime, which is usual, or noatime")
            .because("each read of a file that is not ours writes its inode");
        report.add(remount(mount, finding, "relatime", "without strictatime"));
    }
    for option in ["nobarrier", "barrier=0"].into_iter().filter(|option| mount.has(option)) {
        let finding = fault("barriers")
            .seen(option)
            .wanted("barriers, which are usual")
            .because(
                "no flush is sent: what dray has called durable is lost when the power fails, and \
                 with it files that were released",
            )
            .costs("data, if the cache of the device is not backed by a battery");
        report.add(remount(mount, finding, "barrier=1", &format!("without {option}")));
    }
    if mount.has("discard") && matches!(mount.kind.as_str(), "ext4" | "xfs") {
        let finding = fault("discard")
            .seen("freed space is given back to the device at once")
            .wanted("by fstrim, now and then")
            .because(
                "releasing files frees much space at once, and the commit of the journal waits \
                 until the device has forgotten it (mount(8), fstrim(8))",
            );
        report.add(
            remount(mount, finding, "nodiscard", "without discard")
                .lasting("systemctl enable --now fstrim.timer"),
        );
    }
    if mount.has("nouser_xattr") && !facts.trials.privileged {
        let finding = fault("attributes")
            .seen("nouser_xattr")
            .wanted("user_xattr, which is usual")
            .because("without privilege the state of a file is kept in user.dray");
        report.add(remount(mount, finding, "user_xattr", "without nouser_xattr"));
    }
    if mount.has("ro") {
        let finding = fault("read-only")
            .seen("mounted read-only")
            .wanted("read-write")
            .because("nothing can be archived or restored: the state of files is kept in them");
        report.add(remount(mount, finding, "rw", "without ro; see dmesg for why it became so"));
    }
}
