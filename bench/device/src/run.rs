//! A whole run.

use crate::error::{Error, Refusal};
use crate::options::DeviceOptions;
use crate::phase::{self, Measured, Stage};
use crate::plan::Plan;
use crate::source::{Fill, Source};
use crate::target::Target;

/// Does what the options say.
pub fn run_device(
    options: &DeviceOptions,
    interrupted: &(dyn Fn() -> bool + Sync),
) -> Result<Measured, Error> {
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
