//! The errors that the simulated kernel gives, with the numbers the real one uses.

use std::error::Error;
use std::fmt;
use std::io;

/// The machine has lost power: nothing works until [`Sim::reboot`](crate::Sim::reboot).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crashed;

impl fmt::Display for Crashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the simulated machine has crashed")
    }
}

impl Error for Crashed {}

/// Whether [`Crashed`] is `error`, inside it, or among its causes.
pub fn is_crash(error: &(dyn Error + 'static)) -> bool {
    let inner = error.downcast_ref::<io::Error>().and_then(|error| error.get_ref());
    error.is::<Crashed>()
        || inner.is_some_and(|inner| is_crash(inner))
        || error.source().is_some_and(is_crash)
}

pub(crate) fn crashed() -> io::Error {
    io::Error::other(Crashed)
}

#[derive(Debug, Clone, Copy)]
#[repr(i32)]
pub(crate) enum Errno {
    NotFound = 2,
    Io = 5,
    BadDescriptor = 9,
    Again = 11,
    Exists = 17,
    NotDirectory = 20,
    IsDirectory = 21,
    Invalid = 22,
    NoSpace = 28,
    NotEmpty = 39,
    Loop = 40,
}

impl From<Errno> for io::Error {
    fn from(errno: Errno) -> Self {
        Self::from_raw_os_error(errno as i32)
    }
}
