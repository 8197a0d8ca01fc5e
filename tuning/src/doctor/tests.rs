//! Machines that are made up: one that is well, and the same with one thing wrong at a time.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use dray_results::Mount;
use tempfile::TempDir;

use super::*;

/// A server with two nodes, an NVMe disk and a mirror of two spinning ones.
const WELL: [(&str, &str); 36] = [
    ("/proc/sys/kernel/osrelease", "6.18.44\n"),
    ("/proc/sys/kernel/io_uring_disabled", "0\n"),
    (
        "/proc/self/limits",
        "Limit                     Soft Limit           Hard Limit           Units     \n\
         Max open files            1024                 1048576              files     \n\
         Max locked memory         unlimited            unlimited            bytes     \n",
    ),
    (
        "/proc/self/status",
        "Name:\tdray\nCapEff:\t0000000000000000\nTHP_enabled:\t1\nCpus_allowed_list:\t0-3\n",
    ),
    ("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
    ("/sys/block/nvme0n1/queue/scheduler", "[none] mq-deadline kyber bfq\n"),
    ("/sys/block/nvme0n1/queue/rotational", "0\n"),
    ("/sys/block/nvme0n1/queue/nr_requests", "1023\n"),
    ("/sys/block/nvme0n1/queue/max_sectors_kb", "1280\n"),
    ("/sys/block/nvme0n1/queue/max_hw_sectors_kb", "2048\n"),
    ("/sys/block/nvme0n1/queue/write_cache", "write back\n"),
    ("/sys/block/nvme0n1/device/numa_node", "0\n"),
    ("/sys/block/nvme0n1/device/msi_irqs/40", "msix\n"),
    ("/sys/block/nvme0n1/device/msi_irqs/41", "msix\n"),
    ("/sys/block/nvme0n1/mq/0/cpu_list", "0, 1\n"),
    ("/sys/block/nvme0n1/mq/1/cpu_list", "2, 3\n"),
    ("/proc/irq/40/effective_affinity_list", "0\n"),
    ("/proc/irq/41/effective_affinity_list", "2\n"),
    ("/sys/block/sda/queue/scheduler", "none [mq-deadline]\n"),
    ("/sys/block/sda/queue/rotational", "1\n"),
    ("/sys/block/sda/queue/nr_requests", "256\n"),
    ("/sys/block/sda/queue/max_sectors_kb", "1280\n"),
    ("/sys/block/sda/queue/max_hw_sectors_kb", "32767\n"),
    ("/sys/block/sda/queue/write_cache", "write back\n"),
    ("/sys/block/sda/device/scsi_disk/0:0:0:0/cache_type", "write back\n"),
    ("/sys/devices/system/cpu/online", "0-7\n"),
    ("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n"),
    ("/sys/devices/system/cpu/cpu0/cpufreq/scaling_driver", "acpi-cpufreq\n"),
    ("/sys/devices/system/node/node0/cpulist", "0-3\n"),
    ("/sys/devices/system/node/node1/cpulist", "4-7\n"),
    ("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"),
    ("/sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc hpet acpi_pm\n"),
    ("/etc/systemd/system/drayd.service", "\n"),
    ("/etc/systemd/system/dray-holder.service", "\n"),
    ("/run/systemd/system/.keep", "\n"),
    ("/run/systemd/timesync/synchronized", "\n"),
];

struct Machine {
    folder: TempDir,
    facts: Facts,
}

impl Machine {
    fn well() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in WELL {
            put(folder.path(), path, text);
        }
        let wants = folder.path().join("etc/systemd/system/multi-user.target.wants");
        fs::create_dir_all(&wants).unwrap();
        for unit in ["drayd.service", "dray-holder.service"] {
            symlink(format!("/etc/systemd/system/{unit}"), wants.join(unit)).unwrap();
        }
        let trials = Trials {
            ring: Tried::Works(Ring { registered: true, bytes: 32 << 20, huge: Some(32 << 20) }),
            watch: Tried::Works(()),
            certificate_days: Tried::Works(CERTIFICATE_DAYS),
            rooms: vec![Room { path: "/var/lib/dray".into(), free: 50 << 30, total: 99 << 30 }],
            privileged: true,
        };
        let mount = Mount {
            point: "/data".into(),
            kind: "ext4".into(),
            source: "/dev/sda".into(),
            options: vec!["rw".into(), "relatime".into()],
            file_system_options: Vec::new(),
        };
        let subjects = vec![
            Subject::named(Path::new("/dev/nvme0n1")),
            Subject { name: "/data".into(), disks: vec!["sda".into()], mount: Some(mount) },
        ];
        let path = folder.path().join("dray.toml");
        let text = "[cluster]\nmode = \"cluster\"\ncoordinator = \"a\"\n\
                    [cluster.nodes]\na = \"tcp:127.0.0.1:1\"\n[recall]\n\
                    [tls]\nca = \"/c/ca.pem\"\ncert = \"/c/cert.pem\"\nkey = \"/c/key.pem\"\n";
        fs::write(&path, text).unwrap();
        let config = Some(Config::load(Some(&path)).unwrap());
        let facts = Facts { root: folder.path().to_owned(), trials, config, subjects };
        Self { folder, facts }
    }

    fn put(&self, path: &str, text: &str) {
        put(self.folder.path(), path, text);
    }

    /// In a file, one text for another that is there.
    fn swap(&self, path: &str, old: &str, new: &str) {
        let whole = self.facts.read(path).unwrap();
        assert!(whole.contains(old), "{path}: no {old} in {whole}");
        self.put(path, &whole.replace(old, new));
    }

    fn mount(&mut self) -> &mut Mount {
        self.facts.subjects[1].mount.as_mut().unwrap()
    }

    fn report(&self) -> DoctorReport {
        let mut report = DoctorReport::default();
        check(&self.facts, &mut report);
        report
    }

    /// The only finding, with all that one has to say.
    #[track_caller]
    fn only(&self, check: &str) -> Finding {
        let report = self.report();
        assert_eq!(report.findings.len(), 1, "{report}");
        assert_eq!(report.findings[0].check, check, "{report}");
        let Finding { seen, wanted, why, cost, mend, lasting, .. } = &report.findings[0];
        for text in [seen, wanted, why, cost] {
            assert!(!text.is_empty(), "{report}");
        }
        assert!(mend.len() + lasting.len() > 0, "{report}");
        report.findings[0].clone()
    }
}

fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path.trim_start_matches('/'));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn of_a_machine_that_is_well_nothing_is_said() {
    let report = Machine::well().report();
    assert_eq!(report, DoctorReport::default(), "{report}");
    assert_eq!(report.to_string(), "");
}

#[test]
fn little_locked_memory() {
    let machine = Machine::well();
    let wide = "Max locked memory         unlimited  ";
    machine.swap("/proc/self/limits", wide, "Max locked memory         65536      ");
    let finding = machine.only("locked memory");
    // Three of four cores with 32 MiB each, and 1 MiB for a ring.
    assert_eq!(finding.mend, ["ulimit -l 101376"]);
    machine.swap("/proc/self/status", "CapEff:\t0000000000000000", "CapEff:\t0000000000004000");
    assert_eq!(machine.report().findings, [], "whoever may lock memory needs no limit");
}

#[test]
fn memory_that_could_not_be_registered() {
    let mut machine = Machine::well();
    machine.facts.trials.ring =
        Tried::Works(Ring { registered: false, bytes: 32 << 20, huge: Some(32 << 20) });
    machine.only("locked memory");
}

#[test]
fn huge_pages_off_for_all_for_one_and_in_pieces() {
    let machine = Machine::well();
    let file = "/sys/kernel/mm/transparent_hugepage/enabled";
    machine.put(file, "always madvise [never]\n");
    assert_eq!(machine.only("huge pages").mend, [format!("echo madvise > {file}")]);
    machine.put(file, "[always] madvise never\n");
    assert_eq!(machine.report().findings, []);
    machine.swap("/proc/self/status", "THP_enabled:\t1", "THP_enabled:\t0");
    assert_eq!(machine.only("huge pages").subject, "this process");
    let mut machine = Machine::well();
    machine.facts.trials.ring =
        Tried::Works(Ring { registered: true, bytes: 32 << 20, huge: Some(8 << 20) });
    assert_eq!(machine.only("huge pages").subject, "");
}

