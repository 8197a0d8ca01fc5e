//! Running the pipeline on every core.

use dray_io::{Ring, RingCounters, World};

use crate::error::{Error, Result};
use crate::pipeline::{Pipeline, Work};
use crate::tally::Run;

/// Runs a pipeline per core, each over the `work` made for it, until none has any left. The error
/// returned means that there was no ring; what goes wrong on one core is handed to `failed`, while
/// the others go on.
pub(crate) fn on_cores<W: World, K: Work<W::Ring>>(
    world: &W,
    unit: u32,
    run: &Run<'_>,
    work: &(dyn Fn(usize) -> K + Sync),
    failed: &(dyn Fn(Error) + Sync),
) -> Result<()> {
    let ticks = || world.ticks();
    let cores =
        world.cores(&|core, ring| match Pipeline::new(ring, work(core), unit, &ticks, run.watch)
            .run()
        {
            Ok((_, latency, retries)) => {
                let counters = RingCounters { retries, ..ring.counters() };
                run.tally.add_ring(counters, &latency);
            }
            Err(error) => failed(error),
        });
    cores.map_err(Error::NoRing)
}
