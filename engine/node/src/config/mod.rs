//! The configuration file: `docs/config.md`.

mod engine;
mod policy;
mod profile;
mod store;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dray_archive::VolumePlace;
use dray_io::limits::VOLUME_LEAST;
use dray_link::Address;
use serde::{Deserialize, Serialize};

pub use engine::{Engine, EngineProfile, Hash, RingKind};
pub use policy::PolicyConfig;
pub use profile::{Measured, Profile, Random, Streamed, TuningConfig};
pub use store::{StoreConfig, StoreKind};

const SYSTEM: &str = "/etc/dray/dray.toml";
/// Where drayd listens unless the configuration says otherwise.
const SOCKET: &str = "/run/dray/dray.sock";
const HOLDER_SOCKET: &str = "/run/dray/holder.sock";
const VARIABLE: &str = "DRAY_CONFIG";
/// Bytes that a volume of a directory archive grows to unless the configuration says otherwise.
/// Large enough that a site has thousands and not millions; small enough to move one by itself.
pub const VOLUME_BYTES: u64 = 64 << 30;

#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    pub cluster: Cluster,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsConfig>,
    #[serde(default, skip_serializing_if = "StoreConfig::is_usual")]
    pub store: StoreConfig,
    /// Released files are restored when they are accessed; without it they read as zeros.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recall: Option<RecallConfig>,
    #[serde(default)]
    pub engine: Engine,
    #[serde(default, skip_serializing_if = "TuningConfig::is_usual")]
    pub tuning: TuningConfig,
    /// What the file says that `tuning` names.
    #[serde(skip)]
    profile: EngineProfile,
    #[serde(default)]
    pub archive: Vec<ArchiveConfig>,
    #[serde(default)]
    pub fs: Vec<FsConfig>,
}

#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    #[serde(default)]
    pub mode: Mode,
    /// All nodes, clients and the coordinator of a cluster have the same.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Name of the node that coordinates; none where that is elected.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub coordinator: String,
    /// Bytes from which a file is moved by several nodes; 0 for 1 GiB.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub split_bytes: u64,
    /// Bytes of the parts of such a file; 0 for 256 MiB.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub part_bytes: u64,
    /// Where each node that may coordinate listens, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nodes: BTreeMap<String, Address>,
}

/// What is this machine's own.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// Default: the host name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where drayd listens for programs of this machine.
    #[serde(default = "socket")]
    pub socket: PathBuf,
    /// Users who may use it, beside root and drayd's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_uids: Vec<u32>,
}

/// How released files come back when they are accessed.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RecallConfig {
    /// Where the holder of the watch is found.
    #[serde(default = "holder_socket")]
    pub socket: PathBuf,
}

fn holder_socket() -> PathBuf {
    PathBuf::from(HOLDER_SOCKET)
}

/// Files of `dray tls issue`; needed between machines.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    pub ca: PathBuf,
    pub cert: PathBuf,
    pub key: PathBuf,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn socket() -> PathBuf {
    PathBuf::from(SOCKET)
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    #[default]
    Standalone,
    Cluster,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveConfig {
    pub name: String,
    /// Volumes are files in here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
    /// Each is one volume.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub luns: Vec<PathBuf>,
    #[serde(default = "volume_bytes")]
    pub volume_bytes: u64,
    /// Default: `catalog.redb` in the directory; needed for LUNs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<PathBuf>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FsConfig {
    /// Everything below is managed.
    pub path: PathBuf,
    /// Name of the archive that it goes to.
    pub archive: String,
    /// Of the managed file system; several entries with one name are one. Default: the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What is restored when somebody accesses a part of a released file.
    #[serde(default, skip_serializing_if = "Follow::is_usual")]
    pub recall: Follow,
    /// Space is made when it is short; without it nothing is released by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyConfig>,
}

/// What is restored beside the range that somebody waits for. Small files come back whole anyway.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Follow {
    /// What comes next, more and more of it, to whoever reads on from where he was.
    #[default]
    Readahead,
    /// Nothing.
    Range,
    /// The rest of the file, after the range.
    Whole,
}

