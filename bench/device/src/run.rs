//! A whole run.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use dray_results::{Environment, Run, host_name};

use crate::error::{Error, Refusal};
use crate::modes;
use crate::options::DeviceOptions;
use crate::phase::Stage;
use crate::plan::Plan;
use crate::session::{Flow, Session};
use crate::source::{Fill, Span};
use crate::target::Target;
use crate::verify;

/// A plan whose targets have been looked at.
struct Ready {
    plan: Plan,
    targets: Vec<Target>,
    spans: Vec<Span>,
}

fn prepare(options: &DeviceOptions) -> Result<Ready, Refusal> {
    let state = options.verify_state.iter().filter(|_| options.verify);
    let outputs = [&options.output, &options.csv, &options.hgrm, &options.log];
    for path in outputs.into_iter().flatten().chain(state) {
        try_to_write(path).map_err(|source| Refusal::Output { path: path.clone(), source })?;
    }
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

/// What is measured takes long: that nowhere can be kept what comes of it is said before.
fn try_to_write(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(found) if !found.is_file() => Ok(()),
        _ => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            tempfile::tempfile_in(folder.unwrap_or(Path::new("."))).map(drop)
        }
    }
}

/// Every option by fio's name as it is resolved, after all that can be refused has been looked at.
pub fn resolve(options: &DeviceOptions) -> Result<BTreeMap<String, String>, Refusal> {
    Ok(prepare(options)?.plan.resolved(options))
}

/// Does what the options say; `capture` describes the machine and the targets. Gives what was
/// measured also when it ended early, with the reason in `partial`.
pub fn run_device(
    options: &DeviceOptions,
    capture: &dyn Fn(&[PathBuf]) -> Result<Environment, String>,
    interrupted: &(dyn Fn() -> bool + Sync),
) -> Result<Run, Error> {
    let Ready { plan, mut targets, spans } = prepare(options)?;
    for made in targets.iter_mut().filter_map(|target| target.made.as_mut()) {
        made.kept = true;
    }
    let zero_percent = match plan.load.fill {
        Fill::Zeros => 100,
        Fill::Random { zero_percent, .. } => zero_percent,
    };
    let environment = capture(&plan.paths).map_err(Refusal::Options)?;
    let mut session = Session {
        stage: Stage {
            targets: &targets,
            cpus: &plan.cpus,
            ring: options.ioengine.into(),
            slot_bytes: plan.slot_bytes,
            zero_percent,
            seed: options.randseed,
            interrupted,
        },
        spans,
        options: plan.resolved(options),
        run: Run { host: host_name(), environment, phases: Vec::new(), partial: None },
    };
    if options.precondition && modes::precondition(&mut session, &plan)? == Flow::Over {
        return Ok(session.run);
    }
    if options.verify_only {
        verify::read_only(&mut session, options)?;
    } else if options.verify {
        verify::write_and_read(&mut session, &plan, options)?;
    } else if options.curve.is_some() {
        modes::curve(&mut session, &plan, options)?;
    } else if options.latency_target.is_some() {
        modes::latency_target(&mut session, &plan, options)?;
    } else if options.steady_state {
        modes::steady_state(&mut session, &plan)?;
    } else {
        session.load("device", &plan.load, &plan.shape)?;
    }
    Ok(session.run)
}
