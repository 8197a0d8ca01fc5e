//! The daemon: its limits, certificates, units, room, and time.

use dray_io::limits::{HANDS, PACK_FILES};
use dray_node::config::Mode;

use super::facts::{CERTIFICATE_DAYS, Facts, Tried};
use super::finding::{DoctorReport, Finding};
use super::memory::limit;
use super::wanted::{DROP_IN, ROOM_BYTES};

/// Descriptors beside those of the hands: rings, volumes, sockets, logs.
const OTHER_FILES: usize = 512;

/// Descriptors that a process needs with so many hands.
pub fn open_files(hands: usize) -> u64 {
    (hands * PACK_FILES + OTHER_FILES) as u64
}

pub(super) fn check(facts: &Facts, report: &mut DoctorReport) {
    files(facts, report);
    certificates(facts, report);
    units(facts, report);
    rooms(facts, report);
    time(facts, report);
}

fn files(facts: &Facts, report: &mut DoctorReport) {
    let check = "open files";
    let Some((_, hard)) = limit(facts, "Max open files") else {
        return report.cannot(check, "no such line in /proc/self/limits");
    };
    let hands = match facts.engine().hands {
        0 => HANDS,
        hands => hands,
    };
    let wanted = open_files(hands);
    let Some(hard) = hard.filter(|hard| *hard < wanted) else { return };
    report.add(
        Finding::new(check, "")
            .seen(format!("at most {hard}"))
            .wanted(format!("{wanted}: {hands} hands with {PACK_FILES} files each"))
            .because("packed segments get smaller, and each of them costs a flush")
            .mend(format!("prlimit --nofile={wanted}:{wanted} --pid $$"))
            .lasting(format!(
                "mkdir -p /etc/systemd/system/drayd.service.d && printf \
                 '[Service]\\nLimitNOFILE=1048576\\n' >> {DROP_IN} && systemctl daemon-reload"
            )),
    );
}

fn certificates(facts: &Facts, report: &mut DoctorReport) {
    let check = "certificates";
    let Some(tls) = facts.config.as_ref().and_then(|config| config.tls.as_ref()) else { return };
    let folder = tls.cert.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
    let renew = format!("dray tls issue --ca DIR --node NAME --out {folder}.new");
    let finding = Finding::new(check, tls.cert.display().to_string())
        .because("nodes without a valid certificate are not let in, and cannot renew their lease")
        .costs("the node, from then on");
    match &facts.trials.certificate_days {
        Tried::Works(days) if *days >= CERTIFICATE_DAYS => {}
        Tried::Works(days) => report.add(
            finding
                .seen(format!("not valid any more in {days} day(s)"))
                .wanted(format!("valid for {CERTIFICATE_DAYS} days at the least"))
                .mend(renew)
                .lasting(format!("mv {folder}.new/*.pem {folder}/ && systemctl restart drayd")),
        ),
        Tried::Fails(why) => {
            let key = tls.key.display();
            let mode = format!("chmod 600 {key}  # if others can read it; else {renew}");
            let finding = finding.seen(why).wanted("what the other nodes accept").mend(mode);
            report.add(finding.lasting("systemctl restart drayd"));
        }
        Tried::Not(why) => report.cannot(check, why),
        Tried::Pointless => {}
    }
}

fn units(facts: &Facts, report: &mut DoctorReport) {
    let Some(config) = &facts.config else { return };
    // A configuration for commands alone needs no daemon.
    let needs_daemon = config.cluster.mode == Mode::Cluster || config.node.is_some();
    let recall = config.recall.is_some();
    if !needs_daemon && !recall {
        return;
    }
    if !facts.has("/run/systemd/system") {
        return report.cannot("units", "this machine is not started by systemd");
    }
    let names = [("dray-holder", recall), ("drayd", needs_daemon || recall)];
    for (name, _) in names.into_iter().filter(|(_, needed)| *needed) {
        let unit = format!("{name}.service");
        let enabled = facts.has(format!("/etc/systemd/system/multi-user.target.wants/{unit}"));
        if enabled {
            continue;
        }
        let folders = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
        let there = folders.iter().any(|folder| facts.has(format!("{folder}/{unit}")));
        let finding = Finding::new("units", unit.as_str())
            .seen(if there { "not enabled" } else { "not installed" })
            .wanted("installed and enabled")
            .because(if name == "drayd" {
                "after the next start of the machine nobody moves anything"
            } else {
                "after the next start nobody watches, and released files read as zeros"
            })
            .costs("wrong data for readers, where the holder is missing");
        let finding = match there {
            true => finding,
            false => finding.mend(format!("cp tuning/systemd/{unit} /etc/systemd/system/")),
        };
        report.add(finding.lasting(format!("systemctl daemon-reload && systemctl enable {name}")));
    }
}

fn rooms(facts: &Facts, report: &mut DoctorReport) {
    for room in facts.trials.rooms.iter().filter(|room| room.free < ROOM_BYTES) {
        let path = room.path.display();
        report.add(
            Finding::new("room", path.to_string())
                .seen(format!("{} of {} bytes are free", room.free, room.total))
                .wanted(format!("{ROOM_BYTES} bytes"))
                .because("a store or catalog that cannot grow makes the daemon refuse work")
                .mend(format!("du -xhd1 {path} | sort -h  # and remove what nobody needs"))
                .lasting("move it: store.directory, and catalog of each archive"),
        );
    }
}

fn time(facts: &Facts, report: &mut DoctorReport) {
    let cluster = facts.config.as_ref().is_some_and(|it| it.cluster.mode == Mode::Cluster);
    if !cluster {
        return;
    }
    let signs = [
        "/run/systemd/timesync/synchronized",
        "/run/chrony/chronyd.pid",
        "/run/chronyd.pid",
        "/run/ntpd.pid",
        "/run/openntpd.pid",
        "/run/ptp4l",
    ];
    if signs.iter().any(|sign| facts.has(sign)) {
        return;
    }
    report.add(
        Finding::new("time", "")
            .seen("nothing keeps the clock: neither timesyncd, chrony, ntpd nor ptp4l")
            .wanted("one of them")
            .because(
                "certificates are judged by the clock, and an epoch is never below the one before \
                 because clocks agree to some seconds",
            )
            .mend("systemctl start systemd-timesyncd")
            .lasting("systemctl enable systemd-timesyncd  # or chrony"),
    );
}
