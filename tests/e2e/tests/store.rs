//! drayd over stores that cannot be used, or not at the moment.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use dray_e2e::{Place, daemon, write_file};

/// Longer than anything here takes.
const AMPLE: Duration = Duration::from_secs(30);

struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// How it ended, which it does by itself, and what it said.
    fn ended(mut self) -> (bool, String) {
        let until = Instant::now() + AMPLE;
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "it runs: {}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
        (self.child.wait().unwrap().success(), self.said())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, or is to.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Has a place use a store in this directory.
fn configure(place: &Place, store: &Path) {
    let config = fs::read_to_string(&place.config).unwrap();
    let (socket, store) = (place.path().join("socket"), store.display());
    let more = format!(
        "\n[node]\nname = \"here\"\nsocket = \"{}\"\n[store]\ndirectory = \"{store}\"\n",
        socket.display()
    );
    fs::write(&place.config, config + &more).unwrap();
}

fn start(place: &Place) -> Running {
    let log = place.path().join("log");
    let mut start = Command::new(daemon());
    start.arg("--config").arg(&place.config).env_remove("DRAY_CONFIG");
    start.stdin(Stdio::null()).stderr(fs::File::create(&log).unwrap());
    Running { child: start.spawn().unwrap(), log }
}

fn wait_for(place: &Place, running: &Running) {
    let until = Instant::now() + AMPLE;
    while place.run(["node", "list"]).code != Some(0) {
        assert!(Instant::now() < until, "{}", running.said());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A store that a daemon has used.
fn used(place: &Place) -> PathBuf {
    let store = place.path().join("store");
    configure(place, &store);
    let running = start(place);
    wait_for(place, &running);
    drop(running);
    store.join("journal.redb")
}

fn refused(place: &Place, words: &[&str]) {
    let (success, said) = start(place).ended();
    assert!(!success, "{said}");
    for word in words {
        assert!(said.contains(word), "\"{word}\" is not in:\n{said}");
    }
}

#[test]
fn a_store_of_another_cluster_is_refused() {
    let place = Place::new();
    used(&place);
    let config = fs::read_to_string(&place.config).unwrap();
    let other = config.replacen("[cluster]", "[cluster]\nname = \"other\"", 1);
    assert_ne!(other, config);
    fs::write(&place.config, other).unwrap();
    refused(&place, &["is the store of cluster", "store", "move the store away"]);
}

#[test]
fn what_is_no_store_is_refused_and_left_alone() {
    let place = Place::new();
    let journal = used(&place);
    let text = vec![b'x'; 100_000];
    fs::write(&journal, &text).unwrap();
    refused(&place, &[journal.to_str().unwrap(), "not the store of a coordinator"]);
    assert!(fs::read(&journal).unwrap() == text);
}

#[test]
fn a_store_that_another_daemon_uses_is_refused() {
    let place = Place::new();
    let store = place.path().join("store");
    configure(&place, &store);
    let running = start(&place);
    wait_for(&place, &running);
    let other = Place::new();
    configure(&other, &store);
    refused(&other, &["another process has the store", "directory of its own"]);
}

#[test]
fn a_store_that_may_not_be_written_is_refused() {
    let place = Place::new();
    // A file where a directory is to be.
    let file = place.path().join("file");
    fs::write(&file, b"here").unwrap();
    configure(&place, &file.join("store"));
    refused(&place, &[file.to_str().unwrap()]);
}

/// A small file system of its own, for the store.
struct Small(PathBuf);

impl Small {
    fn mount(at: PathBuf) -> Option<Self> {
        fs::create_dir(&at).unwrap();
        let options = ["-t", "tmpfs", "-o", "size=16m", "tmpfs"];
        let mounted = Command::new("mount").args(options).arg(&at).status().unwrap().success();
        mounted.then_some(Self(at))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // What holds it has been ended.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Nothing is accepted that could not be kept; and when there is space again, all goes on.
#[test]
fn a_full_disk_is_waited_for() {
    let place = Place::new();
    let Some(small) = Small::mount(place.path().join("small")) else {
        println!("not run: mounting needs root");
        return;
    };
    configure(&place, &small.0.join("store"));
    let running = start(&place);
    wait_for(&place, &running);
    for number in 0..50 {
        write_file(&place.file(&format!("f{number}")), number, 10_000);
    }
    let filler = small.0.join("filler");
    let filled = fs::write(&filler, vec![1; 32 << 20]);
    assert!(filled.is_err(), "it was not small");
    let mut archive = place.dray(["archive", place.fs.to_str().unwrap()]);
    archive.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut archive = archive.spawn().unwrap();
    let until = Instant::now() + AMPLE;
    while !running.said().contains("no space left") {
        assert!(Instant::now() < until, "{}", running.said());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(archive.try_wait().unwrap().is_none(), "it has ended with nothing kept");
    // Who asks meanwhile is told why he waits, and gets his answer in the end.
    let mut ask = place.dray(["request", "list"]);
    let mut ask = ask.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut told, mut stderr) = (String::new(), BufReader::new(ask.stderr.take().unwrap()));
    stderr.read_line(&mut told).unwrap();
    assert!(told.contains("no space left"), "{told}");
    place.run(["node", "list"]).expect(0);
    fs::remove_file(&filler).unwrap();
    assert!(ask.wait_with_output().unwrap().status.success());
    let output = archive.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let states = place.states();
    assert_eq!(states.count(&["archived"]), states.0.len());
    drop(running);
}
