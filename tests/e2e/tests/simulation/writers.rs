//! Files that somebody has open for writing while they are archived.

use dray_io::{Access, Files};
use dray_mover::Standing;

use crate::checker::standing;
use crate::mover::{Act, act};
use crate::world::{Scene, path};

/// Nanoseconds: times move again by then, if they move.
const LATER: u64 = 100_000_000;
const MINUTES: u64 = 120_000_000_000;

/// A store to a mapped page moves the times before it is done, and not again after it.
#[test]
fn what_a_writer_may_still_change_is_compared_before_a_release() {
    for size in [5001, (1 << 20) + 5001] {
        let scene = Scene::pair(1, size);
        let sim = scene.start(1);
        let certain = |name: &str| match standing(&sim, &path(name)) {
            Standing::Archived { certain, .. } => Some(certain),
            _ => None,
        };
        sim.advance(MINUTES);
        // Whoever has it open for long and does nothing costs nothing.
        let idle = sim.open(&path("other"), Access::Write).unwrap();
        let writer = sim.open(&path("subject"), Access::Write).unwrap();
        sim.write_at(&writer, b"changed", 1000).unwrap();
        sim.advance(LATER);
        assert!(act(&sim, &scene.place, Act::Archive).is_clean());
        assert_eq!([certain("subject"), certain("other")], [Some(false), Some(true)], "{size}");
        drop((idle, writer));
        sim.advance(LATER);
        assert!(act(&sim, &scene.place, Act::Archive).is_clean());
        assert_eq!(certain("subject"), Some(true), "{size}: nobody has it open");
        assert!(act(&sim, &scene.place, Act::Release).is_clean(), "{size}");
        assert!(matches!(standing(&sim, &path("subject")), Standing::Away { .. }));
    }
}
