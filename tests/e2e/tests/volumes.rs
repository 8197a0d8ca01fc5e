//! Volumes by themselves: listing, extraction, the catalog made anew, the second reader.
#![forbid(unsafe_code)]
// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use dray_e2e::{
    Place, Snapshot, assert_content, awkward_tree, content, need_root, reader, skip, write_file,
    write_sparse,
};

/// Lines of `volume list`, sorted.
fn listing(place: &Place) -> Vec<String> {
    let lines = place.run(["volume", "list"]).expect(0).values();
    let mut lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    lines.sort();
    lines
}

/// What extraction made of the managed tree below `to`.
fn extracted(place: &Place, to: &Path) -> Snapshot {
    Snapshot::take(&to.join(place.fs.strip_prefix("/").unwrap()))
}

fn extract(place: &Place, to: &Path) {
    let words = ["volume", "extract", "--to"].map(OsStr::new);
    place.run(words.into_iter().chain([to.as_os_str()])).expect(0);
}

#[test]
fn extraction_makes_the_tree_again() {
    let place = Place::new();
    awkward_tree(&place.fs);
    let before = Snapshot::take(&place.fs);
    place.all("archive").expect(0);
    let to = place.path().join("to");
    extract(&place, &to);
    before.assert_same(&extracted(&place, &to));
    // Without a configuration, from the directory alone; some paths only.
    let to = place.path().join("some");
    let one = place.file("islands");
    let words = ["volume", "extract", "--directory"].map(OsStr::new).into_iter();
    let words = words.chain([place.archive.as_os_str(), OsStr::new("--to"), to.as_os_str()]);
    let mut command = dray_e2e::command(dray_e2e::binary());
    command.args(words).arg(&one);
    dray_e2e::Output::of(command).expect(0);
    let found = extracted(&place, &to);
    assert_eq!(found.0.len(), 2, "the directory and the file: {found:?}");
    assert_eq!(found.0[Path::new("islands")], before.0[Path::new("islands")]);
}

#[test]
fn a_rebuilt_catalog_lists_the_same() {
    let place = Place::new();
    awkward_tree(&place.fs);
    place.all("archive").expect(0);
    // A history: a change, a removal, a second copy.
    write_file(&place.file("read again"), 1, 2_000_000);
    write_file(&place.file("one name"), 2, 123);
    place.all("archive").expect(0);
    place.one("remove", &place.file("islands")).expect(0);
    let before = listing(&place);
    assert!(before.len() > 40, "{before:?}");
    assert!(!before.iter().any(|line| line.contains("islands")), "{before:?}");

    let catalog = place.archive.join("catalog.redb");
    assert!(catalog.is_file());
    fs::remove_file(&catalog).unwrap();
    place.run(["volume", "rebuild"]).expect(0);
    assert_eq!(listing(&place), before);
    // Over an old one, and without asking for it.
    place.run(["volume", "rebuild"]).expect(0);
    assert_eq!(listing(&place), before);
    fs::remove_file(&catalog).unwrap();
    assert_eq!(listing(&place), before);
}

#[test]
fn the_second_reader_lists_and_extracts_the_same() {
    let place = Place::new();
    awkward_tree(&place.fs);
    let before = Snapshot::take(&place.fs);
    place.all("archive").expect(0);
    write_file(&place.file("attributes"), 5, 5000);
    place.all("archive").expect(0);
    place.patiently("release");
    let volumes = place.volumes();
    let volumes: Vec<&OsStr> = volumes.iter().map(|path| path.as_os_str()).collect();
    let to = place.path().join("to");
    let words = [&[OsStr::new("extract")], &volumes[..], &[OsStr::new("--to"), to.as_os_str()]];
    let Some(output) = reader(&words.concat()) else {
        return skip("the_second_reader_lists_and_extracts_the_same", "no python3");
    };
    output.expect(0);
    let ours = place.path().join("ours");
    extract(&place, &ours);
    let theirs = extracted(&place, &to).without_privileges();
    extracted(&place, &ours).without_privileges().assert_same(&theirs);
    place.patiently("restore");
    Snapshot::take(&place.fs).without_privileges().assert_same(&theirs);
    assert_ne!(before, theirs, "one file was archived anew");

    let sizes = |lines: Vec<serde_json::Value>| -> BTreeSet<String> {
        let plain = lines.into_iter().filter(|line| line["kind"] == "file");
        plain
            .filter_map(|line| Some(format!("{} {}", line["path"].as_str()?, line["size"])))
            .filter(|line| !line.contains(['\\', '\n']) && line.is_ascii())
            .collect()
    };
    let words = [&[OsStr::new("list")], &volumes[..], &[OsStr::new("--json")]].concat();
    let theirs = sizes(reader(&words).unwrap().expect(0).values());
    let ours = sizes(place.run(["volume", "list"]).expect(0).values());
    // The second reader lists a file of several names once.
    assert!(theirs.is_subset(&ours) && theirs.len() + 2 >= ours.len(), "{theirs:?} {ours:?}");

    let name = place.file("sizes/of-3145851");
    let words = [&[OsStr::new("cat")], &volumes[..], &[name.as_os_str()]].concat();
    let size = (3 << 20) + 123;
    assert_eq!(reader(&words).unwrap().expect(0).stdout, content(size, size));
}

