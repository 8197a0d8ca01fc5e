use std::io::ErrorKind;
use std::path::Path;

use dray_io::{Access, Files, Time};

use super::{files, filled, kind_of};

pub(crate) fn leases_are_refused_while_in_use(dir: &Path) {
    let files = files();
    let path = dir.join("file");
    for access in [Access::Write, Access::Invisible] {
        let file = filled(&files, &path, b"x", access);
        files.lease(&file).unwrap();
        files.unlease(&file).unwrap();
        let reader = std::fs::File::open(&path).unwrap();
        assert_eq!(kind_of(files.lease(&file)), ErrorKind::WouldBlock);
        drop(reader);
        let _inspected = files.open(&path, Access::Inspect).unwrap();
        files.lease(&file).unwrap();
    }
}

pub(crate) fn a_broken_lease_does_no_harm(dir: &Path) {
    let files = files();
    let path = dir.join("file");
    let file = filled(&files, &path, b"x", Access::Write);
    files.lease(&file).unwrap();
    // Would hang for the lease break time, or end the process by SIGIO.
    assert_eq!(kind_of(files.open(&path, Access::ReadDirect)), ErrorKind::WouldBlock);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| std::fs::read(&path).unwrap());
        std::thread::sleep(std::time::Duration::from_millis(100));
        assert!(!waiting.is_finished(), "a newcomer is held off");
        files.unlease(&file).unwrap();
        assert_eq!(waiting.join().unwrap(), b"x");
    });
}

pub(crate) fn who_writes_is_seen(dir: &Path) {
    let files = files();
    let path = dir.join("file");
    drop(filled(&files, &path, b"x", Access::Write));
    let file = files.open(&path, Access::ReadDirect).unwrap();
    let reader = std::fs::File::open(&path).unwrap();
    assert!(!files.has_writer(&file).unwrap());
    let writer = std::fs::File::options().append(true).open(&path).unwrap();
    assert!(files.has_writer(&file).unwrap());
    drop((reader, writer));
    assert!(!files.has_writer(&file).unwrap());
}

pub(crate) fn who_waited_to_cut_a_file_has_done_so(dir: &Path) {
    let files = files();
    let path = dir.join("file");
    for _ in 0..50 {
        let file = filled(&files, &path, b"12345", Access::Write);
        files.lease(&file).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| std::fs::File::create(&path).unwrap());
            while files.has_lease(&file).is_ok() {
                std::thread::yield_now();
            }
            files.unlease(&file).unwrap();
            files.let_through(&file);
            assert_eq!(files.stat(&file).unwrap().size, 0);
        });
        files.lease(&file).unwrap();
    }
}

pub(crate) fn modified_is_put_back_alone(dir: &Path) {
    let files = files();
    let file = filled(&files, &dir.join("file"), b"x", Access::Write);
    let before = files.stat(&file).unwrap();
    let time = Time { seconds: 1_234_567_890, nanos: 123_456_789 };
    files.set_modified(&file, time).unwrap();
    let after = files.stat(&file).unwrap();
    assert_eq!((after.modified, after.accessed), (time, before.accessed));
    let mut byte = [0];
    files.read_at(&file, &mut byte, 0).unwrap();
    assert_eq!(files.stat(&file).unwrap().accessed, before.accessed);
}

pub(crate) fn the_clock_is_never_ahead(dir: &Path) {
    let files = files();
    let file = filled(&files, &dir.join("file"), b"x", Access::Write);
    for turn in 0..200_u64 {
        let now = files.now();
        files.write_at(&file, b"y", turn).unwrap();
        let changed = files.stat(&file).unwrap().changed;
        assert!(changed >= now, "{changed:?} {now:?}");
    }
}

pub(crate) fn a_lock_keeps_others_off(dir: &Path) {
    let files = files();
    let path = dir.join("file");
    let first = filled(&files, &path, b"", Access::Write);
    let second = files.open(&path, Access::Write).unwrap();
    files.lock(&first).unwrap();
    assert_eq!(kind_of(files.lock(&second)), ErrorKind::WouldBlock);
    drop(first);
    files.lock(&second).unwrap();
}
