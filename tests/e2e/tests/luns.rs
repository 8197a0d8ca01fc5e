//! Archives on LUNs without a file system.
#![forbid(unsafe_code)]
// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::FileExt;

use dray_e2e::{
    LoopDevice, Output, Place, Snapshot, awkward_tree, need_root, need_tool, reader, write_file,
};

struct Luns {
    place: Place,
    luns: Vec<LoopDevice>,
}

impl Luns {
    /// With LUNs of these sizes that nothing is on yet.
    fn bare(sizes: &[u64]) -> Self {
        let place = Place::bare();
        let make = |(index, size): (usize, &u64)| {
            LoopDevice::new(&place.path().join(format!("lun-{index}")), *size)
        };
        let luns = sizes.iter().enumerate().map(make).collect();
        Self { place, luns }
    }

    fn new(sizes: &[u64]) -> Self {
        let luns = Self::bare(sizes);
        luns.init(&[]).expect(0);
        luns
    }

    fn init(&self, more: &[&str]) -> Output {
        let mut words = vec![OsStr::new("init"), OsStr::new("--fs"), self.place.fs.as_os_str()];
        for lun in &self.luns {
            words.extend([OsStr::new("--archive"), lun.path.as_os_str()]);
        }
        let catalog = self.place.path().join("catalog");
        words.extend([OsStr::new("--catalog"), catalog.as_os_str()]);
        words.extend(more.iter().map(OsStr::new));
        self.place.run(words)
    }
}

#[test]
fn a_whole_cycle_on_a_lun_keeps_everything() {
    if !need_root("a_whole_cycle_on_a_lun_keeps_everything") {
        return;
    }
    let luns = Luns::new(&[300 << 20]);
    let place = &luns.place;
    awkward_tree(&place.fs);
    let before = Snapshot::take(&place.fs);
    place.all("archive").expect(0);
    place.run(["volume", "verify"]).expect(0);
    place.patiently("release");
    place.patiently("restore");
    before.assert_same(&Snapshot::take(&place.fs));

    // The catalog is nothing but what the LUN says.
    let list = |place: &Place| {
        let lines = place.run(["volume", "list"]).expect(0).values();
        let mut lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        lines.sort();
        lines
    };
    let listed = list(place);
    fs::remove_file(place.path().join("catalog")).unwrap();
    place.run(["volume", "rebuild"]).expect(0);
    assert_eq!(list(place), listed);

    let to = place.path().join("to");
    let lun = luns.luns[0].path.as_os_str();
    let words = [OsStr::new("extract"), lun, OsStr::new("--to"), to.as_os_str()];
    if let Some(output) = reader(&words) {
        output.expect(0);
        let theirs = Snapshot::take(&to.join(place.fs.strip_prefix("/").unwrap()));
        before.without_privileges().assert_same(&theirs.without_privileges());
    }
}

/// Old data on a LUN must not come back as part of the archive.
#[test]
fn a_lun_used_again_has_nothing_of_before() {
    if !need_root("a_lun_used_again_has_nothing_of_before") {
        return;
    }
    let luns = Luns::new(&[64 << 20]);
    let place = &luns.place;
    for index in 0..20 {
        write_file(&place.file(&format!("old-{index}")), index, 200_000);
    }
    place.all("archive").expect(0);
    place.all("remove").expect(0);
    let old = fs::read_dir(&place.fs).unwrap().map(|entry| entry.unwrap().path());
    old.for_each(|path| fs::remove_file(path).unwrap());
    fs::remove_file(&place.config).unwrap();
    luns.init(&[]).expect(3).says("holds something");
    luns.init(&["--force"]).expect(0);
    write_file(&place.file("new"), 1, 5000);
    place.all("archive").expect(0);
    let listed = place.run(["volume", "list"]).expect(0);
    assert!(!String::from_utf8_lossy(&listed.stdout).contains("old-"), "old files are listed");
    place.run(["volume", "verify"]).expect(0);
    fs::remove_file(place.path().join("catalog")).unwrap();
    place.run(["volume", "rebuild"]).expect(0);
    let listed = place.run(["volume", "list"]).expect(0);
    assert!(!String::from_utf8_lossy(&listed.stdout).contains("old-"), "old files are listed");
}

