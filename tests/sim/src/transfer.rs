//! Reading and writing, the same for calls and for rings.

use std::io;

use dray_io::{Access, Kind};

use crate::errors::Errno;
use crate::handle::need;
use crate::image::SECTOR;
use crate::state::{Open, State, readable, writable};

/// What direct I/O asks of offset, length and memory.
pub(crate) fn check_direct(state: &State, open: Open, at: u64, memory: &[u8]) -> io::Result<()> {
    let direct = matches!(open.access, Access::ReadDirect | Access::WriteDirect);
    let unit = state.options.alignment;
    let whole = at.is_multiple_of(unit) && (memory.len() as u64).is_multiple_of(unit);
    let aligned = memory.as_ptr().addr().is_multiple_of(SECTOR as usize);
    if direct && !(whole && aligned) { Err(Errno::Invalid.into()) } else { Ok(()) }
}

pub(crate) fn read(state: &State, open: Open, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    need(readable(open.access))?;
    let inode = state.inode(open.id)?;
    match inode.kind {
        Kind::File => Ok(inode.read(buffer, at)),
        Kind::Directory => Err(Errno::IsDirectory.into()),
        _ => Err(Errno::Invalid.into()),
    }
}

/// Writes, or after a `verdict` against it perhaps writes a part all the same.
pub(crate) fn write(
    state: &mut State,
    verdict: io::Result<()>,
    open: Open,
    bytes: &[u8],
    at: u64,
) -> io::Result<()> {
    need(writable(open.access))?;
    if let Err(error) = verdict {
        state.write_part(open, bytes, at);
        return Err(error);
    }
    state.write(open, bytes, at)
}
