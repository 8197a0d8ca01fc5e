//! The way to the holder.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use dray_fs::watch::Silence;
use dray_io::Range;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use crate::limits::ANSWER;
use crate::packet::{Kind, OPENS, Packet};

fn dial(path: &Path) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    let fd = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    connect(&fd, &SocketAddrUnix::new(path)?)?;
    Ok(fd)
}

/// Asks, and waits for the answer; a descriptor may come with it.
fn ask(on: &OwnedFd, kind: Kind, file: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    answer(on, Packet::new(kind, 0), Some(file)).map(|(_, file)| file)
}

fn answer(
    on: &OwnedFd,
    question: Packet,
    file: Option<BorrowedFd<'_>>,
) -> io::Result<(Packet, Option<OwnedFd>)> {
    question.send(on, file)?;
    match Packet::receive(on)? {
        Some((packet @ Packet { kind: Kind::Done, code: 0, .. }, file)) => Ok((packet, file)),
        Some((Packet { kind: Kind::Done, code, .. }, _)) => {
            Err(io::Error::from_raw_os_error(code.cast_signed()))
        }
        Some(_) => Err(io::ErrorKind::InvalidData.into()),
        None => Err(io::ErrorKind::ConnectionReset.into()),
    }
}

/// What the engine asks of the holder. Connections are made as threads need them, and kept.
#[derive(Debug)]
pub struct Link {
    path: PathBuf,
    idle: Mutex<Vec<OwnedFd>>,
}

impl Link {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), idle: Mutex::default() }
    }

    fn ask(&self, question: Packet, file: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
        let ask = |on: &OwnedFd| answer(on, question, Some(file)).map(|(_, file)| file);
        // One that was kept may be that of a holder that has ended since.
        while let Some(kept) = self.take_idle() {
            match ask(&kept) {
                Err(error) if is_of_connection(&error) => {}
                result => return self.keep(kept, result),
            }
        }
        let reached = dial(&self.path).and_then(|fresh| {
            set_socket_timeout(&fresh, Timeout::Recv, Some(ANSWER))?;
            Ok(fresh)
        });
        let fresh = reached.map_err(|cause| {
            let text = format!("the holder of the watch at {}: {cause}", self.path.display());
            io::Error::new(io::ErrorKind::NotConnected, text)
        })?;
        let result = ask(&fresh);
        self.keep(fresh, result)
    }

    fn keep<T>(&self, connection: OwnedFd, result: io::Result<T>) -> io::Result<T> {
        // After a timeout the answer would be taken for that of the next question.
        if !matches!(&result, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
            self.idle().push(connection);
        }
        result
    }

    fn take_idle(&self) -> Option<OwnedFd> {
        self.idle().pop()
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<OwnedFd>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected};
    matches!(error.kind(), BrokenPipe | ConnectionReset | NotConnected)
}

impl Silence for Link {
    fn silence(&self, file: BorrowedFd<'_>) -> io::Result<OwnedFd> {
        self.ask(Packet::new(Kind::Silence, 0), file)?
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    fn expose(&self, file: BorrowedFd<'_>) -> io::Result<()> {
        self.ask(Packet::new(Kind::Expose, 0), file).map(drop)
    }

    fn cut(&self, file: BorrowedFd<'_>, size: u64) -> io::Result<()> {
        let cut = Packet { range: (size, 0), ..Packet::new(Kind::Cut, 0) };
        self.ask(cut, file).map(drop)
    }
}

/// An access to data that is not there. Whoever accesses waits for the answer.
#[derive(Debug)]
pub struct Served {
    pub id: u64,
    pub file: OwnedFd,
    /// In whole pages; all of the file if the kernel does not say.
    pub range: Range,
    pub thread: i32,
    /// Only opens the file. The range says nothing then.
    pub opens: bool,
}

/// The watch that a holder has. It goes on as long as somebody has this.
#[derive(Debug)]
pub struct Watched {
    /// Which holder's.
    instance: u64,
    group: OwnedFd,
}

/// The connection of whoever sees to such accesses.
#[derive(Debug)]
pub struct Server(OwnedFd);

impl Server {
    /// Serves the accesses to these file systems. `had` are the watches of connections before this
    /// one; the holder goes on with those of others, and what is to be had from now on is returned.
    pub fn start(path: &Path, directories: &[PathBuf], had: &mut Vec<Watched>) -> io::Result<Self> {
        let fd = dial(path)?;
        for directory in directories {
            ask(&fd, Kind::Watch, std::fs::File::open(directory)?.as_fd())?;
        }
        let (packet, group) = answer(&fd, Packet::new(Kind::Serve, 0), None)?;
        let instance = packet.range.0;
        let group = group.ok_or(io::ErrorKind::InvalidData)?;
        had.retain(|watched| watched.instance != instance);
        for watched in had.iter() {
            // Those that wait are told now, among them some who come before the answer.
            Packet::new(Kind::Adopt, 0).send(&fd, Some(watched.group.as_fd()))?;
        }
        had.push(Watched { instance, group });
        Ok(Self(fd))
    }

    /// Waits for an access; none when the holder has ended.
    pub fn next(&self) -> io::Result<Option<Served>> {
        loop {
            match Packet::receive(&self.0) {
                Ok(None) => return Ok(None),
                Ok(Some((Packet { kind: Kind::Access, id, range, code }, Some(file)))) => {
                    let (opens, thread) = (range == OPENS, code.cast_signed());
                    let range = Range::new(range.0, range.1.max(range.0));
                    return Ok(Some(Served { id, file, range, thread, opens }));
                }
                Ok(Some(_)) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Lets whoever waits go on, or refuses with an errno that the kernel passes on.
    pub fn answer(&self, id: u64, errno: i32) -> io::Result<()> {
        let packet = Packet { code: errno.cast_unsigned(), ..Packet::new(Kind::Answer, id) };
        packet.send(&self.0, None)
    }
}
