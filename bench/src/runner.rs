use std::any::Any;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use dray_results::{Counters, Place};

use crate::cold;
use crate::command::{Cmd, Finished, flush};
use crate::fio;
use crate::interrupt;
use crate::report::{Role, Run, Series};

/// Stands for the working directory in a report.
const WORK: &str = "$WORK";

/// Something a setup holds until its phase has been timed, put back when dropped.
pub(crate) type Held = Box<dyn Any>;
pub(crate) type Setup = Box<dyn Fn() -> Result<Held>>;
/// Told whether the contents are to be compared too.
pub(crate) type Check = Box<dyn Fn(bool) -> Result<()>>;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Meter {
    Bytes(u64),
    Files(u64),
    Requests(u64),
    /// The program reports its own rate.
    Fio,
}

impl Meter {
    fn unit(self) -> &'static str {
        match self {
            Self::Bytes(_) | Self::Fio => "MiB/s",
            Self::Files(_) => "files/s",
            Self::Requests(_) => "requests/s",
        }
    }
}

/// What is timed in one go; the final flush is added by the runner.
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    pub(crate) meter: Meter,
    pub(crate) setup: Setup,
    pub(crate) commands: Vec<Cmd>,
    pub(crate) check: Check,
}

/// Bytes touched before the run of any mover: more than the buffers of each.
const TOUCH_LEAST: u64 = 256 << 20;

/// One mover with phases that follow each other, such as archive and restore.
pub(crate) struct Contestant {
    /// As `--only` has it.
    pub(crate) key: &'static str,
    /// As the report has it.
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    /// Memory this mover takes when it goes through the page cache.
    pub(crate) touch: u64,
    pub(crate) phases: Vec<Phase>,
    /// Removes what the phases made.
    pub(crate) clean: Box<dyn Fn() -> Result<()>>,
}

pub(crate) struct Runner {
    pub(crate) device: Place,
    pub(crate) dir: PathBuf,
    pub(crate) rounds: u32,
    pub(crate) drop_caches: bool,
}

/// The runs of one contestant, one series per phase.
struct Lane {
    contestant: Contestant,
    series: Vec<Series>,
    failed: bool,
}

impl Runner {
    /// All contestants in turn in each round, each round beginning with the next of them.
    pub(crate) fn run(&self, contestants: Vec<Contestant>) -> Result<Vec<Series>> {
        let mut lanes: Vec<Lane> = contestants.into_iter().map(|c| self.lane(c)).collect();
        for lane in &mut lanes {
            self.attempt(lane, "warm-up", |lane| self.warm_up(&lane.contestant));
            interrupt::check()?;
        }
        for round in 1..=self.rounds {
            for place in 1..=lanes.len() {
                let turn = (place - 1 + round as usize - 1) % lanes.len();
                let lane = &mut lanes[turn];
                if !lane.failed {
                    let title = format!("round {round} of {}", self.rounds);
                    self.attempt(lane, &title, |lane| self.turn(lane, round, place as u32));
                }
                interrupt::check()?;
            }
        }
        Ok(lanes.into_iter().flat_map(|lane| lane.series).collect())
    }

    fn lane(&self, contestant: Contestant) -> Lane {
        let series = contestant
            .phases
            .iter()
            .map(|phase| Series {
                name: contestant.name.to_owned(),
                phase: phase.name.to_owned(),
                role: contestant.role,
                unit: phase.meter.unit(),
                commands: self.timed(phase).iter().map(|cmd| self.shown(&cmd.line())).collect(),
                touched_bytes: contestant.touch.max(TOUCH_LEAST),
                failure: None,
                summary: None,
                runs: Vec::new(),
            })
            .collect();
        Lane { contestant, series, failed: false }
    }

    fn timed(&self, phase: &Phase) -> Vec<Cmd> {
        phase.commands.iter().cloned().chain([flush(&self.dir)]).collect()
    }

    /// Text for a report, which is to read the same wherever the benchmark ran.
    fn shown(&self, text: &str) -> String {
        text.replace(&self.dir.display().to_string(), WORK)
    }

