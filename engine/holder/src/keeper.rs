//! The holder itself: one thread that serves connections, and sees to accesses that wait.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use dray_fs::watch::{Access, Group};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, listen, socket_with,
};

use crate::crowd::Answers;
use crate::limits::{CONNECTIONS, CROWD};
use crate::packet::{Kind, Packet};
use crate::pending::{Pending, Waiting};
use crate::reader::{Readers, Seen, read};
use crate::silent::Touch;
use crate::touch::Touchers;

/// Holds the watch over file systems.
pub struct Keeper {
    listener: OwnedFd,
    /// The first is that of this process, the others those of processes before it.
    groups: Vec<Arc<Group>>,
    readers: Readers,
    /// Makes silent descriptors.
    pub(crate) silencer: Group,
    pub(crate) touchers: Touchers,
    /// By the thread that touches.
    pub(crate) touching: BTreeMap<i32, Touch>,
    pub(crate) touches: VecDeque<Touch>,
    pending: Pending,
    answers: Answers,
    connections: BTreeMap<u64, OwnedFd>,
    /// The processes at their other ends.
    processes: BTreeMap<u64, i32>,
    last_connection: u64,
    /// Who sees to accesses.
    serving: Option<u64>,
    /// Tells this process from others.
    instance: u64,
}

/// What there is to do.
#[derive(Default)]
struct Ready {
    listener: bool,
    touched: bool,
    silencer: bool,
    seen: bool,
    /// With packets.
    connections: Vec<u64>,
}

/// The errors that the kernel passes on to whoever accesses.
const PASSED_ON: [Errno; 7] =
    [Errno::PERM, Errno::IO, Errno::AGAIN, Errno::BUSY, Errno::TXTBSY, Errno::NOSPC, Errno::DQUOT];

const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

impl Keeper {
    /// Listens at this path, which only root may use.
    pub fn new(socket: &Path) -> io::Result<Self> {
        match std::fs::remove_file(socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, FLAGS, None)?;
        bind(&listener, &SocketAddrUnix::new(socket)?)?;
        rustix::fs::chmod(socket, rustix::fs::Mode::from_raw_mode(0o600))?;
        listen(&listener, 128)?;
        let touchers = Touchers::start()?;
        let (group, readers) = (Arc::new(Group::of_accesses()?), Readers::new(touchers.threads())?);
        readers.read(0, Arc::clone(&group))?;
        Ok(Self {
            listener,
            groups: vec![group],
            readers,
            silencer: Group::of_silent_files()?,
            touchers,
            touching: BTreeMap::new(),
            touches: VecDeque::new(),
            pending: Pending::default(),
            answers: Answers::new(),
            connections: BTreeMap::new(),
            processes: BTreeMap::new(),
            last_connection: 0,
            serving: None,
            instance: instance(),
        })
    }

    /// Watches the file system of a directory.
    pub fn watch(&self, directory: &Path) -> io::Result<()> {
        self.groups[0].watch_file_system(std::fs::File::open(directory)?)
    }

    /// Goes on until something fails for good.
    pub fn run(mut self) -> io::Result<()> {
        let mut accesses = Vec::new();
        loop {
            let ready = self.wait()?;
            if self.answers.due(self.pending.len()).is_some_and(|due| due.is_zero()) {
                self.answers.give_all(&self.groups);
            }
            if ready.touched {
                for (thread, touched) in self.touchers.ended() {
                    self.touched(thread, &touched);
                }
            }
            if ready.seen {
                for (group, seen) in self.readers.seen() {
                    self.seen(group, seen)?;
                }
            }
            if ready.silencer {
                read(&self.silencer, &mut accesses);
            }
            for access in accesses.drain(..) {
                self.silenced(access)?;
            }
            for key in ready.connections {
                self.hear(key);
            }
            if ready.listener {
                self.accept();
            }
            self.tell();
            self.readers.crowded(self.answers.crowd(self.pending.len()) >= CROWD);
        }
    }

    /// Waits for something to do.
    fn wait(&self) -> io::Result<Ready> {
        let told = |key: &u64| self.serving == Some(*key) && self.pending.has_untold();
        let full = self.connections.len() >= CONNECTIONS;
        let more = if full { PollFlags::empty() } else { PollFlags::IN };
        let fixed = [
            PollFd::new(&self.listener, more),
            PollFd::from_borrowed_fd(self.touchers.bell(), PollFlags::IN),
            PollFd::new(&self.silencer, PollFlags::IN),
            PollFd::from_borrowed_fd(self.readers.bell(), PollFlags::IN),
        ];
        let connections = self.connections.iter().map(|(key, fd)| {
            let out = if told(key) { PollFlags::OUT } else { PollFlags::empty() };
            PollFd::new(fd, PollFlags::IN | out)
        });
        let mut all: Vec<PollFd<'_>> = fixed.into_iter().chain(connections).collect();
        let due = self.answers.due(self.pending.len()).and_then(|due| Timespec::try_from(due).ok());
        match poll(&mut all, due.as_ref()) {
            Err(Errno::INTR) => return Ok(Ready::default()),
            result => result.map(drop)?,
        }
        let ready = |fd: &PollFd<'_>| !(fd.revents() - PollFlags::OUT).is_empty();
        let keys = self.connections.keys().zip(&all[4..]);
        let keys = keys.filter(|(_, fd)| ready(fd)).map(|(key, _)| *key);
        Ok(Ready {
            listener: ready(&all[0]),
            touched: ready(&all[1]),
            silencer: ready(&all[2]),
            seen: ready(&all[3]),
            connections: keys.collect(),
        })
    }

