//! Space management of a managed file system: `[fs.policy]`.

use serde::{Deserialize, Serialize};

use super::ConfigError;
use crate::policy::Pattern;

/// Seconds. Who has just used a file is likely to use it again.
const MIN_AGE: u64 = 60;
/// Bytes. A release costs some writes of the journal and a recall, whatever the size: below 1 MiB
/// opening a file costs more than moving it, and thousands of such files would have to go before
/// it showed.
const MIN_BYTES: u64 = 1 << 20;
/// Seconds. Most files that change again do so within minutes, and would be archived twice.
const ARCHIVE_AFTER: u64 = 300;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// Percent of the physical file system; above it files are released,
    pub high: u8,
    /// until less than this is used.
    pub low: u8,
    /// Seconds since the later of modification and access before a file may be released.
    #[serde(default = "min_age")]
    pub min_age: u64,
    /// Files with less on disk are left.
    #[serde(default = "min_bytes")]
    pub min_bytes: u64,
    /// Seconds since the modification after which a file is archived ahead; 0 for never.
    #[serde(default = "archive_after")]
    pub archive_after: u64,
    /// Patterns of paths below the managed directory that are left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
}

fn min_age() -> u64 {
    MIN_AGE
}

fn min_bytes() -> u64 {
    MIN_BYTES
}

fn archive_after() -> u64 {
    ARCHIVE_AFTER
}

impl PolicyConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let invalid = |why: String| Err(ConfigError::Invalid(why));
        let Self { high, low, .. } = *self;
        for (name, value) in [("high", high), ("low", low)] {
            if !(1..=99).contains(&value) {
                return invalid(format!("{name} is {value}: give a percentage from 1 to 99"));
            }
        }
        if low >= high {
            return invalid(format!("low is {low} and high {high}: give a low below high"));
        }
        for text in &self.exclude {
            if let Err(why) = Pattern::new(text) {
                return invalid(format!("exclude has \"{text}\": {why}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<PolicyConfig, String> {
        let policy: PolicyConfig = toml::from_str(text).map_err(|why| why.to_string())?;
        policy.check().map_err(|why| why.to_string())?;
        Ok(policy)
    }

    #[test]
    fn what_is_left_out_has_its_usual_value() {
        let policy = parse("high = 90\nlow = 80").unwrap();
        let PolicyConfig { min_age, min_bytes, archive_after, exclude, .. } = policy;
        assert_eq!((min_age, min_bytes, archive_after), (60, 1 << 20, 300));
        assert!(exclude.is_empty());
    }

    #[test]
    fn bad_values_are_refused_with_what_to_do() {
        for (text, why) in [
            ("high = 100\nlow = 80", "high is 100: give a percentage from 1 to 99"),
            ("high = 90\nlow = 0", "low is 0: give a percentage from 1 to 99"),
            ("high = 80\nlow = 80", "give a low below high"),
            ("high = 80", "missing field `low`"),
            ("high = 90\nlow = 80\nmiddle = 85", "unknown field `middle`"),
            ("high = 90\nlow = 80\nexclude = [\"/tmp\"]", "leave the first / out"),
            ("high = 90\nlow = 80\nexclude = [\"\"]", "it is empty"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
