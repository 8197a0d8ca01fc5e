//! Sessions and rights, as they are asked for.

use std::collections::BTreeMap;

use dray_wire::limits::PAGE_MAX;
use dray_wire::messages::*;
use dray_wire::{FileHandle, List, Reason, Right, SessionId, Token};

use crate::connections::Wait;
use crate::coordinator::Coordinator;
use crate::journal::Record;
use crate::limits::{SESSIONS_MAX, SHARE};
use crate::outbox::Refusal;
use crate::rights::{Asked, Served, Waiter};
use crate::sessions::Reader;

/// A connection, and the number of its request.
pub(crate) type At = (u32, u64);

pub(crate) fn no_session(session: SessionId) -> Refusal {
    Refusal::new(Reason::NO_SESSION, session.0, format!("no session {session}"))
}

impl Coordinator {
    pub(crate) fn session(&self, id: SessionId) -> Result<u32, Refusal> {
        self.sessions.find(id).ok_or_else(|| no_session(id))
    }

    pub(crate) fn create_session(&mut self, at: At, it: CreateSession) -> Result<(), Refusal> {
        self.check_store()?;
        let epoch = self.setup.epoch;
        let session = if it.assume == SessionId::NONE {
            if self.sessions.len() >= SESSIONS_MAX {
                return Err(Refusal::busy(0, 1000, "too many sessions"));
            }
            let share = if it.share == 0 { SHARE } else { it.share };
            self.sessions.create(epoch, share, it.info)
        } else {
            let old = self.session(it.assume)?;
            // Those who read under the old id learn that it is gone.
            let readers = std::mem::take(&mut self.sessions.slab[old].readers);
            for reader in readers {
                self.timers.clear(reader.until_ns, reader.due(old));
                self.refuse(reader.connection, reader.request, &no_session(it.assume));
            }
            let assumed = self.sessions.assume(epoch, it.assume, it.info);
            self.withdraw_session(it.assume);
            assumed.ok_or_else(|| no_session(it.assume))?
        };
        let index = self.session(session)?;
        self.keep_session(index);
        self.reply(at.0, at.1, SessionCreated { session });
        Ok(())
    }

    //= docs/wire.md#w-21
    pub(crate) fn destroy_session(&mut self, at: At, id: SessionId) -> Result<(), Refusal> {
        let index = self.session(id)?;
        let session = &self.sessions.slab[index];
        let events = session.outstanding.len() + session.undelivered.len();
        if events > 0 || session.requests > 0 || !session.readers.is_empty() {
            let text = format!("{events} events and {} requests are open", session.requests);
            return Err(Refusal::new(Reason::SESSION_BUSY, id.0, text));
        }
        let root = session.root;
        self.file_systems.session_limits.remove(&index);
        self.sessions.remove(id);
        self.journal.put(&Record::Destroyed { root });
        self.withdraw_session(id);
        self.reply_done(at.0, at.1);
        Ok(())
    }

    pub(crate) fn list_sessions(&mut self, at: At, it: &ListSessions) {
        // With information strings of full length a page of all would not fit a frame.
        let limit = (it.limit as usize).min(PAGE_MAX / 2);
        let sessions = List(self.sessions.page(it.after, limit));
        self.reply(at.0, at.1, Sessions { sessions });
    }

    pub(crate) fn set_share(&mut self, at: At, it: &SetShare) -> Result<(), Refusal> {
        let session = self.session(it.session)?;
        self.sessions.slab[session].share = it.share.max(1);
        self.keep_session(session);
        self.reply_done(at.0, at.1);
        Ok(())
    }

    pub(crate) fn set_disposition(&mut self, at: At, it: &SetDisposition) -> Result<(), Refusal> {
        let session = self.session(it.session)?;
        let own = self.sessions.dispositions(session);
        let is_new = own.iter().all(|(known, _)| *known != it.file_system);
        if is_new && own.len() >= dray_wire::limits::FILE_SYSTEMS_MAX {
            return Err(Refusal::busy(it.session.0, 0, "dispositions on too many file systems"));
        }
        self.keep_disposition(session, it);
        for (token, event) in self.events.undisposed(it.file_system, it.events) {
            // What has no room is taken with the next call, or is refused in the end.
            if self.check_room(session).is_err() {
                break;
            }
            self.deliver(session, token, event);
        }
        self.reply_done(at.0, at.1);
        Ok(())
    }

    /// Whoever had the events before has them no more.
    fn keep_disposition(&mut self, session: u32, it: &SetDisposition) {
        let before = self.sessions.disposers(it.file_system);
        self.sessions.dispose(session, it.file_system, it.events);
        for other in before.into_iter().filter(|other| *other != session) {
            self.keep_session(other);
        }
        self.keep_session(session);
    }

    pub(crate) fn list_dispositions(&mut self, at: At, id: SessionId) -> Result<(), Refusal> {
        let own = self.sessions.dispositions(self.session(id)?);
        let list = own.into_iter().map(|(file_system, events)| Disposition {
            file_system,
            events,
            ..Disposition::default()
        });
        self.reply(at.0, at.1, Dispositions { dispositions: List(list.collect()) });
        Ok(())
    }

