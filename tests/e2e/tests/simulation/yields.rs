//! Movement that gives way to others.

use std::path::Path;

use dray_io::RingCounters;
use dray_mover::{Error, Pace, Run, Tally, Watch};

use crate::mover::{Act, try_act};
use crate::world::Scene;

struct Polite(Pace);

impl Watch for Polite {
    fn failed(&self, path: &Path, error: &Error) {
        panic!("{}: {error}", path.display());
    }

    fn pace(&self) -> Pace {
        self.0
    }
}

fn moved(what: Act, pace: Pace) -> RingCounters {
    let before: &[Act] = match what {
        Act::Restore => &[Act::Archive, Act::Release],
        _ => &[],
    };
    let scene = Scene::large(3).after(before);
    let (sim, tally) = (scene.start(7), Tally::default());
    let run = Run { tally: &tally, watch: &Polite(pace) };
    try_act(&sim, &scene.place, what, &run).unwrap();
    tally.rings()
}

#[test]
fn who_gives_way_has_one_block_under_way() {
    for what in [Act::Archive, Act::Restore] {
        let (one, many) = (moved(what, Pace::Least), moved(what, Pace::Full));
        assert_eq!((one.reads, one.writes), (many.reads, many.writes), "{what:?}");
        assert_eq!(one.enters, one.reads + one.writes, "{what:?}: {one:?}");
        assert!(many.enters < one.enters, "{what:?}: {many:?}");
    }
}
