//! What is wanted of every machine, in one place: checks compare with it, and the files below
//! `sysctl.d`, `udev`, `tmpfiles.d` and `systemd` of `tuning` are tested against it.

/// Of the kernel, with its file below `/proc/sys`.
pub const SYSCTLS: [(&str, &str); 1] = [("kernel.io_uring_disabled", "0")];

/// Transparent huge pages: the file, and what may be chosen there, the first being what is set.
pub const HUGE_PAGES: (&str, [&str; 2]) =
    ("/sys/kernel/mm/transparent_hugepage/enabled", ["madvise", "always"]);

/// Schedulers of a device without moving parts, and of one with: the first is what is set.
pub const SCHEDULERS_SOLID: [&str; 1] = ["none"];
pub const SCHEDULERS_SPINNING: [&str; 2] = ["mq-deadline", "none"];

/// Where the lasting remedies go.
pub const SYSCTL_FILE: &str = "/etc/sysctl.d/60-dray.conf";
pub const UDEV_FILE: &str = "/etc/udev/rules.d/60-dray.rules";
pub const TMPFILES_FILE: &str = "/etc/tmpfiles.d/dray.conf";
pub const DROP_IN: &str = "/etc/systemd/system/drayd.service.d/60-limits.conf";

/// The first kernel whose fanotify asks before data is accessed.
pub const WATCH_KERNEL: &str = "6.14";

/// Bytes free below which the daemon's own directories are nearly full: a store takes some 100
/// bytes per request, so this is ten million of them.
pub const ROOM_BYTES: u64 = 1 << 30;