    fn warm_up(&self, contestant: &Contestant) -> Result<()> {
        (contestant.clean)()?;
        if let Some(phase) = contestant.phases.first() {
            let _held = (phase.setup)().context("setup")?;
            self.chill(phase, contestant.touch)?;
        }
        (contestant.clean)()
    }

    /// The state every timed run starts from: data cold, the programs themselves loaded, and
    /// `touch` bytes of free memory, but at least some, that a guest really owns.
    fn chill(&self, phase: &Phase, touch: u64) -> Result<()> {
        cold::empty_cache(self.drop_caches)?;
        // The benchmark and dray may be one executable, which is then mapped and stays cached;
        // no rival is to pay for being read from the device either.
        self.timed(phase).iter().try_for_each(Cmd::load)?;
        cold::touch_memory(touch.max(TOUCH_LEAST));
        Ok(())
    }

    /// A mover that fails is out of the race; the others go on.
    fn attempt(&self, lane: &mut Lane, title: &str, step: impl FnOnce(&mut Lane) -> Result<()>) {
        if std::io::stderr().is_terminal() {
            eprintln!("{title}: {}", lane.contestant.key);
        }
        if let Err(error) = step(lane) {
            let failure = self.shown(&format!("{title}: {error:#}"));
            lane.failed = true;
            for series in &mut lane.series {
                series.failure = Some(failure.clone());
            }
            // What cannot be removed now goes with the working directory.
            let _ = (lane.contestant.clean)();
        }
    }

    fn turn(&self, lane: &mut Lane, round: u32, place: u32) -> Result<()> {
        let contestant = &lane.contestant;
        (contestant.clean)()?;
        let verified = round == 1 || round == self.rounds;
        for (phase, series) in contestant.phases.iter().zip(&mut lane.series) {
            let held = (phase.setup)().with_context(|| format!("setup of {}", phase.name))?;
            self.chill(phase, contestant.touch)?;
            let mut run = self.measure(phase)?;
            drop(held);
            (phase.check)(verified).with_context(|| format!("check of {}", phase.name))?;
            (run.round, run.place, run.verified) = (round, place, verified);
            series.runs.push(run);
        }
        (contestant.clean)()
    }

    fn measure(&self, phase: &Phase) -> Result<Run> {
        let commands = self.timed(phase);
        let mut used = Finished::default();
        let before = self.gauges()?;
        let begun = Instant::now();
        for command in &commands {
            let finished = command.run()?;
            used.user += finished.user;
            used.system += finished.system;
            used.peak_memory = used.peak_memory.max(finished.peak_memory);
            used.stdout.push_str(&finished.stdout);
        }
        let wall_s = begun.elapsed().as_secs_f64();
        let after = self.gauges()?;
        let rate = match phase.meter {
            Meter::Bytes(bytes) => bytes as f64 / wall_s / f64::from(1 << 20),
            Meter::Files(count) | Meter::Requests(count) => count as f64 / wall_s,
            Meter::Fio => fio::rate(&used.stdout)?,
        };
        let moved = |get: fn(&Counters) -> u64| {
            let (before, after) = (before.device.as_ref()?, after.device.as_ref()?);
            Some(get(after).saturating_sub(get(before)))
        };
        Ok(Run {
            round: 0,
            place: 0,
            wall_s,
            rate,
            user_s: used.user.as_secs_f64(),
            system_s: used.system.as_secs_f64(),
            machine_busy_s: after.busy_s - before.busy_s,
            peak_memory_bytes: used.peak_memory,
            cache_growth_bytes: after.cached.cast_signed() - before.cached.cast_signed(),
            device_read_bytes: moved(|counters| counters.read),
            device_written_bytes: moved(|counters| counters.written),
            verified: false,
        })
    }

    fn gauges(&self) -> Result<Gauges> {
        let busy_s = cold::busy_seconds()?;
        Ok(Gauges { cached: cold::cached()?, busy_s, device: self.device.counters() })
    }
}

struct Gauges {
    cached: u64,
    busy_s: f64,
    device: Option<Counters>,
}
