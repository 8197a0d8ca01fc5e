//! The calls of the file system one by one, where a test of the engine may lean on them.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use dray_io::{Access, Aligned, Files, Kind, Range, World};
use dray_sim::{Options, Sim};

const BLOCK: u64 = 4096;

#[test]
fn a_lease_is_refused_while_another_has_the_file_open() {
    let sim = Sim::new(1);
    sim.tree().write_file("/f", b"x");
    let path = Path::new("/f");
    let mine = sim.open(path, Access::Invisible).unwrap();
    let other = sim.open(path, Access::ReadDirect).unwrap();
    assert_eq!(sim.lease(&mine).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(other);
    sim.lease(&mine).unwrap();
    assert_eq!(sim.open(path, Access::Write).unwrap_err().kind(), ErrorKind::WouldBlock);
    sim.open(path, Access::Inspect).unwrap();
    sim.unlease(&mine).unwrap();
    sim.open(path, Access::Write).unwrap();
    sim.lease(&mine).unwrap();
    drop(mine);
    sim.open(path, Access::Write).unwrap();
}

#[test]
fn one_handle_at_a_time_holds_the_lock() {
    let sim = Sim::new(1);
    let one = sim.create(Path::new("/f"), false).unwrap();
    let two = sim.open(Path::new("/f"), Access::Write).unwrap();
    sim.lock(&one).unwrap();
    assert_eq!(sim.lock(&two).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(one);
    sim.lock(&two).unwrap();
}

#[test]
fn a_full_disk_refuses_and_frees() {
    let sim = Sim::with(1, Options { capacity_blocks: Some(4), ..Options::default() });
    let file = sim.create(Path::new("/f"), false).unwrap();
    sim.allocate(&file, Range::new(0, 3 * BLOCK)).unwrap();
    sim.write_at(&file, &[1; 4096], 0).unwrap();
    let full = sim.write_at(&file, &[1; 8192], 3 * BLOCK).unwrap_err();
    assert_eq!((full.kind(), full.raw_os_error()), (ErrorKind::StorageFull, Some(28)));
    let other = sim.create(Path::new("/g"), false).unwrap();
    assert!(sim.allocate(&other, Range::new(0, 2 * BLOCK)).is_err());
    sim.unlink(Path::new("/f")).unwrap();
    assert_eq!(sim.tree().disk_use(), 3 * BLOCK, "open files keep their blocks");
    drop(file);
    sim.allocate(&other, Range::new(0, 2 * BLOCK)).unwrap();
}

#[test]
fn holes_allocations_and_data_are_told_apart() {
    let sim = Sim::new(1);
    let file = sim.create(Path::new("/f"), false).unwrap();
    sim.allocate(&file, Range::new(0, 4 * BLOCK)).unwrap();
    let stat = sim.stat(&file).unwrap();
    assert_eq!((stat.size, stat.allocated), (4 * BLOCK, 4 * BLOCK));
    assert_eq!(sim.next_data(&file, 0).unwrap(), None);
    sim.write_at(&file, &[1; 4096], BLOCK + 100).unwrap();
    let data = Range::new(BLOCK, 3 * BLOCK);
    assert_eq!(sim.next_data(&file, 0).unwrap(), Some(data));
    assert_eq!(sim.next_data(&file, BLOCK + 7).unwrap(), Some(Range::new(BLOCK + 7, data.end)));
    sim.punch(&file, Range::new(BLOCK + 200, 3 * BLOCK)).unwrap();
    assert_eq!(sim.tree().data_ranges("/f"), [Range::new(BLOCK, 2 * BLOCK)]);
    let mut bytes = [9; 300];
    assert_eq!(sim.read_at(&file, &mut bytes, BLOCK).unwrap(), 300);
    assert_eq!((bytes[99], bytes[100], bytes[199], bytes[200]), (0, 1, 1, 0));
}

#[test]
fn punching_past_the_end_frees_the_tail() {
    let sim = Sim::new(1);
    sim.tree().write_file("/f", &[1; 5000]);
    let file = sim.open(Path::new("/f"), Access::Write).unwrap();
    sim.punch(&file, Range::new(0, 5000)).unwrap();
    assert_eq!(sim.stat(&file).unwrap().allocated, BLOCK, "the tail is zeroed only");
    sim.punch(&file, Range::new(0, 2 * BLOCK)).unwrap();
    assert_eq!((sim.stat(&file).unwrap().allocated, sim.stat(&file).unwrap().size), (0, 5000));
}

#[test]
fn direct_files_take_whole_blocks_only() {
    let sim = Sim::new(1);
    let file = sim.create(Path::new("/f"), true).unwrap();
    let mut memory = Aligned::new(8192);
    sim.write_at(&file, &memory, 0).unwrap();
    sim.truncate(&file, 5000).unwrap();
    assert_eq!(sim.read_at(&file, &mut memory, 0).unwrap(), 5000);
    for (at, len) in [(512, 4096), (0, 100)] {
        let error = sim.read_at(&file, &mut memory[..len], at).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(sim.write_at(&file, &memory[..len], at).is_err());
    }
}

#[test]
fn every_change_is_later_than_the_clock_said() {
    let sim = Sim::new(1);
    let file = sim.create(Path::new("/f"), false).unwrap();
    let mut last = sim.stat(&file).unwrap().changed;
    for turn in 0..6 {
        let now = sim.now();
        match turn {
            0 => sim.write_at(&file, b"x", 0).unwrap(),
            1 => sim.set_attribute(&file, b"a").unwrap(),
            2 => sim.truncate(&file, 9).unwrap(),
            3 => sim.remove_attribute(&file).unwrap(),
            4 => sim.set_modified(&file, now).unwrap(),
            _ => sim.rename(Path::new("/f"), Path::new("/g")).unwrap(),
        }
        let changed = sim.stat(&file).unwrap().changed;
        assert!(changed > now && changed > last);
        last = changed;
    }
}

#[test]
fn invisible_access_leaves_times_alone_where_the_file_system_can() {
    for invisible_times in [false, true] {
        let sim = Sim::with(1, Options { invisible_times, ..Options::default() });
        sim.tree().write_file("/f", b"x");
        let before = sim.tree().stat("/f");
        let file = sim.open(Path::new("/f"), Access::Invisible).unwrap();
        sim.write_at(&file, b"y", 0).unwrap();
        let after = sim.stat(&file).unwrap();
        let still = (after.modified, after.changed) == (before.modified, before.changed);
        assert_eq!(still, invisible_times);
    }
}

#[test]
fn a_reused_inode_number_has_a_new_generation() {
    let sim = Sim::new(1);
    sim.tree().write_file("/f", b"x");
    let first = sim.tree().stat("/f").handle;
    sim.tree().remove("/f");
    sim.tree().write_file("/f", b"x");
    let second = sim.tree().stat("/f").handle;
    assert_eq!(first.inode, second.inode);
    assert_ne!(first.generation, second.generation);
}

#[test]
fn symbolic_links_are_inspected_and_never_followed() {
    let sim = Sim::new(1);
    sim.tree().write_file("/d/f", b"x");
    sim.tree().symlink("/l", b"d");
    let link = sim.open(Path::new("/l"), Access::Inspect).unwrap();
    assert_eq!(sim.stat(&link).unwrap().kind, Kind::Symlink);
    assert_eq!(sim.read_link(&link).unwrap(), b"d");
    for path in ["/l", "/l/f"] {
        let error = sim.open(Path::new(path), Access::ReadDirect).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(40));
    }
}

#[test]
fn a_listing_in_parts_has_every_name_once() {
    let sim = Sim::new(1);
    let wanted: Vec<PathBuf> = (10..60).map(|n| PathBuf::from(format!("/d/{n}"))).collect();
    wanted.iter().for_each(|path| sim.tree().write_file(path, b""));
    let mut dir = sim.files().open_dir(Path::new("/d")).unwrap();
    let mut entries = Vec::new();
    loop {
        let before = entries.len();
        sim.next_entries(&mut dir, 7, &mut entries).unwrap();
        if entries.len() == before {
            break;
        }
    }
    assert!(entries.iter().all(|entry| entry.kind == Some(Kind::File)));
    let mut names: Vec<PathBuf> =
        entries.iter().map(|entry| Path::new("/d").join(&entry.name)).collect();
    assert_ne!(names, wanted, "not in the order of names");
    names.sort();
    assert_eq!(names, wanted);
}

#[test]
fn names_are_taken_replaced_and_counted() {
    let sim = Sim::new(1);
    let tree = sim.tree();
    tree.write_file("/a", b"a");
    tree.write_file("/b", b"b");
    tree.link("/b", "/c");
    assert_eq!(tree.stat("/c").links, 2);
    let taken = sim.create(Path::new("/a"), false).unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::AlreadyExists);
    sim.rename(Path::new("/a"), Path::new("/b")).unwrap();
    assert_eq!((tree.read_file("/b"), tree.read_file("/c")), (b"a".to_vec(), b"b".to_vec()));
    assert_eq!(tree.stat("/c").links, 1);
    assert_eq!(tree.paths(), [Path::new("/b"), Path::new("/c")]);
    tree.write_sparse("/s", &[(8192, b"end")], 20_000);
    assert_eq!((tree.stat("/s").size, tree.stat("/s").allocated), (20_000, BLOCK));
}