#[test]
fn an_archive_goes_on_with_its_next_lun_and_ends_with_the_last() {
    if !need_root("an_archive_goes_on_with_its_next_lun_and_ends_with_the_last") {
        return;
    }
    let luns = Luns::new(&[24 << 20, 24 << 20]);
    let place = &luns.place;
    for index in 0..40 {
        write_file(&place.file(&format!("small-{index:02}")), index, 400_000);
    }
    for index in 0..3 {
        write_file(&place.file(&format!("large-{index}")), 100 + index, 5 << 20);
    }
    let before = Snapshot::take(&place.fs);
    place.all("archive").expect(0);
    let lines = place.all("state").expect(0).values();
    let on = |volume: u64| lines.iter().filter(|line| line["volume"] == volume).count();
    assert!(on(1) > 0 && on(2) > 0, "volume 1 has {}, volume 2 has {}", on(1), on(2));
    place.all("release").expect(0);
    place.all("restore").expect(0);
    before.assert_same(&Snapshot::take(&place.fs));

    for index in 0..5 {
        write_file(&place.file(&format!("more-{index}")), 200 + index, 6 << 20);
    }
    let before = Snapshot::take(&place.fs);
    let output = place.all("archive");
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(output.stderr.contains("full") || output.stderr.contains("room"), "{}", output.stderr);
    before.assert_same(&Snapshot::take(&place.fs));
    place.run(["volume", "verify"]).expect(0);
    let states = place.states();
    assert!(states.count(&["resident"]) > 0, "{states:?}");
    place.all("release").expect(1);
    place.all("restore").expect(0);
    before.assert_same(&Snapshot::take(&place.fs));
}

#[test]
fn a_lun_with_something_on_it_is_not_overwritten() {
    let name = "a_lun_with_something_on_it_is_not_overwritten";
    if !need_root(name) {
        return;
    }
    for kind in ["ext4", "xfs", "btrfs"] {
        if !need_tool(name, &format!("mkfs.{kind}")) {
            continue;
        }
        let mut luns = Luns::bare(&[320 << 20]);
        luns.luns = luns.luns.into_iter().map(|lun| lun.format(kind)).collect();
        luns.init(&[]).expect(3).says("holds something");
        luns.init(&["--force"]).expect(0);
    }
}

/// A LUN that shows up under another name serves, and a foreign one in its place does not.
#[test]
fn a_lun_is_known_by_what_is_on_it() {
    if !need_root("a_lun_is_known_by_what_is_on_it") {
        return;
    }
    let mut luns = Luns::new(&[32 << 20]);
    let other = Luns::new(&[32 << 20]);
    let path = luns.place.file("file");
    write_file(&path, 1, 2 << 20);
    write_file(&other.place.file("file"), 2, 2 << 20);
    luns.place.all("archive").expect(0);
    other.place.all("archive").expect(0);
    luns.place.all("release").expect(0);

    let text = fs::read_to_string(&luns.place.config).unwrap();
    let (old, foreign) = (luns.luns.remove(0), &other.luns[0]);
    let name = |lun: &LoopDevice| lun.path.to_str().unwrap().to_owned();
    fs::write(&luns.place.config, text.replace(&name(&old), &name(foreign))).unwrap();
    let output = luns.place.all("restore");
    assert_ne!(output.code, Some(0), "a foreign volume was taken for ours");
    assert_eq!(luns.place.word(&path), "released");

    let file = old.file.clone();
    let old_name = name(&old);
    drop(old);
    let again = LoopDevice::attach(&file);
    fs::write(&luns.place.config, text.replace(&old_name, &name(&again))).unwrap();
    luns.place.all("restore").expect(0);
    assert_eq!(fs::read(&path).unwrap(), dray_e2e::content(1, 2 << 20));
}

#[test]
fn damage_on_a_lun_is_named() {
    if !need_root("damage_on_a_lun_is_named") {
        return;
    }
    let luns = Luns::new(&[32 << 20]);
    let (place, lun) = (&luns.place, &luns.luns[0]);
    write_file(&place.file("file"), 1, 300_000);
    place.all("archive").expect(0);
    let device = fs::File::options().read(true).write(true).open(&lun.path).unwrap();
    let at = 65_536 + 4096 + 70_000;
    let mut byte = [0];
    device.read_exact_at(&mut byte, at).unwrap();
    device.write_all_at(&[!byte[0]], at).unwrap();
    device.sync_all().unwrap();
    drop(device);
    let damages = place.run(["volume", "verify"]).expect(5).json()["damages"].clone();
    assert_eq!(damages[0]["volume"], lun.path.to_str().unwrap());
    assert_eq!(damages[0]["file"], place.file("file").to_str().unwrap());
    assert_eq!(damages[0]["file_offset"], 65_536);
}
