//! `dray policy`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use dray_io::Files;
use dray_node::places::Places;
use dray_node::policy::{Area, Note, Plan, Pressure, Room, Standings, Usage};
use dray_node::policy::{areas, decide, survey};
use dray_wire::Verb;
use serde_json::{Value, json};

use super::movement::Movement;
use crate::exit::{Code, Failure};
use crate::output::{Output, json_path, text_path};
use crate::requests::Ask;
use crate::session::{Session, load, resolve};

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// How full managed file systems are, and what drayd does about it
    Show,
    /// One pass now: archive what has come to rest and, above the high mark, release down to the
    /// low one
    Run(RunArguments),
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// List what would be archived and released, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Only the managed file system that this is in
    #[arg(long, value_name = "PATH")]
    fs: Option<PathBuf>,
}

/// Files of one pass, as many as are known at most: a further pass finds the rest.
const ROOM: Room = Room { now: usize::MAX, ahead: usize::MAX };

pub(crate) fn run(
    command: &PolicyCommand,
    config: Option<&Path>,
    output: &Output,
) -> Result<Code, Failure> {
    match command {
        PolicyCommand::Show => show(config, output),
        PolicyCommand::Run(arguments) => pass(arguments, config, output),
    }
}

fn usage(area: &Area) -> Result<Usage, Failure> {
    let directory = area.directory.display();
    Ok(Usage::of(&area.directory)
        .with_context(|| format!("cannot tell how full {directory} is"))?)
}

/// The managed directories of this machine with a policy.
fn known(session: &Session) -> Result<Vec<Area>, Failure> {
    let config = &session.config;
    let found = areas(config, &Places::find(session.files(), config));
    if found.is_empty() {
        return Err(Failure {
            advice: Some("add [fs.policy] with high and low below an [[fs]]: docs/config.md"),
            ..Failure::configuration(anyhow::anyhow!(
                "no managed file system that is mounted here has a policy"
            ))
        });
    }
    Ok(found)
}

fn show(config: Option<&Path>, output: &Output) -> Result<Code, Failure> {
    let session = Session::with(load(config)?);
    let note = Note::read(&session.config.socket());
    let mut all = Vec::new();
    for area in known(&session)? {
        let usage = usage(&area)?;
        let standings = note.as_ref().and_then(|note| note.areas.get(&area.directory));
        output.say(&line(&area, usage, standings));
        let policy = serde_json::to_value(&area.policy).map_err(anyhow::Error::from)?;
        all.push(json!({
            "path": json_path(&area.directory),
            "used_percent": usage.percent(),
            "used_bytes": usage.used,
            "total_bytes": usage.total,
            "policy": policy,
            "daemon": standings,
        }));
    }
    output.result(&json!({ "file_systems": all }));
    Ok(Code::Done)
}

fn line(area: &Area, usage: Usage, standings: Option<&Standings>) -> String {
    let (path, policy) = (text_path(&area.directory), &area.policy);
    let (used, high, low) = (usage.percent(), policy.high, policy.low);
    let mut line = format!("{path}: {used:.1} % used, high {high} %, low {low} %");
    let Some(standings) = standings else {
        return line + "; no drayd of this machine sees to it";
    };
    let Standings { to_archive, to_release, under_way, .. } = standings;
    line += &format!("; candidates: {to_archive} to archive, {to_release} to release");
    line += &format!("; {under_way} under way");
    if standings.short {
        line += "; making space";
    }
    let (archived, released) = (standings.archived_files, standings.released_files);
    line += &format!("\n  so far {archived} files archived, {released} released");
    if !standings.last.is_empty() {
        line += &format!("; last: {}", text_path(Path::new(&standings.last)));
    }
    line
}

/// Of one managed directory.
struct Pass {
    area: Area,
    usage: Usage,
    plan: Plan,
}

