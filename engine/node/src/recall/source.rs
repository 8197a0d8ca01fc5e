//! Accesses by file, and the events that they become.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use dray_client::{Client, Options};
use dray_fs::{LinuxFile, LinuxFiles};
use dray_holder::{Doing, doing};
use dray_io::Handle;
use dray_wire::messages::{RaiseEvent, SOURCE_TOKEN};
use dray_wire::{Bytes, EventType, Token};
use rustix::io::Errno;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use super::file::{Data, Need, need, was_cut};
use super::listen::Heard;
use super::still::Stills;
use super::waiting::{LOOK, Waiting};
use crate::leader::Way;
use crate::places::to_wire;

/// Between two attempts to reach the coordinator, and after a refusal that names no time.
const AGAIN: Duration = Duration::from_millis(100);
/// For a program to come to rest that has begun to wait: it is asked about before it does, and on a
/// busy machine it may lose its processor in between. Doubles up to `LOOK`.
const RESTS: Duration = Duration::from_micros(50);
/// Looks whether it has; some 200 ms.
const RESTS_LOOKS: u32 = 100;
/// How often an event is raised for a file that is no further afterwards.
const TRIES: u32 = 3;

/// What was raised for a file: one event at a time, as only one can move it.
struct Raised {
    data: Data,
    waiting: Vec<Waiting>,
}

struct Source {
    files: LinuxFiles,
    by_file: HashMap<Handle, Raised>,
    /// Accesses of which it is not known yet what they are.
    unclear: JoinSet<(Heard, Doing)>,
    raising: JoinSet<(Handle, Result<(), Errno>)>,
    stills: Stills,
    /// Events that ask for files not to be moved.
    asking: JoinSet<(Handle, Result<(), Errno>)>,
    /// Turns of those: they may take long, and others need the connection, too.
    turns: Arc<Semaphore>,
    /// Programs that were let go to cut such files, which stay open.
    cutting: JoinSet<(Handle, LinuxFile)>,
    clients: watch::Receiver<Option<Client>>,
    last_token: u64,
}

/// Sees to accesses until there are no more, or it is told to stop.
pub(crate) async fn serve(
    mut accesses: mpsc::UnboundedReceiver<Heard>,
    files: LinuxFiles,
    way: Way,
    mut stopped: watch::Receiver<bool>,
) {
    let (sender, clients) = watch::channel(None);
    let connected = tokio::spawn(connect(way, sender));
    let mut source = Source {
        files,
        by_file: HashMap::new(),
        unclear: JoinSet::new(),
        raising: JoinSet::new(),
        stills: Stills::default(),
        asking: JoinSet::new(),
        turns: Arc::new(Semaphore::new(dray_wire::limits::CREDITS as usize / 2)),
        cutting: JoinSet::new(),
        clients,
        last_token: first_token(),
    };
    loop {
        tokio::select! {
            heard = accesses.recv() => {
                let Some(heard) = heard else { break };
                match doing(heard.served.thread, heard.served.opens) {
                    Some(doing) => source.heard(heard, doing),
                    None => drop(source.unclear.spawn(clear(heard))),
                }
            }
            Some(Ok((heard, doing))) = source.unclear.join_next() => source.heard(heard, doing),
            Some(Ok((handle, answer))) = source.raising.join_next() => {
                source.answered(handle, answer);
            }
            Some(Ok((handle, answer))) = source.asking.join_next() => source.asked(handle, answer),
            Some(Ok((handle, file))) = source.cutting.join_next() => source.was_cut(handle, &file),
            _ = stopped.changed() => break,
        }
    }
    connected.abort();
}

/// Waits until an access rests, and with it what it is.
async fn clear(heard: Heard) -> (Heard, Doing) {
    let mut pause = RESTS;
    for _ in 0..RESTS_LOOKS {
        tokio::time::sleep(pause).await;
        if let Some(doing) = doing(heard.served.thread, heard.served.opens) {
            return (heard, doing);
        }
        pause = (pause * 2).min(LOOK);
    }
    // Whatever it is, with all of the file it can go on.
    (heard, Doing::Else)
}