#[test]
fn io_uring_off_by_sysctl_or_filter() {
    let mut machine = Machine::well();
    machine.put("/proc/sys/kernel/io_uring_disabled", "2\n");
    machine.facts.trials.ring = Tried::Fails("Operation not permitted".into());
    let finding = machine.only("io_uring");
    assert_eq!(finding.mend, ["sysctl -w kernel.io_uring_disabled=0"]);
    machine.put("/proc/sys/kernel/io_uring_disabled", "0\n");
    assert!(machine.only("io_uring").mend[0].contains("seccomp"));
    machine.facts.trials.privileged = false;
    machine.put("/proc/sys/kernel/io_uring_disabled", "1\n");
    assert_eq!(machine.only("io_uring").seen, "kernel.io_uring_disabled = 1");
}

#[test]
fn accesses_that_cannot_be_watched() {
    let mut machine = Machine::well();
    machine.facts.trials.watch = Tried::Fails("Invalid argument".into());
    machine.put("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
    assert!(machine.only("fanotify").mend[0].contains("linux-image"));
    machine.put("/proc/sys/kernel/osrelease", "6.18.1\n");
    assert!(machine.only("fanotify").mend[0].contains("root"));
}

#[test]
fn schedulers() {
    let machine = Machine::well();
    let file = "/sys/block/nvme0n1/queue/scheduler";
    machine.put(file, "none mq-deadline kyber [bfq]\n");
    let finding = machine.only("scheduler");
    assert_eq!(finding.mend, [format!("echo 'none' > {file}")]);
    assert!(finding.lasting[0].contains("KERNEL==\"nvme0n1\""), "{finding}");
    machine.put(file, "none [mq-deadline]\n");
    machine.only("scheduler");
    machine.put(file, "[none]\n");
    machine.put("/sys/block/sda/queue/scheduler", "none mq-deadline [bfq]\n");
    assert!(machine.only("scheduler").mend[0].contains("mq-deadline"));
}

#[test]
fn queues_that_are_short_or_split() {
    let machine = Machine::well();
    machine.put("/sys/block/nvme0n1/queue/nr_requests", "64\n");
    let finding = machine.only("nr_requests");
    assert!(finding.mend[0].contains("'96'"), "three cores with 32 requests: {finding}");
    machine.put("/sys/block/nvme0n1/queue/nr_requests", "1023\n");
    machine.put("/sys/block/nvme0n1/queue/max_sectors_kb", "512\n");
    let finding = machine.only("max_sectors_kb");
    assert!(finding.mend[0].contains("'1024'"), "{finding}");
    machine.put("/sys/block/nvme0n1/queue/max_hw_sectors_kb", "512\n");
    let finding = machine.only("max_sectors_kb");
    assert_eq!((finding.mend.len(), finding.lasting.len()), (0, 1));
    assert!(finding.lasting[0].contains("io_bytes = 524288"), "{finding}");
}

#[test]
fn a_cache_that_nobody_flushes() {
    let machine = Machine::well();
    machine.put("/sys/block/sda/queue/write_cache", "write through\n");
    let finding = machine.only("write cache");
    assert_eq!(finding.mend, ["echo 'write back' > /sys/block/sda/queue/write_cache"]);
    machine.put("/sys/block/sda/device/scsi_disk/0:0:0:0/cache_type", "write through\n");
    assert_eq!(machine.report().findings, [], "a device without a cache needs no flush");
}

#[test]
fn interrupts_and_memory_that_are_elsewhere() {
    let machine = Machine::well();
    machine.put("/proc/irq/41/effective_affinity_list", "0\n");
    assert!(machine.only("interrupts").mend[1].contains("40 41"));
    machine.put("/proc/irq/41/effective_affinity_list", "2\n");
    machine.put("/sys/block/nvme0n1/device/numa_node", "1\n");
    assert!(machine.only("numa").lasting[0].contains("CPUAffinity=4-7"));
}

#[test]
fn slow_processors_and_clocks() {
    let machine = Machine::well();
    let cpu = "/sys/devices/system/cpu/cpu0/cpufreq";
    machine.put(&format!("{cpu}/scaling_governor"), "powersave\n");
    machine.only("governor");
    machine.put(&format!("{cpu}/scaling_driver"), "intel_pstate\n");
    machine.put(&format!("{cpu}/energy_performance_preference"), "performance\n");
    assert_eq!(machine.report().findings, []);
    machine.put("/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n");
    assert!(machine.only("clock").mend[0].starts_with("echo tsc"));
}

#[test]
fn mounts() {
    for (option, check) in [
        ("data=journal", "data=journal"),
        ("barrier=0", "barriers"),
        ("discard", "discard"),
        ("ro", "read-only"),
    ] {
        let mut machine = Machine::well();
        machine.mount().options.push(option.into());
        assert_eq!(machine.only(check).subject, "/data");
    }
    let mut machine = Machine::well();
    machine.mount().options = vec!["rw".into()];
    assert_eq!(machine.only("atime").subject, "/data");
    let mut machine = Machine::well();
    machine.mount().point = "/a b;$(reboot)".into();
    machine.mount().options.push("discard".into());
    let mend = machine.only("discard").mend;
    assert_eq!(mend, ["mount -o remount,nodiscard '/a b;$(reboot)'"]);
    let mut machine = Machine::well();
    machine.mount().options.push("nouser_xattr".into());
    assert_eq!(machine.report().findings, [], "root keeps the state in trusted.dray");
    machine.facts.trials.privileged = false;
    machine.only("attributes");
}

#[test]
fn few_descriptors() {
    let machine = Machine::well();
    machine.swap("/proc/self/limits", "1048576 ", "512     ");
    assert_eq!(machine.only("open files").mend, ["prlimit --nofile=4096:4096 --pid $$"]);
}

#[test]
fn certificates_that_end_or_are_refused() {
    let mut machine = Machine::well();
    machine.facts.trials.certificate_days = Tried::Works(3);
    assert!(machine.only("certificates").seen.contains("3 day"));
    machine.facts.trials.certificate_days = Tried::Fails("key.pem can be read by others".into());
    assert!(machine.only("certificates").mend[0].starts_with("chmod 600 /c/key.pem"));
}

#[test]
fn units_room_and_time() {
    let mut machine = Machine::well();
    let wants = machine.folder.path().join("etc/systemd/system/multi-user.target.wants");
    fs::remove_file(wants.join("dray-holder.service")).unwrap();
    assert_eq!(machine.only("units").subject, "dray-holder.service");
    symlink("/etc/systemd/system/dray-holder.service", wants.join("dray-holder.service")).unwrap();
    machine.facts.trials.rooms[0].free = 5;
    machine.only("room");
    machine.facts.trials.rooms.clear();
    fs::remove_file(machine.folder.path().join("run/systemd/timesync/synchronized")).unwrap();
    machine.only("time");
}

#[test]
fn what_cannot_be_looked_at_is_told_and_is_no_finding() {
    let mut machine = Machine::well();
    machine.facts.trials.ring = Tried::Not("no memory".into());
    fs::remove_file(machine.folder.path().join("proc/self/limits")).unwrap();
    machine.facts.subjects.push(Subject { name: "/net".into(), ..Subject::default() });
    let report = machine.report();
    assert_eq!(report.findings, []);
    let checks: Vec<&str> = report.unchecked.iter().map(|it| it.check).collect();
    assert_eq!(checks, ["locked memory", "io_uring", "queue", "open files"]);
    assert!(report.to_string().contains("not checked: queue: /net"));
}
