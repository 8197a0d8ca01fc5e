//! Archive, release, restore and remove on trees of files of every kind.
#![forbid(unsafe_code)]
// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::PathBuf;

use dray_e2e::{Place, Snapshot, assert_content, awkward_tree, content, write_file, write_sparse};

/// Archive, release, restore: all as it was, with any ring.
#[track_caller]
fn whole_cycle(place: &Place) {
    awkward_tree(&place.fs);
    let before = Snapshot::take(&place.fs);
    place.all("archive").expect(0);
    place.states().all("archived");
    before.assert_same(&Snapshot::take(&place.fs));

    place.patiently("release");
    for (path, state) in &place.states().0 {
        let wanted = if state.size == 0 { "archived" } else { "released" };
        assert_eq!(state.word, wanted, "{}", path.display());
        // What remains is for attributes, not for data.
        assert!(state.allocated <= 8192, "{}: {state:?}", path.display());
    }
    before.clone().without_content().assert_same(&Snapshot::take(&place.fs).without_content());

    place.patiently("restore");
    place.states().all("archived");
    before.assert_same(&Snapshot::take(&place.fs));
}

#[test]
fn a_whole_cycle_keeps_everything() {
    whole_cycle(&Place::new());
}

#[test]
fn a_whole_cycle_without_io_uring_keeps_everything() {
    let place = Place::new();
    place.set_engine("ring = \"blocking\"");
    whole_cycle(&place);
}

#[test]
fn a_whole_cycle_with_io_uring_and_hashes_keeps_everything() {
    let place = Place::new();
    place.set_engine("ring = \"uring\"");
    place.set_engine("hash = \"blake3\"");
    place.set_engine("io_bytes = 65536");
    whole_cycle(&place);
}

/// Holes stay holes: a restore takes no more room than the file had.
#[test]
fn a_sparse_file_stays_sparse() {
    let place = Place::new();
    let path = place.file("sparse");
    write_sparse(&path, 1, 1 << 30, &[(0, 8192), (512 << 20, 1 << 20), ((1 << 30) - 5, 5)]);
    let before = Snapshot::take(&place.fs);
    place.all("archive").expect(0);
    place.all("release").expect(0);
    let out = place.all("restore").expect(0);
    assert_eq!(out.count("files"), 1);
    before.assert_same(&Snapshot::take(&place.fs));
    let allocated = place.states().of(&path).allocated;
    assert!(allocated < 2 << 20, "{allocated} bytes allocated");
    let volume = fs::metadata(&place.volumes()[0]).unwrap().len();
    assert!(volume < 3 << 20, "the volume has {volume} bytes");
}

#[test]
fn an_unchanged_tree_is_not_archived_again() {
    let place = Place::new();
    awkward_tree(&place.fs);
    // Files that just changed are not trusted; let them rest.
    std::thread::sleep(std::time::Duration::from_millis(100));
    place.all("archive").expect(0);
    let again = place.all("archive").expect(0);
    assert_eq!(again.count("bytes"), 0, "{}", again.json());
    let lines = place.all("state").expect(0).values();
    assert!(lines.iter().all(|line| line["certain"] == true), "{lines:?}");
    let size = |place: &Place| fs::metadata(&place.volumes()[0]).unwrap().len();
    let before = size(&place);
    place.one("archive", &place.file("sizes/of-4097")).expect(0);
    assert_eq!(size(&place), before, "an archived file was written again");
}

#[test]
fn a_changed_file_is_dirty_until_it_is_archived_again() {
    let place = Place::new();
    for (name, length) in [("small", 5000), ("large", 3 << 20)] {
        let path = place.file(name);
        write_file(&path, 1, length);
        place.one("archive", &path).expect(0);
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        // Beyond the moment in which a time put back goes unseen.
        std::thread::sleep(std::time::Duration::from_millis(100));

        let open = || fs::File::options().write(true).open(&path).unwrap();
        open().write_all_at(b"changed", 100).unwrap();
        assert_eq!(place.word(&path), "dirty");
        place.one("release", &path).expect(1).says("changed since it was archived");
        // A time put back does not hide the change.
        open().set_modified(before).unwrap();
        let release = place.one("release", &path);
        assert_ne!(release.code, Some(0), "content that was never archived was given up");

        let now = fs::read(&path).unwrap();
        assert_eq!(&now[100..107], b"changed");
        place.one("archive", &path).expect(0);
        assert_eq!(place.word(&path), "archived");
        place.one("release", &path).expect(0);
        place.one("restore", &path).expect(0);
        assert_eq!(fs::read(&path).unwrap(), now);
    }
}

