//! `dray tune doctor`.

mod facts;
mod files;
mod finding;
mod kernel;
mod memory;
mod placement;
mod queue;
mod service;
mod subject;
mod trials;
pub mod wanted;

use std::path::PathBuf;

use clap::Args;
use dray_node::config::Config;

pub use self::facts::{CERTIFICATE_DAYS, Facts, Ring, Room, Trials, Tried};
pub use self::finding::{DoctorReport, Finding, Unchecked};
pub use self::service::open_files;
pub use self::subject::Subject;

/// Look at how this machine is set up; says nothing if all is well.
#[derive(Args, Clone, Debug)]
pub struct DoctorOptions {
    /// Devices and paths to look at [default: those of the configuration]
    #[arg(value_name = "DEVICE|PATH")]
    pub paths: Vec<PathBuf>,
    /// Look at a copy of another machine's /proc, /sys, /etc and /run; nothing is tried then
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
}

/// Looks at the machine. An error is of a path that was named, or of a copy of a machine, that
/// cannot be looked at.
pub fn run_doctor(
    options: &DoctorOptions,
    config: Option<Config>,
) -> Result<DoctorReport, std::io::Error> {
    if let Some(root) = &options.root {
        for folder in ["proc", "sys"] {
            std::fs::read_dir(root.join(folder)).map_err(|cause| {
                let what = format!("{} has no /{folder} to look at: {cause}", root.display());
                std::io::Error::new(cause.kind(), what)
            })?;
        }
    }
    let mut report = DoctorReport::default();
    let mut subjects = Vec::new();
    for path in &options.paths {
        subjects.push(match options.root {
            Some(_) => Subject::named(path),
            None => Subject::find(path).map_err(|cause| {
                std::io::Error::new(cause.kind(), format!("{}: {cause}", path.display()))
            })?,
        });
    }
    if options.paths.is_empty() && options.root.is_none() {
        for path in config.iter().flat_map(paths_of) {
            match Subject::find(&path) {
                Ok(subject) => subjects.push(subject),
                Err(cause) => report.cannot("path", format!("{}: {cause}", path.display())),
            }
        }
    }
    let trials = match options.root {
        Some(_) => Trials::default(),
        None => Trials::here(config.as_ref()),
    };
    let root = options.root.clone().unwrap_or_else(|| PathBuf::from("/"));
    check(&Facts { root, trials, config, subjects }, &mut report);
    Ok(report)
}

fn paths_of(config: &Config) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = config.fs.iter().map(|fs| fs.path.clone()).collect();
    for archive in &config.archive {
        paths.extend(archive.directory.iter().chain(&archive.luns).cloned());
    }
    paths
}

/// Every check there is.
pub fn check(facts: &Facts, report: &mut DoctorReport) {
    memory::check(facts, report);
    kernel::check(facts, report);
    queue::check(facts, report);
    placement::check(facts, report);
    files::check(facts, report);
    service::check(facts, report);
}

#[cfg(test)]
mod tests;
