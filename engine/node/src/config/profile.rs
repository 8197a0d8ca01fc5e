//! What was measured on a device, and the setting of the engine that follows: the file that
//! `dray tune probe` writes and `[tuning]` names. Specified in `docs/tuning.md`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::engine::EngineProfile;
use super::{ConfigError, write_whole};

/// `[tuning]` of the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TuningConfig {
    /// A file of `dray tune probe`; a relative path starts at the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<PathBuf>,
}

impl TuningConfig {
    pub(super) fn is_usual(&self) -> bool {
        self.profile.is_none()
    }
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    pub measured: Measured,
    pub engine: EngineProfile,
}

/// Where a profile comes from.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// As it was named on the command line.
    pub target: String,
    /// Device, file system, scheduler.
    pub device: String,
    /// Days as `YYYY-MM-DD`, in UTC.
    pub date: String,
    pub kernel: String,
    pub processor: String,
    /// Seconds that it took.
    pub seconds: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Streamed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write: Option<Streamed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub random_read: Option<Random>,
}

/// The least setting that reads or writes from front to back as fast as any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Streamed {
    /// Bytes per request.
    pub bytes: u32,
    /// Requests of one core under way.
    pub depth: u32,
    pub cores: u32,
    pub bytes_per_second: u64,
    /// The same with what the profile tells the engine to do.
    pub engine_bytes_per_second: u64,
}

/// The least number of 4 KiB reads under way that gets as many per second as any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Random {
    /// Requests of all cores under way.
    pub depth: u32,
    pub cores: u32,
    pub reads_per_second: u64,
}

impl Profile {
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|cause| ConfigError::Profile { path: path.to_owned(), cause })?;
        let wrong = |why: String| ConfigError::Wrong { path: path.to_owned(), why };
        let profile: Self = toml::from_str(&text).map_err(|why| wrong(why.to_string()))?;
        let engine = super::Engine::default().over(&profile.engine);
        engine.check().map_err(|why| wrong(why.to_string()))?;
        Ok(profile)
    }

    /// As it is written.
    pub fn text(&self) -> String {
        let mut text = String::from("# Written by `dray tune probe`: docs/tuning.md.\n");
        let body = toml::to_string(self).expect("a profile is plain tables of plain values");
        let _ = write!(text, "{body}");
        text
    }

    /// Writes the file, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), ConfigError> {
        write_whole(path, self.text().as_bytes())
            .map_err(|cause| ConfigError::Write { path: path.to_owned(), cause })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_read_as_it_was_written_and_checked() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("disk.toml");
        let read = Streamed { bytes: 1 << 20, depth: 8, cores: 1, ..Streamed::default() };
        let mut profile = Profile {
            measured: Measured { read: Some(read), ..Measured::default() },
            engine: EngineProfile { cores: 1, hands: 16, io_bytes: 1 << 20, slots: 16 },
        };
        profile.write(&path).expect("it can be written");
        assert_eq!(Profile::load(&path).expect("it is whole"), profile);
        profile.engine.io_bytes = 5;
        profile.write(&path).expect("it can be written");
        let error = Profile::load(&path).expect_err("no request has 5 bytes").to_string();
        assert!(error.contains("disk.toml") && error.contains("io_bytes"), "{error}");
    }
}
