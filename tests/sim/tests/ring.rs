//! Requests of a ring: late, out of order, short or failed, and the contract of their user.

use std::path::Path;

use dray_io::{Completion, Files, Fixed, Range, Ring, Slot, World};
use dray_sim::{BadRange, Failure, Faults, Options, Sim, SimFile, SimRing, Way};

const SMALL: u32 = 64 * 1024;

/// Runs `job` with a ring and a direct file attached to it.
fn with_ring(sim: &Sim, job: impl Fn(&mut SimRing, &SimFile, Fixed) + Sync) {
    sim.cores(&|_, ring| {
        let file = sim.create(Path::new("/f"), true).expect("the name is free");
        let fixed = ring.attach(&file).expect("nothing is set to fail");
        job(ring, &file, fixed);
    })
    .expect("nothing is set to fail");
}

fn small(seed: u64) -> Sim {
    Sim::with(seed, Options { slot_bytes: SMALL, ..Options::default() })
}

fn drain(ring: &mut SimRing, count: usize) -> Vec<Completion> {
    let mut done = Vec::new();
    while done.len() < count {
        let before = done.len();
        ring.wait(&mut done).expect("waiting does not fail");
        assert!(done.len() > before, "wait came back with nothing");
    }
    done
}

#[test]
fn slots_hold_no_zeros_by_themselves_and_carry_data() {
    let sim = small(1);
    with_ring(&sim, |ring, file, fixed| {
        assert_ne!(ring.bytes(Slot(0))[0], 0);
        ring.bytes_mut(Slot(0)).fill(7);
        ring.write(fixed, 4096, Slot(0), 0, SMALL);
        assert_eq!(ring.bytes(Slot(0))[5], 7, "stable during a write");
        assert_eq!(drain(ring, 1)[0].result.as_ref().ok(), Some(&SMALL));
        ring.read(fixed, 0, Slot(1), 4096, 8192);
        drain(ring, 1);
        let bytes = ring.bytes(Slot(1));
        assert_eq!((bytes[4096], bytes[8192], bytes[12287]), (0, 7, 7));
        let counters = ring.counters();
        assert_eq!((counters.reads, counters.writes, counters.enters), (1, 1, 2));
        ring.detach(fixed);
        assert_eq!(sim.stat(file).expect("it is open").size, 4096 + u64::from(SMALL));
    });
}

#[test]
fn completions_come_in_more_than_one_order() {
    let order = |seed| {
        let sim = small(seed);
        let orders = std::sync::Mutex::new(Vec::new());
        with_ring(&sim, |ring, _, fixed| {
            for slot in 0..ring.slots() {
                ring.write(fixed, u64::from(slot) * 4096, Slot(slot), 0, 4096);
            }
            let done = drain(ring, 8).iter().map(|done| done.slot.0).collect::<Vec<_>>();
            orders.lock().expect("one thread").extend(done);
        });
        orders.into_inner().expect("one thread")
    };
    assert_ne!(order(1), order(2));
    assert_eq!(order(3), order(3));
}

#[test]
fn a_short_transfer_moves_whole_sectors() {
    let sim = small(4);
    with_ring(&sim, |ring, _, fixed| {
        sim.set_faults(Faults { short_percent: 100, ..Faults::default() });
        for _ in 0..20 {
            ring.bytes_mut(Slot(0)).fill(1);
            ring.write(fixed, 0, Slot(0), 0, 8192);
            let moved = *drain(ring, 1)[0].result.as_ref().expect("short is no error");
            assert!((512..8192).contains(&moved) && moved.is_multiple_of(512), "{moved}");
        }
        assert_eq!(ring.counters().retries, 20);
    });
}

