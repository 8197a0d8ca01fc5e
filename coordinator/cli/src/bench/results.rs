//! `dray bench compare`, `merge`, `export`, `report`: what to do with results that are there.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use dray_results::{Comparison, Error, Kind, Results, Verdict, View, hgrm, write_file};
use serde_json::{Value, json};

use crate::exit::{Code, Failure};
use crate::output::Output;

#[derive(Debug, Subcommand)]
pub(crate) enum ResultsCommand {
    /// Differences of two files of results, with confidence; exit code 8 if B is worse
    Compare(CompareOptions),
    /// Results of several hosts as one, with each host's own beside them
    Merge(MergeOptions),
    /// A file of results as CSV, percentiles, or interval log
    Export(ExportOptions),
    /// One HTML file with plots and all figures of files of results
    Report(ReportOptions),
}

#[derive(Debug, Args)]
pub(crate) struct CompareOptions {
    /// What it was; of dray bench, or of fio with --output-format=json
    a: PathBuf,
    /// What it is
    b: PathBuf,
    /// Smaller changes do not matter
    #[arg(long, value_name = "PERCENT", default_value = "3%", value_parser = parse_percent)]
    threshold: f64,
}

#[derive(Debug, Args)]
pub(crate) struct MergeOptions {
    /// One per host, of the same phases at the same time
    #[arg(required = true, num_args = 2..)]
    files: Vec<PathBuf>,
    /// Where the merged results go
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ExportOptions {
    file: PathBuf,
    /// One row per phase and direction
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Percentiles, one file per phase, direction and latency in this directory
    #[arg(long, value_name = "DIR")]
    hgrm: Option<PathBuf>,
    /// The histogram of each second
    #[arg(long, value_name = "FILE")]
    hlog: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ReportOptions {
    /// Of dray bench, or of fio with --output-format=json
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Where the page goes
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

pub(crate) fn run(command: ResultsCommand, output: &Output) -> Result<Code, Failure> {
    match command {
        ResultsCommand::Compare(options) => compare(&options, output),
        ResultsCommand::Merge(options) => {
            let files = options.files.iter().map(|file| Results::read(file));
            let merged = dray_results::merge(files.collect::<Result<_, _>>()?)?;
            merged.write(&options.output)?;
            written(output, &[&options.output])
        }
        ResultsCommand::Export(options) => export(&options, output),
        ResultsCommand::Report(options) => {
            let views = View::read_all(&options.files)?;
            let page = dray_results::report(&views, &comparisons(&views));
            write_file(&options.output, page.as_bytes())?;
            written(output, &[&options.output])
        }
    }
}

fn compare(options: &CompareOptions, output: &Output) -> Result<Code, Failure> {
    let views = View::read_all(&[options.a.clone(), options.b.clone()])?;
    let found = dray_results::compare(&views[0], &views[1], options.threshold)?;
    output.say(&found.to_string());
    output.result(&serde_json::to_value(&found).map_err(anyhow::Error::from)?);
    Ok(if found.verdict == Verdict::Worse { Code::Worse } else { Code::Done })
}

/// The first file with each other one that has a phase in common with it.
fn comparisons(views: &[View]) -> Vec<Comparison> {
    let Some((first, others)) = views.split_first() else { return Vec::new() };
    let with = |other| dray_results::compare(first, other, DEFAULT_THRESHOLD).ok();
    others.iter().filter_map(with).collect()
}

const DEFAULT_THRESHOLD: f64 = 0.03;

fn export(options: &ExportOptions, output: &Output) -> Result<Code, Failure> {
    if options.csv.is_none() && options.hgrm.is_none() && options.hlog.is_none() {
        return Err(Failure::usage("nothing to export: give --csv, --hgrm or --hlog"));
    }
    let results = Results::read(&options.file)?;
    let mut files = Vec::new();
    if let Some(file) = &options.csv {
        write_file(file, results.to_csv().as_bytes())?;
        files.push(file.clone());
    }
    if let Some(file) = &options.hlog {
        write_file(file, results.to_hlog().as_bytes())?;
        files.push(file.clone());
    }
    if let Some(dir) = &options.hgrm {
        std::fs::create_dir_all(dir).map_err(|error| Error::Write { path: dir.clone(), error })?;
        files.extend(percentiles(&results, dir)?);
    }
    written(output, &files.iter().collect::<Vec<_>>())
}

fn percentiles(results: &Results, dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for (at, phase) in results.run.phases.iter().enumerate() {
        let name: String =
            phase.name.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
        for kind in Kind::ALL {
            let of = phase.total.of(kind);
            let response = of.from_intended.as_ref().map(|latencies| ("response", latencies));
            for (what, latencies) in [("service", &of.service)].into_iter().chain(response) {
                if latencies.count() == 0 {
                    continue;
                }
                let name = format!("{:02}-{name}.{}.{what}.hgrm", at + 1, kind.fio_name());
                files.push(dir.join(name));
                write_file(&files[files.len() - 1], hgrm(latencies).as_bytes())?;
            }
        }
    }
    Ok(files)
}

fn written(output: &Output, files: &[&PathBuf]) -> Result<Code, Failure> {
    let names: Vec<Value> = files.iter().map(|file| crate::output::json_path(file)).collect();
    for file in files {
        output.say(&crate::output::text_path(file));
    }
    output.result(&json!({ "written": names }));
    Ok(Code::Done)
}

/// `3%` or `3` as 0.03.
fn parse_percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>();
    match number {
        Ok(percent) if (0.0..=1000.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err(format!("{text:?} is no percentage such as 3%")),
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error {
            Error::Write { .. } => Code::Failed,
            _ => Code::Usage,
        };
        Self { code, error: error.into(), advice: None }
    }
}