/// Tokens of this process are not those of one before it: what that one had raised may still be
/// known to a coordinator.
fn first_token() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let nanoseconds = u64::try_from(now.as_nanos()).unwrap_or_default();
    SOURCE_TOKEN | (nanoseconds & !SOURCE_TOKEN)
}

/// Keeps a connection to whoever coordinates.
async fn connect(way: Way, to: watch::Sender<Option<Client>>) {
    loop {
        if let Ok((client, mut pushed, who)) = way.connect(&Options::client("recall")).await {
            to.send_replace(Some(client));
            tokio::select! {
                () = async { while pushed.recv().await.is_some() {} } => {}
                () = way.replaced(&who) => {}
            }
            to.send_replace(None);
        }
        tokio::time::sleep(AGAIN).await;
        way.somebody().await;
    }
}

impl Source {
    fn heard(&mut self, Heard { served, server }: Heard, doing: Doing) {
        let waiting = Waiting {
            id: served.id,
            thread: served.thread,
            opens: served.opens,
            server,
            file: LinuxFile::adopt(served.file),
            doing,
            accessed: served.range,
            tries: 0,
        };
        self.look(waiting);
    }

    /// Answers an access, or has what it needs brought.
    fn look(&mut self, waiting: Waiting) {
        let Some((data, waiting)) = self.answer(waiting) else { return };
        let Some(waiting) = self.stills.hold_back(data.handle, waiting) else { return };
        if let Some(raised) = self.by_file.get_mut(&data.handle) {
            raised.waiting.push(waiting);
            return;
        }
        self.raise(&data, waiting.doing);
        self.by_file.insert(data.handle, Raised { data, waiting: vec![waiting] });
    }

    /// Answers an access if that can be done, or once its file is not moved; else what data it
    /// needs.
    fn answer(&mut self, waiting: Waiting) -> Option<(Data, Waiting)> {
        let what = (waiting.doing, waiting.accessed);
        match need(&self.files, &waiting.file, what, |handle| self.stills.is_still(handle)) {
            Need::Answer(answer) => waiting.ends(answer),
            Need::Data(data) => return Some((data, waiting)),
            Need::Still(handle) => self.ask(handle, waiting),
            Need::Cut(handle) => {
                waiting.answer(Ok(()));
                self.stills.begin_cut(handle);
                self.cutting.spawn(async move { (handle, waiting.has_cut().await) });
            }
        }
        None
    }

    /// Asks that nobody moves a file.
    //= docs/wire.md#w-44
    fn ask(&mut self, handle: Handle, waiting: Waiting) {
        self.last_token += 1;
        let token = Token(self.last_token);
        if self.stills.wait(handle, waiting, token) {
            let (event, handle_there) = (EventType::TRUNCATE, to_wire(handle));
            let event = RaiseEvent { event, token, handle: handle_there, ..RaiseEvent::default() };
            let (clients, turns) = (self.clients.clone(), Arc::clone(&self.turns));
            self.asking.spawn(async move {
                let _turn = turns.acquire().await;
                (handle, raise(event, clients).await)
            });
        }
    }

    /// That was answered.
    fn asked(&mut self, handle: Handle, answer: Result<(), Errno>) {
        if let Err(errno) = answer {
            let (first, then) = self.stills.refused(handle);
            for one in first {
                // Whoever serves may not know what was asked for: nothing can come back to a file
                // that is empty.
                let empty = errno == Errno::IO && was_cut(&self.files, &one.file);
                one.ends(if empty { Ok(()) } else { Err(errno) });
            }
            then.into_iter().for_each(|one| self.look(one));
            return;
        }
        for one in self.stills.granted(handle) {
            self.look(one);
        }
        self.may_move_again(handle);
    }

