//! The files that are installed set what the doctor wants, and the units start in order.
#![forbid(unsafe_code)]
// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dray_io::limits::HANDS;
use dray_tuning::doctor::{DoctorReport, Facts, Trials, check};
use dray_tuning::doctor::{Subject, open_files, wanted};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// Lines that say something.
fn lines(file: &str) -> Vec<String> {
    let text = fs::read_to_string(folder().join(file)).unwrap();
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path.trim_start_matches('/'));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn the_sysctls_are_those_that_are_wanted() {
    let set: Vec<(String, String)> = lines("sysctl.d/60-dray.conf")
        .iter()
        .map(|line| line.split_once(" = ").unwrap())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let wanted = wanted::SYSCTLS.map(|(key, value)| (key.to_owned(), value.to_owned()));
    assert_eq!(set, wanted);
}

/// What a rule sets on a disk of this kind.
fn scheduler(rotational: &str) -> Option<String> {
    let applies = format!("ATTR{{queue/rotational}}==\"{rotational}\"");
    let rules = lines("udev/60-dray.rules");
    let rule = rules.iter().find(|rule| rule.contains(&applies))?;
    let (_, value) = rule.split_once("ATTR{queue/scheduler}=\"")?;
    Some(value.trim_end_matches('"').to_owned())
}

#[test]
fn a_machine_with_these_files_is_one_that_the_doctor_is_content_with() {
    assert_eq!(scheduler("0").unwrap(), wanted::SCHEDULERS_SOLID[0]);
    assert_eq!(scheduler("1").unwrap(), wanted::SCHEDULERS_SPINNING[0]);
    let root = tempfile::tempdir().unwrap();
    for line in lines("sysctl.d/60-dray.conf") {
        let (key, value) = line.split_once(" = ").unwrap();
        put(root.path(), &format!("proc/sys/{}", key.replace('.', "/")), value);
    }
    for line in lines("tmpfiles.d/dray.conf") {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!((words[0], words.len()), ("w", 7), "{line}");
        put(root.path(), words[1], words[6]);
    }
    let unit = unit("drayd");
    let limit = |name: &str| match unit["Service"][name].as_str() {
        "infinity" => "unlimited".to_owned(),
        number => number.to_owned(),
    };
    let (files, memory) = (limit("LimitNOFILE"), limit("LimitMEMLOCK"));
    let limits = format!(
        "Max open files {files} {files} files\nMax locked memory {memory} {memory} bytes\n"
    );
    put(root.path(), "proc/self/limits", &limits);
    for (disk, rotational) in [("sda", "1"), ("nvme0n1", "0")] {
        put(root.path(), &format!("sys/block/{disk}/queue/rotational"), rotational);
        let chosen = scheduler(rotational).unwrap();
        put(root.path(), &format!("sys/block/{disk}/queue/scheduler"), &format!("[{chosen}] bfq"));
    }
    let subjects = ["sda", "nvme0n1"].map(|disk| Subject::named(Path::new(disk))).to_vec();
    let trials = Trials::default();
    let facts = Facts { root: root.path().to_owned(), trials, config: None, subjects };
    let mut report = DoctorReport::default();
    check(&facts, &mut report);
    assert_eq!(report, DoctorReport::default(), "{report}");
}

type Unit = BTreeMap<String, BTreeMap<String, String>>;

/// Tables of a unit; of several lines with one name the last.
fn unit(name: &str) -> Unit {
    let mut tables = Unit::new();
    let mut table = String::new();
    for line in lines(&format!("systemd/{name}.service")) {
        if let Some(name) = line.strip_prefix('[') {
            table = name.trim_end_matches(']').to_owned();
        } else {
            let (key, value) = line.split_once('=').unwrap();
            tables.entry(table.clone()).or_default().insert(key.to_owned(), value.to_owned());
        }
    }
    tables
}

#[test]
fn the_holder_starts_before_the_daemon_and_has_what_both_need() {
    let (holder, daemon) = (unit("dray-holder"), unit("drayd"));
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    assert!(words(&holder["Unit"]["Before"]).contains(&"drayd.service".to_owned()));
    assert!(words(&daemon["Unit"]["After"]).contains(&"dray-holder.service".to_owned()));
    assert!(
        words(&daemon["Unit"]["Wants"])
            .iter()
            .any(|it| it == "network-online.target" || it == "dray-holder.service")
    );
    assert!(words(&holder["Service"]["CapabilityBoundingSet"]).contains(&"CAP_SYS_ADMIN".into()));
    for unit in [&holder, &daemon] {
        assert_eq!(unit["Install"]["WantedBy"], "multi-user.target");
        assert!(unit["Service"]["ExecStart"].starts_with("/usr/bin/dray"));
        let files: u64 = unit["Service"]["LimitNOFILE"].parse().unwrap();
        assert!(files >= open_files(HANDS));
    }
    assert_eq!(daemon["Service"]["LimitMEMLOCK"], "infinity");
}

#[test]
fn systemd_understands_the_units() {
    let root = tempfile::tempdir().unwrap();
    let mut command = Command::new("systemd-analyze");
    command.arg("verify").arg("--man=no");
    for name in ["dray-holder", "drayd"] {
        let text = fs::read_to_string(folder().join(format!("systemd/{name}.service"))).unwrap();
        // The programs are not installed here, and that is all that would be missing.
        let text = text.replace(&format!("/usr/bin/{name}"), "/bin/true");
        let path = root.path().join(format!("{name}.service"));
        fs::write(&path, text).unwrap();
        command.arg(path);
    }
    let Ok(output) = command.output() else {
        println!("SKIPPED: systemd_understands_the_units: no systemd-analyze");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if said.contains("Failed to initialize manager") || said.contains("cgroup") {
        println!("SKIPPED: systemd_understands_the_units: systemd-analyze cannot run: {said}");
        return;
    }
    assert!(output.status.success() && !said.contains("dray"), "{said}");
}

#[test]
fn profiles_that_are_shipped_can_be_loaded_and_say_where_they_are_from() {
    let entries = fs::read_dir(folder().join("profiles")).unwrap();
    let profiles = entries.map(|entry| entry.unwrap().path());
    let profiles: Vec<PathBuf> =
        profiles.filter(|path| path.extension().is_some_and(|it| it == "toml")).collect();
    assert!(!profiles.is_empty());
    for path in profiles {
        let profile = dray_node::config::Profile::load(&path).unwrap();
        let measured = &profile.measured;
        for text in [&measured.device, &measured.date, &measured.kernel, &measured.processor] {
            assert!(!text.is_empty(), "{}", path.display());
        }
        assert!(measured.read.is_some() && measured.random_read.is_some());
    }
}
