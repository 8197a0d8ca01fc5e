//! Reading, writing, and the space behind it.

use std::io;

use dray_io::Range;
use rustix::fs::{FallocateFlags, SeekFrom};
use rustix::io::Errno;

use crate::file::LinuxFile;

/// Bytes. No device has smaller blocks, so a direct read ends off this grid only at the end of the
/// file, and nothing could be asked for from there.
const LEAST_BLOCK: usize = 512;

/// The descriptor's offset is left anywhere; nothing else here uses it.
pub(crate) fn next_data(file: &LinuxFile, from: u64) -> io::Result<Option<Range>> {
    let Some(start) = seek(file, SeekFrom::Data(from))? else {
        return Ok(None);
    };
    // None again if the file was cut since.
    Ok(seek(file, SeekFrom::Hole(start))?.map(|end| Range::new(start, end)))
}

fn seek(file: &LinuxFile, to: SeekFrom) -> io::Result<Option<u64>> {
    match rustix::fs::seek(file, to) {
        Err(Errno::NXIO) => Ok(None),
        result => Ok(Some(result?)),
    }
}

pub(crate) fn read_at(file: &LinuxFile, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match rustix::io::pread(file, &mut buffer[done..], at + done as u64) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(Errno::INTR) => continue,
            // Past a short direct read the rest is off the device's grid: the file ended.
            Err(Errno::INVAL) if file.direct && done > 0 => break,
            Err(error) => return Err(error.into()),
        }
        if file.direct && !done.is_multiple_of(LEAST_BLOCK) {
            break;
        }
    }
    Ok(done)
}

pub(crate) fn write_at(file: &LinuxFile, bytes: &[u8], at: u64) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match rustix::io::pwrite(file, &bytes[done..], at + done as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => done += written,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

pub(crate) fn allocate(file: &LinuxFile, range: Range) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), range) {
        // No reservation to be had: then at least the size, so that writes need not extend.
        Err(Errno::OPNOTSUPP) if size(file)? < range.end => {
            Ok(rustix::fs::ftruncate(file, range.end)?)
        }
        Err(Errno::OPNOTSUPP) => Ok(()),
        result => Ok(result?),
    }
}

pub(crate) fn punch(file: &LinuxFile, range: Range) -> io::Result<()> {
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    Ok(fallocate(file, flags, range)?)
}

fn fallocate(file: &LinuxFile, flags: FallocateFlags, range: Range) -> Result<(), Errno> {
    if range.is_empty() {
        return Ok(());
    }
    rustix::io::retry_on_intr(|| rustix::fs::fallocate(file, flags, range.start, range.len()))
}

pub(crate) fn size(file: &LinuxFile) -> io::Result<u64> {
    u64::try_from(rustix::fs::fstat(file)?.st_size).map_err(io::Error::other)
}
