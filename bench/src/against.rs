//! `dray bench device` and fio on the same load, alternating.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::{self, Display, Formatter};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use dray_device::DeviceOptions;
use serde::Serialize;
use serde_json::Value;

use crate::command::Cmd;
use crate::stats::Spread;
use crate::tools::Tool;

/// One run of one program.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    pub iops: f64,
    pub bytes_per_second: f64,
    /// ns, user and system, of all threads and of those that the kernel adds for them.
    pub cpu_per_request: f64,
    /// ns from submission to completion; not where the program does not say.
    pub p50: Option<f64>,
    pub p99: Option<f64>,
    pub p999: Option<f64>,
}

/// What each program did, round by round.
#[derive(Debug, Serialize)]
pub struct AgainstReport {
    pub rounds: Vec<BTreeMap<String, Figures>>,
    pub commands: BTreeMap<String, String>,
    pub versions: BTreeMap<String, String>,
}

const DRAY: &str = "dray";

/// Runs the load of `options` with `dray` and with each program of `--against` in every round,
/// each round beginning with another. `words` is the command line of `dray` without its name.
pub fn run_against(
    options: &DeviceOptions,
    resolved: &BTreeMap<String, String>,
    dray: &Path,
    words: impl Iterator<Item = OsString>,
) -> Result<AgainstReport> {
    let cpus = resolved.get("cpus_allowed").context("CPUs are resolved")?;
    let pinned = |program: &Path| Cmd::new("taskset").args(["-c", cpus.as_str()]).arg(program);
    let mut players: Vec<(String, Cmd)> =
        vec![(DRAY.into(), pinned(dray).args(own_words(words)).arg("--json"))];
    let mut versions = BTreeMap::new();
    for name in &options.against {
        let path = Path::new(name);
        let tool = if name.contains('/') { Tool::at(name, path) } else { Tool::find(name) };
        ensure!(tool.present(), "{name} is not there: install it, or name its path");
        versions.insert(name.clone(), tool.version.clone().unwrap_or_default());
        let command = pinned(tool.path());
        let command = if path.ends_with("io_uring") {
            command.args(t_io_uring(resolved)?)
        } else {
            command.args(fio(resolved))
        };
        players.push((name.clone(), command));
    }
    let mut rounds = Vec::new();
    for round in 0..options.rounds as usize {
        let mut figures = BTreeMap::new();
        for turn in 0..players.len() {
            let (name, command) = &players[(round + turn) % players.len()];
            let finished = command.run()?;
            let mut of = match name.ends_with("/io_uring") {
                true => t_io_uring_figures(&finished.stdout, resolved)?,
                false => fio_figures(&finished.stdout).with_context(|| command.line())?,
            };
            let cpu = (finished.user + finished.system).as_nanos() as f64;
            of.cpu_per_request = cpu / of.cpu_per_request;
            figures.insert(name.clone(), of);
        }
        eprintln!("round {}: {}", round + 1, line(&figures));
        rounds.push(figures);
    }
    let commands = players.iter().map(|(name, command)| (name.clone(), command.line())).collect();
    Ok(AgainstReport { rounds, commands, versions })
}

fn line(figures: &BTreeMap<String, Figures>) -> String {
    let each = figures.iter().map(|(name, of)| format!("{name} {:.0}/s", of.iops));
    each.collect::<Vec<_>>().join(", ")
}

/// Those that a child gets: it compares with nobody, and prints.
fn own_words(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut words = words;
    while let Some(word) = words.next() {
        let text = word.to_string_lossy();
        match text.split_once('=').map_or(text.as_ref(), |(name, _)| name) {
            "--against" | "--rounds" | "--output" | "--csv" | "--hgrm" | "--log" => {
                if !text.contains('=') {
                    words.next();
                }
            }
            "--json" => {}
            _ => kept.push(word),
        }
    }
    kept
}

