//! Files that somebody else changes, replaces or deletes while dray moves them: nothing of theirs
//! is lost, and nothing old is called archived.
#![forbid(unsafe_code)]
// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dray_e2e::{Place, Rng, content};

const FILES: u64 = 24;

/// How a writer changes a file.
#[derive(Debug, Clone, Copy)]
enum Change {
    /// Cut to nothing and written again.
    Rewrite,
    /// Another file under the same name.
    Replace,
    Delete,
    /// More at the end, which leaves what was there.
    Append,
    /// Bytes in the middle.
    Overwrite,
    Shorten,
}

const HARMLESS: [Change; 3] = [Change::Rewrite, Change::Replace, Change::Delete];
const IN_PLACE: [Change; 6] = [
    Change::Rewrite,
    Change::Replace,
    Change::Delete,
    Change::Append,
    Change::Overwrite,
    Change::Shorten,
];

/// Somebody who changes files and knows what he wrote last.
struct Writer {
    folder: PathBuf,
    rng: Rng,
    wanted: BTreeMap<PathBuf, Vec<u8>>,
}

impl Writer {
    fn new(place: &Place, rng: Rng) -> Self {
        let mut writer = Self { folder: place.fs.clone(), rng, wanted: BTreeMap::new() };
        for index in 0..FILES {
            let path = writer.path(index);
            let bytes = writer.bytes(index);
            fs::write(&path, &bytes).unwrap();
            writer.wanted.insert(path, bytes);
        }
        writer
    }

    fn path(&self, index: u64) -> PathBuf {
        self.folder.join(format!("file-{index}"))
    }

    /// Every fourth file is a large one. Often of the same length as before.
    fn bytes(&mut self, index: u64) -> Vec<u8> {
        let length = if index.is_multiple_of(4) { (1 << 20) + 4096 } else { 10_000 };
        let more = if self.rng.below(2) == 0 { 0 } else { self.rng.below(5000) };
        content(self.rng.number(), length + more)
    }

    fn change(&mut self, changes: &[Change]) {
        let index = self.rng.below(FILES);
        let (path, bytes) = (self.path(index), self.bytes(index));
        let change = changes[self.rng.below(changes.len() as u64) as usize];
        let Some(mut now) = self.wanted.remove(&path) else {
            fs::write(&path, &bytes).unwrap();
            self.wanted.insert(path, bytes);
            return;
        };
        let open = || fs::File::options().write(true).open(&path).unwrap();
        match change {
            Change::Rewrite => {
                fs::write(&path, &bytes).unwrap();
                now = bytes;
            }
            Change::Replace => {
                let new = path.with_extension("new");
                fs::write(&new, &bytes).unwrap();
                fs::rename(&new, &path).unwrap();
                now = bytes;
            }
            Change::Delete => return fs::remove_file(&path).unwrap(),
            Change::Append => {
                let bytes = &bytes[..100];
                fs::File::options().append(true).open(&path).unwrap().write_all(bytes).unwrap();
                now.extend_from_slice(bytes);
            }
            Change::Overwrite => {
                let at = self.rng.below(now.len() as u64 - 50);
                std::os::unix::fs::FileExt::write_all_at(&open(), &bytes[..50], at).unwrap();
                now[at as usize..at as usize + 50].copy_from_slice(&bytes[..50]);
            }
            Change::Shorten => {
                let length = now.len() / 2 + 60;
                open().set_len(length as u64).unwrap();
                now.resize(length, 0);
            }
        }
        self.wanted.insert(path, now);
    }

    /// Changes files until `over`, now and then with a rest in which dray gets hold of some.
    fn work(&mut self, changes: &[Change], over: &AtomicBool) -> u64 {
        let mut done = 0;
        while !over.load(Ordering::Relaxed) {
            self.change(changes);
            done += 1;
            std::thread::sleep(Duration::from_micros(self.rng.below(3000)));
            if self.rng.below(50) == 0 {
                std::thread::sleep(Duration::from_millis(60));
            }
        }
        done
    }
}

