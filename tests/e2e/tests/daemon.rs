//! drayd on one machine, and the commands that go through it.
#![forbid(unsafe_code)]
// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dray_e2e::{Output, Place, Snapshot, awkward_tree, daemon, write_file};
use serde_json::Value;

/// A daemon over a place; it ends with the value.
struct Running {
    child: Child,
    place: Place,
    log: PathBuf,
}

impl Running {
    fn start() -> Self {
        Self::over(Place::new())
    }

    fn over(place: Place) -> Self {
        let socket = place.path().join("socket");
        let config = fs::read_to_string(&place.config).unwrap();
        if !config.contains("[node]") {
            let node = format!("\n[node]\nname = \"here\"\nsocket = \"{}\"\n", socket.display());
            let store = place.path().join("store");
            let store = format!("[store]\ndirectory = \"{}\"\n", store.display());
            fs::write(&place.config, config + &node + &store).unwrap();
        }
        let log = place.path().join("log");
        let mut start = Command::new(daemon());
        start.arg("--config").arg(&place.config).env_remove("DRAY_CONFIG");
        start.stdin(Stdio::null()).stderr(fs::File::create(&log).unwrap());
        let running = Self { child: start.spawn().unwrap(), place, log };
        let until = Instant::now() + Duration::from_secs(20);
        while running.nodes().is_empty() {
            assert!(Instant::now() < until, "{}", fs::read_to_string(&running.log).unwrap());
            std::thread::sleep(Duration::from_millis(20));
        }
        running
    }