    fn seen(&mut self, group: usize, seen: Seen) -> io::Result<()> {
        match seen {
            Seen::Away(access) => self.pending.add(Waiting { group, access }),
            Seen::Answer(access, answer) => self.answer(group, access, answer),
            Seen::Failed(error) => return Err(error),
        }
        Ok(())
    }

    fn answer(&mut self, group: usize, access: Access, answer: Result<(), Errno>) {
        self.answers.give(&self.groups, group, access, answer, self.pending.len());
    }

    fn accept(&mut self) {
        while self.connections.len() < CONNECTIONS {
            let Ok(fd) = accept_with(&self.listener, FLAGS) else { return };
            let own = rustix::process::geteuid();
            let Ok(peer) = socket_peercred(&fd) else { continue };
            if peer.uid.is_root() || peer.uid == own {
                self.last_connection += 1;
                self.connections.insert(self.last_connection, fd);
                self.processes.insert(self.last_connection, peer.pid.as_raw_nonzero().get());
                self.readers.connected(self.processes.values().copied().collect());
            }
        }
    }

    /// Takes in what a connection says.
    fn hear(&mut self, key: u64) {
        while let Some(fd) = self.connections.get(&key) {
            match Packet::receive(fd) {
                Ok(Some((packet, file))) => self.asked(key, packet, file),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                ended => {
                    if let Err(error) = ended {
                        tracing::warn!(%error, "a connection is closed");
                    }
                    self.connections.remove(&key);
                    self.processes.remove(&key);
                    self.readers.connected(self.processes.values().copied().collect());
                    if self.serving == Some(key) {
                        self.serving = None;
                        tracing::warn!(waiting = self.pending.len(), "nobody serves accesses");
                    }
                }
            }
        }
    }

    fn asked(&mut self, key: u64, packet: Packet, file: Option<OwnedFd>) {
        let id = packet.id;
        let code = match (packet.kind, file) {
            (Kind::Answer, _) => return self.answered(id, packet.code),
            (Kind::Serve, _) => return self.serve(key, id),
            (kind @ (Kind::Silence | Kind::Cut), Some(file)) => {
                let cut = (kind == Kind::Cut).then_some(packet.range.0);
                match Touch::new((key, id), file, cut) {
                    Ok(touch) => {
                        self.touches.push_back(touch);
                        return self.touch_next();
                    }
                    Err(error) => code_of(&error),
                }
            }
            (Kind::Expose, Some(file)) => {
                code(self.groups.iter().try_for_each(|group| group.heed(&file)))
            }
            (Kind::Watch, Some(file)) => code(self.groups[0].watch_file_system(&file)),
            (Kind::Adopt, Some(group)) => {
                self.adopt(group);
                0
            }
            _ => Errno::INVAL.raw_os_error(),
        };
        self.done(key, id, code, None);
    }

    /// Whoever asked this last is told of all accesses that wait, and gets the group: as long as
    /// he has it, the watch goes on without this process.
    fn serve(&mut self, key: u64, id: u64) {
        self.serving = Some(key);
        self.pending.retell();
        if let Some(fd) = self.connections.get(&key) {
            let packet = Packet { range: (self.instance, 0), ..Packet::new(Kind::Done, id) };
            let _ = packet.send(fd, Some(self.groups[0].as_fd()));
        }
        tracing::info!(waiting = self.pending.len(), "accesses are served");
    }

    /// The group of a holder that has died. Those whose access it had taken in, and not answered,
    /// have to try again.
    fn adopt(&mut self, group: OwnedFd) {
        let group = Group::adopt(group);
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
        group.refuse_forgotten(limit.and_then(|it| i32::try_from(it).ok()).unwrap_or(1 << 20));
        let group = Arc::new(group);
        if let Err(error) = self.readers.read(self.groups.len(), Arc::clone(&group)) {
            tracing::error!(%error, "the watch of a holder that has ended cannot be read");
        }
        self.groups.push(group);
        tracing::warn!("took over the watch of a holder that has ended");
    }

    fn answered(&mut self, id: u64, code: u32) {
        let Some(Waiting { group, access }) = self.pending.take(id) else { return };
        let refusal = PASSED_ON.into_iter().find(|it| it.raw_os_error().cast_unsigned() == code);
        let answer = if code == 0 { Ok(()) } else { Err(refusal.unwrap_or(Errno::IO)) };
        self.answer(group, access, answer);
    }

    fn tell(&mut self) {
        let Some(fd) = self.serving.and_then(|key| self.connections.get(&key)) else { return };
        match self.pending.tell(fd) {
            // He takes in no more for now, or has gone, which is heard.
            Ok(()) | Err(_) => {}
        }
    }

    pub(crate) fn done(&self, key: u64, id: u64, code: i32, file: Option<OwnedFd>) {
        let Some(fd) = self.connections.get(&key) else { return };
        let packet = Packet { code: code.cast_unsigned(), ..Packet::new(Kind::Done, id) };
        // Whoever does not read what he asked for is waited for by nobody.
        let _ = packet.send(fd, file.as_ref().map(OwnedFd::as_fd));
    }
}

fn instance() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let nanoseconds = now.tv_sec.cast_unsigned().wrapping_mul(1_000_000_000);
    nanoseconds.wrapping_add(now.tv_nsec.cast_unsigned())
}

/// The errno of what went wrong, or 0.
pub(crate) fn code(result: io::Result<()>) -> i32 {
    match result {
        Ok(()) => 0,
        Err(error) => code_of(&error),
    }
}

pub(crate) fn code_of(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(Errno::IO.raw_os_error())
}