/// The same load for fio, which gets its best options for io_uring.
fn fio(resolved: &BTreeMap<String, String>) -> Vec<String> {
    let mut words: Vec<String> = [
        "--name=device",
        "--ioengine=io_uring",
        "--fixedbufs",
        "--registerfiles",
        "--thread",
        "--group_reporting",
        "--output-format=json",
        "--lat_percentiles=1",
        "--percentile_list=50:90:99:99.9:99.99",
        "--cpus_allowed_policy=split",
    ]
    .map(str::to_owned)
    .to_vec();
    let mixed = resolved.get("rw").is_some_and(|rw| rw.ends_with("rw"));
    let split = resolved.contains_key("bssplit");
    for (name, value) in resolved {
        match name.as_str() {
            "rwmixread" if !mixed => continue,
            "bs" if split => continue,
            "sync" if value == "none" => continue,
            "runtime" => words.push("--time_based".into()),
            _ => {}
        }
        words.push(format!("--{name}={value}"));
    }
    words
}

/// The same load for fio's `t/io_uring`, which reads only.
fn t_io_uring(resolved: &BTreeMap<String, String>) -> Result<Vec<String>> {
    let get = |name: &str| resolved.get(name).map_or("", String::as_str);
    let random = match get("rw") {
        "randread" => 1,
        "read" => 0,
        other => bail!("t/io_uring only reads, and this is {other}"),
    };
    let micros: u64 = get("runtime").trim_end_matches("us").parse().context("--runtime")?;
    let bs = get("bs").split(',').next().unwrap_or_default();
    Ok(vec![
        format!("-d{}", get("iodepth")),
        format!("-s{}", get("iodepth_batch_submit")),
        format!("-c{}", get("iodepth_batch_complete_min")),
        format!("-b{bs}"),
        format!("-n{}", get("numjobs")),
        format!("-R{random}"),
        // Polling is for devices with queues for it.
        "-p0".into(),
        "-B1".into(),
        "-F1".into(),
        format!("-O{}", get("direct")),
        format!("-r{}", micros.div_ceil(1_000_000)),
        get("filename").into(),
    ])
}

/// Until the CPU time is known, `cpu_per_request` is the number of requests.
fn fio_figures(json: &str) -> Result<Figures> {
    // fio may print notes before the object.
    let start = json.find('{').context("no JSON")?;
    let all: Value = serde_json::from_str(&json[start..]).context("its JSON")?;
    let job = &all["jobs"][0];
    ensure!(job["error"] == 0, "it failed: {}", job["error"]);
    let sides = [&job["read"], &job["write"]];
    let sum = |name: &str| sides.iter().filter_map(|side| side[name].as_f64()).sum::<f64>();
    let busier =
        if sides[0]["total_ios"].as_u64() >= sides[1]["total_ios"].as_u64() { 0 } else { 1 };
    let percentile = |at: &str| sides[busier]["lat_ns"]["percentile"][at].as_f64();
    Ok(Figures {
        iops: sum("iops"),
        bytes_per_second: sum("bw_bytes"),
        cpu_per_request: sum("total_ios"),
        p50: percentile("50.000000"),
        p99: percentile("99.000000"),
        p999: percentile("99.900000"),
    })
}

/// It prints a line per second.
fn t_io_uring_figures(text: &str, resolved: &BTreeMap<String, String>) -> Result<Figures> {
    let rates: Vec<f64> = text.lines().filter_map(rate).collect();
    ensure!(!rates.is_empty(), "no rate in what it printed");
    let iops = rates.iter().sum::<f64>() / rates.len() as f64;
    let bs: f64 = resolved["bs"].split(',').next().unwrap_or_default().parse().context("--bs")?;
    let micros: f64 = resolved["runtime"].trim_end_matches("us").parse().context("--runtime")?;
    Ok(Figures {
        iops,
        bytes_per_second: iops * bs,
        cpu_per_request: iops * (micros / 1e6).ceil(),
        p50: None,
        p99: None,
        p999: None,
    })
}

