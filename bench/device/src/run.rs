//! A whole run.

use std::collections::BTreeMap;

use crate::error::{Error, Refusal};
use crate::options::DeviceOptions;
use crate::phase::{self, Measured, Stage};
use crate::plan::Plan;
use crate::source::{Fill, Source, Span};
use crate::target::Target;

/// A plan whose targets have been looked at.
struct Ready {
    plan: Plan,
    targets: Vec<Target>,
    spans: Vec<Span>,
}

fn prepare(options: &DeviceOptions) -> Result<Ready, Refusal> {
    let allowed = affinity::get_thread_affinity()
        .map_err(|error| Refusal::Options(format!("the CPUs of this process: {error}")))?;
    let mut plan = Plan::new(options, &allowed)?;
    let targets: Vec<Target> =
        plan.paths.iter().map(|path| Target::open(path, plan.opening)).collect::<Result<_, _>>()?;
    let spans = plan.spans(&targets)?;
    let shape = &mut plan.shape;
    if (shape.time, shape.ios, shape.bytes) == (None, None, None) {
        let all: u64 = spans.iter().map(|span| span.to - span.from).sum();
        shape.bytes = Some(all / plan.cpus.len() as u64);
    }
    Ok(Ready { plan, targets, spans })
}

/// Every option by fio's name as it is resolved, after all that can be refused has been looked at.
pub fn resolve(options: &DeviceOptions) -> Result<BTreeMap<String, String>, Refusal> {
    Ok(prepare(options)?.plan.resolved(options))
}

/// Does what the options say.
pub fn run_device(
    options: &DeviceOptions,
    interrupted: &(dyn Fn() -> bool + Sync),
) -> Result<Measured, Error> {
    let Ready { plan, targets, spans } = prepare(options)?;
    let zero_percent = match plan.load.fill {
        Fill::Zeros => 100,
        Fill::Random { zero_percent, .. } => zero_percent,
    };
    let stage = Stage {
        targets: &targets,
        cpus: &plan.cpus,
        ring: options.ioengine.into(),
        slot_bytes: plan.slot_bytes,
        zero_percent,
        seed: options.randseed,
        interrupted,
    };
    let cores = plan.cpus.len() as u64;
    let works = (0..cores).map(|core| Source::new(&plan.load, &spans, core, cores)).collect();
    phase::run(&stage, &plan.shape, works, &mut |_, _| {})
}