    fn was_cut(&mut self, handle: Handle, file: &LinuxFile) {
        was_cut(&self.files, file);
        self.stills.end_cut(handle);
        self.may_move_again(handle);
    }

    /// If nobody is left who cuts it.
    fn may_move_again(&mut self, handle: Handle) {
        let Some((token, waiting)) = self.stills.end(handle) else { return };
        let data = Bytes::new(token.0.to_le_bytes().to_vec()).expect("eight bytes are few");
        let (event, handle) = (EventType::CLOSE, to_wire(handle));
        let event = RaiseEvent { event, handle, data, ..RaiseEvent::default() };
        // If nobody hears of it, the file can be moved a little later.
        if let Some(client) = self.clients.borrow().clone() {
            tokio::spawn(async move { client.raise(event).await });
        }
        waiting.into_iter().for_each(|one| self.look(one));
    }

    fn raise(&mut self, data: &Data, doing: Doing) {
        let Data { handle, range, size } = *data;
        self.last_token += 1;
        let event = match doing {
            Doing::Reading => EventType::READ,
            Doing::Cutting(_) => EventType::TRUNCATE,
            Doing::Opening | Doing::Else => EventType::WRITE,
        };
        let event = RaiseEvent {
            event,
            token: Token(self.last_token),
            handle: to_wire(handle),
            offset: range.start,
            length: range.len(),
            data: Bytes::new(size.to_le_bytes().to_vec()).expect("eight bytes are few"),
            ..RaiseEvent::default()
        };
        let clients = self.clients.clone();
        self.raising.spawn(async move { (handle, raise(event, clients).await) });
    }

    /// An event has been answered: each that waits for the file is looked at anew. What those need
    /// who still wait is brought together.
    fn answered(&mut self, handle: Handle, answer: Result<(), Errno>) {
        let Some(Raised { data: raised, waiting }) = self.by_file.remove(&handle) else { return };
        let (mut left, mut next) = (Vec::new(), None);
        for mut one in waiting {
            let meant =
                one.doing != Doing::Reading || one.accessed.intersect(raised.range).is_some();
            one.tries += u32::from(meant);
            let Some((data, one)) = self.answer(one) else { continue };
            let Some(one) = self.stills.hold_back(data.handle, one) else { continue };
            // Where the file was emptied or cut meanwhile, that is why it could not be brought.
            let failed = answer.err().filter(|_| meant && data.size == raised.size);
            if let Some(errno) = failed.or((one.tries >= TRIES).then_some(Errno::IO)) {
                one.ends(Err(errno));
                continue;
            }
            next = Some(next.map_or((data, one.doing), |(had, doing): (Data, Doing)| {
                (had.with(data.range), if doing == Doing::Reading { one.doing } else { doing })
            }));
            left.push(one);
        }
        if let Some((data, doing)) = next {
            self.raise(&data, doing);
            self.by_file.insert(handle, Raised { data, waiting: left });
        }
    }
}

/// Raises an event until somebody has answered it, whoever coordinates.
//= docs/wire.md#w-38
async fn raise(
    event: RaiseEvent,
    mut clients: watch::Receiver<Option<Client>>,
) -> Result<(), Errno> {
    loop {
        let client = clients.wait_for(Option::is_some).await.ok().and_then(|client| client.clone());
        let Some(client) = client else {
            // This daemon ends; the next one looks at the access anew.
            return std::future::pending().await;
        };
        match client.raise(event.clone()).await {
            Ok(Some(answered)) if answered.error == 0 => return Ok(()),
            Ok(Some(answered)) => {
                return Err(Errno::from_raw_os_error(answered.error.cast_signed()));
            }
            Ok(None) => return Err(Errno::IO),
            Err(error) if error.is_of_connection() => tokio::time::sleep(AGAIN).await,
            Err(error) => match error.retry_after() {
                Some(after) => tokio::time::sleep(after.max(AGAIN)).await,
                None => {
                    tracing::error!(%error, "an access is refused");
                    return Err(Errno::IO);
                }
            },
        }
    }
}
