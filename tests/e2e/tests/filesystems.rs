//! The core cycle on the file systems that sites have, each on a LUN of its own.
#![forbid(unsafe_code)]
// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};

use dray_e2e::{
    LoopDevice, Mount, Place, Snapshot, assert_content, awkward_tree, content, need_root,
    need_tool, tool, write_file,
};

/// A managed tree on a LUN with this file system; the mount goes before the place.
struct On {
    mount: Mount,
    place: Place,
}

impl On {
    /// `None`, and a note, where that cannot be had.
    fn new(test: &str, kind: &str) -> Option<Self> {
        if !need_root(test) || !need_tool(test, &format!("mkfs.{kind}")) {
            return None;
        }
        let base = Place::bare();
        let lun = LoopDevice::new(&base.path().join("lun"), 400 << 20).format(kind);
        let mount = Mount::new(lun, &base.path().join("mount"));
        let mut place = base;
        place.fs = mount.path.join("tree");
        fs::create_dir(&place.fs).unwrap();
        place.init(&[]);
        Some(Self { mount, place })
    }

    /// Forgets what the kernel remembers, so that what is read comes from the LUN.
    fn remount(&self) {
        let path = self.mount.path.as_os_str();
        tool("umount", [path]);
        tool("mount", [self.mount.device.path.as_os_str(), path]);
    }

    /// Bytes of the file system in use.
    fn used(&self) -> u64 {
        tool("sync", ["--file-system".as_ref(), self.mount.path.as_os_str()]);
        let stat = rustix::fs::statvfs(&self.mount.path).unwrap();
        (stat.f_blocks - stat.f_bfree) * stat.f_frsize
    }
}

fn core_cycle(on: &On) {
    let place = &on.place;
    awkward_tree(&place.fs);
    let before = Snapshot::take(&place.fs);
    place.all("archive").expect(0);
    place.states().all("archived");
    on.remount();
    place.states().all("archived");
    place.patiently("release");
    on.remount();
    for (path, state) in &place.states().0 {
        let wanted = if state.size == 0 { "archived" } else { "released" };
        assert_eq!(state.word, wanted, "{}", path.display());
    }
    before.clone().without_content().assert_same(&Snapshot::take(&place.fs).without_content());
    place.patiently("restore");
    on.remount();
    place.states().all("archived");
    before.assert_same(&Snapshot::take(&place.fs));
    // Archived again there is nothing to do, and a change is seen.
    write_file(&place.file("attributes"), 99, 3 << 20);
    assert_eq!(place.word(&place.file("attributes")), "dirty");
    place.all("archive").expect(0);
    place.patiently("release");
    place.patiently("restore");
    assert_content(&place.file("attributes"), 99, 3 << 20);
    place.run(["volume", "verify"]).expect(0);
    place.all("remove").expect(0);
    place.states().all("resident");
}

/// A release gives the space back, and a restore takes no more than there was.
fn gives_space_back(on: &On) {
    let place = &on.place;
    let empty = on.used();
    for index in 0..4 {
        write_file(&place.file(&format!("large-{index}")), index, 20 << 20);
    }
    let full = on.used();
    place.all("archive").expect(0);
    place.all("release").expect(0);
    let released = on.used();
    assert!(released < empty + (8 << 20), "{empty}, {full}, {released} bytes in use");
    place.all("restore").expect(0);
    let restored = on.used();
    assert!(restored < full + (8 << 20), "{empty}, {full}, {restored} bytes in use");
    for index in 0..4 {
        assert!(
            fs::read(place.file(&format!("large-{index}"))).unwrap() == content(index, 20 << 20)
        );
    }
}

fn ranges(on: &On) {
    let place = &on.place;
    let path = place.file("ranges");
    write_file(&path, 5, (6 << 20) + 77);
    place.one("archive", &path).expect(0);
    place.one("release", &path).expect(0);
    for (at, length) in [(0, 10), (3_000_000, 500_000), ((6 << 20) + 76, 1)] {
        let range = format!("{at}:{length}");
        let words = ["restore", "--range", &range].map(OsStr::new).into_iter();
        place.run(words.chain([path.as_os_str()])).expect(0);
        assert_eq!(place.word(&path), "partial");
        on.remount();
        let mut found = vec![0; length];
        fs::File::open(&path).unwrap().read_exact_at(&mut found, at as u64).unwrap();
        assert_eq!(found, content(5, (6 << 20) + 77)[at..at + length]);
    }
    place.one("restore", &path).expect(0);
    on.remount();
    assert!(fs::read(&path).unwrap() == content(5, (6 << 20) + 77));
}