/// Archived means that the archive has what the file has.
fn archived_is_current(place: &Place, path: &Path) {
    let archived = place.cat(path).expect(0).stdout;
    assert!(archived == fs::read(path).unwrap(), "{} is archived as it was", path.display());
}

fn race(words: &[&str], changes: &[Change], time: Duration) {
    let place = Place::new();
    let rng = Rng::from_environment("DRAY_RACE_SEED");
    let mut writer = Writer::new(&place, rng);
    let (over, began) = (AtomicBool::new(false), Instant::now());
    let (changed, runs) = std::thread::scope(|scope| {
        let work = scope.spawn(|| writer.work(changes, &over));
        let mut runs = 0_u64;
        while began.elapsed() < time && !work.is_finished() {
            for word in words {
                let output = place.all(word);
                // Whatever is refused is refused in words, never with a crash.
                assert!(output.code.is_some(), "{word}: {:?} {}", output.signal, output.stderr);
                runs += 1;
            }
        }
        over.store(true, Ordering::Relaxed);
        (work.join().unwrap(), runs)
    });
    println!("{changed} changes during {runs} runs");
    let states = place.states();
    let found: Vec<&PathBuf> = states.0.keys().collect();
    assert_eq!(found, writer.wanted.keys().collect::<Vec<_>>(), "files came or went");
    for (path, state) in &states.0 {
        if state.word == "archived" {
            archived_is_current(&place, path);
        }
    }
    place.all("restore");
    for (path, wanted) in &writer.wanted {
        let state = states.of(path);
        let found = fs::read(path).unwrap();
        assert!(found == *wanted, "{} is not as written: {state:?}", path.display());
    }
    // And in the end it can all be moved.
    place.run(["remove".as_ref(), "--accept-content".as_ref(), place.fs.as_os_str()]).expect(0);
    place.all("archive").expect(0);
    for path in writer.wanted.keys() {
        archived_is_current(&place, path);
    }
    place.all("release").expect(0);
    place.all("restore").expect(0);
    for (path, wanted) in &writer.wanted {
        assert!(fs::read(path).unwrap() == *wanted, "{}", path.display());
    }
    place.run(["volume", "verify"]).expect(0);
}

#[test]
fn files_that_change_while_they_are_archived_are_not_lost() {
    race(&["archive"], &IN_PLACE, Duration::from_secs(4));
}

#[test]
fn files_that_change_while_they_are_released_are_not_lost() {
    race(&["archive", "release"], &HARMLESS, Duration::from_secs(4));
}

#[test]
fn files_that_change_while_they_are_restored_are_not_lost() {
    race(&["archive", "release", "restore"], &HARMLESS, Duration::from_secs(4));
}

/// Several of us at once on one tree: they get in each other's way, and do no harm.
#[test]
fn several_movers_at_once_do_no_harm() {
    let place = Place::new();
    let writer = Writer::new(&place, Rng::from_environment("DRAY_RACE_SEED"));
    let began = Instant::now();
    let words = ["archive", "release", "restore", "release", "restore", "remove"];
    std::thread::scope(|scope| {
        for word in words {
            let place = &place;
            scope.spawn(move || {
                while began.elapsed() < Duration::from_secs(4) {
                    let output = place.all(word);
                    assert!(output.code.is_some(), "{word}: {:?}", output.signal);
                    assert!(!output.stderr.contains("damage"), "{word}: {}", output.stderr);
                }
            });
        }
    });
    place.all("restore").expect(0);
    for (path, wanted) in &writer.wanted {
        assert!(fs::read(path).unwrap() == *wanted, "{} is not as written", path.display());
    }
    place.all("archive").expect(0);
    for path in writer.wanted.keys() {
        archived_is_current(&place, path);
    }
    place.run(["volume", "verify"]).expect(0);
}
