//! Faults that can be had without harm to the machine are had: of a process, or of a device of
//! the test's own. The rest are made up in `tuning/src/doctor/tests.rs`.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use dray_e2e::{LoopDevice, Output, Place, binary, need_root, need_tool};
use serde_json::Value;

/// `dray tune doctor` in a process that was afflicted.
fn doctor(place: &Place, ailments: &[&str], subject: &Path) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tuning/afflict.py");
    let mut command = Command::new("python3");
    command.arg("-B").arg(script).args(ailments).arg("--").arg(binary()).arg("--json");
    command.arg("--config").arg(&place.config).args(["tune", "doctor"]).arg(subject);
    command.env_remove("DRAY_CONFIG");
    Output::of(command)
}

fn findings(output: &Output) -> Vec<Value> {
    output.json()["findings"].as_array().expect("a list").clone()
}

/// Checks, each with its subject.
fn names(output: &Output) -> BTreeSet<String> {
    let name = |it: &Value| format!("{} {}", it["check"], it["subject"]).replace('"', "");
    findings(output).iter().map(name).collect()
}

fn mend(output: &Output, check: &str) -> Vec<String> {
    let findings = findings(output);
    let finding = findings.iter().find(|it| it["check"] == check);
    let finding = finding.unwrap_or_else(|| panic!("no {check} in {output:?}"));
    for field in ["seen", "wanted", "why", "cost"] {
        assert!(finding[field].as_str().is_some_and(|it| !it.is_empty()), "{finding}");
    }
    assert!(finding["lasting"].as_array().is_some_and(|it| !it.is_empty()), "{finding}");
    let commands = finding["mend"].as_array().expect("a list").iter();
    commands.map(|it| it.as_str().expect("a command").to_owned()).collect()
}

fn shell(line: &str) -> bool {
    Command::new("sh").arg("-c").arg(line).status().expect("a shell").success()
}

#[test]
fn a_machine_set_up_badly_is_named_mended_and_then_nothing_is_said() {
    let test = "a_machine_set_up_badly_is_named_mended_and_then_nothing_is_said";
    if !need_root(test) || !need_tool(test, "python3") || !need_tool(test, "losetup") {
        return;
    }
    let place = Place::bare();
    // A recall that cannot work here would be another matter; and buffers that fit the hard limit,
    // which not every root may raise.
    std::fs::write(&place.config, "[engine]\nio_bytes = 65536\nslots = 16\n").unwrap();
    let lun = LoopDevice::new(&place.path().join("lun"), 64 << 20);
    let disk = lun.path.file_name().unwrap().to_str().unwrap().to_owned();
    let queue = format!("/sys/block/{disk}/queue");

    // What is wrong with this machine apart from what the test does to it.
    let before = doctor(&place, &[], &lun.path);
    let own = names(&before);
    for name in &own {
        println!("of this machine itself: {name}");
    }

    let schedulers = std::fs::read_to_string(format!("{queue}/scheduler")).unwrap();
    let other = ["bfq", "kyber"].into_iter().find(|name| schedulers.contains(name));
    let mut wanted = BTreeSet::from(["locked memory ".into(), "huge pages this process".into()]);
    if let Some(other) = other {
        std::fs::write(format!("{queue}/scheduler"), other).unwrap();
        wanted.insert(format!("scheduler {disk}"));
    } else {
        println!("this kernel has no scheduler that is wrong for a loop device: {schedulers}");
    }
    std::fs::write(format!("{queue}/max_sectors_kb"), "32").unwrap();
    std::fs::write(format!("{queue}/nr_requests"), "8").unwrap();
    wanted.extend([format!("max_sectors_kb {disk}"), format!("nr_requests {disk}")]);
    let bad = doctor(&place, &["memlock", "pages"], &lun.path).expect(7);
    let seen: BTreeSet<String> = names(&bad).difference(&own).cloned().collect();
    assert_eq!(seen, wanted, "{bad:?}");

    // A filter keeps rings from being made at all, and then nothing is known of their memory.
    let filtered = doctor(&place, &["rings"], &lun.path).expect(7);
    assert!(names(&filtered).contains("io_uring "), "{filtered:?}");
    assert!(mend(&filtered, "io_uring")[0].contains("io_uring_setup"));

    // Of the device: the commands as they are printed.
    for check in ["scheduler", "max_sectors_kb", "nr_requests"] {
        if names(&bad).contains(&format!("{check} {disk}")) {
            let command = &mend(&bad, check)[0];
            assert!(shell(command), "{command}");
        }
    }
    // Of the process: the limit as it is printed, and then the command in that shell.
    let limit = mend(&bad, "locked memory").remove(0);
    let line = format!(
        "{limit} && exec setpriv --bounding-set=-ipc_lock {} --json --config {} tune doctor {}",
        binary().display(),
        place.config.display(),
        lun.path.display()
    );
    let mut command = Command::new("sh");
    command.arg("-c").arg(line);
    let after = Output::of(command);
    assert_eq!(names(&after), own, "{after:?}");
    assert_eq!(after.code, Some(if own.is_empty() { 0 } else { 7 }), "{after:?}");
    if own.is_empty() {
        let mut command = Command::new(binary());
        command.arg("--config").arg(&place.config).args(["tune", "doctor"]).arg(&lun.path);
        let silent = Output::of(command).expect(0);
        assert_eq!((silent.stdout.len(), silent.stderr.len()), (0, 0), "{silent:?}");
    }
}

#[test]
fn certificates_that_anybody_can_read_and_none_at_all() {
    let place = Place::bare();
    let folder = |name: &str| place.path().join(name);
    let (ca, tls) = (folder("ca"), folder("tls"));
    let words = |words: &[&OsStr]| place.run(words.iter().copied()).expect(0);
    let text = OsStr::new;
    words(&[text("tls"), text("init"), text("--dir"), ca.as_os_str()]);
    words(&[
        text("tls"),
        text("issue"),
        text("--ca"),
        ca.as_os_str(),
        text("--node"),
        text("n1"),
        text("--out"),
        tls.as_os_str(),
    ]);
    let file = |name: &str| tls.join(name).display().to_string();
    let config = format!(
        "[cluster]\nmode = \"cluster\"\ncoordinator = \"n1\"\n[cluster.nodes]\n\
         n1 = \"tcp:127.0.0.1:1\"\n[tls]\nca = {:?}\ncert = {:?}\nkey = {:?}\n",
        file("ca.pem"),
        file("cert.pem"),
        file("key.pem")
    );
    std::fs::write(&place.config, config).unwrap();
    let about = |output: &Output| -> Vec<Value> {
        findings(output).into_iter().filter(|it| it["check"] == "certificates").collect()
    };
    let look = || place.run(["tune", "doctor"]);
    assert_eq!(about(&look()), [Value::Null; 0]);
    assert!(shell(&format!("chmod 644 {}", file("key.pem"))));
    let output = look().expect(7);
    assert_eq!(about(&output).len(), 1, "{output:?}");
    assert!(shell(&mend(&output, "certificates")[0]));
    assert_eq!(about(&look()), [Value::Null; 0]);
    std::fs::remove_file(file("cert.pem")).unwrap();
    assert_eq!(about(&look().expect(7)).len(), 1);
}