    fn nodes(&self) -> Vec<Value> {
        let listed = self.place.run(["node", "list"]);
        match listed.code {
            Some(0) => listed.json()["nodes"].as_array().cloned().unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    fn json(&self, words: &[&str]) -> Value {
        self.place.run(words).expect(0).json()
    }

    /// Asks it to end; whether it did so in good order.
    fn stop(mut self) -> bool {
        Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        self.child.wait().unwrap().success()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_commands_go_through_the_daemon_and_all_comes_back() {
    let here = Running::start();
    awkward_tree(&here.place.fs);
    for number in 0..200 {
        write_file(&here.place.file(&format!("f{number}")), number, number * 300);
    }
    write_file(&here.place.file("large"), 1, (9 << 20) + 7);
    let before = Snapshot::take(&here.place.fs);
    for word in ["archive", "release", "restore"] {
        here.place.patiently(word);
    }
    before.assert_same(&Snapshot::take(&here.place.fs));
    let nodes = here.nodes();
    assert_eq!(nodes[0]["name"], "here");
    assert_eq!(nodes[0]["coordinator"], true);
    assert!(nodes[0]["done"].as_u64().unwrap() > 600, "{nodes:?}");
    // Nothing is left to do, and what was done can be asked for.
    let open = here.json(&["request", "list", "--open"]);
    assert_eq!(open["requests"].as_array().unwrap().len(), 0, "{open}");
    let all = here.json(&["request", "list", "--limit", "5"]);
    let first = &all["requests"][0];
    assert_eq!((first["status"].as_str(), all["more"].as_bool()), (Some("done"), Some(true)));
    let id = first["request"].to_string();
    let shown = here.json(&["request", "show", &id]);
    assert_eq!(shown["path"], first["path"]);
    // What has ended is not cancelled any more.
    let cancelled = here.json(&["request", "cancel", &id]);
    assert_eq!(cancelled["cancelled"][0]["status"], "done");
    assert!(here.stop());
}

#[test]
fn two_who_ask_for_the_same_are_both_answered() {
    let here = Running::start();
    for number in 0..400 {
        write_file(&here.place.file(&format!("f{number}")), number, 20_000);
    }
    // What changed a moment ago is archived again when it is asked for again.
    std::thread::sleep(Duration::from_millis(50));
    let outputs: Vec<Output> = std::thread::scope(|scope| {
        let ask = || scope.spawn(|| here.place.all("archive"));
        let both = [ask(), ask()];
        both.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let archived: u64 = outputs.iter().map(|it| it.json()["files"].as_u64().unwrap()).sum();
    let skipped: u64 = outputs.iter().map(|it| it.json()["skipped"].as_u64().unwrap()).sum();
    let failed: u64 = outputs.iter().map(|it| it.json()["failed"].as_u64().unwrap()).sum();
    // The directories count, too, and are recorded by each.
    assert_eq!((archived + skipped, failed), (802, 0));
    // By the node each was moved once.
    let done = here.nodes()[0]["done"].as_u64().unwrap();
    assert!((401..=402).contains(&done), "{done}");
    assert!(here.stop());
}

#[test]
fn sessions_are_made_shared_limited_and_ended() {
    let here = Running::start();
    let made = here.json(&["session", "create", "mine"])["session"].to_string();
    let sessions = here.json(&["session", "list"]);
    let infos: Vec<&str> = sessions["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| it["info"].as_str())
        .collect();
    // dray's own for the managed file system is there, too.
    assert!(infos.contains(&"mine") && infos.iter().any(|it| it.starts_with("dray ")), "{infos:?}");
    here.json(&["session", "share", &made, "300"]);
    here.json(&["session", "limit", &made, "1000000"]);
    let own = here.json(&["session", "show", &made]);
    assert_eq!((&own["session"]["info"], &own["session"]["share"]), (&"mine".into(), &300.into()));
    assert_eq!((&own["requests"], &own["more"]), (&Value::Array(Vec::new()), &false.into()));
    let name = here.nodes()[0]["name"].as_str().unwrap().to_owned();
    assert_eq!(here.json(&["node", "show", &name])["name"], name.as_str());
    here.place.run(["node", "show", "nobody"]).expect(1).says("no node nobody");
    here.json(&["session", "destroy", &made]);
    here.place.run(["session", "destroy", &made]).expect(1).says("no session");
    here.place.run(["session", "show", &made]).expect(1).says("no session");
    assert!(here.stop());
}

#[test]
fn a_daemon_that_is_killed_leaves_what_the_next_can_go_on_with() {
    let mut here = Running::start();
    for number in 0..300 {
        write_file(&here.place.file(&format!("f{number}")), number, 30_000);
    }
    let before = Snapshot::take(&here.place.fs);
    here.place.all("archive").expect(0);
    here.child.kill().unwrap();
    here.child.wait().unwrap();
    // Without a daemon the command does it by itself.
    here.place.patiently("release");
    let place = std::mem::take(&mut here.place);
    let again = Running::over(place);
    again.place.patiently("restore");
    before.assert_same(&Snapshot::take(&again.place.fs));
    assert!(again.stop());
}

#[test]
fn a_command_goes_on_when_its_daemon_was_killed_and_comes_back() {
    let mut here = Running::start();
    for number in 0..4000 {
        write_file(&here.place.file(&format!("f{number}")), number, 15_000);
    }
    let before = Snapshot::take(&here.place.fs);
    // A second or two of work.
    limit(&here, 30 << 20);
    let mut archive = here.place.dray(["archive", here.place.fs.to_str().unwrap()]);
    archive.stdout(Stdio::piped()).stderr(Stdio::piped());
    let archive = archive.spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while here.nodes().first().is_none_or(|it| it["done"].as_u64() < Some(500)) {
        assert!(Instant::now() < until, "nothing is archived");
        std::thread::sleep(Duration::from_millis(10));
    }
    here.child.kill().unwrap();
    here.child.wait().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let again = Running::over(std::mem::take(&mut here.place));
    // It has outlived the daemon, too.
    limit(&again, 0);
    let output = archive.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.matches("the connection to the coordinator has ended").count(), 1, "{said}");
    assert_eq!(output.status.code(), Some(0), "{said}");
    let states = again.place.states();
    assert_eq!(states.count(&["archived"]), states.0.len());
    for word in ["release", "restore"] {
        again.place.patiently(word);
    }
    before.assert_same(&Snapshot::take(&again.place.fs));
    assert!(again.stop());
}

#[test]
fn a_cancelled_file_is_as_before_or_done() {
    let here = Running::start();
    for number in 0..20 {
        fs::create_dir(here.place.file(&format!("d{number}"))).unwrap();
    }
    for number in 0..3000 {
        write_file(&here.place.file(&format!("d{}/f{number}", number % 20)), number, 15_000);
    }
    let before = Snapshot::take(&here.place.fs);
    let mut cancelled = 0;
    for (word, old, new) in
        [("archive", "resident", "archived"), ("release", "archived", "released")]
    {
        // Slow enough for a queue to build up.
        limit(&here, 60 << 20);
        let output = std::thread::scope(|scope| {
            let run = scope.spawn(|| here.place.all(word));
            while !run.is_finished() {
                cancel_some(&here);
            }
            run.join().unwrap()
        });
        limit(&here, 0);
        let json = output.json();
        let count = |name: &str| json[name].as_u64().unwrap();
        cancelled += count("failed");
        let states = here.place.states();
        assert_eq!(states.count(&[old, new]), states.0.len(), "{word}");
        here.place.patiently(word);
    }
    assert!(cancelled > 0, "nothing was cancelled in time");
    here.place.patiently("restore");
    before.assert_same(&Snapshot::take(&here.place.fs));
    assert!(here.stop());
}

/// Lets so many bytes per second be moved; 0 for any number.
fn limit(here: &Running, bytes: u64) {
    let directory = here.place.fs.to_str().unwrap();
    here.json(&["node", "limit", directory, &bytes.to_string()]);
}

/// Takes back whatever is open at the moment.
fn cancel_some(here: &Running) {
    let open = here.json(&["request", "list", "--open", "--limit", "100"]);
    let ids: Vec<String> = open["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|request| request["request"].to_string())
        .collect();
    if !ids.is_empty() {
        let words: Vec<&str> =
            ["request", "cancel"].into_iter().chain(ids.iter().map(String::as_str)).collect();
        // Some may be forgotten by the time they are named.
        here.place.run(words);
    }
}
