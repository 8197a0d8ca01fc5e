//! Whether what is accessed is there.

use std::io;
use std::os::fd::AsFd;

use dray_fs::CUT_ATTRIBUTE;
use dray_fs::watch::Access;
use dray_io::Range;
use dray_mover::{Attribute, Kept};
use rustix::io::Errno;
use rustix::param::page_size;

/// The state attribute of a file whose owner cannot change it.
const ATTRIBUTE: &str = "trusted.dray";
/// Bytes of the largest (`docs/state.md`), and more.
const ROOM: usize = 4096;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All of the file is there, and stays so until it is exposed.
    Resident,
    /// What is accessed is there.
    Present,
    /// It is, but a write may make the file longer, or a cut shorter: of that the kernel says no
    /// more than the page in which the new end lies.
    PresentToRead,
    /// Somebody has to see to it first.
    Away,
}

/// How a file stands that is about to be accessed. What cannot be understood is away.
pub(crate) fn decide(access: &Access) -> io::Result<Verdict> {
    let mut value = [0; ROOM];
    let length = match rustix::fs::fgetxattr(access.file.as_fd(), ATTRIBUTE, &mut value[..]) {
        Err(Errno::NODATA | Errno::OPNOTSUPP) => return Ok(Verdict::Resident),
        result => result?,
    };
    let Ok(attribute) = Attribute::decode(&value[..length]) else { return Ok(Verdict::Away) };
    match rustix::fs::fgetxattr(access.file.as_fd(), CUT_ATTRIBUTE, &mut [0; 0][..]) {
        Err(Errno::NODATA) => {}
        result => return result.map(|_| Verdict::Away).map_err(io::Error::from),
    }
    if attribute.kept == Kept::Archived && !attribute.moving {
        return Ok(Verdict::Resident);
    }
    let stat = rustix::fs::fstat(&access.file)?;
    if stat.st_ino != attribute.inode {
        // A copy of the attribute: the copy's data is its own.
        return Ok(Verdict::Resident);
    }
    let size = u64::try_from(stat.st_size).unwrap_or_default();
    if size != attribute.size {
        return Ok(Verdict::Away);
    }
    let wanted = access.range.unwrap_or(Range::new(0, size));
    let Some(wanted) = wanted.intersect(Range::new(0, size)) else { return Ok(Verdict::Away) };
    if !attribute.present.contains(wanted) {
        return Ok(Verdict::Away);
    }
    let inside = access.range.is_some_and(|it| it.end <= size && it.len() > page_size() as u64);
    Ok(if inside { Verdict::Present } else { Verdict::PresentToRead })
}
