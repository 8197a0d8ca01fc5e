//! Restores of parts of files.
#![forbid(unsafe_code)]
// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use dray_e2e::{Output, Place, Snapshot, content, write_file};

/// Checksum blocks, to which ranges are widened.
const SUM_BLOCK: u64 = 65_536;

fn restore_range(place: &Place, path: &Path, at: u64, length: u64) -> Output {
    let range = format!("{at}:{length}");
    let words = ["restore", "--range", &range].map(OsStr::new);
    place.run(words.into_iter().chain([path.as_os_str()]))
}

#[test]
fn ranges_come_back_as_asked_for() {
    let place = Place::new();
    let (path, size) = (place.file("file"), (10 << 20) + 777);
    write_file(&path, 1, size);
    let whole = fs::read(&path).unwrap();
    let before = Snapshot::take(&place.fs);
    place.all("archive").expect(0);
    place.all("release").expect(0);
    for (at, length) in
        [(0, 1), (65_535, 2), (1 << 20, 1 << 20), (size - 1, 1), (5_000_000, 100_000)]
    {
        restore_range(&place, &path, at, length).expect(0);
        let state = place.states().of(&path).clone();
        assert_eq!(state.word, "partial");
        let wanted = |range: &&(u64, u64)| range.0 <= at && at + length <= range.1;
        assert!(state.present.iter().any(|it| wanted(&it)), "{at}:{length} not in {state:?}");
        let now = fs::read(&path).unwrap();
        for (index, chunk) in now.chunks(4096).enumerate() {
            let (start, end) = (index * 4096, index * 4096 + chunk.len());
            let present = state.present.iter().any(|it| it.0 <= start as u64 && end as u64 <= it.1);
            let is_right = chunk == &whole[start..end];
            assert!(
                if present { is_right } else { chunk.iter().all(|byte| *byte == 0) },
                "{start}"
            );
        }
        let modified = before.0[Path::new("file")].modified;
        assert_eq!(Snapshot::take(&place.fs).0[Path::new("file")].modified, modified);
    }
    place.all("restore").expect(0);
    assert_eq!(place.word(&path), "archived");
    before.assert_same(&Snapshot::take(&place.fs));
    place.all("release").expect(0);
    // All that there is, asked for as a range, and beyond the end.
    restore_range(&place, &path, 0, size * 2).expect(0);
    assert_eq!(place.word(&path), "archived");
    before.assert_same(&Snapshot::take(&place.fs));
}

/// Small files and partial ones can be given up again.
#[test]
fn a_partial_file_can_be_released_and_restored() {
    let place = Place::new();
    for (name, length) in [("small", 300_000), ("large", 4 << 20)] {
        write_file(&place.file(name), 3, length);
    }
    let before = Snapshot::take(&place.fs);
    place.all("archive").expect(0);
    place.all("release").expect(0);
    for _ in 0..2 {
        restore_range(&place, &place.fs, 70_000, 10).expect(0);
        place.states().all("partial");
        place.all("release").expect(0);
        place.states().all("released");
    }
    place.all("restore").expect(0);
    before.assert_same(&Snapshot::take(&place.fs));
}

/// More ranges than a file's state can list: some gaps between them are filled.
#[test]
fn many_ranges_come_back_together() {
    let place = Place::new();
    let path = place.file("file");
    write_file(&path, 1, 300 * SUM_BLOCK);
    let (whole, before) = (fs::read(&path).unwrap(), Snapshot::take(&place.fs));
    place.all("archive").expect(0);
    place.all("release").expect(0);
    for index in 0..145 {
        restore_range(&place, &path, 2 * index * SUM_BLOCK, 1).expect(0);
    }
    let state = place.states().of(&path).clone();
    assert_eq!(state.word, "partial");
    for index in 0..145 {
        let at = 2 * index * SUM_BLOCK;
        assert!(state.present.iter().any(|it| it.0 <= at && at < it.1), "{at}: {state:?}");
    }
    let found = fs::read(&path).unwrap();
    for (start, end) in state.present {
        let range = start as usize..end as usize;
        assert!(found[range.clone()] == whole[range], "{start}");
    }
    place.all("restore").expect(0);
    assert_eq!(place.word(&path), "archived");
    before.assert_same(&Snapshot::take(&place.fs));
}

/// Nothing is there, so nothing comes back, and the file stays as it is.
#[test]
fn a_range_beyond_the_end_changes_nothing() {
    let place = Place::new();
    for (name, length) in [("small", 5000), ("large", 3 << 20)] {
        let path = place.file(name);
        write_file(&path, 1, length);
        let before = Snapshot::take(&place.fs);
        place.one("archive", &path).expect(0);
        place.one("release", &path).expect(0);
        for at in [length, length + 1, 1 << 40] {
            let output = restore_range(&place, &path, at, 10);
            assert!(output.code.is_some(), "{}", output.stderr);
            assert_ne!(place.word(&path), "archived", "{at}");
            assert_eq!(fs::metadata(&path).unwrap().len(), length, "{at}");
        }
        place.one("restore", &path).expect(0);
        before.assert_same(&Snapshot::take(&place.fs));
    }
}

/// The times of a partly restored file may have been put back by a restore, or by anybody.
#[test]
fn a_write_to_a_restored_range_keeps_the_file() {
    let place = Place::new();
    let path = place.file("file");
    write_file(&path, 1, 3 << 20);
    place.one("archive", &path).expect(0);
    place.one("release", &path).expect(0);
    restore_range(&place, &path, 0, 65_536).expect(0);
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.write_all_at(b"changed", 100).unwrap();
    file.set_modified(before).unwrap();
    drop(file);
    // Also after more of it came back.
    for more in [false, true] {
        if more {
            restore_range(&place, &path, 1 << 20, 65_536).expect(0);
        }
        place.one("release", &path).expect(1);
        assert_eq!(&fs::read(&path).unwrap()[100..107], b"changed");
    }
    place.one("restore", &path).expect(0);
    place.one("release", &path).expect(1);
    let found = fs::read(&path).unwrap();
    let mut right = content(1, 3 << 20);
    right[100..107].copy_from_slice(b"changed");
    assert!(found == right, "what was written is not there, or more than that");
}
