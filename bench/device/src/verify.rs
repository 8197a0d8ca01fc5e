//! Whether a device keeps what a flush has covered.

mod map;
mod state;
mod unit;
mod work;

use dray_results::Verified;

use self::map::Map;
use self::state::State;
use self::work::{Frame, Reading, Writing};
use crate::core::Shape;
use crate::error::{Error, Refusal};
use crate::options::DeviceOptions;
use crate::pace::Pace;
use crate::permute::Order;
use crate::plan::Plan;
use crate::session::{Flow, Session};
use crate::source::Span;

/// Writes between flushes where nothing else is said.
const FLUSH_EVERY: u64 = 64;

/// Requests under way while blocks are read back.
const READ_DEPTH: u32 = 32;

/// Writes for the time or number that is asked, with flushes; then reads all of it back.
pub(crate) fn write_and_read(
    session: &mut Session<'_>,
    plan: &Plan,
    options: &DeviceOptions,
) -> Result<(), Error> {
    let unit = session.stage.targets.iter().map(|target| target.block).max().unwrap_or(512);
    let block = plan.slot_bytes;
    if !block.is_multiple_of(unit) {
        let why =
            format!("--verify: --bs {block} is no multiple of logical blocks of {unit} bytes");
        return Err(Refusal::Options(why).into());
    }
    let frame = Frame { run: fastrand::u64(..), block, unit };
    let mut works: Vec<Writing> =
        (0..plan.cpus.len()).map(|core| writing(plan, &session.spans, frame, core)).collect();
    let mut flow = session.work("verify: write", &plan.shape, &mut works)?;
    if flow == Flow::On {
        flow = last_flush(session, &mut works);
    }
    let parts = works.into_iter().flat_map(|work| work.maps.into_iter().map(|map| map.part));
    let state = State { run: frame.run, block, unit, parts: parts.collect() };
    if let Some(path) = &options.verify_state {
        state.save(path).map_err(|source| Error::State { path: path.clone(), source })?;
    }
    if flow == Flow::On { read(session, &state) } else { Ok(()) }
}

/// Reads back what an earlier run has left in its state file.
pub(crate) fn read_only(session: &mut Session<'_>, options: &DeviceOptions) -> Result<(), Error> {
    let path = options.verify_state.as_ref().expect("the options say that it goes with a state");
    let state = State::load(path).map_err(|error| Refusal::Target {
        path: path.clone(),
        why: format!("as a state of --verify: {error}"),
    })?;
    for part in &state.parts {
        let end = part.from + part.blocks.len() as u64 * u64::from(state.block);
        let target = session.stage.targets.get(part.target as usize);
        if target.is_none_or(|target| target.size < end) {
            let why = format!("{}: is of other targets than these", path.display());
            return Err(Refusal::Options(why).into());
        }
    }
    session.stage.slot_bytes = state.block;
    read(session, &state)
}

fn writing(plan: &Plan, spans: &[Span], frame: Frame, core: usize) -> Writing {
    let (block, cores) = (u64::from(frame.block), plan.cpus.len() as u64);
    let core = core as u64;
    let mut maps = Vec::new();
    let mut orders = Vec::new();
    for (index, span) in spans.iter().enumerate() {
        let blocks = (span.to - span.from) / block;
        let (first, last) = (blocks * core / cores, blocks * (core + 1) / cores);
        maps.push(Map::new(index as u16, span.from + first * block, (last - first) as usize));
        let seed = plan.load.seed ^ core ^ ((index as u64) << 32);
        orders.push(plan.load.random.then(|| Order::new(last - first, seed, 0, 1)));
    }
    let (every, how) = plan.load.flush.unwrap_or((FLUSH_EVERY, dray_io::Flush::Data));
    Writing {
        frame,
        next: vec![0; maps.len()],
        maps,
        orders,
        turn: 0,
        every,
        how,
        durable: plan.opening.durable,
        writes: 0,
        flushes: 0,
    }
}

/// Covers all that has completed.
fn last_flush(session: &mut Session<'_>, works: &mut [Writing]) -> Flow {
    for target in session.stage.targets {
        if let Err(error) = target.file.sync_data() {
            session.run.partial = Some(format!("flush of {}: {error}", target.path.display()));
            return Flow::Over;
        }
    }
    for map in works.iter_mut().flat_map(|work| &mut work.maps) {
        map.begin_flush();
        map.end_flush();
    }
    Flow::On
}

fn read(session: &mut Session<'_>, state: &State) -> Result<(), Error> {
    let frame = Frame { run: state.run, block: state.block, unit: state.unit };
    let cores = session.stage.cpus.len();
    let names: Vec<String> =
        session.stage.targets.iter().map(|target| target.path.display().to_string()).collect();
    let mut works: Vec<Reading> = (0..cores)
        .map(|core| {
            let parts = state.parts.iter().skip(core).step_by(cores).cloned();
            Reading::new(frame, parts.collect(), names.clone())
        })
        .collect();
    let shape = Shape {
        depth: READ_DEPTH,
        submit: READ_DEPTH,
        complete_min: 1,
        pace: Pace::Closed,
        ramp: 0,
        time: None,
        ios: None,
        bytes: None,
        seed: 0,
    };
    session.work("verify: read", &shape, &mut works)?;
    let mut all = Verified::default();
    for work in works {
        all.blocks += work.found.blocks;
        all.covered += work.found.covered;
        all.wrong += work.found.wrong;
        all.first_wrong = all.first_wrong.or(work.found.first_wrong);
    }
    if let Some(phase) = session.last() {
        phase.verified = Some(all);
    }
    Ok(())
}
