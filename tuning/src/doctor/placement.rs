//! Processors: where interrupts go, which memory is near, how fast clocks tick.

use std::path::{Path, PathBuf};

use super::facts::{Facts, ranges};
use super::finding::{DoctorReport, Finding};

pub(super) fn check(facts: &Facts, report: &mut DoctorReport) {
    let mut seen: Vec<&str> = Vec::new();
    for disk in facts.subjects.iter().flat_map(|subject| &subject.disks) {
        if !seen.contains(&disk.as_str()) {
            seen.push(disk);
            interrupts(facts, disk, report);
            node(facts, disk, report);
        }
    }
    governor(facts, report);
    clock(facts, report);
}

/// The directories of a disk's device and of what it hangs on, the nearest first.
fn controllers(facts: &Facts, disk: &str) -> Vec<PathBuf> {
    let top = facts.root.join("sys");
    let device = std::fs::canonicalize(top.join(format!("block/{disk}/device")));
    let Ok(device) = device else { return Vec::new() };
    device.ancestors().take_while(|folder| *folder != top).map(Path::to_owned).collect()
}

fn interrupts(facts: &Facts, disk: &str, report: &mut DoctorReport) {
    let queues = facts.list(format!("/sys/block/{disk}/mq")).len();
    let online = facts.read("/sys/devices/system/cpu/online").map_or(1, |list| ranges(&list).len());
    if queues < 2 || online < 2 {
        return;
    }
    let folders = controllers(facts, disk);
    let folder = folders.iter().map(|folder| folder.join("msi_irqs")).find(|it| it.is_dir());
    let entries = folder.and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten();
    let mut numbers: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    numbers.sort();
    let place = |irq: &String| facts.read(format!("/proc/irq/{irq}/effective_affinity_list"));
    let mut places: Vec<String> = numbers.iter().filter_map(place).collect();
    if places.len() < 2 {
        return report.cannot("interrupts", format!("{disk}: no msi_irqs of its controller"));
    }
    places.sort();
    places.dedup();
    if places.len() > 1 {
        return;
    }
    report.add(
        Finding::new("interrupts", disk)
            .seen(format!("all {} of its {queues} queues go to CPU {}", numbers.len(), places[0]))
            .wanted("spread over the processors")
            .because("one processor serves the completions of all of them")
            .mend("systemctl start irqbalance")
            .mend(format!(
                "for irq in {}; do echo 0-{} > /proc/irq/$irq/smp_affinity_list; done",
                numbers.join(" "),
                online - 1
            ))
            .lasting("apt-get install irqbalance && systemctl enable irqbalance"),
    );
}

fn node(facts: &Facts, disk: &str, report: &mut DoctorReport) {
    let folder = "/sys/devices/system/node";
    let is_node =
        |name: &String| name.strip_prefix("node").is_some_and(|rest| rest.parse::<u64>().is_ok());
    if facts.list(folder).iter().filter(|name| is_node(name)).count() < 2 {
        return;
    }
    let folders = controllers(facts, disk);
    let near = folders.iter().find_map(|it| std::fs::read_to_string(it.join("numa_node")).ok());
    // It is -1 where nobody knows, and a virtual device has none.
    let Some(near) = near.and_then(|text| text.trim().parse::<u64>().ok()) else { return };
    let list = facts.read(format!("{folder}/node{near}/cpulist")).unwrap_or_default();
    let (local, cores) = (ranges(&list), facts.core_cpus());
    if cores.iter().all(|cpu| local.contains(cpu)) {
        return;
    }
    report.add(
        Finding::new("numa", disk)
            .seen(format!("cores on CPUs {cores:?}, the device on node {near}"))
            .wanted(format!("cores on CPUs {list}"))
            .because("data crosses the link between the nodes, as do interrupts")
            .mend(format!("taskset --cpu-list {list} drayd --config FILE"))
            .lasting(format!(
                "mkdir -p /etc/systemd/system/drayd.service.d && printf \
                 '[Service]\\nCPUAffinity={list}\\nNUMAPolicy=preferred\\nNUMAMask={near}\\n' > \
                 /etc/systemd/system/drayd.service.d/60-numa.conf && systemctl daemon-reload"
            )),
    );
}

fn governor(facts: &Facts, report: &mut DoctorReport) {
    let folder = "/sys/devices/system/cpu";
    let slow = facts.cpus().into_iter().find_map(|cpu| {
        let own = format!("{folder}/cpu{cpu}/cpufreq");
        let governor = facts.read(format!("{own}/scaling_governor"))?;
        let driver = facts.read(format!("{own}/scaling_driver")).unwrap_or_default();
        // These choose the speed themselves and call that powersave.
        let itself = driver == "intel_pstate" || driver == "amd-pstate-epp";
        let hint = facts.read(format!("{own}/energy_performance_preference"));
        let thrifty = matches!(hint.as_deref(), Some("power" | "balance_power"));
        let bad = match governor.as_str() {
            "powersave" if itself => thrifty,
            "powersave" | "conservative" | "userspace" => true,
            _ => false,
        };
        bad.then(|| format!("{governor} ({driver}) on CPU {cpu}"))
    });
    let Some(slow) = slow else { return };
    report.add(
        Finding::new("governor", "")
            .seen(slow)
            .wanted("performance")
            .because("a core that waits for a device counts as idle and is slowed down")
            .mend(format!("echo performance | tee {folder}/cpu*/cpufreq/scaling_governor"))
            .lasting(format!(
                "echo 'w {folder}/cpu*/cpufreq/scaling_governor - - - - performance' >> {}",
                super::wanted::TMPFILES_FILE
            )),
    );
}

fn clock(facts: &Facts, report: &mut DoctorReport) {
    let folder = "/sys/devices/system/clocksource/clocksource0";
    let Some(current) = facts.read(format!("{folder}/current_clocksource")) else { return };
    if !["hpet", "acpi_pm", "jiffies", "refined-jiffies", "pit"].contains(&current.as_str()) {
        return;
    }
    let available = facts.read(format!("{folder}/available_clocksource")).unwrap_or_default();
    let better = ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter"];
    let better = better.into_iter().find(|name| available.split(' ').any(|it| it == *name));
    let finding = Finding::new("clock", "")
        .seen(format!("time is read from {current}, of {available}"))
        .wanted("tsc, or the hypervisor's clock")
        .because("each block's time is taken twice, and this one takes a system call or slower");
    report.add(match better {
        Some(better) => finding
            .mend(format!("echo {better} > {folder}/current_clocksource"))
            .lasting(format!("add clocksource={better} to the kernel's command line")),
        None => finding.mend("see why with: dmesg | grep -i -e tsc -e clocksource"),
    });
}
