//! What dray cannot or must not do: it says so, and nothing is lost.
#![forbid(unsafe_code)]
// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt, chown};
use std::path::Path;

use dray_e2e::{
    NOBODY, Output, Place, Snapshot, assert_content, awkward_tree, content, is_root, need_root,
    need_tool, skip, write_file,
};

/// Gives a tree to whom an unprivileged place runs as.
fn hand_over(place: &Place) {
    if !is_root() {
        return;
    }
    let mut todo = vec![place.fs.clone()];
    while let Some(path) = todo.pop() {
        std::os::unix::fs::lchown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        if path.symlink_metadata().unwrap().is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
}

#[test]
fn a_full_archive_keeps_what_it_could_not_take() {
    if !need_root("a_full_archive_keeps_what_it_could_not_take") {
        return;
    }
    let (place, _memory) = Place::confined(24 << 20, &[]);
    for index in 0..40 {
        write_file(&place.file(&format!("small-{index}")), index, 300_000);
    }
    for index in 0..6 {
        write_file(&place.file(&format!("large-{index}")), index, 4 << 20);
    }
    let before = Snapshot::take(&place.fs);
    let output = place.all("archive").expect(1);
    assert!(output.stderr.contains("No space left"), "{}", output.stderr);
    before.assert_same(&Snapshot::take(&place.fs));
    let states = place.states();
    assert!(states.count(&["archived"]) > 0, "nothing was archived: {states:?}");
    assert!(states.count(&["resident"]) > 0, "all was archived: {states:?}");
    // What is called archived is.
    place.all("release").expect(1).says("no archive copy");
    place.all("restore").expect(0);
    before.assert_same(&Snapshot::take(&place.fs));
    place.run(["volume", "verify"]).expect(0);
    // Again and again changes nothing.
    for _ in 0..3 {
        place.all("archive").expect(1);
    }
    before.assert_same(&Snapshot::take(&place.fs));
    // With room the rest goes.
    let bigger = ["-o", "remount,size=200m"].map(OsStr::new).into_iter();
    dray_e2e::tool("mount", bigger.chain([place.archive.as_os_str()]));
    place.all("archive").expect(0);
    place.states().all("archived");
    place.all("release").expect(0);
    place.all("restore").expect(0);
    before.assert_same(&Snapshot::take(&place.fs));
}

#[test]
fn a_full_file_system_keeps_files_restorable() {
    if !need_root("a_full_file_system_keeps_files_restorable") {
        return;
    }
    let place = Place::bare();
    let memory = dray_e2e::Tmpfs::new(&place.path().join("small"), 24 << 20);
    let place = Place::on(&memory.path, &place.path().join("volumes"));
    for index in 0..8 {
        write_file(&place.file(&format!("file-{index}")), index, (2 << 20) + 5 - index * 200_000);
    }
    let before = Snapshot::take(&place.fs);
    place.all("archive").expect(0);
    place.all("release").expect(0);
    let filler = memory.path.join("filler");
    write_file(&filler, 99, 18 << 20);
    let output = place.all("restore").expect(1);
    assert!(output.stderr.contains("No space left"), "{}", output.stderr);
    for (path, state) in place.states().0.iter().filter(|(path, _)| **path != filler) {
        let seed: u64 = path.to_str().unwrap().rsplit('-').next().unwrap().parse().unwrap();
        if state.is_on_disk() {
            assert_content(path, seed, (2 << 20) + 5 - seed * 200_000);
        }
    }
    fs::remove_file(&filler).unwrap();
    place.all("restore").expect(0);
    before.without_directories().assert_same(&Snapshot::take(&place.fs).without_directories());
}

#[test]
fn all_but_recall_works_without_privilege() {
    let place = Place::unprivileged();
    awkward_tree(&place.fs);
    hand_over(&place);
    for name in ["setuid", "setgid", "setuid large", "nothing allowed"] {
        // A change of owner took the bits; and who may not read cannot archive.
        let _ = fs::remove_file(place.file(name));
    }
    let before = Snapshot::take(&place.fs);
    place.all("archive").expect(0);
    place.patiently("release");
    assert!(place.states().count(&["released"]) > 30);
    place.patiently("restore");
    place.states().all("archived");
    before.assert_same(&Snapshot::take(&place.fs));
    place.all("remove").expect(0);
    before.assert_same(&Snapshot::take(&place.fs));
}

#[test]
fn files_that_may_not_be_read_are_named_and_left_alone() {
    let place = Place::unprivileged();
    for name in ["open", "secret", "closed/within"] {
        fs::create_dir_all(place.file(name).parent().unwrap()).unwrap();
        write_file(&place.file(name), 1, 5000);
    }
    hand_over(&place);
    let (secret, closed) = (place.file("secret"), place.file("closed"));
    for path in [&secret, &closed] {
        if is_root() {
            chown(path, Some(0), Some(0)).unwrap();
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
    }
    let output = place.all("archive").expect(1).says("ermission denied");
    assert_eq!(output.json()["failed"], 2, "{}", output.stderr);
    assert_eq!(place.word(&place.file("open")), "archived");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Moves 5 MiB there and back as `starter` lets it; the words of warning.
fn moves_all(place: &Place, starter: &[&str], ring: Option<&str>) -> Output {
    if let Some(ring) = ring {
        place.set_engine(&format!("ring = \"{ring}\""));
    }
    write_file(&place.file("large"), 1, (5 << 20) + 7);
    write_file(&place.file("small"), 2, 5000);
    hand_over(place);
    let before = Snapshot::take(&place.fs);
    let run =
        |word: &str| Output::of(place.through(starter, [OsStr::new(word), place.fs.as_os_str()]));
    let output = run("archive").expect(0);
    run("release").expect(0);
    run("restore").expect(0);
    before.assert_same(&Snapshot::take(&place.fs));
    output
}

#[test]
fn a_low_limit_on_locked_memory_is_no_obstacle() {
    if !need_tool("a_low_limit_on_locked_memory_is_no_obstacle", "prlimit") {
        return;
    }
    for limit in ["--memlock=65536:65536", "--memlock=0:0"] {
        let place = Place::unprivileged();
        let output = moves_all(&place, &["prlimit", limit], None);
        let notice = ["locked memory", "io_uring cannot be used"];
        let told = notice.iter().any(|words| output.stderr.contains(words));
        assert!(told, "{limit}: no notice: {}", output.stderr);
    }
}

#[test]
fn few_open_files_are_no_obstacle() {
    if !need_tool("few_open_files_are_no_obstacle", "prlimit") {
        return;
    }
    let place = Place::new();
    // More than all hands hold open at once, with the least that hosts grant.
    for index in 0..5000 {
        fs::write(place.file(&format!("file-{index}")), format!("content of {index}")).unwrap();
    }
    let before = Snapshot::take(&place.fs);
    let limit = ["prlimit", "--nofile=256:4096"];
    for word in ["archive", "release", "restore"] {
        let words = [OsStr::new(word), place.fs.as_os_str()];
        Output::of(place.through(&limit, words)).expect(0);
    }
    before.assert_same(&Snapshot::take(&place.fs));
}

const SWITCH: &str = "/proc/sys/kernel/io_uring_disabled";

/// Takes io_uring from processes without privilege until dropped.
struct Switched(String);

impl Drop for Switched {
    fn drop(&mut self) {
        let _ = fs::write(SWITCH, &self.0);
    }
}

#[test]
fn without_io_uring_all_is_moved_with_a_notice() {
    let name = "without_io_uring_all_is_moved_with_a_notice";
    if !need_root(name) {
        return;
    }
    let Ok(before) = fs::read_to_string(SWITCH) else {
        return skip(name, "no kernel.io_uring_disabled");
    };
    let (place, strict) = (Place::unprivileged(), Place::unprivileged());
    let switched = Switched(before);
    // Root, as which other tests run, keeps it.
    fs::write(SWITCH, "1").unwrap();
    let output = moves_all(&place, &[], None);
    strict.set_engine("ring = \"uring\"");
    write_file(&strict.file("large"), 1, 5 << 20);
    hand_over(&strict);
    let refused = strict.all("archive");
    drop(switched);
    assert!(output.stderr.contains("io_uring cannot be used"), "no notice: {}", output.stderr);
    refused.expect(1).says("no ring could be made");
    assert_eq!(strict.word(&strict.file("large")), "resident");
}

#[test]
fn what_was_written_to_while_released_is_nobody_elses() {
    let place = Place::new();
    for (name, length) in [("small", 100_000), ("large", 2 << 20)] {
        let path = place.file(name);
        write_file(&path, 1, length);
        place.one("archive", &path).expect(0);
        place.one("release", &path).expect(0);
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.write_all_at(b"not yours", 70_000).unwrap();
        drop(file);
        for word in ["restore", "release", "archive", "remove"] {
            let output = place.one(word, &path);
            assert_eq!(output.code, Some(1), "{word}: {}", output.stderr);
            assert_eq!(fs::read(&path).unwrap()[70_000..70_009], *b"not yours", "{word}");
        }
        // The archived content can be had, and the new accepted.
        assert_eq!(place.cat(&path).expect(0).stdout, content(1, length));
        let accept = ["remove", "--accept-content"].map(OsStr::new).into_iter();
        place.run(accept.chain([path.as_os_str()])).expect(0);
        assert_eq!(place.word(&path), "resident");
        assert_eq!(fs::read(&path).unwrap()[70_000..70_009], *b"not yours");
    }
}

/// A copy that took the state along has none of the data.
#[test]
fn a_copy_of_a_released_file_is_not_taken_for_one() {
    if !need_root("a_copy_of_a_released_file_is_not_taken_for_one") {
        return;
    }
    let place = Place::new();
    let (path, copy) = (place.file("file"), place.file("copy"));
    write_file(&path, 1, 50_000);
    place.all("archive").expect(0);
    place.all("release").expect(0);
    dray_e2e::tool("cp", [OsStr::new("-a"), path.as_os_str(), copy.as_os_str()]);
    assert_eq!(place.word(&copy), "lost");
    for word in ["archive", "release", "restore", "remove"] {
        place.one(word, &copy).expect(1).says("another file");
    }
    place.one("restore", &path).expect(0);
    assert_content(&path, 1, 50_000);
}

#[test]
fn wrong_words_and_places_are_refused_by_their_codes() {
    let place = Place::new();
    write_file(&place.file("file"), 1, 100);
    place.run(["nonsense"]).expect(2);
    place.run(["archive"]).expect(2);
    place
        .run([OsStr::new("restore"), OsStr::new("--range"), OsStr::new("5"), place.fs.as_os_str()])
        .expect(2);
    place.one("archive", &place.file("not there")).expect(1).says("cannot find");
    place.one("archive", Path::new("/etc")).expect(3).says("in no managed file system");
    let missing = place.path().join("none.toml");
    let mut command = dray_e2e::command(dray_e2e::binary());
    command.arg("--config").arg(&missing).arg("archive").arg(&place.fs);
    Output::of(command).expect(3).says("dray init");
    // Sums are of 64 KiB each: a request that cuts one would make it wrong.
    place.set_engine("io_bytes = 32768");
    place.all("archive").expect(3).says("io_bytes");
    fs::write(&place.config, "[engine]\nspeed = 11\n").unwrap();
    place.all("archive").expect(3).says("speed");
}
