//! What a command works with: the configuration, this machine, the archive.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use dray_archive::catalog::Catalog;
use dray_archive::{Archive, VolumePlace};
use dray_fs::LinuxFiles;
use dray_io::World;
use dray_node::{Machine, machine_of, unit_of};

use crate::exit::Failure;
use dray_node::config::{ArchiveConfig, Config, ConfigError, Hash};

/// A machine and the figures of a run on it.
pub(crate) struct Session {
    pub(crate) machine: Machine,
    pub(crate) config: Config,
    pub(crate) stopwatch: Stopwatch,
}

/// Time and CPU time since it was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch {
    began: Instant,
    cpu: Duration,
}

impl Stopwatch {
    fn start() -> Self {
        Self { began: Instant::now(), cpu: dray_fs::process_cpu() }
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// User and system time of this process.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        dray_fs::process_cpu().saturating_sub(self.cpu).as_secs_f64()
    }
}

/// Reads the configuration that the command line names.
pub(crate) fn load(config: Option<&Path>) -> Result<Config, Failure> {
    Config::load(config).map_err(|error| {
        let advice = match &error {
            ConfigError::Read { .. } => "make one with `dray init`, or name it with --config",
            ConfigError::Profile { .. } => {
                "measure one with `dray tune probe`, or take it out of [tuning]"
            }
            _ => "mend it, or name another with --config",
        };
        Failure { advice: Some(advice), ..Failure::configuration(error) }
    })
}

impl Session {
    /// With the configuration that the command line names.
    pub(crate) fn open(config: Option<&Path>) -> Result<Self, Failure> {
        Ok(Self::with(load(config)?))
    }

    pub(crate) fn with(config: Config) -> Self {
        let machine = machine_of(&config);
        Self { machine, config, stopwatch: Stopwatch::start() }
    }

    pub(crate) fn files(&self) -> &LinuxFiles {
        self.machine.files()
    }

    /// Bytes per request.
    pub(crate) fn unit(&self) -> u32 {
        unit_of(&self.config)
    }

    /// Whether every file gets a strong hash.
    pub(crate) fn hash(&self) -> bool {
        self.config.engine.hash == Hash::Blake3
    }

    /// The archive with this name, or the only one.
    pub(crate) fn archive_config(&self, name: Option<&str>) -> Result<&ArchiveConfig, Failure> {
        let archives = &self.config.archive;
        match name {
            Some(name) => self.config.archive_named(name).ok_or_else(|| {
                Failure::usage(format!("the configuration has no archive named {name}"))
            }),
            None => match archives.as_slice() {
                [only] => Ok(only),
                [] => Err(Failure::configuration(anyhow::anyhow!(
                    "the configuration names no archive"
                ))),
                _ => Err(Failure::usage("several archives: say which with --archive NAME")),
            },
        }
    }

    /// The name of the managed file system that paths are in.
    pub(crate) fn managed_name(&self, roots: &[PathBuf]) -> String {
        let fs = roots.first().and_then(|root| self.config.fs_of(root));
        fs.map_or_else(String::new, |fs| {
            fs.name.clone().unwrap_or_else(|| fs.path.display().to_string())
        })
    }

    pub(crate) fn open_archive(
        &self,
        config: &ArchiveConfig,
    ) -> Result<Archive<LinuxFiles>, Failure> {
        let opened = Archive::open(self.files(), &place(config)?);
        opened.map_err(|error| Failure {
            advice: Some(error.advice()),
            ..Failure::configuration(error)
        })
    }

    /// The catalog of an archive, caught up with its volumes.
    pub(crate) fn catalog(
        &self,
        config: &ArchiveConfig,
        archive: &Archive<LinuxFiles>,
    ) -> Result<Catalog, Failure> {
        let catalog = Catalog::open(&catalog_path(config)?)?;
        catalog.catch_up(self.files(), archive, &mut |_| {})?;
        Ok(catalog)
    }

    /// The managed paths of a command, all of one archive.
    pub(crate) fn managed(
        &self,
        paths: &[PathBuf],
    ) -> Result<(Vec<PathBuf>, &ArchiveConfig), Failure> {
        let mut roots = Vec::new();
        let mut archive: Option<&ArchiveConfig> = None;
        for path in paths {
            let root = resolve(path)?;
            let fs = self.config.fs_of(&root).ok_or_else(|| Failure {
                advice: Some("add an [[fs]] entry to the configuration, or run `dray init`"),
                ..Failure::configuration(anyhow::anyhow!(
                    "{} is in no managed file system",
                    root.display()
                ))
            })?;
            let own = self.archive_config(Some(&fs.archive))?;
            if archive.is_some_and(|other| other.name != own.name) {
                return Err(Failure::usage("the paths go to different archives: one at a time"));
            }
            archive = Some(own);
            roots.push(root);
        }
        let archive = archive.ok_or_else(|| Failure::usage("name at least one path"))?;
        Ok((drop_nested(roots), archive))
    }
}

/// Where the volumes of an archive are.
pub(crate) fn place(config: &ArchiveConfig) -> Result<VolumePlace, Failure> {
    Ok(config.place()?)
}

pub(crate) fn catalog_path(config: &ArchiveConfig) -> Result<PathBuf, Failure> {
    match (&config.catalog, &config.directory) {
        (Some(catalog), _) => Ok(catalog.clone()),
        (None, Some(directory)) => Ok(Catalog::default_path(directory)),
        (None, None) => {
            Err(Failure::configuration(anyhow::anyhow!("archive {} has no catalog", config.name)))
        }
    }
}

/// The absolute path of `path`, with every symbolic link resolved but the last name: that may be
/// a link which is meant itself.
pub(crate) fn resolve(path: &Path) -> Result<PathBuf, Failure> {
    let resolved = match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            std::fs::canonicalize(parent).map(|parent| parent.join(name))
        }
        _ => std::fs::canonicalize(path),
    };
    let found = resolved.and_then(|path| path.symlink_metadata().map(|_| path));
    let found = found.with_context(|| format!("cannot find {}", path.display()));
    found.map_err(Failure::from)
}

/// Without paths that lie in others, and without repetition.
fn drop_nested(mut roots: Vec<PathBuf>) -> Vec<PathBuf> {
    roots.sort();
    let mut kept: Vec<PathBuf> = Vec::new();
    for root in roots {
        if !kept.last().is_some_and(|last| root.starts_with(last)) {
            kept.push(root);
        }
    }
    kept
}