#[test]
fn ext4_keeps_everything() {
    let Some(on) = On::new("ext4_keeps_everything", "ext4") else { return };
    core_cycle(&on);
    gives_space_back(&on);
    ranges(&on);
}

#[test]
fn xfs_keeps_everything() {
    let Some(on) = On::new("xfs_keeps_everything", "xfs") else { return };
    core_cycle(&on);
    gives_space_back(&on);
    ranges(&on);
}

#[test]
fn btrfs_keeps_everything() {
    let Some(on) = On::new("btrfs_keeps_everything", "btrfs") else { return };
    core_cycle(&on);
    gives_space_back(&on);
    ranges(&on);
}

/// By-handle descriptors: the data comes and goes and no time of the file moves but that of its
/// attributes.
#[test]
fn on_xfs_data_is_moved_invisibly() {
    let Some(on) = On::new("on_xfs_data_is_moved_invisibly", "xfs") else { return };
    let place = &on.place;
    for (name, length) in [("small", 50_000), ("large", 5 << 20)] {
        let path = place.file(name);
        write_file(&path, 1, length);
        dray_e2e::set_modified(&path, 1_111_111_111, 222_222_222);
        place.one("archive", &path).expect(0);
        let times = |name: &str| {
            let stat = fs::metadata(place.file(name)).unwrap();
            ((stat.atime(), stat.atime_nsec()), (stat.mtime(), stat.mtime_nsec()))
        };
        let before = times(name);
        assert_eq!(before.1, (1_111_111_111, 222_222_222));
        for word in ["release", "restore", "release", "restore"] {
            place.one(word, &path).expect(0);
            assert_eq!(times(name), before, "{word} of {name}");
        }
    }
}

/// A snapshot or reflink shares blocks; a release takes them from the file alone.
#[test]
fn a_clone_of_a_released_file_keeps_its_data() {
    for kind in ["xfs", "btrfs"] {
        let Some(on) = On::new("a_clone_of_a_released_file_keeps_its_data", kind) else { continue };
        let place = &on.place;
        let (file, clone) = (place.file("file"), place.file("clone"));
        write_file(&file, 1, 3 << 20);
        let words = [OsStr::new("--reflink=always"), file.as_os_str(), clone.as_os_str()];
        tool("cp", words);
        place.one("archive", &file).expect(0);
        place.one("release", &file).expect(0);
        on.remount();
        assert!(fs::read(&clone).unwrap() == content(1, 3 << 20), "{kind}");
        place.one("restore", &file).expect(0);
        assert!(fs::read(&file).unwrap() == content(1, 3 << 20), "{kind}");
    }
}

/// Two file systems below one archive: inode numbers repeat, files are not mixed up.
#[test]
fn files_of_two_file_systems_are_told_apart() {
    let name = "files_of_two_file_systems_are_told_apart";
    let (Some(one), Some(two)) = (On::new(name, "ext4"), On::new(name, "ext4")) else { return };
    // In the roots, where the first file of each has the same number.
    let (first, second) = (&one.mount.path, &two.mount.path);
    let place = Place::on(first, &one.place.path().join("volumes"));
    let text = fs::read_to_string(&place.config).unwrap();
    let entry = format!("\n[[fs]]\npath = {second:?}\narchive = \"main\"\n");
    fs::write(&place.config, text + &entry).unwrap();
    let path = |on: &On| on.mount.path.join("file");
    write_file(&path(&one), 1, 50_000);
    write_file(&path(&two), 2, 50_000);
    assert_eq!(fs::metadata(path(&one)).unwrap().ino(), fs::metadata(path(&two)).unwrap().ino());
    for word in ["archive", "release", "restore"] {
        let (one, two) = (path(&one), path(&two));
        place.run([OsStr::new(word), one.as_os_str(), two.as_os_str()]).expect(0);
    }
    assert!(fs::read(path(&one)).unwrap() == content(1, 50_000));
    assert!(fs::read(path(&two)).unwrap() == content(2, 50_000));
    assert_eq!(place.run(["volume", "list"]).expect(0).values().len(), 2);
}
