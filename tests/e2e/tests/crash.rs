//! `kill -9` at random moments: every file stays whole or can be restored.
//!
//! `DRAY_CRASH_ROUNDS` says how many commands are to be killed, `DRAY_CRASH_SEED` repeats a run.
#![forbid(unsafe_code)]
// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use dray_e2e::{Place, Rng, States, content, set_modified, write_file, write_sparse};

const ROUNDS: u64 = 60;
const SMALL: u64 = 140;
const COMMANDS: [&str; 5] = ["archive", "release", "restore", "range", "remove"];

/// What a file is to hold.
struct Wanted {
    content: Vec<u8>,
    modified: (i64, i64),
}

struct Crash {
    place: Place,
    rng: Rng,
    wanted: BTreeMap<PathBuf, Wanted>,
    /// How long each command takes when it is left alone.
    took: BTreeMap<&'static str, Duration>,
    /// What was done, for messages.
    history: Vec<String>,
}

fn modified(path: &Path) -> (i64, i64) {
    let stat = fs::metadata(path).expect("no file is ever lost");
    (stat.mtime(), stat.mtime_nsec())
}

impl Crash {
    fn new() -> Self {
        let mut rng = Rng::from_environment("DRAY_CRASH_SEED");
        // Small volumes, so that they end and begin between the kills.
        let place = Place::with(&["--volume-bytes", "50331648"]);
        for index in 0..SMALL {
            let folder = place.file(&format!("folder-{}", index % 7));
            fs::create_dir_all(&folder).unwrap();
            let length = 1 + rng.below(if index % 10 == 0 { 400_000 } else { 40_000 });
            write_file(&folder.join(format!("file-{index}")), rng.number(), length);
        }
        for (name, length) in
            [("large-1", 3 << 20), ("large-2", (5 << 20) + 77), ("large-3", (1 << 20) + 1)]
        {
            write_file(&place.file(name), rng.number(), length);
        }
        let islands = [(0, 5000), (9 << 20, 1 << 20), (40 << 20, 70_000)];
        write_sparse(&place.file("sparse"), rng.number(), 48 << 20, &islands);
        write_sparse(&place.file("small sparse"), rng.number(), 900_000, &[(400_000, 65_536)]);
        let took = COMMANDS.map(|word| (word, Duration::from_millis(100))).into();
        let mut crash = Self { place, rng, wanted: BTreeMap::new(), took, history: Vec::new() };
        let paths: Vec<PathBuf> = crash.states().0.into_keys().collect();
        for (index, path) in paths.into_iter().enumerate() {
            set_modified(&path, 1_000_000_000 + index as i64, 123_456_789 + index as i64);
            crash.note(&path);
        }
        crash
    }

    fn note(&mut self, path: &Path) {
        let wanted = Wanted { content: fs::read(path).unwrap(), modified: modified(path) };
        self.wanted.insert(path.to_owned(), wanted);
    }

    fn states(&self) -> States {
        // The kernel takes a moment to let go of what the ring of a killed process had open.
        for _ in 0..100 {
            let output = self.place.all("state");
            if output.code == Some(0) {
                return States::from_lines(&output.values());
            }
            assert!(output.stderr.contains("temporarily unavailable"), "{}", output.stderr);
            std::thread::sleep(Duration::from_millis(20));
        }
        self.place.states()
    }

