//! What an access needs of its file before it may go on.

use std::path::Path;

use dray_fs::{LinuxFile, LinuxFiles};
use dray_io::limits::{RECALL_INLINE, TRIPWIRE};
use dray_io::{Files, Handle, Range};
use dray_mover::{Standing, standing};
use rustix::io::Errno;

use super::caller::Doing;
use super::cut::{self, Seen};

/// How an access stands.
#[derive(Debug)]
pub(crate) enum Need {
    /// Nothing, or it cannot be had.
    Answer(Result<(), Errno>),
    Data(Data),
}

/// A range of a file, which is so long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Data {
    pub(crate) handle: Handle,
    pub(crate) range: Range,
    pub(crate) size: u64,
}

impl Data {
    /// With what another needs, if both are had soon.
    pub(crate) fn with(self, other: Range) -> Self {
        let start = self.range.start.min(other.start);
        let end = self.range.end.max(other.end);
        let range = Range::new(start, end);
        let near = range.len() <= RECALL_INLINE.max(self.range.len()).max(other.len());
        if near { Self { range, ..self } } else { self }
    }
}

/// Whether no more is read than the block that a release has left: whoever does that may have found
/// that there is no other data.
fn trips(files: &LinuxFiles, file: &LinuxFile, accessed: Range) -> bool {
    let first = || files.next_data(file, 0).ok().flatten();
    accessed.len() <= TRIPWIRE && first().is_none_or(|first| first.start == accessed.start)
}

/// What an access needs now. `accessed` is what the kernel says that it touches.
pub(crate) fn need(files: &LinuxFiles, file: &LinuxFile, doing: Doing, accessed: Range) -> Need {
    // Only for messages.
    let path = Path::new("an accessed file");
    let (stat, standing) = match standing(files, file, path) {
        Ok(found) => found,
        Err(error) => {
            tracing::error!("an access is refused: {error}");
            return Need::Answer(Err(Errno::IO));
        }
    };
    let (handle, size) = (stat.handle, stat.size);
    let standing = match cut::see_to(files, file, &stat, standing) {
        Ok(Seen::As(standing)) => standing,
        Ok(Seen::Whole(size)) if doing != Doing::Cutting(0) => {
            return Need::Data(Data { handle, range: Range::new(0, size), size });
        }
        Ok(Seen::Whole(_)) => return Need::Answer(Ok(())),
        Err(error) => {
            tracing::error!(inode = handle.inode, "cut or grown unseen: {error}");
            return Need::Answer(Err(Errno::IO));
        }
    };
    let attribute = match standing {
        Standing::Away { attribute, .. } => attribute,
        // Emptied when it was opened, of which the kernel says nothing: what was archived is not
        // what the file has any more.
        Standing::Overwritten(_) if size == 0 => {
            let removed = files.remove_attribute(file);
            return Need::Answer(removed.map_err(|_| Errno::IO));
        }
        Standing::Overwritten(_) => {
            let inode = handle.inode;
            tracing::error!(inode, "not what was released any more: an access is refused");
            return Need::Answer(Err(Errno::IO));
        }
        Standing::Resident
        | Standing::Archived { .. }
        | Standing::Dirty(_)
        | Standing::Foreign(_) => return Need::Answer(Ok(())),
    };
    let whole = Range::new(0, size);
    let range = match doing {
        Doing::Cutting(0) => return Need::Answer(Ok(())),
        Doing::Reading if trips(files, file, accessed) => Some(whole),
        Doing::Reading => accessed.intersect(whole),
        _ => Some(whole),
    };
    match range {
        Some(range) if !attribute.present.contains(range) => {
            Need::Data(Data { handle, range, size })
        }
        _ => Need::Answer(Ok(())),
    }
}
