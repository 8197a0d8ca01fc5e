//! A node whose lease has ended while it moved something.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use dray_archive::Archive;
use dray_io::Operation;
use dray_mover::{ArchiveOptions, Error, Run, Standing, Tally, Walk, Watch, archive};
use dray_sim::Sim;

use crate::checker::{all, standing};
use crate::mover::{Act, act, try_act};
use crate::nodes::{Nodes, entry};
use crate::world::{ARCHIVE, DATA, LONG, Scene, UNIT};

const LARGE: usize = (3 << 20) + 5001;
const OPTIONS: ArchiveOptions = ArchiveOptions { hash: false, unit: UNIT };

/// Its lease has ended; it hears of this only when it asks.
#[derive(Default)]
struct Late(Mutex<Vec<PathBuf>>);

impl Watch for Late {
    fn may_act(&self) -> bool {
        false
    }

    fn failed(&self, path: &Path, error: &Error) {
        assert!(matches!(error, Error::LeaseEnded { .. }), "{error}");
        self.0.lock().unwrap().push(path.to_owned());
    }
}

fn is_resident(sim: &Sim, path: &Path) {
    assert!(matches!(standing(sim, path), Standing::Resident), "{} is marked", path.display());
}

/// Somebody else may have released them between the comparison and the mark.
#[test]
fn files_are_not_marked_under_a_lease_that_has_ended() {
    for scene in [Scene::small(1), Scene::pair(1, LARGE)] {
        let sim = scene.start(1);
        let late = Late::default();
        let tally = Tally::default();
        let run = Run { tally: &tally, watch: &late };
        let tier = Archive::open(&sim, &scene.place).unwrap();
        let mut walk = Walk::new(&sim, vec![DATA.into()], vec![ARCHIVE.into()]);
        archive(&sim, &tier, &mut walk, OPTIONS, &run).unwrap();
        tier.close(&sim).unwrap();
        let failed = late.0.into_inner().unwrap();
        assert!(!failed.is_empty());
        scene.files.iter().for_each(|file| is_resident(&sim, &file.path));
        // What was written counts for nothing, and is in nobody's way.
        sim.advance(LONG);
        assert!(act(&sim, &scene.place, Act::Archive).is_clean());
        assert!(act(&sim, &scene.place, Act::Release).is_clean());
        all(&scene, &sim).unwrap();
    }
}

#[test]
fn a_file_in_parts_is_not_marked_under_a_lease_that_has_ended() {
    let scene = Scene::pair(1, LARGE);
    let sim = scene.start(1);
    let nodes = Nodes::start(&sim, &scene.place).unwrap();
    let entry = entry("subject");
    let stamp = nodes.begin_archive(&entry).unwrap();
    let whole = [dray_io::Range::new(0, stamp.size())];
    let parts = nodes.archive_parts(0, &entry, &stamp, &whole).unwrap();
    let (tally, late) = (Tally::default(), Late::default());
    let run = Run { tally: &tally, watch: &late };
    let tier = Archive::open(&sim, &scene.place).unwrap();
    let finished =
        dray_mover::finish_archive(&sim, &tier, &entry, &stamp, parts.clone(), OPTIONS, &run);
    assert!(matches!(finished, Err(Error::LeaseEnded { .. })), "{finished:?}");
    tier.close(&sim).unwrap();
    is_resident(&sim, &entry.path);
    nodes.finish_archive(&entry, &stamp, parts).unwrap();
    nodes.end().unwrap();
    assert!(matches!(standing(&sim, &entry.path), Standing::Archived { .. }));
    all(&scene, &sim).unwrap();
}

/// Its lease may end, and it asks before each change.
struct Ending(Arc<AtomicBool>);

impl Watch for Ending {
    fn may_act(&self) -> bool {
        !self.0.load(Ordering::SeqCst)
    }

    fn failed(&self, _path: &Path, error: &Error) {
        assert!(matches!(error, Error::LeaseEnded { .. }), "{error}");
    }
}

/// A lease may end while one of these goes on.
fn waits(operation: Operation) -> bool {
    matches!(operation, Operation::Read | Operation::Flush | Operation::FlushFileSystem)
}

fn changes(operation: Operation) -> bool {
    use Operation as O;
    matches!(
        operation,
        O::Write | O::WriteAttribute | O::Punch | O::Truncate | O::Allocate | O::SetMetadata
    )
}

/// The lease ends with the read or flush of this number: no change to a file follows. Whether it
/// came to that.
fn stops(scene: &Scene, sim: &Sim, what: Act, number: u64) -> bool {
    let ended = Arc::new(AtomicBool::new(false));
    let (ends, mut seen) = (Arc::clone(&ended), 0);
    // Those that were submitted before may be done after.
    sim.do_writes_first(true);
    sim.watch(move |_, step| {
        let changed = step.path.starts_with(DATA) && changes(step.operation);
        assert!(!(changed && ends.load(Ordering::SeqCst)), "{what:?}, {number}: {step}");
        seen += u64::from(waits(step.operation));
        ends.fetch_or(seen > number, Ordering::SeqCst);
    });
    let run = Run { tally: &Tally::default(), watch: &Ending(Arc::clone(&ended)) };
    try_act(sim, &scene.place, what, &run).unwrap();
    sim.unwatch();
    sim.do_writes_first(false);
    ended.load(Ordering::SeqCst)
}

#[test]
fn nothing_is_changed_under_a_lease_that_has_ended() {
    for scene in [Scene::small(1), Scene::pair(1, LARGE)] {
        for what in [Act::Archive, Act::Release, Act::Restore, Act::Remove] {
            let before: &[Act] = match what {
                Act::Archive => &[],
                Act::Restore => &[Act::Archive, Act::Release],
                _ => &[Act::Archive],
            };
            let mut number = 0;
            loop {
                let sim = scene.start(1);
                for act in before {
                    assert!(crate::mover::act(&sim, &scene.place, *act).is_clean());
                    sim.advance(LONG);
                }
                let ended = stops(&scene, &sim, what, number);
                // Others go on with what was left.
                all(&scene, &sim).unwrap();
                if !ended {
                    break;
                }
                number += 1;
            }
            assert!(number > 1, "{what:?} reads and flushes nothing");
        }
    }
}
