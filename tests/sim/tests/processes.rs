//! Processes of one machine: each dies by itself.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dray_io::{Access, Files};
use dray_sim::{Sim, is_crash};

#[test]
fn a_process_that_is_killed_holds_and_does_nothing_more() {
    let sim = Sim::new(1);
    sim.tree().write_file("/d/file", b"content");
    let (first, second) = (sim.process(), sim.process());
    let path = "/d/file".as_ref();
    let held = first.open(path, Access::Write).unwrap();
    first.lock(&held).unwrap();
    let other = second.open(path, Access::Write).unwrap();
    assert!(second.lock(&other).is_err(), "the first has it");
    assert!(second.lease(&other).is_err(), "the first has it open");
    first.kill();
    second.lock(&other).unwrap();
    second.lease(&other).unwrap();
    assert!(is_crash(&first.write_at(&held, b"C", 0).unwrap_err()));
    assert!(is_crash(&first.open(path, Access::Look).unwrap_err()));
    second.write_at(&other, b"K", 0).unwrap();
    assert!(!sim.crashed(), "the machine runs on");
    assert_eq!(sim.tree().read_file("/d/file"), b"Kontent");
}

#[test]
fn a_process_may_die_between_asking_and_doing() {
    let sim = Sim::new(1);
    sim.tree().write_file("/d/file", b"content");
    let process = sim.process();
    let file = process.open("/d/file".as_ref(), Access::Write).unwrap();
    let seen = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&seen);
    sim.attend(move |sim, _| {
        // Its own operations are attended, too.
        if count.fetch_add(1, Ordering::Relaxed) == 0 {
            assert!(sim.stat(&sim.open("/d".as_ref(), Access::Inspect).unwrap()).is_ok());
            sim.kill();
        }
    });
    assert!(is_crash(&process.write_at(&file, b"C", 0).unwrap_err()));
    assert_eq!(seen.load(Ordering::Relaxed), 3);
    assert_eq!(sim.tree().read_file("/d/file"), b"content");
}