    /// A command that has something to do.
    fn choose(&mut self) -> &'static str {
        let states = self.states();
        let away = states.count(&["released", "partial"]);
        let here = states.count(&["archived"]);
        let fresh = states.count(&["resident", "dirty"]);
        let useful = |word: &str| match word {
            "archive" => fresh > 0,
            "release" => here > 20 || states.count(&["partial"]) > 0,
            "restore" | "range" => away > 20,
            _ => here > 100,
        };
        let words: Vec<&'static str> = COMMANDS.into_iter().filter(|word| useful(word)).collect();
        words[self.rng.below(words.len() as u64) as usize]
    }

    fn arguments(&mut self, word: &str) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = match word {
            "range" => {
                let range = format!("{}:{}", self.rng.below(200_000), 1 + self.rng.below(2 << 20));
                ["restore", "--range", &range].map(OsString::from).into()
            }
            word => vec![word.into()],
        };
        arguments.push(self.place.fs.clone().into());
        arguments
    }

    /// Runs a command and kills it at a random moment; whether that came in time.
    fn strike(&mut self, word: &'static str) -> bool {
        let span = self.took[word].as_micros() as u64;
        let delay = Duration::from_micros(self.rng.below(span + span / 10));
        let arguments = self.arguments(word);
        let mut command = self.place.dray(arguments);
        let began = Instant::now();
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("dray starts");
        std::thread::sleep(delay.saturating_sub(began.elapsed()));
        child.kill().expect("a child can be killed");
        let status = child.wait().expect("a child can be waited for");
        let killed = status.code().is_none();
        self.history.push(format!("{word} after {delay:?}: {status}"));
        if !killed {
            assert!(matches!(status.code(), Some(0 | 1)), "{:?}", self.history.last());
            let took = self.took.get_mut(word).expect("all are there");
            *took = (*took + began.elapsed()) / 2;
        }
        killed
    }

    /// Runs a command to its end and notes how long that takes.
    fn whole(&mut self, word: &'static str) {
        let arguments = self.arguments(word);
        let began = Instant::now();
        self.place.run(arguments).expect(0);
        self.took.insert(word, began.elapsed());
    }

    /// Every file is right, or still to be restored with nothing foreign in it.
    fn check(&self) {
        let states = self.states();
        assert_eq!(states.0.len(), self.wanted.len(), "{:#?}", self.history);
        for (path, wanted) in &self.wanted {
            let state = states.of(path);
            let why = || format!("{}: {state:?}\n{:#?}", path.display(), self.history);
            let found = fs::read(path).unwrap();
            assert_eq!(found.len(), wanted.content.len(), "{}", why());
            if state.is_on_disk() {
                assert!(found == wanted.content, "wrong content: {}", why());
            } else {
                assert!(["released", "partial"].contains(&state.word.as_str()), "{}", why());
                for (start, end) in &state.present {
                    let range = *start as usize..(*end as usize).min(found.len());
                    assert!(found[range.clone()] == wanted.content[range], "present: {}", why());
                }
                let mut sectors = found.chunks(512).zip(wanted.content.chunks(512));
                let ours = |(a, b): (&[u8], &[u8])| a == b || a.iter().all(|byte| *byte == 0);
                assert!(sectors.all(ours), "foreign content: {}", why());
            }
            // Until a move is over the time is that of the move.
            if !state.moving {
                assert_eq!(modified(path), wanted.modified, "{}", why());
            }
        }
    }

    /// Restores some of the files, or all, and demands that they are right then.
    fn restore(&mut self, part: u64) {
        let states = self.states();
        let away: Vec<&PathBuf> = states
            .0
            .iter()
            .filter(|(_, state)| !state.is_on_disk() && self.rng.below(part) == 0)
            .map(|(path, _)| path)
            .collect();
        if away.is_empty() {
            return;
        }
        let words = std::iter::once("restore".as_ref());
        let output = self.place.run(words.chain(away.iter().map(|path| path.as_os_str())));
        assert_eq!(output.code, Some(0), "{}\n{:#?}", output.stderr, self.history);
        let states = self.place.states();
        for path in away {
            let (state, wanted) = (states.of(path), &self.wanted[path]);
            let why = || format!("{}: {state:?}\n{:#?}", path.display(), self.history);
            assert_eq!(state.word, "archived", "{}", why());
            assert!(fs::read(path).unwrap() == wanted.content, "wrong content: {}", why());
            assert_eq!(modified(path), wanted.modified, "{}", why());
        }
    }

    /// Changes some files that are on disk, as users do.
    fn change(&mut self) {
        let states = self.states();
        let here = states.0.iter().filter(|(_, state)| state.is_on_disk());
        let mut here: Vec<PathBuf> = here.map(|(path, _)| path.clone()).collect();
        for _ in 0..self.rng.below(4) {
            if here.is_empty() {
                return;
            }
            let path = here.swap_remove(self.rng.below(here.len() as u64) as usize);
            let file = fs::File::options().write(true).open(&path).unwrap();
            let at = self.rng.below(file.metadata().unwrap().len());
            let bytes = content(self.rng.number(), 1 + self.rng.below(5000));
            file.write_all_at(&bytes, at).unwrap();
            drop(file);
            self.history.push(format!("changed {}", path.display()));
            self.note(&path);
        }
    }
}

#[test]
fn files_survive_kills_at_random_moments() {
    let rounds = std::env::var("DRAY_CRASH_ROUNDS").ok().and_then(|text| text.parse().ok());
    let (rounds, mut crash) = (rounds.unwrap_or(ROUNDS), Crash::new());
    // Twice: the first run of each finds a cold cache.
    for _ in 0..2 {
        for word in ["archive", "release", "range", "restore", "remove"] {
            crash.whole(word);
            crash.check();
        }
    }
    crash.history.clear();
    let (mut kills, mut strikes) = (0, 0);
    while kills < rounds {
        let word = crash.choose();
        strikes += 1;
        assert!(strikes < rounds * 10 + 100, "only {kills} kills came in time");
        kills += u64::from(crash.strike(word));
        crash.check();
        if crash.rng.below(3) == 0 {
            crash.restore(3);
        }
        crash.change();
    }
    crash.restore(1);
    crash.check();
    crash.place.all("archive").expect(0);
    crash.place.run(["volume", "verify"]).expect(0);
    crash.place.all("release").expect(0);
    crash.restore(1);
    crash.check();
    println!("{kills} of {strikes} commands were killed in time");
}
