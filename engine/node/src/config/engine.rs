//! How the engine uses this machine: `[engine]`, and the profile behind it.

use dray_io::limits::{ARENA_MOST, HANDS_MOST, SLOT_BYTES, SLOTS, SLOTS_MOST, SUM_BLOCK};
use dray_wire::limits::CORES_MAX;
use serde::{Deserialize, Serialize};

use super::ConfigError;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// Cores that move data; 0 for all but one.
    #[serde(default)]
    pub cores: usize,
    /// Threads for small files; 0 for the usual number.
    #[serde(default)]
    pub hands: usize,
    #[serde(default)]
    pub ring: RingKind,
    /// Bytes per request; 0 for the usual number.
    #[serde(default)]
    pub io_bytes: u32,
    /// Requests of one core under way; 0 for the usual number.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub slots: u32,
    #[serde(default)]
    pub hash: Hash,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RingKind {
    #[default]
    Auto,
    Uring,
    Blocking,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Hash {
    #[default]
    None,
    Blake3,
}

/// What a profile says; zero leaves it to the usual.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EngineProfile {
    #[serde(default)]
    pub cores: usize,
    #[serde(default)]
    pub hands: usize,
    /// Bytes per request.
    #[serde(default)]
    pub io_bytes: u32,
    /// Requests of one core under way.
    #[serde(default)]
    pub slots: u32,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Engine {
    /// With what is left to the usual taken from a profile.
    #[must_use]
    pub fn over(self, profile: &EngineProfile) -> Self {
        let first = |own: u32, other: u32| if own == 0 { other } else { own };
        Self {
            cores: if self.cores == 0 { profile.cores } else { self.cores },
            hands: if self.hands == 0 { profile.hands } else { self.hands },
            io_bytes: first(self.io_bytes, profile.io_bytes),
            slots: first(self.slots, profile.slots),
            ..self
        }
    }

    /// Bytes per request, with the usual number where none is given.
    pub fn unit(&self) -> u32 {
        if self.io_bytes == 0 { SLOT_BYTES as u32 } else { self.io_bytes }
    }

    /// Requests of one core under way, likewise.
    pub fn depth(&self) -> u32 {
        if self.slots == 0 { SLOTS as u32 } else { self.slots }
    }

    /// Refuses what no machine could do.
    pub fn check(&self) -> Result<(), ConfigError> {
        let invalid = |why: String| Err(ConfigError::Invalid(why));
        if !u64::from(self.io_bytes).is_multiple_of(SUM_BLOCK) {
            return invalid(format!("engine.io_bytes is not a multiple of {SUM_BLOCK}"));
        }
        if self.cores > CORES_MAX {
            return invalid(format!("engine.cores is {}: at most {CORES_MAX}", self.cores));
        }
        if self.slots > SLOTS_MOST {
            return invalid(format!("engine.slots is {}: at most {SLOTS_MOST}", self.slots));
        }
        if self.slots == 1 {
            return invalid("engine.slots is 1: while one reads another writes, so 2".into());
        }
        if self.hands > HANDS_MOST {
            return invalid(format!("engine.hands is {}: at most {HANDS_MOST}", self.hands));
        }
        let arena = u64::from(self.unit()) * u64::from(self.depth());
        if arena > ARENA_MOST {
            return invalid(format!(
                "{} requests of {} bytes take {arena} bytes a core: at most {ARENA_MOST}",
                self.depth(),
                self.unit()
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_comes_before_the_profile() {
        let profile = EngineProfile { cores: 2, hands: 8, io_bytes: 65_536, slots: 4 };
        let usual = Engine::default().over(&profile);
        assert_eq!((usual.cores, usual.hands, usual.unit(), usual.depth()), (2, 8, 65_536, 4));
        let given = Engine { slots: 16, hash: Hash::Blake3, ..Engine::default() }.over(&profile);
        assert_eq!((given.depth(), given.unit(), given.hash), (16, 65_536, Hash::Blake3));
        let nothing = Engine::default().over(&EngineProfile::default());
        assert_eq!((nothing.unit(), nothing.depth()), (1 << 20, 32));
    }

    #[test]
    fn what_no_machine_could_do_is_refused() {
        let usual = Engine::default();
        usual.check().expect("the usual is fine");
        for wrong in [
            Engine { io_bytes: 4096, ..usual },
            Engine { slots: 1, ..usual },
            Engine { slots: SLOTS_MOST + 1, io_bytes: 65_536, ..usual },
            Engine { hands: HANDS_MOST + 1, ..usual },
            Engine { slots: 1024, io_bytes: 2 << 20, ..usual },
            Engine { io_bytes: 1 << 30, ..usual },
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
    }
}
