use std::path::Path;

use anyhow::Result;
use dray_results::{Place, Target};
use serde::Serialize;

/// The machine a result belongs to, with the file system that it was measured on.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    #[serde(flatten)]
    pub own: dray_results::Machine,
    #[serde(flatten)]
    pub target: Target,
}

impl Machine {
    pub fn under(dir: &Path) -> Result<Self> {
        Ok(Self::describe(dir, &Place::of(dir)?))
    }

    pub(crate) fn describe(dir: &Path, place: &Place) -> Self {
        Self { own: dray_results::Machine::this(), target: Target::describe(dir, place) }
    }
}
