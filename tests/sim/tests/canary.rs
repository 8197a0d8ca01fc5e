//! Protocols that are wrong on purpose. A simulator that lets them pass proves nothing.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dray_io::{Access, Files, Range};
use dray_sim::{Faults, Sim, is_crash};

const DATA: [u8; 8192] = [5; 8192];

type Protocol = fn(&Sim) -> io::Result<()>;

/// Copy, flush, mark, flush, punch: the order that holds.
fn release(sim: &Sim) -> io::Result<()> {
    let file = copy_out(sim, true)?;
    sim.set_attribute(&file, b"released")?;
    sim.sync(&file)?;
    sim.punch(&file, Range::new(0, DATA.len() as u64))
}

fn punch_before_mark(sim: &Sim) -> io::Result<()> {
    let file = copy_out(sim, true)?;
    sim.punch(&file, Range::new(0, DATA.len() as u64))?;
    sim.set_attribute(&file, b"released")?;
    sim.sync(&file)
}

fn copy_not_flushed(sim: &Sim) -> io::Result<()> {
    let file = copy_out(sim, false)?;
    sim.set_attribute(&file, b"released")?;
    sim.sync(&file)?;
    sim.punch(&file, Range::new(0, DATA.len() as u64))
}

fn copy_out(sim: &Sim, flush: bool) -> io::Result<dray_sim::SimFile> {
    let file = sim.open(Path::new("/file"), Access::Write)?;
    let mut bytes = vec![0; DATA.len()];
    sim.read_at(&file, &mut bytes, 0)?;
    let copy = sim.create(Path::new("/copy"), false)?;
    sim.write_at(&copy, &bytes, 0)?;
    if flush {
        sim.sync(&copy)?;
    }
    Ok(file)
}

/// Whole, or marked and with a whole copy.
fn recoverable(sim: &Sim) -> bool {
    let tree = sim.tree();
    let copied = || tree.exists("/copy") && tree.read_file("/copy") == DATA;
    tree.read_file("/file") == DATA || (tree.attribute("/file").is_some() && copied())
}

/// Crashes that lose data: at every operation of `protocol`, for every seed.
fn losses(protocol: Protocol) -> usize {
    let mut lost = 0;
    for seed in 0..40 {
        for crash_at in 1.. {
            let sim = Sim::new(seed);
            sim.tree().write_file("/file", &DATA);
            sim.set_faults(Faults::crash_at(crash_at));
            let result = protocol(&sim);
            assert!(result.as_ref().err().is_none_or(|error| is_crash(error)));
            sim.reboot();
            lost += usize::from(!recoverable(&sim));
            if result.is_ok() {
                break;
            }
        }
    }
    lost
}

#[test]
fn the_right_order_loses_nothing() {
    assert_eq!(losses(release), 0);
}

#[test]
fn punching_before_the_mark_is_caught() {
    assert!(losses(punch_before_mark) > 0);
}

#[test]
fn marking_before_the_copy_is_durable_is_caught() {
    assert!(losses(copy_not_flushed) > 0);
}

#[test]
fn a_watcher_sees_the_same_in_one_run() {
    for (protocol, wrong) in [(release as Protocol, false), (punch_before_mark, true)] {
        let (sim, lost) = (Sim::new(1), Arc::new(AtomicU64::new(0)));
        sim.tree().write_file("/file", &DATA);
        let count = Arc::clone(&lost);
        sim.watch(move |sim, _| {
            let bad = (0..40).filter(|seed| !recoverable(&sim.after_crash(*seed))).count();
            count.fetch_add(bad as u64, Ordering::Relaxed);
        });
        protocol(&sim).unwrap();
        assert_eq!(lost.load(Ordering::Relaxed) > 0, wrong);
    }
}