/// `IOPS=796.74K, BW=...`.
fn rate(line: &str) -> Option<f64> {
    let text = line.strip_prefix("IOPS=")?.split(',').next()?;
    let (number, factor) = match text.strip_suffix('K') {
        Some(number) => (number, 1e3),
        None => match text.strip_suffix('M') {
            Some(number) => (number, 1e6),
            None => (text, 1.0),
        },
    };
    Some(number.parse::<f64>().ok()? * factor)
}

/// A measure of [`Figures`].
type Measure = (&'static str, fn(&Figures) -> Option<f64>);

const MEASURES: [Measure; 6] = [
    ("requests/s", |of| Some(of.iops)),
    ("MiB/s", |of| Some(of.bytes_per_second / 1048576.0)),
    ("CPU ns per request", |of| Some(of.cpu_per_request)),
    ("p50 us", |of| Some(of.p50? / 1e3)),
    ("p99 us", |of| Some(of.p99? / 1e3)),
    ("p99.9 us", |of| Some(of.p999? / 1e3)),
];

impl AgainstReport {
    fn spread(&self, name: &str, measure: Measure) -> Option<Spread> {
        Spread::of(self.rounds.iter().filter_map(|round| measure.1(round.get(name)?)))
    }

    /// What dray did in parts of what `name` did, pair by pair.
    fn ratio(&self, name: &str, measure: Measure) -> Option<Spread> {
        Spread::of(
            self.rounds.iter().filter_map(|round| {
                Some(measure.1(round.get(DRAY)?)? / measure.1(round.get(name)?)?)
            }),
        )
    }
}

impl Display for AgainstReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} rounds, alternating; medians (least to most)", self.rounds.len())?;
        for measure in MEASURES {
            writeln!(f, "{}", measure.0)?;
            for name in self.commands.keys() {
                let Some(Spread { median, min, max }) = self.spread(name, measure) else {
                    continue;
                };
                write!(f, "  {name:12} {median:.1} ({min:.1} to {max:.1})")?;
                if name != DRAY
                    && let Some(ratio) = self.ratio(name, measure)
                {
                    let Spread { median, min, max } = ratio;
                    write!(f, "; dray has {median:.3} of it ({min:.3} to {max:.3})")?;
                }
                writeln!(f)?;
            }
        }
        for (name, command) in &self.commands {
            let version = self.versions.get(name).map_or("", String::as_str);
            writeln!(f, "{name} {version}: {command}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_of_t_io_uring() {
        assert_eq!(rate("IOPS=796.74K, BW=3.11GiB/s, IOS/call=32/32"), Some(796_740.0));
        assert_eq!(rate("IOPS=1.5M, BW=x"), Some(1_500_000.0));
        assert_eq!(rate("Maximum IOPS=849.82K"), None);
    }

    #[test]
    fn a_child_compares_with_nobody() {
        let words = ["bench", "device", "--against", "fio", "--rounds=3", "--json", "--bs", "4k"];
        let kept = own_words(words.iter().map(OsString::from));
        assert_eq!(kept, ["bench", "device", "--bs", "4k"]);
    }

    #[test]
    fn figures_of_fio() {
        let json = r#"note: {"jobs":[{"error":0,
            "read":{"iops":10.5,"bw_bytes":43008,"total_ios":105,
                    "lat_ns":{"percentile":{"50.000000":900,"99.900000":5000}}},
            "write":{"iops":0.0,"bw_bytes":0,"total_ios":0}}]}"#;
        let of = fio_figures(json).expect("it is as fio writes");
        assert_eq!((of.iops, of.p50, of.p99, of.p999), (10.5, Some(900.0), None, Some(5000.0)));
        assert!(fio_figures(r#"{"jobs":[{"error":5}]}"#).is_err());
    }
}