impl Follow {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl ArchiveConfig {
    /// Where its volumes are, with every symbolic link resolved.
    pub fn place(&self) -> Result<VolumePlace, ConfigError> {
        let whole = |path: &PathBuf| {
            std::fs::canonicalize(path)
                .map_err(|cause| ConfigError::Archive { path: path.clone(), cause })
        };
        if let Some(directory) = &self.directory {
            let volume_bytes = self.volume_bytes;
            return Ok(VolumePlace::Directory { path: whole(directory)?, volume_bytes });
        }
        Ok(VolumePlace::Luns(self.luns.iter().map(whole).collect::<Result<_, _>>()?))
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    #[error("cannot read the configuration {}: {cause}", path.display())]
    Read { path: PathBuf, cause: std::io::Error },
    #[error("cannot read the profile {}: {cause}", path.display())]
    Profile { path: PathBuf, cause: std::io::Error },
    #[error("the configuration {} is wrong: {why}", path.display())]
    Wrong { path: PathBuf, why: String },
    #[error("cannot write {}: {cause}", path.display())]
    Write { path: PathBuf, cause: std::io::Error },
    #[error("cannot find the archive {}: {cause}", path.display())]
    Archive { path: PathBuf, cause: std::io::Error },
    #[error("{0}")]
    Invalid(String),
}

macro_rules! bail {
    ($($text:tt)*) => {
        return Err(ConfigError::Invalid(format!($($text)*)))
    };
}

/// Refuses volumes that little would fit into.
pub fn check_volume_bytes(bytes: u64) -> Result<(), ConfigError> {
    if bytes < VOLUME_LEAST {
        bail!("a volume of {bytes} bytes is too small: it must hold at least {VOLUME_LEAST}");
    }
    Ok(())
}

fn volume_bytes() -> u64 {
    VOLUME_BYTES
}

/// The file to read or write: as given, or `$DRAY_CONFIG`, or the system's.
pub fn location(given: Option<&Path>) -> PathBuf {
    given
        .map(Path::to_owned)
        .or_else(|| std::env::var_os(VARIABLE).map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from(SYSTEM))
}

impl Config {
    /// Nothing but how the engine uses the machine.
    pub fn of_engine(engine: Engine) -> Result<Self, ConfigError> {
        engine.check()?;
        Ok(Self { engine, ..Self::default() })
    }

    pub fn load(given: Option<&Path>) -> Result<Self, ConfigError> {
        let path = location(given);
        let text = std::fs::read_to_string(&path)
            .map_err(|cause| ConfigError::Read { path: path.clone(), cause })?;
        let wrong = |why: String| ConfigError::Wrong { path: path.clone(), why };
        let mut config: Self = toml::from_str(&text).map_err(|why| wrong(why.to_string()))?;
        if let Some(profile) = &config.tuning.profile {
            let folder = path.parent().unwrap_or(Path::new("."));
            config.profile = Profile::load(&folder.join(profile))?.engine;
        }
        config.check().map_err(|why| wrong(why.to_string()))?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        for archive in &self.archive {
            let name = &archive.name;
            check_volume_bytes(archive.volume_bytes)
                .map_err(|why| ConfigError::Invalid(format!("archive {name}: {why}")))?;
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
            if let Some(policy) = &fs.policy {
                policy.check().map_err(|why| {
                    ConfigError::Invalid(format!("the policy of {}: {why}", fs.path.display()))
                })?;
            }
        }
        self.store.check(self.cluster.mode)?;
        if self.cluster.mode == Mode::Cluster {
            self.check_cluster()?;
        }
        self.engine().check()
    }

    fn check_cluster(&self) -> Result<(), ConfigError> {
        let coordinator = &self.cluster.coordinator;
        if self.store.kind == StoreKind::Etcd {
            if !coordinator.is_empty() {
                bail!("cluster.coordinator is elected where store.kind is \"etcd\": leave it out");
            }
            if self.cluster.nodes.is_empty() {
                bail!("cluster.nodes names nobody who could coordinate");
            }
        } else if !self.cluster.nodes.contains_key(coordinator) {
            bail!("cluster.coordinator is \"{coordinator}\", which cluster.nodes does not have");
        }
        if self.tls.is_none() {
            bail!("a cluster needs [tls]: make certificates with `dray tls init` and `issue`");
        }
        Ok(())
    }

    /// How the engine uses this machine: what is given, then what the profile says.
    pub fn engine(&self) -> Engine {
        self.engine.over(&self.profile)
    }

    /// The name of this node.
    pub fn node_name(&self) -> String {
        let given = self.node.as_ref().and_then(|node| node.name.clone());
        given.unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned())
    }

    /// Where programs of this machine find drayd.
    pub fn socket(&self) -> PathBuf {
        self.node.as_ref().map_or_else(socket, |node| node.socket.clone())
    }

    pub fn archive_named(&self, name: &str) -> Option<&ArchiveConfig> {
        self.archive.iter().find(|archive| archive.name == name)
    }

    /// The managed file system that a path is in: the longest prefix wins.
    pub fn fs_of(&self, path: &Path) -> Option<&FsConfig> {
        let within = self.fs.iter().filter(|fs| path.starts_with(&fs.path));
        within.max_by_key(|fs| fs.path.components().count())
    }

    /// Writes the file, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), ConfigError> {
        let text = toml::to_string(self).map_err(|why| ConfigError::Invalid(why.to_string()))?;
        write_whole(path, text.as_bytes())
            .map_err(|cause| ConfigError::Write { path: path.to_owned(), cause })
    }
}

fn write_whole(path: &Path, text: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(parent)?;
    let new = path.with_extension("toml.new");
    let mut file = std::fs::File::create(&new)?;
    file.write_all(text)?;
    file.sync_all()?;
    std::fs::rename(&new, path)
}
