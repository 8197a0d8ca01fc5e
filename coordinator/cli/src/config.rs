//! The configuration file: `docs/config.md`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use dray_io::limits::{SUM_BLOCK, VOLUME_LEAST};
use serde::{Deserialize, Serialize};

use crate::exit::Failure;

const SYSTEM: &str = "/etc/dray/dray.toml";
const VARIABLE: &str = "DRAY_CONFIG";
/// Bytes that a volume of a directory archive grows to unless the configuration says otherwise.
/// Large enough that a site has thousands and not millions; small enough to move one by itself.
pub(crate) const VOLUME_BYTES: u64 = 64 << 30;

#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default)]
    pub(crate) cluster: Cluster,
    #[serde(default)]
    pub(crate) engine: Engine,
    #[serde(default)]
    pub(crate) archive: Vec<ArchiveConfig>,
    #[serde(default)]
    pub(crate) fs: Vec<FsConfig>,
}

#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cluster {
    #[serde(default)]
    pub(crate) mode: Mode,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    #[default]
    Standalone,
}

#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Engine {
    /// Cores that move data; 0 for all but one.
    #[serde(default)]
    pub(crate) cores: usize,
    /// Threads for small files; 0 for the usual number.
    #[serde(default)]
    pub(crate) hands: usize,
    #[serde(default)]
    pub(crate) ring: RingKind,
    /// Bytes per request; 0 for 1 MiB or what the queue takes, whichever is less.
    #[serde(default)]
    pub(crate) io_bytes: u32,
    #[serde(default)]
    pub(crate) hash: Hash,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RingKind {
    #[default]
    Auto,
    Uring,
    Blocking,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Hash {
    #[default]
    None,
    Blake3,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ArchiveConfig {
    pub(crate) name: String,
    /// Volumes are files in here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) directory: Option<PathBuf>,
    /// Each is one volume.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) luns: Vec<PathBuf>,
    #[serde(default = "volume_bytes")]
    pub(crate) volume_bytes: u64,
    /// Default: `catalog.redb` in the directory; needed for LUNs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) catalog: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FsConfig {
    /// Everything below is managed.
    pub(crate) path: PathBuf,
    /// Name of the archive that it goes to.
    pub(crate) archive: String,
}

/// Refuses volumes that little would fit into.
pub(crate) fn check_volume_bytes(bytes: u64) -> anyhow::Result<()> {
    if bytes < VOLUME_LEAST {
        bail!("a volume of {bytes} bytes is too small: it must hold at least {VOLUME_LEAST}");
    }
    Ok(())
}

fn volume_bytes() -> u64 {
    VOLUME_BYTES
}

/// The file to read or write: as given, or `$DRAY_CONFIG`, or the system's.
pub(crate) fn location(given: Option<&Path>) -> PathBuf {
    given
        .map(Path::to_owned)
        .or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from(SYSTEM))
}

impl Config {
    pub(crate) fn load(given: Option<&Path>) -> Result<Self, Failure> {
        let path = location(given);
        Self::read(&path).map_err(|error| Failure {
            advice: Some("make one with `dray init`, or name it with --config"),
            ..Failure::configuration(error)
        })
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the configuration {}", path.display()))?;
        let config: Self = toml::from_str(&text)
            .with_context(|| format!("the configuration {} is wrong", path.display()))?;
        config.check().with_context(|| format!("the configuration {} is wrong", path.display()))?;
        Ok(config)
    }

    fn check(&self) -> anyhow::Result<()> {
        for archive in &self.archive {
            let name = &archive.name;
            check_volume_bytes(archive.volume_bytes).with_context(|| format!("archive {name}"))?;
            match (&archive.directory, archive.luns.is_empty()) {
                (Some(_), false) => bail!("archive {name} has both a directory and LUNs"),
                (None, true) => bail!("archive {name} has neither a directory nor LUNs"),
                (None, false) if archive.catalog.is_none() => {
                    bail!("archive {name} is on LUNs and needs `catalog = \"FILE\"`")
                }
                _ => {}
            }
        }
        for fs in &self.fs {
            if self.archive_named(&fs.archive).is_none() {
                bail!("{} goes to archive {}, which is not there", fs.path.display(), fs.archive);
            }
            if !fs.path.is_absolute() {
                bail!("{} is not an absolute path", fs.path.display());
            }
        }
        if !u64::from(self.engine.io_bytes).is_multiple_of(SUM_BLOCK) {
            bail!("engine.io_bytes is not a multiple of {SUM_BLOCK}");
        }
        Ok(())
    }

    pub(crate) fn archive_named(&self, name: &str) -> Option<&ArchiveConfig> {
        self.archive.iter().find(|archive| archive.name == name)
    }

    /// The managed file system that a path is in: the longest prefix wins.
    pub(crate) fn fs_of(&self, path: &Path) -> Option<&FsConfig> {
        let within = self.fs.iter().filter(|fs| path.starts_with(&fs.path));
        within.max_by_key(|fs| fs.path.components().count())
    }

    /// Writes the file, whole or not at all.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        use std::io::Write;
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(parent)
            .with_context(|| format!("cannot make {}", parent.display()))?;
        let text = toml::to_string(self).context("the configuration cannot be written as TOML")?;
        let new = path.with_extension("toml.new");
        let mut file = std::fs::File::create(&new)
            .with_context(|| format!("cannot make {}", new.display()))?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| std::fs::rename(&new, path))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}
