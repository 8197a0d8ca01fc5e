//! `dray quickstart`: a real tree through everything, on this machine, with a report.

mod baseline;
mod choice;
mod known;
mod phase;
mod put;
mod range;
mod scratch;
mod table;
mod tree;
mod trial;

use std::path::{Path, PathBuf};

use clap::Args;
use dray_bench::Machine;
use dray_io::RingCounters;
use serde_json::json;

use self::phase::{Conditions, Engine};
use self::scratch::Scratch;
use self::tree::Census;
use self::trial::Trial;
use super::init;
use crate::exit::{Code, Failure};
use crate::output::{Output, json_path, text_path};
use crate::report::MIB;
use crate::session::Session;
use dray_node::config::{Config, VOLUME_BYTES};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Tree to take [default: the sources that cargo has downloaded]
    #[arg(long, value_name = "DIR")]
    source: Option<PathBuf>,
    /// Where to make a directory to work in [default: the current directory, or $TMPDIR if that
    /// is not fit]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Leave everything that was made
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run(options: &Options, output: &Output) -> Result<Code, Failure> {
    let source = choice::source(options.source.as_deref())?;
    let directory = choice::directory(options.dir.as_deref(), &source)?;
    let looking = Session::with(Config::default());
    let census = Census::take(&looking.machine, &source, false);
    choice::check_room(&directory, census.allocated)?;
    let scratch = Scratch::new(&directory, options.keep)?;
    let cold = dray_bench::can_drop_caches();
    let conditions = Conditions { cold, touch: 2 * census.allocated };
    let machine = Machine::under(&directory)?;
    output.say(&introduction(&source, &census, &machine, &conditions));
    let mut engine = prepare(scratch.path(), conditions, output)?;
    let mut trial = Trial { result: json!({}), rows: Vec::new() };
    trial.put(&mut engine, &source)?;
    trial.round(&mut engine, &looking)?;
    output.say(&format!("\n{}{}", table::table(&trial.rows), table::notes(&trial.rows, &engine)));
    if options.keep {
        let path = scratch.path().display();
        output.say(&format!("kept: {path}; go on with `dray --config {path}/dray.toml ...`"));
    }
    trial.result["source"] = json_path(&source);
    trial.result["source_census"] = census.json();
    trial.result["kept"] = options.keep.then(|| json_path(scratch.path())).into();
    output.result(&trial.json(&machine, &engine));
    Ok(engine.code)
}

fn introduction(
    source: &Path,
    census: &Census,
    machine: &Machine,
    conditions: &Conditions,
) -> String {
    format!(
        "{}: {} files, {} directories, {} others, {:.1} MiB\n\
         Linux {}, {} x {}, {} on {}\n{}\n",
        text_path(source),
        census.files,
        census.directories,
        census.others,
        census.bytes as f64 / MIB,
        machine.own.kernel,
        machine.own.cpus,
        machine.own.cpu,
        machine.target.file_system,
        machine.target.device.as_deref().unwrap_or(&machine.target.mounted_from),
        conditions.text(),
    )
}

/// An archive and a configuration of its own, all in the working directory.
fn prepare<'a>(
    work: &Path,
    conditions: Conditions,
    output: &'a Output,
) -> Result<Engine<'a>, Failure> {
    let (root, path) = (work.join("managed"), work.join("dray.toml"));
    let options = init::Options {
        fs: root.clone(),
        archive: vec![work.join("archive")],
        name: "main".to_owned(),
        volume_bytes: VOLUME_BYTES,
        catalog: None,
        force: false,
    };
    let mut config = Config::default();
    init::prepare(&options, &path, &mut config)?;
    config.write(&path)?;
    Ok(Engine {
        output,
        config,
        root,
        conditions,
        code: Code::Done,
        rings: RingCounters::default(),
        worker_runs: 0,
        cores: 0,
        notice: None,
    })
}
