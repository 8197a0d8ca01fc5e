//! What the engine needs of whoever keeps the watch.

use std::fmt::Debug;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

/// The keeper of the watch over managed file systems, as the engine sees it.
pub trait Silence: Debug + Send + Sync {
    /// Another descriptor of the file, for reading and writing, whose accesses nobody is asked
    /// about. Fails if accesses to the file are not watched: then it must not be released.
    fn silence(&self, file: BorrowedFd<'_>) -> io::Result<OwnedFd>;

    /// Sees to it that accesses to the file are asked about, also if it has been resident so far.
    /// To be called when nobody else has the file open, as shown by a lease: others have the
    /// keeper forget it again.
    fn expose(&self, file: BorrowedFd<'_>) -> io::Result<()>;

    /// Cuts or grows a file, through a descriptor for writing. The kernel asks about that whatever
    /// descriptor it is.
    fn cut(&self, file: BorrowedFd<'_>, size: u64) -> io::Result<()>;
}
