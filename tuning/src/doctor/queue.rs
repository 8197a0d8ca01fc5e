//! The queues of the devices.

use std::path::PathBuf;

use super::facts::Facts;
use super::finding::{DoctorReport, Finding};
use super::wanted::{SCHEDULERS_SOLID, SCHEDULERS_SPINNING, UDEV_FILE};

/// One device's queue directory.
struct Queue<'a> {
    facts: &'a Facts,
    disk: &'a str,
    folder: PathBuf,
}

pub(super) fn check(facts: &Facts, report: &mut DoctorReport) {
    let mut seen: Vec<&str> = Vec::new();
    for subject in &facts.subjects {
        if subject.disks.is_empty() {
            let kind = subject.mount.as_ref().map_or("unknown", |mount| mount.kind.as_str());
            report.cannot("queue", format!("{}: no block device beneath {kind}", subject.name));
        }
        for disk in &subject.disks {
            if seen.contains(&disk.as_str()) {
                continue;
            }
            seen.push(disk);
            let folder = PathBuf::from(format!("/sys/block/{disk}/queue"));
            if !facts.has(&folder) {
                report.cannot("queue", format!("{disk}: no {}", folder.display()));
                continue;
            }
            let queue = Queue { facts, disk, folder };
            queue.scheduler(report);
            queue.depth(report);
            queue.sizes(report);
            queue.cache(report);
        }
    }
}

impl Queue<'_> {
    fn number(&self, name: &str) -> Option<u64> {
        self.facts.number(self.folder.join(name))
    }

    /// Mends a setting of the queue, now and at every start.
    fn set(&self, finding: Finding, name: &str, value: &str) -> Finding {
        let Self { disk, folder, .. } = self;
        finding.mend(format!("echo '{value}' > {}/{name}", folder.display())).lasting(format!(
            "echo 'ACTION==\"add|change\", SUBSYSTEM==\"block\", KERNEL==\"{disk}\", \
                 ATTR{{queue/{name}}}=\"{value}\"' >> {UDEV_FILE}"
        ))
    }

    fn scheduler(&self, report: &mut DoctorReport) {
        let Some(chosen) = self.facts.chosen(self.folder.join("scheduler")) else { return };
        let spinning = self.number("rotational") == Some(1);
        let wanted: &[&str] = if spinning { &SCHEDULERS_SPINNING } else { &SCHEDULERS_SOLID };
        // A device without a queue of its own says so.
        if wanted.contains(&chosen.as_str()) || chosen.is_empty() {
            return;
        }
        // Loop and virtual disks say that they spin.
        let own = self.disk.starts_with("loop") || self.disk.starts_with("vd");
        let best = if own { "none" } else { wanted[0] };
        let finding =
            Finding::new("scheduler", self.disk).seen(chosen).wanted(wanted.join(" or ")).because(
                "requests come large and in order already: sorting them again costs a lock and \
                 processor time for each",
            );
        report.add(self.set(finding, "scheduler", best));
    }

    fn depth(&self, report: &mut DoctorReport) {
        let facts = self.facts;
        let Some(requests) = self.number("nr_requests") else { return };
        let most = self.number("max_sectors_kb").unwrap_or(u64::MAX).saturating_mul(1024).max(512);
        let parts = facts.unit().div_ceil(most);
        let cores = facts.core_cpus().len().max(1) as u64;
        let needed = cores * u64::from(facts.engine().depth()) * parts;
        if requests >= needed {
            return;
        }
        let finding = Finding::new("nr_requests", self.disk)
            .seen(requests.to_string())
            .wanted(format!(
                "{needed}: {cores} core(s) with {} requests in {parts} part(s) each",
                facts.engine().depth()
            ))
            .because(
                "when the queue is full, whoever submits waits within the system call, and \
                 completions meanwhile wait for him",
            );
        let finding = self.set(finding, "nr_requests", &needed.to_string());
        report.add(finding.lasting(format!(
            "or, if the device takes no more: slots = {} in [engine] of the configuration",
            (requests / cores / parts).max(2)
        )));
    }

    fn sizes(&self, report: &mut DoctorReport) {
        let (Some(most), Some(hardware)) =
            (self.number("max_sectors_kb"), self.number("max_hw_sectors_kb"))
        else {
            return;
        };
        let unit = self.facts.unit();
        if most * 1024 >= unit {
            return;
        }
        let finding = Finding::new("max_sectors_kb", self.disk)
            .seen(format!("{most}, of {hardware} that the device takes"))
            .wanted((unit / 1024).to_string())
            .because(
                "larger requests are split, and on a LUN without a file system each is handed to \
                 a worker thread first: io_uring cannot split without waiting",
            );
        let raised = hardware.min(unit / 1024);
        let finding = if raised > most {
            self.set(finding, "max_sectors_kb", &raised.to_string())
        } else {
            finding
        };
        let fits = raised * 1024 / 65_536 * 65_536;
        report.add(if fits >= unit || fits == 0 {
            finding
        } else {
            finding.lasting(format!("io_bytes = {fits} in [engine] of the configuration"))
        });
    }

    /// The kernel is told that there is no cache to flush, and the device has one.
    fn cache(&self, report: &mut DoctorReport) {
        let facts = self.facts;
        let Some(told) = facts.read(self.folder.join("write_cache")) else { return };
        let device = format!("/sys/block/{}", self.disk);
        let scsi = format!("{device}/device/scsi_disk");
        let mut files = vec![format!("{device}/cache_type")];
        files.extend(facts.list(&scsi).iter().map(|name| format!("{scsi}/{name}/cache_type")));
        let has = files.iter().find_map(|file| facts.read(file));
        if told != "write through" || has.is_none_or(|has| !has.starts_with("write back")) {
            return;
        }
        let finding = Finding::new("write cache", self.disk)
            .seen("the kernel takes it for write through, the device says write back")
            .wanted("write back")
            .because(
                "no flush is sent: what dray has called durable is lost when the power fails, and \
                 with it files that were released",
            )
            .costs("data, if the cache is not backed by a battery");
        report.add(self.set(finding, "write_cache", "write back"));
    }
}
