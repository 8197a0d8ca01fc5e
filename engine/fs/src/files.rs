//! The kernel's file systems behind the engine's trait.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

use dray_io::limits::TRIPWIRE;
use dray_io::{Access, DirEntry, Files, Range, Stat, Time};
use rustix::fs::{AtFlags, MemfdFlags, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use crate::access::{self, open_parent, open_path};
use crate::dir::LinuxDir;
use crate::file::LinuxFile;
use crate::identity::Identities;
use crate::watch::Silence;
use crate::{data, lease, stat, xattr};

const TRUSTED_ATTRIBUTE: &str = "trusted.dray";
const USER_ATTRIBUTE: &str = "user.dray";
/// What is left to do to a file that was cut or grown unseen: `docs/state.md`.
pub const CUT_ATTRIBUTE: &str = "trusted.dray.cut";
const CAPABILITY: &[u8] = b"security.capability";
/// How XFS keeps `system.posix_acl_*`, which it lists as well.
const XFS_ACLS: [&str; 2] = ["trusted.SGI_ACL_FILE", "trusted.SGI_ACL_DEFAULT"];

/// Files as the Linux kernel has them. One serves all threads.
#[derive(Debug)]
pub struct LinuxFiles {
    attribute: String,
    /// `CAP_SYS_ADMIN`, in the first user name space.
    pub(crate) privileged: bool,
    identities: Identities,
    /// Where accesses to managed files are watched.
    keeper: Option<Arc<dyn Silence>>,
}

impl LinuxFiles {
    /// Keeps the state in `trusted.dray` if the process may, else in `user.dray`.
    pub fn new() -> Self {
        let privileged = may_set_trusted();
        Self::assuming(if privileged { TRUSTED_ATTRIBUTE } else { USER_ATTRIBUTE }, privileged)
    }

    /// Keeps the state in an attribute of this name.
    pub fn with_attribute(name: &str) -> Self {
        Self::assuming(name, may_set_trusted())
    }

    fn assuming(attribute: &str, privileged: bool) -> Self {
        let identities = Identities::default();
        Self { attribute: attribute.to_owned(), privileged, identities, keeper: None }
    }

    /// Files are moved unseen by this keeper of the watch, and released only under it.
    pub fn watched_by(mut self, keeper: Arc<dyn Silence>) -> Self {
        self.keeper = Some(keeper);
        self
    }

    /// Another descriptor of an open file, for reading and writing, whose accesses nobody is asked
    /// about.
    pub fn open_silent(&self, file: &LinuxFile) -> io::Result<LinuxFile> {
        let keeper = self.keeper.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let path = xattr::descriptor_path(file);
        let opener = |flags| Ok(rustix::fs::open(&path, flags | OFlags::CLOEXEC, Mode::empty())?);
        access::open_silent(&opener, keeper.as_ref())
    }

    /// Cuts or grows a file that is open for writing, without anybody being asked.
    pub fn cut_silently(&self, file: &LinuxFile, size: u64) -> io::Result<()> {
        let keeper = self.keeper.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        keeper.cut(file.as_fd(), size)
    }

    /// What is left to do to a file that was cut or grown unseen, as whoever sees to it wrote it.
    pub fn cut(&self, file: &LinuxFile) -> io::Result<Option<Vec<u8>>> {
        xattr::get(file, CUT_ATTRIBUTE.as_bytes())
    }

    pub fn set_cut(&self, file: &LinuxFile, value: &[u8]) -> io::Result<()> {
        xattr::set(file, CUT_ATTRIBUTE.as_bytes(), value)
    }

    /// Not an error if there is none.
    pub fn remove_cut(&self, file: &LinuxFile) -> io::Result<()> {
        xattr::remove(file, CUT_ATTRIBUTE.as_bytes())
    }

    /// The name of the state attribute.
    pub fn attribute_name(&self) -> &str {
        &self.attribute
    }
}

impl Default for LinuxFiles {
    fn default() -> Self {
        Self::new()
    }
}

/// Capabilities as shown do not tell: in a user name space they are not good for `trusted.*`. So
/// it is tried, on a file in memory.
fn may_set_trusted() -> bool {
    let Ok(trial) = rustix::fs::memfd_create(c"trial", MemfdFlags::CLOEXEC) else {
        return false;
    };
    matches!(rustix::fs::fremovexattr(trial, TRUSTED_ATTRIBUTE), Ok(()) | Err(Errno::NODATA))
}

impl Files for LinuxFiles {
    type File = LinuxFile;
    type Dir = LinuxDir;

    fn open(&self, path: &Path, access: Access) -> io::Result<LinuxFile> {
        let directory = |_: &_| open_path(access::parent(path), OFlags::RDONLY, 0);
        let directory = self.privileged.then_some(&directory as _);
        if let (Access::Invisible, Some(keeper)) = (access, &self.keeper) {
            return access::open_silent(&|flags| open_path(path, flags, 0), keeper.as_ref());
        }
        access::open(&|flags| open_path(path, flags, 0), access, directory)
    }

    fn create(&self, path: &Path, direct: bool) -> io::Result<LinuxFile> {
        access::create(path, direct)
    }

    fn open_dir(&self, path: &Path) -> io::Result<LinuxDir> {
        LinuxDir::open(path)
    }

    fn next_entries(
        &self,
        dir: &mut LinuxDir,
        max: usize,
        out: &mut Vec<DirEntry>,
    ) -> io::Result<()> {
        dir.next(max, out)
    }

    fn stat(&self, file: &LinuxFile) -> io::Result<Stat> {
        stat::stat(file, &self.identities)
    }

    fn restat(&self, file: &LinuxFile, before: &Stat) -> io::Result<Stat> {
        stat::restat(file, before.handle)
    }

    fn read_link(&self, file: &LinuxFile) -> io::Result<Vec<u8>> {
        Ok(rustix::fs::readlinkat(file, c"", Vec::new())?.into_bytes())
    }

    fn xattrs(&self, file: &LinuxFile) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let states = [TRUSTED_ATTRIBUTE, USER_ATTRIBUTE, CUT_ATTRIBUTE, &self.attribute];
        let except = [&states[..], &XFS_ACLS].concat();
        xattr::all(file, &except)
    }

    fn attribute(&self, file: &LinuxFile) -> io::Result<Option<Vec<u8>>> {
        xattr::get(file, self.attribute.as_bytes())
    }

    fn set_attribute(&self, file: &LinuxFile, value: &[u8]) -> io::Result<()> {
        xattr::set(file, self.attribute.as_bytes(), value)
    }

    fn set_attribute_if(&self, file: &LinuxFile, there: bool, value: &[u8]) -> io::Result<bool> {
        xattr::set_if(file, self.attribute.as_bytes(), there, value)
    }

    fn remove_attribute(&self, file: &LinuxFile) -> io::Result<()> {
        xattr::remove(file, self.attribute.as_bytes())
    }

    fn next_data(&self, file: &LinuxFile, from: u64) -> io::Result<Option<Range>> {
        data::next_data(file, from)
    }

    fn read_at(&self, file: &LinuxFile, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        data::read_at(file, buffer, at)
    }

    fn write_at(&self, file: &LinuxFile, bytes: &[u8], at: u64) -> io::Result<()> {
        data::write_at(file, bytes, at)
    }

    fn allocate(&self, file: &LinuxFile, range: Range) -> io::Result<()> {
        data::allocate(file, range)
    }

    fn punch(&self, file: &LinuxFile, range: Range) -> io::Result<()> {
        data::punch(file, range)
    }

    fn tripwire(&self) -> u64 {
        if self.keeper.is_some() { TRIPWIRE } else { 0 }
    }

    fn truncate(&self, file: &LinuxFile, size: u64) -> io::Result<()> {
        Ok(rustix::fs::ftruncate(file, size)?)
    }

    /// `fsync`, since `fdatasync` leaves attributes and times behind.
    fn sync(&self, file: &LinuxFile) -> io::Result<()> {
        Ok(rustix::fs::fsync(file)?)
    }

    fn start_flush(&self, file: &LinuxFile) -> io::Result<()> {
        crate::ffi::data::start_flush(file)
    }

    fn sync_fs(&self, file: &LinuxFile) -> io::Result<()> {
        Ok(rustix::fs::syncfs(file)?)
    }

    fn lease(&self, file: &LinuxFile) -> io::Result<()> {
        lease::take(file)?;
        if let Some(keeper) = &self.keeper
            && let Err(cause) = keeper.expose(file.as_fd())
        {
            lease::give_up(file)?;
            return Err(cause);
        }
        Ok(())
    }

    fn has_lease(&self, file: &LinuxFile) -> io::Result<()> {
        lease::has(file)
    }

    fn unlease(&self, file: &LinuxFile) -> io::Result<()> {
        lease::give_up(file)
    }

    fn has_writer(&self, file: &LinuxFile) -> io::Result<bool> {
        lease::has_writer(file)
    }

    fn let_through(&self, file: &LinuxFile) {
        lease::let_through(file);
    }

    /// Makes no call if the times of an invisible file never moved, since the call itself would
    /// move ctime.
    fn set_modified(&self, file: &LinuxFile, time: Time) -> io::Result<()> {
        if file.invisible && self.stat(file)?.modified == time {
            return Ok(());
        }
        let times = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: timespec(time),
        };
        Ok(rustix::fs::utimensat(file, c"", &times, AtFlags::EMPTY_PATH)?)
    }

    fn set_direct(&self, file: &LinuxFile, direct: bool) -> io::Result<()> {
        access::set_direct(file, direct)
    }

    fn capability(&self, file: &LinuxFile) -> io::Result<Option<Vec<u8>>> {
        xattr::get(file, CAPABILITY)
    }

    fn set_privileges(
        &self,
        file: &LinuxFile,
        mode: u32,
        capability: Option<&[u8]>,
    ) -> io::Result<()> {
        if self.stat(file)?.mode != mode {
            rustix::fs::fchmod(file, Mode::from_raw_mode(mode))?;
        }
        match capability {
            Some(value) if self.capability(file)?.is_none() => xattr::set(file, CAPABILITY, value),
            _ => Ok(()),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let ((from_dir, from), (to_dir, to)) = (open_parent(from)?, open_parent(to)?);
        Ok(rustix::fs::renameat(from_dir, from, to_dir, to)?)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        let (dir, name) = open_parent(path)?;
        Ok(rustix::fs::unlinkat(dir, name, AtFlags::empty())?)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        Ok(rustix::fs::fsync(open_path(path, OFlags::RDONLY | OFlags::DIRECTORY, 0)?)?)
    }

    fn lock(&self, file: &LinuxFile) -> io::Result<()> {
        lease::lock(file)
    }

    /// Inodes are stamped with the coarse clock, which is some milliseconds behind the fine one.
    /// With multigrain timestamps (6.13) a change after someone looked at the times gets a fine
    /// stamp instead, and later coarse stamps are lifted to that. Both are at or after what the
    /// coarse clock says now; the fine clock here would be ahead of the next coarse stamp.
    fn now(&self) -> Time {
        clock(ClockId::RealtimeCoarse)
    }

    fn now_fine(&self) -> Time {
        clock(ClockId::Realtime)
    }
}

fn clock(id: ClockId) -> Time {
    let now = clock_gettime(id);
    Time { seconds: now.tv_sec, nanos: now.tv_nsec as u32 }
}

pub(crate) fn timespec(time: Time) -> Timespec {
    Timespec { tv_sec: time.seconds, tv_nsec: time.nanos.into() }
}
