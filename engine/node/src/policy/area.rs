//! A managed directory with a policy.

use std::path::{Path, PathBuf};
use std::time::Duration;

use dray_fs::LinuxFiles;
use dray_io::{Access, Files, Handle, Kind};
use dray_mover::{Kept, Standing, standing};

use super::decide::{Candidate, Held};
use super::limits::REFRESH;
use super::pattern::Pattern;
use crate::config::{Config, PolicyConfig};
use crate::places::Places;

/// What is managed by one policy.
#[derive(Debug, Clone)]
pub struct Area {
    pub directory: PathBuf,
    /// Of the managed file system.
    pub name: String,
    /// The physical one.
    pub file_system: [u8; 16],
    pub policy: PolicyConfig,
    exclude: Vec<Pattern>,
    /// Directories within that are others': archives, and what has an entry of its own.
    pub(super) passed_over: Vec<PathBuf>,
}

/// Those of a configuration whose file system is mounted.
pub fn areas(config: &Config, places: &Places) -> Vec<Area> {
    let area = |managed: &crate::places::Managed| {
        let own = config.fs.iter().find(|fs| fs.path == managed.path)?;
        let policy = own.policy.clone()?;
        let exclude = policy.exclude.iter().filter_map(|text| Pattern::new(text).ok()).collect();
        let others = config.fs.iter().map(|fs| &fs.path);
        let within = others.filter(|it| **it != own.path && it.starts_with(&own.path));
        let passed_over = within.chain(&places.excluded).cloned().collect();
        let (directory, name) = (managed.path.clone(), managed.name.clone());
        let file_system = managed.file_system;
        Some(Area { directory, name, file_system, policy, exclude, passed_over })
    };
    places.managed.iter().filter_map(area).collect()
}

impl Area {
    fn is_excluded(&self, path: &Path) -> bool {
        let below = path.strip_prefix(&self.directory).unwrap_or(path);
        self.exclude.iter().any(|pattern| pattern.matches(below))
    }

    /// After how long what is known is too old: a file should not wait for much longer than it has
    /// to, beside which a minute does not show where it waits for minutes.
    pub(super) fn refresh(&self) -> Duration {
        let wait = match self.policy.archive_after {
            0 => REFRESH,
            seconds => Duration::from_secs(seconds) / 4,
        };
        wait.clamp(Duration::from_secs(1), REFRESH)
    }

    /// What there is under a name, if space could be had of it and it is not `busy`. Does not move
    /// its access time.
    pub(super) fn look(
        &self,
        files: &LinuxFiles,
        path: &Path,
        busy: &dyn Fn(&Handle) -> bool,
    ) -> Option<Candidate> {
        if self.is_excluded(path) {
            return None;
        }
        // Most are small or released, and need not be opened: that ends leases of others.
        let stat = files.stat(&files.open(path, Access::Inspect).ok()?).ok()?;
        let fits = stat.kind == Kind::File
            && stat.allocated > 0
            && stat.allocated >= self.policy.min_bytes
            && stat.handle.file_system == self.file_system
            && !busy(&stat.handle);
        if !fits {
            return None;
        }
        let file = files.open(path, Access::Look).ok()?;
        let (stat, standing) = standing(files, &file, path).ok()?;
        let held = match standing {
            // Further names of a file that is archived under one would never be recorded.
            Standing::Resident if stat.links > 1 => return None,
            Standing::Resident | Standing::Dirty(_) => Held::HereOnly,
            Standing::Archived { .. } => Held::Archived,
            Standing::Away { attribute, touched: false } if attribute.kept == Kept::Partial => {
                Held::Archived
            }
            // For somebody to see to.
            Standing::Away { .. } | Standing::Overwritten(_) | Standing::Foreign(_) => return None,
        };
        let used = stat.modified.max(stat.accessed);
        let settled = if held == Held::Archived { used.max(stat.changed) } else { used };
        Some(Candidate {
            path: path.to_owned(),
            handle: stat.handle,
            size: stat.size,
            allocated: stat.allocated,
            modified: stat.modified,
            used,
            settled,
            held,
        })
    }

    /// A candidate as it is now, if it is one still.
    pub(super) fn look_again(&self, files: &LinuxFiles, old: &Candidate) -> Option<Candidate> {
        let found = self.look(files, &old.path, &|_| false)?;
        (found.handle == old.handle).then_some(found)
    }
}
