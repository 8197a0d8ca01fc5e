//! What a run measured, in a few lines.

use std::fmt::{self, Display, Formatter};

use dray_results::{Direction, Kind, Latencies, Phase, Run};

const QUANTILES: [(&str, f64); 4] =
    [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)];

/// A run for people.
pub struct Summary<'a>(pub &'a Run);

impl Display for Summary<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for note in notes(self.0) {
            writeln!(f, "{note}")?;
        }
        match &self.0.phases[..] {
            phases @ [_, _, ..]
                if phases.iter().filter(|it| it.target_rate.is_some()).count() > 1 =>
            {
                curve(f, phases)?;
            }
            phases => phases.iter().try_for_each(|it| phase(f, it))?,
        }
        match &self.0.partial {
            Some(why) => write!(f, "{why}: this is what was measured until then"),
            None => Ok(()),
        }
    }
}

/// Each once.
fn notes(run: &Run) -> Vec<&str> {
    let mut notes: Vec<&str> = Vec::new();
    for note in run.phases.iter().flat_map(|phase| &phase.notes) {
        if !notes.contains(&note.as_str()) {
            notes.push(note);
        }
    }
    notes
}

fn latencies(f: &mut Formatter<'_>, name: &str, times: &Latencies) -> fmt::Result {
    let times = times.histogram();
    write!(f, "  {name:8} us: mean {:.1}", times.mean() / 1e3)?;
    for (name, quantile) in QUANTILES {
        write!(f, ", {name} {:.1}", times.value_at_quantile(quantile) as f64 / 1e3)?;
    }
    writeln!(f, ", max {:.1}", times.max() as f64 / 1e3)
}

fn direction(f: &mut Formatter<'_>, kind: Kind, of: &Direction, seconds: f64) -> fmt::Result {
    if of.is_unused() {
        return Ok(());
    }
    writeln!(
        f,
        "  {:8} {:.0}/s, {:.1} MiB/s; {} requests, {} short, {} failed",
        kind.fio_name(),
        of.ios as f64 / seconds,
        of.bytes as f64 / f64::from(1 << 20) / seconds,
        of.ios,
        of.short,
        of.errors
    )?;
    latencies(f, "service", &of.service)?;
    of.from_intended.as_ref().map_or(Ok(()), |response| latencies(f, "response", response))
}

fn phase(f: &mut Formatter<'_>, phase: &Phase) -> fmt::Result {
    let seconds = phase.runtime.as_secs_f64().max(1e-9);
    writeln!(f, "{}: {seconds:.3} s", phase.name)?;
    for kind in Kind::ALL {
        direction(f, kind, phase.total.of(kind), seconds)?;
    }
    let ios = phase.total.read.ios + phase.total.write.ios;
    writeln!(
        f,
        "  {:.0} ns CPU per request (user {:.2} s, system {:.2} s), {} calls into the kernel, \
         {:.1} under way on average, {} kernel workers",
        (phase.user + phase.system).as_nanos() as f64 / (ios as f64).max(1.0),
        phase.user.as_secs_f64(),
        phase.system.as_secs_f64(),
        phase.syscalls,
        phase.depth_seen,
        phase.workers,
    )?;
    if phase.dropped + phase.left > 0 {
        writeln!(
            f,
            "  {} arrivals were dropped and {} waited when the time was over",
            phase.dropped, phase.left
        )?;
    }
    if let Some(steady) = &phase.steady {
        let attained = if steady.attained { "steady" } else { "not steady" };
        writeln!(
            f,
            "  {attained} after {} rounds: {}; range {:.1} %, rise {:.1} %",
            steady.rounds,
            steady.criterion,
            steady.range * 100.0,
            steady.rise * 100.0
        )?;
    }
    if let Some(verified) = &phase.verified {
        writeln!(
            f,
            "  {} blocks read back, {} of them covered by a flush, {} wrong",
            verified.blocks, verified.covered, verified.wrong
        )?;
        if let Some(wrong) = &verified.first_wrong {
            writeln!(f, "  the first {wrong}")?;
        }
    }
    Ok(())
}

/// One line per phase.
fn curve(f: &mut Formatter<'_>, phases: &[Phase]) -> fmt::Result {
    writeln!(
        f,
        "{:16} {:>12} {:>12} {:>36} {:>36}",
        "phase", "asked/s", "done/s", "service us p50, p99, p99.9", "response us p50, p99, p99.9"
    )?;
    for phase in phases {
        let mut service = phase.total.read.service.clone();
        service.add(&phase.total.write.service);
        let mut response = phase.total.read.response().clone();
        response.add(phase.total.write.response());
        let three = |times: &Latencies| {
            let times = times.histogram();
            let at = |q| times.value_at_quantile(q) as f64 / 1e3;
            format!("{:.1} {:.1} {:.1}", at(0.5), at(0.99), at(0.999))
        };
        let asked = phase.target_rate.map_or("-".into(), |rate| format!("{rate:.0}"));
        let done = (phase.total.read.ios + phase.total.write.ios) as f64
            / phase.runtime.as_secs_f64().max(1e-9);
        writeln!(
            f,
            "{:16} {asked:>12} {done:>12.0} {:>36} {:>36}",
            phase.name,
            three(&service),
            three(&response)
        )?;
    }
    Ok(())
}
