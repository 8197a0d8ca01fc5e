//! What a crash may take, and what it may not: the durability that `dray_io::Files` documents.

use std::collections::BTreeSet;
use std::path::Path;

use dray_io::{Access, Files, Range};
use dray_sim::{Faults, Sim};

const SEEDS: u64 = 200;
const BLOCK: usize = 4096;

fn outcomes<T: Ord>(sim: &Sim, look: impl Fn(&Sim) -> T) -> BTreeSet<T> {
    (0..SEEDS).map(|seed| look(&sim.after_crash(seed))).collect()
}

#[test]
fn unsynced_data_is_kept_lost_or_torn() {
    let sim = Sim::new(1);
    sim.tree().write_file("/f", &[1; BLOCK]);
    let file = sim.open(Path::new("/f"), Access::Write).unwrap();
    sim.write_at(&file, &[2; BLOCK], 0).unwrap();
    assert_eq!(sim.check_unsynced(), [Path::new("/f")]);
    let seen = outcomes(&sim, |sim| sim.tree().read_file("/f"));
    assert!(seen.contains(&vec![1; BLOCK]) && seen.contains(&vec![2; BLOCK]));
    assert!(seen.iter().any(|bytes| bytes.contains(&1) && bytes.contains(&2)), "none torn");
    for bytes in &seen {
        assert!(bytes.chunks(512).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
    }
}

#[test]
fn synced_data_is_never_lost() {
    for all in [false, true] {
        let sim = Sim::new(2);
        let file = sim.create(Path::new("/f"), false).unwrap();
        sim.write_at(&file, b"kept", 5000).unwrap();
        if all {
            sim.sync_fs(&file).unwrap()
        } else {
            sim.sync(&file).unwrap()
        }
        assert!(sim.check_unsynced().is_empty());
        let whole = sim.tree().read_file("/f");
        assert_eq!(outcomes(&sim, |sim| sim.tree().read_file("/f")), BTreeSet::from([whole]));
    }
}

#[test]
fn sync_of_one_file_leaves_the_data_of_another_volatile() {
    let sim = Sim::new(3);
    let one = sim.create(Path::new("/one"), false).unwrap();
    let two = sim.create(Path::new("/two"), false).unwrap();
    sim.write_at(&one, &[1; BLOCK], 0).unwrap();
    sim.set_attribute(&one, b"mark").unwrap();
    sim.sync(&two).unwrap();
    let seen = outcomes(&sim, |sim| (sim.tree().attribute("/one"), sim.tree().read_file("/one")));
    assert!(seen.iter().all(|(mark, bytes)| mark.is_some() && bytes.len() == BLOCK));
    assert!(seen.iter().any(|(_, bytes)| *bytes == [0; BLOCK]));
    assert!(seen.iter().any(|(_, bytes)| *bytes == [1; BLOCK]));
}

#[test]
fn metadata_survives_in_order() {
    let sim = Sim::new(4);
    sim.tree().write_file("/a", &[7; 2 * BLOCK]);
    let file = sim.open(Path::new("/a"), Access::Write).unwrap();
    sim.set_attribute(&file, b"released").unwrap();
    sim.punch(&file, Range::new(0, 2 * BLOCK as u64)).unwrap();
    sim.rename(Path::new("/a"), Path::new("/b")).unwrap();
    let seen = outcomes(&sim, |sim| {
        let tree = sim.tree();
        let renamed = tree.exists("/b");
        assert_ne!(renamed, tree.exists("/a"), "one name, not none or two");
        let name = if renamed { "/b" } else { "/a" };
        (tree.attribute(name).is_some(), tree.disk_use() == 0, renamed)
    });
    let steps =
        [(false, false, false), (true, false, false), (true, true, false), (true, true, true)];
    assert_eq!(seen, BTreeSet::from(steps));
}

#[test]
fn a_punch_destroys_data_that_was_never_flushed() {
    let sim = Sim::new(5);
    let file = sim.create(Path::new("/f"), false).unwrap();
    sim.write_at(&file, &[9; 3 * BLOCK], 0).unwrap();
    sim.punch(&file, Range::new(100, 2 * BLOCK as u64)).unwrap();
    sim.sync_dir(Path::new("/")).unwrap();
    let seen = outcomes(&sim, |sim| sim.tree().read_file("/f"));
    assert!(seen.iter().all(|bytes| bytes[100..2 * BLOCK].iter().all(|byte| *byte == 0)));
    assert!(seen.iter().any(|bytes| bytes[..100] == [9; 100] && bytes[2 * BLOCK] == 9));
}

#[test]
fn data_written_to_a_new_block_is_lost_with_the_block() {
    let sim = Sim::new(6);
    sim.tree().write_file("/f", &[1; BLOCK]);
    let file = sim.open(Path::new("/f"), Access::Write).unwrap();
    sim.punch(&file, Range::new(0, BLOCK as u64)).unwrap();
    sim.write_at(&file, &[2; BLOCK], 0).unwrap();
    let seen = outcomes(&sim, |sim| {
        let bytes = sim.tree().read_file("/f");
        (bytes.contains(&0), bytes.contains(&1), bytes.contains(&2))
    });
    // Old data beside new would mean that a write of the new block reached the old one.
    assert!(seen.iter().all(|(_, old, new)| !(*old && *new)));
    assert!(seen.contains(&(false, true, false)) && seen.contains(&(true, false, false)));
}

#[test]
fn a_failed_flush_is_not_made_good_by_the_next() {
    let sim = Sim::new(7);
    sim.tree().write_file("/f", &[1; BLOCK]);
    let file = sim.open(Path::new("/f"), Access::Write).unwrap();
    sim.write_at(&file, &[2; BLOCK], 0).unwrap();
    sim.set_faults(Faults::fail_at(1, dray_sim::Failure::Eio));
    assert_eq!(sim.sync(&file).unwrap_err().raw_os_error(), Some(5));
    sim.sync(&file).unwrap();
    let seen = outcomes(&sim, |sim| sim.tree().read_file("/f")[0]);
    assert_eq!(seen, BTreeSet::from([1, 2]));
}

#[test]
fn truncation_and_growth_show_no_old_bytes() {
    let sim = Sim::new(8);
    sim.tree().write_file("/f", &[1; BLOCK]);
    let file = sim.open(Path::new("/f"), Access::Write).unwrap();
    sim.truncate(&file, 100).unwrap();
    sim.truncate(&file, BLOCK as u64).unwrap();
    for bytes in outcomes(&sim, |sim| sim.tree().read_file("/f")) {
        assert!(bytes[..100] == [1; 100]);
        let tail = &bytes[100..];
        assert!(tail.iter().all(|byte| *byte == 1) || tail.iter().all(|byte| *byte == 0));
    }
}

#[test]
fn reboot_takes_one_of_the_outcomes_and_goes_on() {
    let sim = Sim::new(9);
    let file = sim.create(Path::new("/f"), false).unwrap();
    sim.lock(&file).unwrap();
    sim.sync(&file).unwrap();
    let before = sim.stat(&file).unwrap();
    sim.crash();
    assert!(dray_sim::is_crash(&sim.sync(&file).unwrap_err()));
    sim.reboot();
    assert!(dray_sim::is_crash(&sim.stat(&file).unwrap_err()), "handles die with the machine");
    let again = sim.open(Path::new("/f"), Access::Write).unwrap();
    assert_eq!(sim.stat(&again).unwrap(), before);
    sim.lock(&again).unwrap();
    drop(file);
    assert!(sim.lock(&sim.open(Path::new("/f"), Access::Write).unwrap()).is_err());
}

#[test]
fn a_restart_loses_nothing() {
    let sim = Sim::new(10);
    let file = sim.create(Path::new("/f"), false).unwrap();
    sim.write_at(&file, b"cached", 0).unwrap();
    sim.restart();
    assert_eq!(sim.tree().read_file("/f"), b"cached");
}

#[test]
fn damage_to_the_medium_is_permanent_and_moves_no_time() {
    let sim = Sim::new(11);
    sim.tree().write_file("/f", b"abc");
    let before = sim.tree().stat("/f");
    sim.tree().flip_byte("/f", 1);
    assert_eq!(sim.tree().stat("/f"), before);
    assert_eq!(sim.after_crash(0).tree().read_file("/f"), [b'a', !b'b', b'c']);
}
