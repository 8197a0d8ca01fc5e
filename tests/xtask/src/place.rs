//! Directories that tasks work in.

use std::fs;
use std::path::PathBuf;

/// A directory to work in, removed however the run ends.
pub(crate) struct Place(pub(crate) PathBuf);

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} is left: {error}", self.0.display());
        }
    }
}