#[test]
fn errors_come_where_they_were_planned() {
    let sim = small(5);
    with_ring(&sim, |ring, _, fixed| {
        ring.write(fixed, 0, Slot(0), 0, SMALL);
        drain(ring, 1);
        let range = Range::new(5000, 5001);
        let bad = BadRange { path: "/f".into(), range, way: Way::Read };
        sim.set_faults(Faults { bad_ranges: vec![bad], ..Faults::default() });
        for (at, error) in [(0, None), (4096, Some(5)), (8192, None), (4096, Some(5))] {
            ring.read(fixed, at, Slot(0), 0, 4096);
            let result = drain(ring, 1).remove(0).result;
            assert_eq!(result.err().and_then(|error| error.raw_os_error()), error);
        }
        sim.set_faults(Faults::fail_at(1, Failure::Eagain));
        ring.read(fixed, 0, Slot(0), 0, 4096);
        assert_eq!(drain(ring, 1).remove(0).result.unwrap_err().raw_os_error(), Some(11));
        assert!(sim.fault_fired());
        ring.write(fixed, 100, Slot(0), 0, 4096);
        assert_eq!(drain(ring, 1).remove(0).result.unwrap_err().raw_os_error(), Some(22));
    });
}

#[test]
fn a_crash_ends_every_request_with_its_error() {
    let sim = small(6);
    with_ring(&sim, |ring, _, fixed| {
        for slot in 0..4 {
            ring.write(fixed, u64::from(slot) * 4096, Slot(slot), 0, 4096);
        }
        sim.set_faults(Faults::crash_at(2));
        let done = drain(ring, 4);
        let crashed =
            |done: &Completion| done.result.as_ref().is_err_and(|e| dray_sim::is_crash(e));
        assert_eq!(done.iter().filter(|done| crashed(done)).count(), 3);
        ring.detach(fixed);
    });
    sim.reboot();
}

#[test]
#[should_panic(expected = "being read into")]
fn a_slot_being_read_into_is_not_looked_at() {
    with_ring(&small(7), |ring, _, fixed| {
        ring.read(fixed, 0, Slot(0), 0, 4096);
        ring.bytes(Slot(0));
    });
}

#[test]
#[should_panic(expected = "has a request under way")]
fn a_slot_being_written_from_is_not_changed() {
    with_ring(&small(7), |ring, _, fixed| {
        ring.write(fixed, 0, Slot(0), 0, 4096);
        ring.bytes_mut(Slot(0));
    });
}

#[test]
#[should_panic(expected = "has a request under way")]
fn a_slot_has_one_request() {
    with_ring(&small(7), |ring, _, fixed| {
        ring.read(fixed, 0, Slot(0), 0, 4096);
        ring.write(fixed, 0, Slot(0), 4096, 4096);
    });
}

#[test]
#[should_panic(expected = "is not attached")]
fn a_detached_file_is_not_used() {
    with_ring(&small(7), |ring, _, fixed| {
        ring.detach(fixed);
        ring.read(fixed, 0, Slot(0), 0, 4096);
    });
}

#[test]
#[should_panic(expected = "has a request under way")]
fn a_file_in_use_is_not_detached() {
    with_ring(&small(7), |ring, _, fixed| {
        ring.write(fixed, 0, Slot(0), 0, 4096);
        ring.submit().expect("submitting does not fail");
        ring.detach(fixed);
    });
}

#[test]
#[should_panic(expected = "was closed")]
fn an_attached_file_stays_open() {
    let sim = small(7);
    sim.cores(&|_, ring| {
        let file = sim.create(Path::new("/f"), true).expect("the name is free");
        let fixed = ring.attach(&file).expect("nothing is set to fail");
        drop(file);
        ring.write(fixed, 0, Slot(0), 0, 4096);
        drain(ring, 1);
    })
    .expect("nothing is set to fail");
}

#[test]
#[should_panic(expected = "closed with requests under way")]
fn a_ring_in_use_is_not_closed() {
    with_ring(&small(7), |ring, _, fixed| ring.write(fixed, 0, Slot(0), 0, 4096));
}