    /// Checks that an event is outstanding in a session.
    pub(crate) fn token(&self, id: SessionId, token: Token) -> Result<u32, Refusal> {
        let session = self.session(id)?;
        if self.sessions.slab[session].outstanding.contains_key(&token) {
            return Ok(session);
        }
        if self.events.was(self.setup.epoch, token) {
            let text = format!("token {token} is not outstanding any more");
            return Err(Refusal::new(Reason::ANSWERED, token.0, text));
        }
        let text = format!("no token {token} in session {id}");
        Err(Refusal::new(Reason::NO_TOKEN, token.0, text))
    }

    fn asked(
        &mut self,
        at: At,
        token: Token,
        handle: FileHandle,
        asked: Asked,
    ) -> Result<(), Refusal> {
        match asked {
            Asked::Granted => {
                self.keep_right(handle, token);
                self.reply_done(at.0, at.1);
            }
            Asked::Waits => self.waits(at, Wait::Right(handle)),
            Asked::Refused => {
                let text = "another token has the right";
                return Err(Refusal::new(Reason::RIGHT_REFUSED, token.0, text));
            }
            Asked::Bad => {
                let text = "this right cannot be had from the one that is held";
                return Err(Refusal::new(Reason::BAD_RIGHT, token.0, text));
            }
        }
        Ok(())
    }

    pub(crate) fn request_right(&mut self, at: At, it: &RequestRight) -> Result<(), Refusal> {
        self.token(it.session, it.token)?;
        let waiter = Waiter::Client { connection: at.0, request: at.1 };
        let waiter = (it.wait == 1).then_some(waiter);
        let asked = self.rights.request(it.handle, it.token, it.right, waiter);
        if matches!(asked, Asked::Granted | Asked::Waits) {
            self.events.holds(it.token, it.handle);
        }
        self.asked(at, it.token, it.handle, asked)
    }

    pub(crate) fn upgrade_right(&mut self, at: At, it: &UpgradeRight) -> Result<(), Refusal> {
        self.token(it.session, it.token)?;
        let waiter = Waiter::Client { connection: at.0, request: at.1 };
        let waiter = (it.wait == 1).then_some(waiter);
        let asked = self.rights.upgrade(it.handle, it.token, waiter);
        self.asked(at, it.token, it.handle, asked)
    }

    pub(crate) fn downgrade_right(&mut self, at: At, it: &DowngradeRight) -> Result<(), Refusal> {
        self.token(it.session, it.token)?;
        let mut served = Vec::new();
        let downgraded = self.rights.downgrade(it.handle, it.token, &mut served);
        let asked = self.asked(at, it.token, it.handle, downgraded);
        self.served(it.handle, served);
        asked
    }

    pub(crate) fn release_right(&mut self, at: At, it: &ReleaseRight) -> Result<(), Refusal> {
        self.token(it.session, it.token)?;
        self.events.holds_no_more(it.token, it.handle);
        let (token, handle) = (it.token, it.handle);
        self.journal.put(&Record::Right { token, handle, right: Right::NULL });
        self.give_back(handle, token);
        self.reply_done(at.0, at.1);
        Ok(())
    }

    pub(crate) fn query_right(&mut self, at: At, it: &QueryRight) -> Result<(), Refusal> {
        self.token(it.session, it.token)?;
        let right: Right = self.rights.query(it.handle, it.token);
        self.reply(at.0, at.1, RightIs { right, ..RightIs::default() });
        Ok(())
    }

    /// Some who waited have their rights now.
    pub(crate) fn served(&mut self, handle: FileHandle, served: Vec<Served>) {
        for (waiter, token) in served {
            match waiter {
                Waiter::Client { connection, request } => {
                    self.keep_right(handle, token);
                    self.reply_done(connection, request);
                }
                Waiter::Movement(index) => self.right_granted(index, token),
            }
        }
    }

    /// Gives back what a token has on a file. Who waits under it is answered too.
    pub(crate) fn give_back(&mut self, handle: FileHandle, token: Token) {
        let mut served = Vec::new();
        let dropped = self.rights.release(handle, token, &mut served);
        for waiter in dropped {
            if let Waiter::Client { connection, request } = waiter {
                let text = "the right was given back while this waited for it";
                let refusal = Refusal::new(Reason::RIGHT_REFUSED, token.0, text);
                self.refuse(connection, request, &refusal);
            }
        }
        self.served(handle, served);
    }

    /// A connection is gone: nobody waits there any more.
    pub(crate) fn forget_waiters(&mut self, connection: u32, waits: BTreeMap<u64, Wait>) {
        for (request, wait) in waits {
            match wait {
                Wait::Right(handle) => {
                    let mut served = Vec::new();
                    let waiter = Waiter::Client { connection, request };
                    self.rights.forget(handle, waiter, &mut served);
                    self.served(handle, served);
                }
                Wait::Events(session) => self.forget_reader(session, connection, request),
            }
        }
    }

    fn forget_reader(&mut self, session: u32, connection: u32, request: u64) {
        let Some(state) = self.sessions.slab.get_mut(session) else { return };
        let is_it = |it: &Reader| it.connection == connection && it.request == request;
        if let Some(at) = state.readers.iter().position(is_it)
            && let Some(reader) = state.readers.remove(at)
        {
            self.timers.clear(reader.until_ns, reader.due(session));
        }
    }
}
