//! What is done so that nobody is asked: `docs/holder.md`, *Moving data unseen*.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use dray_fs::watch::Access;
use rustix::fs::StatVfsMountFlags;
use rustix::io::Errno;

use crate::keeper::{Keeper, code, code_of};
use crate::touch::Job;

/// Descriptor for accesses that nobody is asked about, on its way; or a cut of a file.
pub(crate) struct Touch {
    connection: u64,
    id: u64,
    /// Device and number.
    inode: (u64, u64),
    file: Option<Arc<OwnedFd>>,
    /// Bytes to cut or grow it to.
    cut: Option<u64>,
    silent: Option<OwnedFd>,
}

impl Touch {
    pub(crate) fn new(
        (connection, id): (u64, u64),
        file: OwnedFd,
        cut: Option<u64>,
    ) -> io::Result<Self> {
        let stat = rustix::fs::fstat(&file)?;
        let (inode, file) = ((stat.st_dev, stat.st_ino), Some(Arc::new(file)));
        Ok(Self { connection, id, inode, file, cut, silent: None })
    }
}

impl Keeper {
    /// An access to a file of which a silent descriptor is being made.
    pub(crate) fn silenced(&mut self, access: Access) -> io::Result<()> {
        self.silencer.answer(access.file.as_fd(), Ok(()))?;
        if let Some(touch) = self.touching.get_mut(&access.thread) {
            touch.silent = Some(access.file);
        }
        Ok(())
    }

    pub(crate) fn touched(&mut self, thread: i32, touched: &io::Result<()>) {
        let Some(mut touch) = self.touching.remove(&thread) else { return };
        let read_only = touched.is_err() && touch.file.as_ref().is_some_and(is_read_only);
        self.touchers.give_back(thread);
        if let (Some(file), None) = (&touch.file, touch.cut) {
            // It ends with the inode, if not here.
            let _ = self.silencer.unwatch_file(file);
        }
        // Before it is said: a lease on the silent descriptor needs it to be the only one.
        touch.file = None;
        let code = match (touched, &touch.silent) {
            (Ok(()), Some(_)) => 0,
            _ if touch.cut.is_some() => touched.as_ref().map_or_else(code_of, |()| 0),
            // Nobody was asked, so accesses to this file are not watched.
            (Ok(()), None) => Errno::NOTCONN.raw_os_error(),
            // No descriptor could be made, as it is for writing.
            _ if read_only => Errno::ROFS.raw_os_error(),
            // Or somebody has a lease.
            (Err(_), _) => Errno::AGAIN.raw_os_error(),
        };
        let silent = touch.silent.take();
        self.done(touch.connection, touch.id, code, silent);
        self.touch_next();
    }

    /// Has as many files touched as there are threads for it, each by one at a time: the mark for
    /// it goes with the first that ends.
    pub(crate) fn touch_next(&mut self) {
        while let Some(thread) = self.touchers.take_idle() {
            let free = |touch: &Touch| self.touching.values().all(|it| it.inode != touch.inode);
            let next = self.touches.iter().position(free);
            let Some(touch) = next.and_then(|next| self.touches.remove(next)) else {
                return self.touchers.give_back(thread);
            };
            match self.touch(thread, &touch) {
                Ok(()) => drop(self.touching.insert(thread, touch)),
                Err(error) => {
                    self.touchers.give_back(thread);
                    self.done(touch.connection, touch.id, code(Err(error)), None);
                }
            }
        }
    }

    fn touch(&self, thread: i32, touch: &Touch) -> io::Result<()> {
        let file = touch.file.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let file = Arc::clone(file);
        let job = match touch.cut {
            Some(size) => Job::Cut(file, size),
            None => {
                self.silencer.watch_file(&file)?;
                Job::Touch(file)
            }
        };
        self.touchers.run(thread, job)
    }
}

/// Whether the file system of a file, or its mount, cannot be written to.
fn is_read_only(file: &Arc<OwnedFd>) -> bool {
    let found = rustix::fs::fstatvfs(file);
    found.is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}
