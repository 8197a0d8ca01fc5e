//! Files that come slowly do not wait for others in a segment.

use dray_io::Operation;
use dray_io::limits::PACK_WAITS;

use crate::mover::{Act, act};
use crate::world::{ARCHIVE, Scene};

/// Flushes of the archive while all small files are archived, each of which takes so long to open.
fn flushes(nanos: u64) -> usize {
    let scene = Scene::small(5);
    let sim = scene.start(1);
    sim.watch(move |sim, step| {
        if step.operation == Operation::Open && !step.path.starts_with(ARCHIVE) {
            sim.advance(nanos);
        }
    });
    assert!(act(&sim, &scene.place, Act::Archive).is_clean());
    let trace = sim.trace();
    let flush = |path: &std::path::Path| path.starts_with(ARCHIVE);
    trace.iter().filter(|step| step.operation == Operation::Flush && flush(&step.path)).count()
}

#[test]
fn files_that_come_slowly_are_committed_one_by_one() {
    let (quick, slow) = (flushes(0), flushes(2 * PACK_WAITS));
    // Twelve names, of which the first in a segment waits for the next.
    assert!(slow >= quick + 5, "{slow} and {quick} flushes");
}
