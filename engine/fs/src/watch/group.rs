//! A group of events, their ranges, and the answers to them.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use dray_io::Range;
use rustix::io::Errno;
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::ffi::fanotify::{
    FAN_ALLOW, FAN_DENY, FAN_ERRNO_SHIFT, FAN_EVENT_INFO_TYPE_RANGE, FAN_OPEN_PERM, Mark, init,
    mark, own,
};

const METADATA_VERSION: u8 = 3;

/// `struct fanotify_event_metadata`.
#[derive(FromBytes)]
#[repr(C)]
struct Metadata {
    event_len: u32,
    vers: u8,
    _reserved: u8,
    metadata_len: u16,
    mask: u64,
    fd: i32,
    pid: i32,
}

/// `struct fanotify_event_info_range`; other records begin alike.
#[derive(FromBytes)]
#[repr(C)]
struct RangeRecord {
    kind: u8,
    _pad: u8,
    len: u16,
    _pad2: u32,
    offset: u64,
    count: u64,
}

/// `struct fanotify_response`.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct Response {
    fd: i32,
    response: u32,
}

/// Bytes read at once: an event with its range takes 48. One at a time, so that none is held up by
/// another's lease.
const READ_BYTES: usize = 95;
/// Should the kernel have more to tell of an event.
const LONG_EVENT: usize = 4096;

/// Somebody is about to open a file or to access its data, and waits for the answer.
#[derive(Debug)]
pub struct Access {
    /// The file; its own accesses raise nothing. The answer names it by its number, so it stays
    /// open until then.
    pub file: OwnedFd,
    /// In whole pages; none if the kernel does not say, as for all of the file.
    pub range: Option<Range>,
    /// Thread that waits.
    pub thread: i32,
    /// Only opens it.
    pub opens: bool,
}

/// Events of accesses, before they happen. When the last descriptor of a group is closed, whoever
/// waits goes on, and nobody is asked any more.
#[derive(Debug)]
pub struct Group(OwnedFd);

impl Group {
    /// Files come opened for reading, which also works where they are mounted read-only. To read
    /// the event of an access to a file with a lease waits for the lease's end.
    pub fn of_accesses() -> io::Result<Self> {
        init(libc::O_RDONLY).map(Self)
    }

    /// Files come opened for reading and writing. An access to a file with a lease is refused.
    pub fn of_silent_files() -> io::Result<Self> {
        init(libc::O_RDWR | libc::O_NONBLOCK).map(Self)
    }

    /// One that another process made.
    pub fn adopt(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// The file system of this file or directory, through all its mounts. Files that were opened
    /// before anybody watched it raise nothing.
    pub fn watch_file_system(&self, of: impl AsFd) -> io::Result<()> {
        mark(&self.0, of, Mark::FileSystem, true)
    }

    pub fn watch_file(&self, file: impl AsFd) -> io::Result<()> {
        mark(&self.0, file, Mark::File, true)
    }

    pub fn unwatch_file(&self, file: impl AsFd) -> io::Result<()> {
        mark(&self.0, file, Mark::File, false)
    }

    /// Nobody needs to be asked about this file.
    pub fn ignore(&self, file: impl AsFd) -> io::Result<()> {
        mark(&self.0, file, Mark::Ignored, true)
    }

    /// Takes that back; not an error if it was not so.
    pub fn heed(&self, file: impl AsFd) -> io::Result<()> {
        match mark(&self.0, file, Mark::Ignored, false) {
            Err(error) if Errno::from_io_error(&error) == Some(Errno::NOENT) => Ok(()),
            result => result,
        }
    }

    /// Appends what has come; nothing if nothing has.
    pub fn read(&self, out: &mut Vec<Access>) -> io::Result<()> {
        let mut bytes = [0_u8; LONG_EVENT];
        let got = match rustix::io::read(&self.0, &mut bytes[..READ_BYTES]) {
            Err(Errno::INVAL) => rustix::io::read(&self.0, &mut bytes),
            result => result,
        };
        let got = match got {
            Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
            result => result?,
        };
        let mut rest = &bytes[..got];
        while let Some(event) = Event::first(rest)? {
            out.extend(event.decode());
            rest = event.rest;
        }
        Ok(())
    }

    /// Lets whoever waits go on, or refuses with one of the errors that the kernel passes on:
    /// EPERM, EIO, EAGAIN, EBUSY, ETXTBSY, ENOSPC, EDQUOT.
    pub fn answer(&self, file: BorrowedFd<'_>, answer: Result<(), Errno>) -> io::Result<()> {
        self.answer_number(file.as_raw_fd(), answer)
    }

    /// Refuses, with EAGAIN, all that was read by somebody who never answered, up to this
    /// descriptor number.
    pub fn refuse_forgotten(&self, up_to: i32) {
        for number in 0..=up_to {
            // No such event: nearly always.
            let _ = self.answer_number(number, Err(Errno::AGAIN));
        }
    }

    fn answer_number(&self, file: i32, answer: Result<(), Errno>) -> io::Result<()> {
        let word = match answer {
            Ok(()) => FAN_ALLOW,
            Err(errno) => FAN_DENY | errno.raw_os_error().cast_unsigned() << FAN_ERRNO_SHIFT,
        };
        let response = Response { fd: file, response: word };
        match rustix::io::write(&self.0, response.as_bytes()) {
            // Whoever waited has been killed.
            Err(Errno::NOENT) => Ok(()),
            result => Ok(result.map(drop)?),
        }
    }
}

impl AsFd for Group {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// An event as the kernel wrote it.
struct Event<'a> {
    metadata: Metadata,
    records: &'a [u8],
    /// What follows it.
    rest: &'a [u8],
}

impl<'a> Event<'a> {
    fn first(bytes: &'a [u8]) -> io::Result<Option<Self>> {
        let Ok((metadata, _)) = Metadata::read_from_prefix(bytes) else { return Ok(None) };
        let (length, records) = (metadata.event_len as usize, usize::from(metadata.metadata_len));
        if metadata.vers != METADATA_VERSION || length > bytes.len() || records > length {
            let text = "the kernel's events are of another version than this was built for";
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        let (event, rest) = bytes.split_at(length);
        Ok(Some(Self { metadata, records: &event[records..], rest }))
    }

    /// None where the kernel could make no descriptor, and has refused the access.
    fn decode(&self) -> Option<Access> {
        if self.metadata.fd < 0 {
            return None;
        }
        let (mut range, mut records) = (None, self.records);
        while let Ok((record, _)) = RangeRecord::read_from_prefix(records) {
            if record.kind == FAN_EVENT_INFO_TYPE_RANGE {
                let end = record.offset.saturating_add(record.count);
                range = Some(Range::new(record.offset, end));
            }
            let Some(rest) = records.get(usize::from(record.len).max(1)..) else { break };
            records = rest;
        }
        let Metadata { fd, pid: thread, mask, .. } = self.metadata;
        Some(Access { file: own(fd), range, thread, opens: mask & FAN_OPEN_PERM != 0 })
    }
}