fn pass(arguments: &RunArguments, config: Option<&Path>, output: &Output) -> Result<Code, Failure> {
    let session = Session::with(load(config)?);
    let mut found = known(&session)?;
    if let Some(path) = &arguments.fs {
        let path = resolve(path)?;
        let fs = session.config.fs_of(&path).map(|fs| fs.path.clone());
        found.retain(|area| Some(&area.directory) == fs.as_ref());
        if found.is_empty() {
            let path = text_path(&path);
            return Err(Failure::usage(format!("{path} is in no file system with a policy")));
        }
    }
    let mut passes = Vec::new();
    for area in found {
        let usage = usage(&area)?;
        let wanted = Pressure::default().wanted(&area.policy, usage, 0);
        let mut known = survey(session.files(), &area);
        let now = session.files().now();
        let mut plan = decide(&area.policy, wanted, now, &mut known, ROOM);
        if wanted > 0 {
            // What nobody waits for comes after.
            plan.ahead = decide(&area.policy, 0, now, &mut known, ROOM).ahead;
        }
        passes.push(Pass { area, usage, plan });
    }
    let (mut worst, mut all) = (Code::Done, Vec::new());
    for pass in &passes {
        let mut value = describe(pass, output);
        if !arguments.dry_run {
            let (code, done) = pass.carry_out(&session, output)?;
            worst = worse(worst, code);
            value["done"] = Value::from(done);
        }
        all.push(value);
    }
    output.result(&json!({ "dry_run": arguments.dry_run, "file_systems": all }));
    Ok(worst)
}

/// Of two outcomes, that which somebody has to know more of.
fn worse(one: Code, other: Code) -> Code {
    let rank = |code: Code| match code {
        Code::Done => 0,
        Code::Later | Code::Partial => 1,
        Code::Failed | Code::Usage | Code::Found => 2,
        Code::Configuration => 3,
        Code::Damage => 4,
    };
    if rank(other) > rank(one) { other } else { one }
}

fn describe(pass: &Pass, output: &Output) -> Value {
    let Pass { area, usage, plan } = pass;
    let (path, policy) = (text_path(&area.directory), &area.policy);
    let (used, high, low) = (usage.percent(), policy.high, policy.low);
    output.say(&format!("{path}: {used:.1} % used, high {high} %, low {low} %"));
    let lists = [
        ("archive", &plan.ahead),
        ("archive and release", &plan.archive),
        ("release", &plan.release),
    ];
    for (what, list) in lists {
        for file in list {
            output.say(&format!("  {what}: {} ({})", text_path(&file.path), file.allocated));
        }
    }
    if plan.lacking > 0 {
        output.say(&format!("  {} bytes more should go, and no file may", plan.lacking));
    }
    let paths = |list: &[dray_node::policy::Candidate]| -> Vec<Value> {
        list.iter().map(|file| json_path(&file.path)).collect()
    };
    json!({
        "path": json_path(&area.directory),
        "used_percent": used,
        "high": high,
        "low": low,
        "archive": paths(&plan.ahead),
        "archive_and_release": paths(&plan.archive),
        "release": paths(&plan.release),
        "lacking_bytes": plan.lacking,
    })
}

impl Pass {
    /// As `dray archive` and `dray release` would.
    fn carry_out(&self, session: &Session, output: &Output) -> Result<(Code, Vec<Value>), Failure> {
        let Plan { ahead, archive, release, .. } = &self.plan;
        let paths = |lists: [&[dray_node::policy::Candidate]; 2]| -> Vec<PathBuf> {
            // What is gone by now is nobody's to ask for.
            let files = lists.into_iter().flatten().map(|it| it.path.clone());
            files.filter(|path| path.symlink_metadata().is_ok()).collect()
        };
        let (mut worst, mut reports) = (Code::Done, Vec::new());
        for (command, verb, ask, lists) in [
            ("archive", "archiving", Ask::new(Verb::ARCHIVE), [archive.as_slice(), ahead]),
            ("release", "releasing", Ask::new(Verb::RELEASE), [release.as_slice(), archive]),
        ] {
            let paths = paths(lists);
            if paths.is_empty() {
                continue;
            }
            let movement = Movement::new(command, verb, ask, output);
            let again = Session::with(session.config.clone());
            let (report, outcome) = movement.run(again, &paths, output)?;
            output.say(&report.text());
            reports.push(report.json());
            outcome?;
            worst = worse(worst, movement.reporter.code(&movement.totals));
        }
        Ok((worst, reports))
    }
}
