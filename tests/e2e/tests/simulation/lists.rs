//! Lists of names in place of a walk: which file is meant, and which range of it.

use dray_archive::Archive;
use dray_io::{Fault, Kind, Range};
use dray_mover::{
    ArchiveOptions, Entry, Error, RemoveOptions, RestoreOptions, Result, Run, Tally, Watch,
    archive, release, remove, restore,
};
use dray_sim::Sim;

use std::path::Path;
use std::sync::Mutex;

use crate::checker::{at_rest, restorable, standing};
use crate::mover::{Act, act};
use crate::world::{Scene, UNIT, path};

#[derive(Default)]
struct Heard {
    done: Mutex<usize>,
    another: Mutex<usize>,
}

impl Watch for Heard {
    fn done(&self, _path: &Path, _bytes: u64) {
        *self.done.lock().unwrap() += 1;
    }

    fn failed(&self, path: &Path, error: &Error) {
        assert!(matches!(error, Error::AnotherFile { .. }), "{}: {error}", path.display());
        *self.another.lock().unwrap() += 1;
    }
}

/// How many of a list were done, and how many led to another file.
fn move_list(sim: &Sim, scene: &Scene, what: Act, list: Vec<Entry>) -> (usize, usize) {
    let heard = Heard::default();
    let run = Run { tally: &Tally::default(), watch: &heard };
    let tier = Archive::open(sim, &scene.place).unwrap();
    let mut feed = list.into_iter().map(Ok::<_, Fault>);
    let outcome: Result<()> = match what {
        Act::Archive => {
            archive(sim, &tier, &mut feed, ArchiveOptions { hash: false, unit: UNIT }, &run)
        }
        Act::Release => release(sim, &tier, &mut feed, &run),
        Act::Remove => remove(sim, &tier, &mut feed, RemoveOptions::default(), &run),
        _ => restore(sim, &tier, &mut feed, RestoreOptions::new(UNIT), &run),
    };
    outcome.unwrap();
    tier.close(sim).unwrap();
    (heard.done.into_inner().unwrap(), heard.another.into_inner().unwrap())
}

#[test]
fn no_verb_acts_on_another_file_than_was_meant() {
    let verbs = [
        (Act::Archive, vec![]),
        (Act::Release, vec![Act::Archive]),
        (Act::Restore, vec![Act::Archive, Act::Release]),
        (Act::Remove, vec![Act::Archive]),
    ];
    for (what, before) in verbs {
        let scene = Scene::pair(1, (1 << 20) + 5001).after(&before);
        let sim = scene.start(1);
        let meant = |name: &str| {
            let handle = Some(sim.tree().stat(path(name)).handle);
            Entry { handle, ..Entry::new(path(name), Kind::File) }
        };
        let mut list = vec![meant("subject"), meant("other")];
        for entry in &mut list {
            let handle = entry.handle.as_mut().unwrap();
            handle.generation += 1;
        }
        let states = |sim: &Sim| ["subject", "other"].map(|name| sim.tree().attribute(path(name)));
        let attributes = states(&sim);
        assert_eq!(move_list(&sim, &scene, what, list), (0, 2), "{what:?}");
        assert_eq!(states(&sim), attributes, "{what:?}");
        let list = vec![meant("subject"), meant("other")];
        assert_eq!(move_list(&sim, &scene, what, list), (2, 0), "{what:?}");
        assert_ne!(states(&sim), attributes, "{what:?}");
    }
}

#[test]
fn several_ranges_of_one_file_in_one_list_all_come_back() {
    for size in [150_001, (1 << 20) + 5001] {
        let scene = Scene::pair(2, size).after(&[Act::Archive, Act::Release]);
        let sim = scene.start(2);
        let ranges = [(0, 10), (140_000, 140_100), (0, 10), (70_000, 70_001)];
        let entry = |(start, end)| {
            let range = Some(Range::new(start, end));
            Entry { range, ..Entry::new(path("subject"), Kind::File) }
        };
        let (done, _) = move_list(&sim, &scene, Act::Restore, ranges.map(entry).to_vec());
        assert_eq!(done, 3, "one of them is there twice");
        let how = standing(&sim, &path("subject"));
        let partial = &how.attribute().unwrap().present;
        let whole = partial.is_empty();
        for (start, end) in ranges {
            assert!(whole || partial.contains(Range::new(start, end)), "{start} of {partial:?}");
        }
        at_rest(&scene, &sim).unwrap();
        restorable(&scene, &sim).unwrap();
        assert!(act(&sim, &scene.place, Act::Release).failed.is_empty());
    }
}
