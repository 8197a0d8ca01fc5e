//! Phases one after the other, and what becomes of them.

use std::collections::BTreeMap;
use std::time::Duration;

use dray_results::{Phase, Run, Steady};

use crate::convert;
use crate::core::Shape;
use crate::error::Error;
use crate::phase::{self, Measured, Stage};
use crate::source::{Load, Source, Span};
use crate::work::Work;

/// A run as it grows.
pub(crate) struct Session<'a> {
    pub(crate) stage: Stage<'a>,
    pub(crate) spans: Vec<Span>,
    /// Every option as resolved.
    pub(crate) options: BTreeMap<String, String>,
    pub(crate) run: Run,
}

/// Whether there is any use in going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    On,
    Over,
}

impl Session<'_> {
    /// A phase of what `load` describes.
    pub(crate) fn load(&mut self, name: &str, load: &Load, shape: &Shape) -> Result<Flow, Error> {
        let cores = self.stage.cpus.len() as u64;
        let mut works: Vec<Source> =
            (0..cores).map(|core| Source::new(load, &self.spans, core, cores)).collect();
        self.work(name, shape, &mut works)
    }

    /// A phase of one work per core.
    pub(crate) fn work<W: Work + Send>(
        &mut self,
        name: &str,
        shape: &Shape,
        works: &mut [W],
    ) -> Result<Flow, Error> {
        let measured = phase::run(&self.stage, shape, works)?;
        Ok(self.add(name, shape, measured))
    }

    fn add(&mut self, name: &str, shape: &Shape, measured: Measured) -> Flow {
        let ios = |of: &Measured| of.total.ios() as f64;
        let runtime = Duration::from_nanos(measured.runtime);
        let sides = [&measured.total.read, &measured.total.write, &measured.total.flush];
        let busy: f64 =
            sides.iter().map(|side| side.service.mean() * side.service.len() as f64).sum();
        let mut options = self.options.clone();
        let cores = self.stage.cpus.len() as f64;
        options.insert("iodepth".into(), shape.depth.to_string());
        if let Some(rate) = shape.pace.rate() {
            options.insert("rate_iops".into(), rate.to_string());
        }
        let error = measured.failure.as_ref().map(|it| convert::failure(it, self.stage.targets));
        if let Some(error) = &error {
            self.run.partial = Some(format!(
                "{} of {} bytes at {} of {} failed: {}",
                error.kind.fio_name(),
                error.length,
                error.offset,
                error.target,
                error.cause
            ));
        } else if measured.interrupted {
            self.run.partial = Some("interrupted".into());
        }
        let mut notes: Vec<String> = measured.notice.clone().into_iter().collect();
        if let Some(rate) = shape.pace.rate().map(|rate| rate * cores)
            && ios(&measured) < 0.98 * rate * runtime.as_secs_f64()
            && self.run.partial.is_none()
        {
            notes.push(format!(
                "{name}: {:.0} of {rate:.0} arrivals per second were served: the rate is more than \
                 the device does",
                ios(&measured) / runtime.as_secs_f64()
            ));
        }
        if measured.left > 0 {
            notes.push(format!(
                "{name}: {} arrivals still waited when the time was over: they are not among the \
                 response times",
                measured.left
            ));
        }
        self.run.phases.push(Phase {
            name: name.into(),
            options,
            started: measured.started,
            runtime,
            intervals: measured.intervals,
            total: convert::directions(&measured.total),
            user: measured.usage.user,
            system: measured.usage.system,
            voluntary_switches: measured.switches.voluntary,
            involuntary_switches: measured.switches.involuntary,
            depth_seen: busy / (measured.runtime as f64).max(1.0),
            syscalls: measured.enters,
            workers: measured.workers,
            target_rate: shape.pace.rate().map(|rate| rate * cores),
            dropped: measured.dropped,
            left: measured.left,
            steady: None,
            verified: None,
            error,
            notes,
        });
        if self.run.partial.is_some() { Flow::Over } else { Flow::On }
    }

    /// Requests per second of the last phase, flushes apart.
    pub(crate) fn last_rate(&self) -> f64 {
        self.run.phases.last().map_or(0.0, |phase| {
            let ios = phase.total.read.ios + phase.total.write.ios;
            ios as f64 / phase.runtime.as_secs_f64().max(1e-9)
        })
    }

    /// Response time, in ns, of a share of the reads and writes of the last phase.
    pub(crate) fn last_response(&self, quantile: f64) -> u64 {
        self.run.phases.last().map_or(0, |phase| {
            let mut all = phase.total.read.response().clone();
            all.add(phase.total.write.response());
            all.quantile(quantile)
        })
    }

    /// Of the last phase.
    pub(crate) fn note(&mut self, note: String) {
        if let Some(phase) = self.last() {
            phase.notes.push(note);
        }
    }

    pub(crate) fn last(&mut self) -> Option<&mut Phase> {
        self.run.phases.last_mut()
    }

    pub(crate) fn set_steady(&mut self, steady: Steady) {
        if let Some(phase) = self.last() {
            phase.steady = Some(steady);
        }
    }
}
