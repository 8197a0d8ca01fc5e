//! Requests that only fill in an answer.

use std::io;
use std::os::fd::AsFd;

use rustix::ioctl::{Getter, Opcode, ioctl, opcode};

const BLKGETSIZE64: Opcode = opcode::read::<usize>(0x12, 114);
const FS_IOC_GETFSUUID: Opcode = opcode::read::<FsUuid>(0x15, 0);

/// `struct fsuuid2`.
#[repr(C)]
struct FsUuid {
    len: u8,
    uuid: [u8; 16],
}

/// Bytes of a block device.
pub(crate) fn block_device_size(fd: impl AsFd) -> io::Result<u64> {
    // SAFETY: BLKGETSIZE64 writes one u64, whatever its number says.
    let request = unsafe { Getter::<BLKGETSIZE64, u64>::new() };
    // SAFETY: a getter touches only its own output.
    Ok(unsafe { ioctl(fd, request) }?)
}

/// The UUID of a file system, zero padded; `ENOTTY` if it has none or the kernel is before 6.9.
pub(crate) fn file_system_uuid(fd: impl AsFd) -> io::Result<[u8; 16]> {
    // SAFETY: FS_IOC_GETFSUUID writes one `struct fsuuid2`.
    let request = unsafe { Getter::<FS_IOC_GETFSUUID, FsUuid>::new() };
    // SAFETY: a getter touches only its own output.
    let mut answer = unsafe { ioctl(fd, request) }?;
    if let Some(rest) = answer.uuid.get_mut(usize::from(answer.len)..) {
        rest.fill(0);
    }
    Ok(answer.uuid)
}
