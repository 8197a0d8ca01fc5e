//! Plans of faults, hooks, and that one seed gives one run.

use std::io;
use std::path::Path;
use std::sync::Mutex;

use dray_io::{Access, Context, Files, Operation, Ring, Slot, World};
use dray_sim::{Failure, Faults, Options, Sim, SimFile, SimRing, is_crash};

/// Something of everything, with a ring.
fn work(sim: &Sim) -> io::Result<()> {
    let file = sim.create(Path::new("/f"), true)?;
    let outcome = Mutex::new(Ok(()));
    sim.cores(&|_, ring| *outcome.lock().expect("one thread") = fill(ring, &file))?;
    outcome.into_inner().expect("one thread")?;
    sim.set_attribute(&file, b"mark")?;
    sim.sync(&file)?;
    sim.rename(Path::new("/f"), Path::new("/g"))?;
    sim.sync_dir(Path::new("/"))
}

/// One block from every slot.
fn fill(ring: &mut SimRing, file: &SimFile) -> io::Result<()> {
    let (fixed, mut done) = (ring.attach(file)?, Vec::new());
    for slot in 0..ring.slots() {
        ring.write(fixed, u64::from(slot) * 4096, Slot(slot), 0, 4096);
    }
    while done.len() < ring.slots() as usize {
        ring.wait(&mut done)?;
    }
    ring.detach(fixed);
    done.into_iter().try_for_each(|done| done.result.map(drop))
}

#[test]
fn one_seed_gives_one_run() {
    let run = |seed| {
        let sim = Sim::with(seed, Options { slot_bytes: 4096, ..Options::default() });
        sim.set_faults(Faults { short_percent: 30, ..Faults::default() });
        work(&sim).unwrap();
        let end = sim.tree().stat("/g");
        sim.reboot();
        (sim.trace(), end, sim.tree().read_file("/g"))
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).0, run(2).0, "seeds differ");
}

#[test]
fn the_nth_operation_fails_until_there_is_none() {
    for failure in [Failure::Eio, Failure::NoSpace, Failure::Eagain] {
        let mut failed = 0;
        for number in 1.. {
            let sim = Sim::new(number);
            sim.set_faults(Faults::fail_at(number, failure));
            let result = work(&sim);
            assert_eq!(result.is_err(), sim.fault_fired());
            if result.is_ok() {
                break;
            }
            failed += 1;
        }
        assert!(failed > 8, "{failure:?} fired {failed} times");
    }
}

#[test]
fn a_persistent_failure_goes_on() {
    let sim = Sim::new(1);
    sim.set_faults(Faults::fail_from(2, Failure::NoSpace));
    let file = sim.create(Path::new("/f"), false).unwrap();
    assert!(sim.write_at(&file, b"x", 0).is_err() && sim.write_at(&file, b"x", 0).is_err());
    let mut bytes = [0];
    sim.read_at(&file, &mut bytes, 0).unwrap();
    sim.set_faults(Faults::default());
    sim.write_at(&file, b"x", 0).unwrap();
}

#[test]
fn a_crash_is_told_from_other_errors() {
    let sim = Sim::new(1);
    sim.set_faults(Faults::crash_at(1));
    let path = Path::new("/f");
    let fault = sim.create(path, false).during(Operation::Create, path).unwrap_err();
    assert!(is_crash(&fault) && is_crash(&fault.cause) && sim.crashed());
    assert!(!is_crash(&io::Error::from_raw_os_error(5)));
    assert_eq!(sim.operations(), 1);
    assert!(sim.create(path, false).is_err());
    assert_eq!(sim.operations(), 1, "what fails for want of power is not counted");
    sim.reboot();
    sim.create(path, false).unwrap();
}

#[test]
fn a_hook_plays_the_user_at_its_operation() {
    let sim = Sim::new(1);
    sim.tree().write_file("/f", b"before");
    sim.at_operation(3, |sim| sim.tree().truncate("/f", 0));
    let file = sim.open(Path::new("/f"), Access::Write).unwrap();
    assert_eq!(sim.stat(&file).unwrap().size, 6);
    assert_eq!(sim.stat(&file).unwrap().size, 0);
    let trace: Vec<String> = sim.trace().iter().map(ToString::to_string).collect();
    assert_eq!(trace, ["     1 open /f", "     2 stat /f", "     3 stat /f"]);
}

#[test]
fn a_user_may_lose_what_he_did_not_sync() {
    let sim = Sim::new(1);
    sim.tree().write_file("/f", b"old");
    sim.tree().unsynced().write_file("/f", b"new");
    let seen =
        |bytes: &[u8]| (0..50).any(|seed| sim.after_crash(seed).tree().read_file("/f") == bytes);
    assert!(seen(b"old") && seen(b"new") && seen(b"") && seen(b"\0\0\0"));
}
