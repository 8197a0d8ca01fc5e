//! A full disk: nothing acknowledged is lost, and the service goes on when there is space.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use dray_store::{Block, Embedded, Error, Store};
use tempfile::TempDir;

use crate::suite::{self, Model};
use crate::{CLUSTER, folder};

/// A file system of a few MiB; unmounted when dropped.
struct Small {
    folder: TempDir,
}

impl Small {
    /// None, with a word on why, where it cannot be had.
    fn new(kind: &str) -> Option<Self> {
        let small = Self { folder: folder() };
        let made = match kind {
            "tmpfs" => {
                small.run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "none"]))
            }
            _ => {
                let image = small.folder.path().join("image");
                fs::File::create(&image).unwrap().set_len(24 << 20).unwrap();
                let mut make = Command::new(format!("mkfs.{kind}"));
                let made = make.arg("-q").arg(&image).output();
                made.map_err(|it| it.to_string())
                    .and_then(|out| {
                        let said = String::from_utf8_lossy(&out.stderr).into_owned();
                        out.status.success().then_some(()).ok_or(said)
                    })
                    .and_then(|()| {
                        small.run(Command::new("mount").args(["-o", "loop"]).arg(&image))
                    })
            }
        };
        made.map_err(|why| skip(kind, &why)).ok().map(|()| small)
    }

    fn run(&self, mount: &mut Command) -> Result<(), String> {
        let at = self.at();
        fs::create_dir(&at).unwrap();
        let out = mount.arg(&at).output().map_err(|it| it.to_string())?;
        let said = String::from_utf8_lossy(&out.stderr).trim().to_owned();
        out.status.success().then_some(()).ok_or(said)
    }

    fn at(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.at()).output();
    }
}

/// Says so where `cargo xtask test` sees it.
fn skip(name: &str, why: &str) {
    let line = format!("SKIPPED: a full disk ({name}): {}", why.replace('\n', " "));
    eprintln!("{line}");
    if let Some(file) = std::env::var_os("DRAY_SKIPS") {
        let mut file = fs::OpenOptions::new().append(true).open(file).unwrap();
        writeln!(file, "{line}").unwrap();
    }
}

/// Takes what space there is.
fn ballast(path: &Path, leave: usize) {
    let mut file = fs::File::create(path).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    let _ = file.sync_all();
    let length = fs::metadata(path).unwrap().len();
    file.set_len(length.saturating_sub(leave as u64)).unwrap();
}

fn fill(kind: &str) {
    let Some(small) = Small::new(kind) else { return };
    let place = small.at().join("store");
    let mut store = Embedded::open(&place, CLUSTER).unwrap();
    let mut model = Model::new();
    let first = model.blocks(&[50_000; 20]);
    store.commit(&first, 1).unwrap();
    model.took(&first, 1);
    ballast(&small.at().join("ballast"), 1_000_000);

    let refused = loop {
        let blocks = model.blocks(&[60_000, 50_000]);
        match store.commit(&blocks, 1) {
            Ok(()) => model.took(&blocks, 1),
            Err(error) => {
                assert!(matches!(error, Error::Full { .. }), "{error:?}");
                break blocks;
            }
        }
    };
    // Still full: said again, and nothing is broken by trying.
    for _ in 0..3 {
        assert!(matches!(store.commit(&refused, 1), Err(Error::Full { .. })));
    }
    fs::remove_file(small.at().join("ballast")).unwrap();
    store.commit(&refused, 1).unwrap();
    model.took(&refused, 1);
    model.check(&mut store);
    let next = model.blocks(&[1000]);
    store.commit(&next, 5).unwrap();
    model.took(&next, 5);
    drop(store);
    model.check(&mut Embedded::open(&place, CLUSTER).unwrap());
}

#[test]
fn a_full_tmpfs() {
    fill("tmpfs");
}

#[test]
fn a_full_ext4() {
    fill("ext4");
}

#[test]
fn where_the_disk_is_full_dropping_makes_space() {
    let Some(small) = Small::new("ext4") else { return };
    let mut store = Embedded::open(&small.at().join("store"), CLUSTER).unwrap();
    let mut number = 0;
    let mut commit = |store: &mut Embedded, drop| {
        number += 1;
        let block = Block { number, bytes: suite::bytes(number, 60_000) };
        let result = store.commit(&[block], drop);
        if result.is_err() {
            number -= 1;
        }
        result
    };
    ballast(&small.at().join("ballast"), 3_000_000);
    while commit(&mut store, 1).is_ok() {}
    store.commit(&[], 10).unwrap();
    commit(&mut store, 10).unwrap();
}

#[test]
fn where_nothing_can_be_written_it_says_so() {
    let Some(small) = Small::new("tmpfs") else { return };
    let place = small.at().join("store");
    Embedded::open(&place, CLUSTER).unwrap();
    let made = Command::new("mount").args(["-o", "remount,ro"]).arg(small.at()).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    let error = Embedded::open(&place, CLUSTER).unwrap_err();
    assert!(matches!(error, Error::ReadOnly { .. }), "{error:?}");
}
