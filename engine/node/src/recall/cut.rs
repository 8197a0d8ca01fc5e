//! Files that were cut or grown by their name at the moment in which they were released.
//!
//! `truncate(2)` by name is asked about, if at all, before it waits for the lease of a release, and
//! not again after it. What it leaves is a released file of another size. The archived version
//! comes back at its own size first, and then is cut or grown as it was. Until that is done an
//! attribute tells of it.

use std::io;

use dray_fs::{LinuxFile, LinuxFiles};
use dray_io::{Files, PackedTime, Stat, Time};
use dray_mover::{Attribute, Standing};

/// How a file stands once what could be done was done.
pub(crate) enum Seen {
    /// Nothing is left to do.
    As(Standing),
    /// All of it, of this size in bytes, has to be there first.
    Whole(u64),
}

/// `docs/state.md`, *Cut unseen*.
struct Cut {
    from: u64,
    to: u64,
    modified: PackedTime,
}

impl Cut {
    fn encode(&self) -> [u8; 24] {
        let mut bytes = [0; 24];
        let fields = [self.from, self.to, self.modified.0];
        for (place, field) in bytes.chunks_exact_mut(8).zip(fields) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (fields, []) = bytes.as_chunks::<8>() else { return None };
        let [from, to, modified] = fields else { return None };
        let number = |field: &[u8; 8]| u64::from_le_bytes(*field);
        let modified = PackedTime(number(modified));
        Some(Self { from: number(from), to: number(to), modified })
    }
}

/// Does what can be done to a file that was cut or grown unseen.
pub(crate) fn see_to(
    files: &LinuxFiles,
    file: &LinuxFile,
    stat: &Stat,
    standing: Standing,
) -> io::Result<Seen> {
    if let Standing::Overwritten(attribute) = &standing {
        return undo(files, file, stat, attribute, &standing);
    }
    let Some(cut) = files.cut(file)?.as_deref().and_then(Cut::decode) else {
        return Ok(Seen::As(standing));
    };
    match &standing {
        Standing::Away { .. } if stat.size == cut.from => Ok(Seen::Whole(cut.from)),
        Standing::Archived { .. } | Standing::Dirty(_) => {
            redo(files, file, stat, &cut)?;
            Ok(Seen::As(Standing::Resident))
        }
        // It came with a copy of the file, or the file has been emptied since.
        _ => {
            files.remove_cut(file)?;
            Ok(Seen::As(standing))
        }
    }
}

/// Gives a released file its archived size again, if it has what the release left in it.
fn undo(
    files: &LinuxFiles,
    file: &LinuxFile,
    stat: &Stat,
    attribute: &Attribute,
    standing: &Standing,
) -> io::Result<Seen> {
    if stat.size == 0 {
        files.remove_cut(file)?;
    }
    // What had come back already may be cut off, and be listed as present. And a restore that was
    // under way may have made the file longer again: then nobody knows where it was cut.
    let released = attribute.present.is_empty() && !attribute.moving;
    let first = files.next_data(file, 0)?;
    let Some(first) = first.filter(|first| first.start < stat.size && released) else {
        // Emptied, it seems, and grown again: or else nobody knows.
        return Ok(Seen::As(standing.clone()));
    };
    if first.start == 0 && stat.size <= first.end.min(files.tripwire()) {
        // The first block was never released.
        files.remove_attribute(file)?;
        files.remove_cut(file)?;
        return Ok(Seen::As(Standing::Resident));
    }
    let modified = PackedTime::from(stat.modified);
    let cut = Cut { from: attribute.size, to: stat.size, modified };
    let silent = files.open_silent(file)?;
    files.set_cut(&silent, &cut.encode())?;
    // btrfs writes zeros where a file is cut within a block.
    files.set_attribute(&silent, &Attribute { remains: true, ..attribute.clone() }.encode())?;
    files.cut_silently(&silent, cut.from)?;
    tracing::warn!(inode = stat.handle.inode, from = cut.from, to = cut.to, "was cut unseen");
    Ok(Seen::Whole(cut.from))
}

/// Cuts or grows a file that is all there.
fn redo(files: &LinuxFiles, file: &LinuxFile, stat: &Stat, cut: &Cut) -> io::Result<()> {
    // Else somebody has cut it since, or this was done and only the time is missing.
    if stat.size == cut.from || stat.size == cut.to {
        let silent = files.open_silent(file)?;
        files.cut_silently(&silent, cut.to)?;
        files.set_modified(&silent, Time::from(cut.modified))?;
    }
    files.remove_cut(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_to_do_is_read_back() {
        let cut = Cut { from: 7 << 20, to: 12_345, modified: PackedTime(u64::MAX) };
        let back = Cut::decode(&cut.encode()).unwrap();
        assert_eq!((back.from, back.to, back.modified.0), (7 << 20, 12_345, u64::MAX));
        assert!(Cut::decode(&cut.encode()[..23]).is_none());
        assert!(Cut::decode(&[]).is_none());
    }
}
