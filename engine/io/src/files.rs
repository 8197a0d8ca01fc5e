//! Files and their metadata, one blocking call at a time.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use crate::extent::Range;
use crate::stat::{Kind, Stat};
use crate::time::Time;

/// How a file is opened. No variant follows a symbolic link anywhere in the path, and none moves
/// the access time where the owner may ask for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Metadata only; works on symbolic links, devices and sockets.
    Inspect,
    /// Attributes and metadata of a file or directory; its data may be read through the page cache.
    Look,
    /// Reading past the page cache. The kernel writes dirty pages back first and makes mapped
    /// ones fault again, so a later change is sure to move the times. Where the file system has
    /// no direct I/O, dirty data is flushed at open to the same end.
    ReadDirect,
    /// Reading and writing through the page cache, at any alignment.
    Write,
    /// Reading and writing past the page cache; offsets and lengths in whole blocks.
    WriteDirect,
    /// As [`Write`](Self::Write), but on XFS with privilege leaving all times alone.
    Invisible,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    pub name: OsString,
    pub inode: u64,
    /// `None` where the file system does not say.
    pub kind: Option<Kind>,
}

/// A file system as the engine sees it. All calls block; all are safe from any thread.
///
/// Durability, on which the order of steps rests: `sync` makes the data of one file and every
/// metadata change made before it durable; `sync_fs` does so for all files of the file system.
/// Metadata changes become durable in the order in which they were made (one journal). Data that
/// was not synced may be lost in part or in whole.
pub trait Files: Sync {
    type File: Send + Sync;
    /// A directory being listed.
    type Dir: Send;

    fn open(&self, path: &Path, access: Access) -> io::Result<Self::File>;
    /// Opens a name beside others already listed in `dir`; resolves one component only.
    fn open_in(
        &self,
        dir: &Path,
        name: &std::ffi::OsStr,
        access: Access,
    ) -> io::Result<Self::File> {
        self.open(&dir.join(name), access)
    }
    /// A new file, mode 0600; `AlreadyExists` if the name is taken. Direct I/O as
    /// [`Access::WriteDirect`] if `direct`.
    fn create(&self, path: &Path, direct: bool) -> io::Result<Self::File>;

    fn open_dir(&self, path: &Path) -> io::Result<Self::Dir>;
    /// Appends up to `max` more entries, without `.` and `..`; none appended means the end.
    fn next_entries(
        &self,
        dir: &mut Self::Dir,
        max: usize,
        out: &mut Vec<DirEntry>,
    ) -> io::Result<()>;

    fn stat(&self, file: &Self::File) -> io::Result<Stat>;
    /// As [`stat`](Self::stat), of a file that stayed open since `before` was taken: what a file
    /// is cannot change under a descriptor, only how it is.
    fn restat(&self, file: &Self::File, _before: &Stat) -> io::Result<Stat> {
        self.stat(file)
    }
    fn read_link(&self, file: &Self::File) -> io::Result<Vec<u8>>;
    /// Extended attributes, ACLs among them, without the state attribute, sorted by name.
    fn xattrs(&self, file: &Self::File) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>>;
    /// The state attribute, if the file has one.
    fn attribute(&self, file: &Self::File) -> io::Result<Option<Vec<u8>>>;
    fn set_attribute(&self, file: &Self::File, value: &[u8]) -> io::Result<()>;
    /// As [`set_attribute`](Self::set_attribute), but only if the file has one already (`there`) or
    /// has none yet; whether that was so.
    fn set_attribute_if(&self, file: &Self::File, there: bool, value: &[u8]) -> io::Result<bool>;
    /// Not an error if there is none.
    fn remove_attribute(&self, file: &Self::File) -> io::Result<()>;

    /// The first stretch of data at or after `from`, or `None` if only a hole is left.
    fn next_data(&self, file: &Self::File, from: u64) -> io::Result<Option<Range>>;
    /// Bytes read; less than asked only at the end of the file.
    fn read_at(&self, file: &Self::File, buffer: &mut [u8], at: u64) -> io::Result<usize>;
    fn write_at(&self, file: &Self::File, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Reserves space for `range`; grows the file if it ends before `range.end`.
    fn allocate(&self, file: &Self::File, range: Range) -> io::Result<()>;
    /// Frees the space of `range`, which reads as zeros afterwards. The size stays.
    fn punch(&self, file: &Self::File, range: Range) -> io::Result<()>;
    /// Bytes of its first data that a released file keeps, though they are not present: so that
    /// whoever looks for data in it, and copies only that, has to access some, and is seen. 0 where
    /// nobody watches.
    fn tripwire(&self) -> u64 {
        0
    }
    fn truncate(&self, file: &Self::File, size: u64) -> io::Result<()>;
    fn sync(&self, file: &Self::File) -> io::Result<()>;
    /// Has what was written through the page cache be on its way to the device, so that a later
    /// [`sync`](Self::sync) has less to wait for. Makes nothing durable.
    fn start_flush(&self, _file: &Self::File) -> io::Result<()> {
        Ok(())
    }
    fn sync_fs(&self, file: &Self::File) -> io::Result<()>;

    /// Succeeds only if nobody else has the file open or mapped, and holds newcomers off until
    /// [`unlease`](Self::unlease) or close, for at most the kernel's lease break time (45 s).
    fn lease(&self, file: &Self::File) -> io::Result<()>;
    /// `WouldBlock` if the lease has ended or a newcomer waits for its end.
    fn has_lease(&self, file: &Self::File) -> io::Result<()>;
    fn unlease(&self, file: &Self::File) -> io::Result<()>;
    /// After [`unlease`](Self::unlease): gives a newcomer, if there is one, a moment to do what he
    /// came for, which may be to cut the file by its name. Nothing else is done to it meanwhile.
    fn let_through(&self, _file: &Self::File) {}
    /// Whether somebody has the file open for writing, or mapped so. False where that cannot be
    /// told. The file is open for reading only.
    fn has_writer(&self, file: &Self::File) -> io::Result<bool>;
    fn set_modified(&self, file: &Self::File, time: Time) -> io::Result<()>;

    /// Sends the transfers of a file opened as [`Access::Write`] or [`Access::Invisible`] past the
    /// page cache from now on, in whole blocks, or through it again. No transfer may be under way.
    /// Where there is no direct I/O nothing changes.
    fn set_direct(&self, _file: &Self::File, _direct: bool) -> io::Result<()> {
        Ok(())
    }

    /// The file's capabilities (`security.capability`), which the kernel takes away whenever
    /// content changes, as it takes away set-ID bits from the files of ordinary users.
    fn capability(&self, _file: &Self::File) -> io::Result<Option<Vec<u8>>> {
        Ok(None)
    }
    /// Puts back what moving data took away.
    fn set_privileges(
        &self,
        _file: &Self::File,
        _mode: u32,
        _capability: Option<&[u8]>,
    ) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn unlink(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Keeps other processes from using `file` in the same way; `WouldBlock` if one does.
    fn lock(&self, file: &Self::File) -> io::Result<()>;

    /// The clock that stamps inodes: never ahead of a later change's `changed` time.
    fn now(&self) -> Time;
    /// The clock that stamps an inode whose change time somebody saw within the current tick of
    /// [`now`](Self::now) (multigrain timestamps, Linux 6.13). What is archived and what is removed
    /// in one tick is told apart by it, too.
    fn now_fine(&self) -> Time {
        self.now()
    }
}
