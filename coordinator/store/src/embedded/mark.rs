//! How far the journal went, beside it: `docs/store.md`, *The mark*.
//!
//! The database goes back to the commit before its last one where that is damaged, as it must where
//! that was never finished; it cannot tell the two apart. The mark can: it is written when a commit
//! is durable. It is not flushed, so after a power failure it may be behind, never ahead.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::span::Span;

#[derive(Debug)]
pub(super) struct Mark {
    /// None where it could not be made: what it tells is then not known.
    file: Option<File>,
}

fn path(directory: &Path) -> PathBuf {
    directory.join("journal.next")
}

impl Mark {
    pub(super) fn open(directory: &Path) -> Self {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        Self { file: options.open(path(directory)).ok() }
    }

    /// A new journal knows nothing of one before.
    pub(super) fn forget(directory: &Path) -> Result<()> {
        match std::fs::remove_file(path(directory)) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("remove", &path(directory), cause))
            }
            _ => Ok(()),
        }
    }

    /// The block that came next when the last commit was durable; none if that is not known.
    fn next(&self) -> Option<u64> {
        let mut bytes = [0; 16];
        self.file.as_ref()?.read_exact_at(&mut bytes, 0).ok()?;
        let (next, inverse) = bytes.split_at(8);
        let number = |half: &[u8]| half.try_into().ok().map(u64::from_le_bytes);
        number(next).filter(|next| number(inverse) == Some(!next))
    }

    /// Fails if the journal at `journal` had come further than it is now.
    pub(super) fn check(&self, journal: &Path, span: Span) -> Result<()> {
        match self.next() {
            Some(next) if next > span.next => Err(Error::Damaged {
                path: journal.to_owned(),
                why: format!(
                    "it ends before block {}, and had kept all before {next}; if it is an older \
                     copy on purpose, remove {}",
                    span.next,
                    journal.with_file_name("journal.next").display()
                ),
            }),
            _ => Ok(()),
        }
    }

    /// A commit is durable.
    pub(super) fn set(&self, span: Span) {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&span.next.to_le_bytes());
        bytes[8..].copy_from_slice(&(!span.next).to_le_bytes());
        if let Some(file) = &self.file {
            // One that is behind is no worse than none.
            let _ = file.write_all_at(&bytes, 0);
        }
    }
}
