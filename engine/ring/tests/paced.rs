//! A ring whose user says how long it waits.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use dray_io::{Completion, Flush, PacedRing, Ring, Slot};
use dray_ring::{CoreRing, RingChoice, RingSetup};

fn ring(choice: RingChoice) -> CoreRing<File> {
    let setup = RingSetup { choice, slots: 4, slot_bytes: 4096 };
    CoreRing::new(&setup).unwrap().0
}

fn moved(done: &mut Vec<Completion>) -> Vec<(u32, u32)> {
    let mut moved: Vec<(u32, u32)> =
        done.drain(..).map(|it| (it.slot.0, it.result.unwrap())).collect();
    moved.sort_unstable();
    moved
}

#[test]
fn as_many_as_wanted_are_awaited_and_flushes_complete() {
    for choice in [RingChoice::Auto, RingChoice::Blocking] {
        let (mut ring, mut done) = (ring(choice), Vec::new());
        ring.wait_for(3, None, &mut done).unwrap();
        assert!(done.is_empty(), "nothing was under way");
        let file = tempfile::tempfile().unwrap();
        let fixed = ring.attach(&file).unwrap();
        for slot in 0..3 {
            ring.bytes_mut(Slot(slot)).fill(slot as u8 + 1);
            ring.write(fixed, u64::from(slot) * 4096, Slot(slot), 0, 4096);
        }
        // More than are under way.
        ring.wait_for(9, None, &mut done).unwrap();
        assert_eq!(moved(&mut done), [(0, 4096), (1, 4096), (2, 4096)]);
        ring.flush(fixed, Slot(3), Flush::Data);
        ring.flush(fixed, Slot(0), Flush::All);
        ring.wait_for(2, None, &mut done).unwrap();
        assert_eq!(moved(&mut done), [(0, 0), (3, 0)]);
        assert_eq!(ring.counters().flushes, 2);
        ring.detach(fixed);
    }
}

#[test]
fn no_longer_than_the_limit() {
    let mut ring = ring(RingChoice::Auto);
    if matches!(ring, CoreRing::Blocking(_)) {
        println!("SKIPPED: no_longer_than_the_limit: no io_uring here");
        return;
    }
    let (reader, mut writer) = std::io::pipe().unwrap();
    let reader = File::from(std::os::fd::OwnedFd::from(reader));
    let fixed = ring.attach(&reader).unwrap();
    ring.read(fixed, 0, Slot(0), 0, 5);
    let (mut done, begun) = (Vec::new(), Instant::now());
    ring.wait_for(1, Some(Duration::from_millis(30)), &mut done).unwrap();
    assert!(done.is_empty() && begun.elapsed() >= Duration::from_millis(30));
    ring.wait_for(0, None, &mut done).unwrap();
    assert!(done.is_empty(), "asked whether anything is there");
    writer.write_all(b"hello").unwrap();
    ring.wait_for(1, Some(Duration::from_secs(60)), &mut done).unwrap();
    assert_eq!(moved(&mut done), [(0, 5)]);
    assert_eq!(&ring.bytes(Slot(0))[..5], b"hello");
    ring.detach(fixed);
}