/// An archive of several volumes, with files that lie in more than one.
#[test]
fn a_full_volume_is_followed_by_the_next() {
    let place = Place::with(&["--volume-bytes", "16777216"]);
    for index in 0..60 {
        write_file(&place.file(&format!("small-{index}")), index, 400_000);
    }
    for index in 0..4 {
        write_file(&place.file(&format!("large-{index}")), 100 + index, (5 << 20) + index);
    }
    let before = Snapshot::take(&place.fs);
    place.all("archive").expect(0);
    let volumes = place.volumes();
    assert!(volumes.len() >= 3, "{volumes:?}");
    for volume in &volumes {
        let size = fs::metadata(volume).unwrap().len();
        assert!(size <= 16 << 20, "{} has {size} bytes", volume.display());
    }
    let report = place.run(["volume", "verify"]).expect(0);
    assert_eq!(report.count("volumes"), volumes.len() as u64);
    place.all("release").expect(0);
    place.all("restore").expect(0);
    before.assert_same(&Snapshot::take(&place.fs));
    let to = place.path().join("to");
    extract(&place, &to);
    before.clone().without_directories().assert_same(&extracted(&place, &to).without_directories());

    // Without one of them, the files of the others are there.
    place.all("release").expect(0);
    let away = volumes[1].with_extension("away");
    fs::rename(&volumes[1], &away).unwrap();
    let output = place.all("restore");
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    let states = place.states();
    assert!(states.count(&["archived"]) > 10 && states.count(&["released"]) > 10, "{states:?}");
    fs::rename(&away, &volumes[1]).unwrap();
    place.all("restore").expect(0);
    before.assert_same(&Snapshot::take(&place.fs));
}

/// A file larger than a volume is in several.
#[test]
fn a_file_larger_than_a_volume_is_archived() {
    if !need_root("a_file_larger_than_a_volume_is_archived") {
        return;
    }
    // In memory, lest volumes without end fill the disk.
    let (place, _memory) = Place::confined(100 << 20, &["--volume-bytes", "16777216"]);
    write_file(&place.file("large"), 1, (40 << 20) + 17);
    let before = Snapshot::take(&place.fs);
    place.all("archive").expect(0);
    place.all("release").expect(0);
    place.all("restore").expect(0);
    before.assert_same(&Snapshot::take(&place.fs));
}

/// The volume grows beyond the stretch that is laid out at first.
#[test]
fn a_volume_grows_beyond_its_first_frontier() {
    let place = Place::new();
    write_sparse(&place.file("large"), 1, 600 << 20, &[(0, 150 << 20), (400 << 20, 150 << 20)]);
    let before = Snapshot::take(&place.fs);
    place.all("archive").expect(0);
    let size = fs::metadata(&place.volumes()[0]).unwrap().len();
    assert!(size > 300 << 20 && size < 310 << 20, "unused space was not given back: {size}");
    place.run(["volume", "verify"]).expect(0);
    place.all("release").expect(0);
    place.all("restore").expect(0);
    before.assert_same(&Snapshot::take(&place.fs));
}

/// Writers at the same time do not get into each other's volumes.
#[test]
fn two_writers_at_once_archive_all() {
    let place = Place::new();
    for folder in ["a", "b", "c"] {
        fs::create_dir(place.file(folder)).unwrap();
        for index in 0..30 {
            write_file(&place.file(&format!("{folder}/{index}")), index, 100_000);
        }
        write_file(&place.file(&format!("{folder}/large")), 77, 4 << 20);
    }
    let before = Snapshot::take(&place.fs);
    std::thread::scope(|scope| {
        for folder in ["a", "b", "c"] {
            let place = &place;
            scope.spawn(move || place.one("archive", &place.file(folder)).expect(0));
        }
    });
    place.states().all("archived");
    place.run(["volume", "verify"]).expect(0);
    place.all("release").expect(0);
    place.all("restore").expect(0);
    before.assert_same(&Snapshot::take(&place.fs));
}

/// An archive within the tree that it serves does not take itself in.
#[test]
fn an_archive_within_its_tree_is_left_out() {
    let mut place = Place::bare();
    place.archive = place.fs.join("volumes");
    place.init(&[]);
    write_file(&place.file("file"), 1, 2 << 20);
    for _ in 0..2 {
        place.all("archive").expect(0);
        let listed = String::from_utf8(place.run(["volume", "list"]).expect(0).stdout).unwrap();
        assert!(!listed.contains("volume-"), "{listed}");
        place.all("release").expect(0);
        place.run(["volume", "verify"]).expect(0);
        place.all("restore").expect(0);
    }
    assert_content(&place.file("file"), 1, 2 << 20);
}

/// Volumes that nothing fits into are refused, and not made without end.
#[test]
fn volumes_too_small_for_anything_are_refused() {
    if !need_root("volumes_too_small_for_anything_are_refused") {
        return;
    }
    for bytes in [0_u64, 65_536, 100_000] {
        let place = Place::bare();
        let memory = dray_e2e::Tmpfs::new(&place.archive, 20 << 20);
        let room = bytes.to_string();
        let words = ["init", "--volume-bytes", &room, "--fs"].map(OsStr::new);
        let words = words.into_iter().chain([place.fs.as_os_str(), OsStr::new("--archive")]);
        if place.run(words.chain([memory.path.as_os_str()])).code == Some(3) {
            continue;
        }
        write_file(&place.file("file"), 1, 900_000);
        let output = place.all("archive");
        assert!(matches!(output.code, Some(1 | 3)), "{:?} {}", output.code, output.stderr);
        assert!(place.volumes().len() < 5, "{} volumes of {bytes} bytes", place.volumes().len());
        assert_eq!(place.word(&place.file("file")), "resident");
    }
}
