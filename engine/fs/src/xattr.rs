//! Extended attributes, also of files opened with `O_PATH`.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use rustix::fs::{self, XattrFlags};
use rustix::io::Errno;

use crate::file::LinuxFile;
use crate::permit;

/// Bytes. Holds the state attribute at its largest, and nearly every attribute there is.
const USUAL_VALUE: usize = 4096;
/// Bytes. The kernel's limit (`XATTR_SIZE_MAX`, `XATTR_LIST_MAX`).
const LARGEST: usize = 64 * 1024;

/// Names the file behind a descriptor. The attribute calls refuse `O_PATH` descriptors, the newer
/// `getxattrat` family included, but follow this link, even onto a symbolic link itself.
pub(crate) fn descriptor_path(fd: impl AsFd) -> String {
    format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd())
}

/// The value of one attribute, if the file has it.
pub(crate) fn get(file: &LinuxFile, name: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut buffer = [0_u8; USUAL_VALUE];
    match get_into(file, name, &mut buffer) {
        Ok(len) => Ok(Some(buffer[..len].to_vec())),
        Err(Errno::RANGE) => {
            let mut value = vec![0_u8; LARGEST];
            let len = absent_as_none(get_into(file, name, &mut value))?;
            Ok(len.map(|len| {
                value.truncate(len);
                value
            }))
        }
        Err(error) => absent_as_none(Err(error)),
    }
}

fn get_into(file: &LinuxFile, name: &[u8], value: &mut [u8]) -> Result<usize, Errno> {
    if file.path_only {
        fs::getxattr(descriptor_path(file).as_str(), name, value)
    } else {
        fs::fgetxattr(file, name, value)
    }
}

fn absent_as_none<T>(result: Result<T, Errno>) -> io::Result<Option<T>> {
    match result {
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(None),
        result => Ok(Some(result?)),
    }
}

/// Names of all attributes; none where the file system has no attributes.
pub(crate) fn names(file: &LinuxFile) -> io::Result<Vec<Vec<u8>>> {
    let mut small = [0_u8; 1024];
    let mut large = Vec::new();
    let list = match list_into(file, &mut small) {
        Err(Errno::RANGE) => {
            large.resize(LARGEST, 0);
            absent_as_none(list_into(file, &mut large))?.map(|len| &large[..len])
        }
        result => absent_as_none(result)?.map(|len| &small[..len]),
    };
    let list = list.unwrap_or_default();
    Ok(list.split(|byte| *byte == 0).filter(|name| !name.is_empty()).map(<[u8]>::to_vec).collect())
}

fn list_into(file: &LinuxFile, list: &mut [u8]) -> Result<usize, Errno> {
    if file.path_only {
        fs::listxattr(descriptor_path(file).as_str(), list)
    } else {
        fs::flistxattr(file, list)
    }
}

/// All attributes but those named in `except`, sorted by name. One that vanishes meanwhile or that
/// the caller may not read is left out.
pub(crate) fn all(file: &LinuxFile, except: &[&str]) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut found = Vec::new();
    for name in names(file)? {
        if except.iter().any(|except| except.as_bytes() == name) {
            continue;
        }
        match get(file, &name) {
            Ok(Some(value)) => found.push((name, value)),
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error),
        }
    }
    found.sort_unstable();
    Ok(found)
}

pub(crate) fn set(file: &LinuxFile, name: &[u8], value: &[u8]) -> io::Result<()> {
    set_with(file, name, value, XattrFlags::empty())
}

/// Sets one that must be there already, or must not; whether it was so.
pub(crate) fn set_if(file: &LinuxFile, name: &[u8], there: bool, value: &[u8]) -> io::Result<bool> {
    let (flags, otherwise) = match there {
        true => (XattrFlags::REPLACE, Errno::NODATA),
        false => (XattrFlags::CREATE, Errno::EXIST),
    };
    match set_with(file, name, value, flags) {
        Err(error) if Errno::from_io_error(&error) == Some(otherwise) => Ok(false),
        set => set.map(|()| true),
    }
}

fn set_with(file: &LinuxFile, name: &[u8], value: &[u8], flags: XattrFlags) -> io::Result<()> {
    changing(file, || {
        if file.path_only {
            fs::setxattr(descriptor_path(file).as_str(), name, value, flags)
        } else {
            fs::fsetxattr(file, name, value, flags)
        }
    })
}

/// Not an error if there is none.
pub(crate) fn remove(file: &LinuxFile, name: &[u8]) -> io::Result<()> {
    let removed = changing(file, || {
        if file.path_only {
            fs::removexattr(descriptor_path(file).as_str(), name)
        } else {
            fs::fremovexattr(file, name)
        }
    });
    match removed.as_ref().err().and_then(Errno::from_io_error) {
        Some(Errno::NODATA | Errno::OPNOTSUPP) => Ok(()),
        _ => removed,
    }
}

fn changing(file: &LinuxFile, change: impl Fn() -> Result<(), Errno>) -> io::Result<()> {
    match change() {
        Err(Errno::ACCESS) => permit::as_owner(file, Errno::ACCESS.into(), || Ok(change()?)),
        result => Ok(result?),
    }
}