/// As a program does that puts a file back to what it was some time ago.
#[test]
fn a_change_right_after_archiving_with_its_time_put_back_is_noticed() {
    let place = Place::new();
    let path = place.file("file");
    write_file(&path, 1, 5000);
    std::thread::sleep(std::time::Duration::from_millis(100));
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    place.all("archive").expect(0);
    write_file(&path, 2, 5000);
    fs::File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
    place.all("release");
    place.all("restore");
    assert_content(&path, 2, 5000);
}

/// Attributes are not content: a file may be released after a change of them.
#[test]
fn a_change_of_mode_or_owner_alone_does_not_keep_a_file() {
    let place = Place::new();
    let path = place.file("file");
    write_file(&path, 1, 3 << 20);
    std::thread::sleep(std::time::Duration::from_millis(100));
    place.all("archive").expect(0);
    std::thread::sleep(std::time::Duration::from_millis(100));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o751)).unwrap();
    assert_eq!(place.states().of(&path).certain, Some(false));
    let before = Snapshot::take(&place.fs);
    place.all("release").expect(0);
    assert_eq!(place.word(&path), "released");
    place.all("restore").expect(0);
    before.assert_same(&Snapshot::take(&place.fs));
}

#[test]
fn a_name_of_a_file_serves_for_all_its_names() {
    let place = Place::new();
    let (one, other) = (place.file("one"), place.file("other"));
    write_file(&one, 1, 100_000);
    fs::hard_link(&one, &other).unwrap();
    let before = Snapshot::take(&place.fs);
    place.one("archive", &one).expect(0);
    assert_eq!(place.word(&other), "archived");
    place.one("release", &other).expect(0);
    assert_eq!(place.word(&one), "released");
    place.one("restore", &one).expect(0);
    before.assert_same(&Snapshot::take(&place.fs));
    place.one("release", &one).expect(0);
    fs::remove_file(&one).unwrap();
    place.one("restore", &other).expect(0);
    assert_content(&other, 1, 100_000);
}

/// The mover must not take its own hold on a file for somebody else's.
#[test]
fn names_of_one_file_do_not_stand_in_each_others_way() {
    let place = Place::new();
    for index in 0..8_u64 {
        let first = place.file(&format!("{index}-first"));
        write_file(&first, index, if index < 4 { 50_000 } else { 2_000_000 });
        for other in 0..20 {
            fs::hard_link(&first, place.file(&format!("{index}-{other}"))).unwrap();
        }
    }
    let before = Snapshot::take(&place.fs);
    place.all("archive").expect(0);
    place.states().all("archived");
    place.all("release").expect(0);
    place.states().all("released");
    place.all("restore").expect(0);
    place.states().all("archived");
    before.assert_same(&Snapshot::take(&place.fs));
}

/// A file goes on under its new name, and one given up can be found below the old.
#[test]
fn a_renamed_file_is_restored_under_its_new_name() {
    let place = Place::new();
    let (old, new) = (place.file("old"), place.file("sub/new"));
    write_file(&old, 1, 2_000_000);
    place.all("archive").expect(0);
    place.all("release").expect(0);
    fs::create_dir(place.file("sub")).unwrap();
    fs::rename(&old, &new).unwrap();
    place.all("restore").expect(0);
    assert_content(&new, 1, 2_000_000);
}

#[test]
fn removal_drops_the_copy_and_keeps_the_file() {
    let place = Place::new();
    let names: Vec<PathBuf> = ["small", "large"].map(|name| place.file(name)).into();
    write_file(&names[0], 1, 5000);
    write_file(&names[1], 2, 2 << 20);
    let before = Snapshot::take(&place.fs);
    place.all("archive").expect(0);
    place.all("release").expect(0);
    let refused = place.all("remove").expect(1).says("not all on disk");
    assert_eq!(refused.json()["errors"].as_array().unwrap().len(), 2);
    place.states().all("released");
    place.all("restore").expect(0);
    before.assert_same(&Snapshot::take(&place.fs));

    place.all("remove").expect(0);
    place.states().all("resident");
    before.assert_same(&Snapshot::take(&place.fs));
    place.cat(&names[0]).expect(1).says("not in the archive");
    place.all("release").expect(1).says("no archive copy");
    before.assert_same(&Snapshot::take(&place.fs));
    place.all("archive").expect(0);
    place.states().all("archived");
    assert_eq!(place.cat(&names[1]).expect(0).stdout, content(2, 2 << 20));
}
