//! Requests, as they are asked about.

use dray_wire::limits::{BODY_MAX, PAGE_MAX};
use dray_wire::messages::{ListRequests, RequestInfo, Requests};
use dray_wire::{List, Reason, RequestId, SessionId};

use crate::coordinator::Coordinator;
use crate::outbox::Refusal;
use crate::requests::Where;
use crate::talk::At;

impl Coordinator {
    pub(crate) fn describe(&self, index: u32) -> RequestInfo {
        let request = &self.requests.slab[index];
        let is_its = self.sessions.slab.key(request.session) == request.session_key();
        let session = self.sessions.slab.get(request.session).filter(|_| is_its);
        let session = session.map_or(SessionId::NONE, |it| it.id);
        let mut info = self.requests.info(index, session, self.now_ns);
        if request.place_in == Where::Bucket {
            let class = usize::from(request.class.0);
            let before: u64 = self.queue.queued[..class].iter().sum();
            let later = self.queue.taken_in[class] - request.ticket;
            info.position = before + self.queue.queued[class].saturating_sub(later);
            info.eta_ms = self.pace.eta_ms(info.position);
        }
        info
    }

    pub(crate) fn list_requests(&mut self, at: At, it: &ListRequests) -> Result<(), Refusal> {
        let session = match it.session {
            SessionId::NONE => None,
            id => Some(self.sessions.slab.key(self.session(id)?)),
        };
        let limit = (it.limit as usize).clamp(1, PAGE_MAX);
        let (mut page, mut bytes) = (Vec::new(), 0);
        // Places that hold nothing of the session are looked at too: so many a call, not more.
        let first = u32::try_from(it.after).unwrap_or(u32::MAX);
        let end = self.requests.slab.end();
        let most = first.saturating_add((limit * 16) as u32).min(end);
        let mut next = first;
        while next < most && page.len() < limit && bytes < BODY_MAX / 2 {
            let index = next;
            next += 1;
            let Some(request) = self.requests.slab.get(index) else { continue };
            if session.is_none_or(|session| session == request.session_key()) {
                bytes += request.name.as_slice().len() + 128;
                page.push(self.describe(index));
            }
        }
        let next = if next < end { u64::from(next) } else { 0 };
        self.reply(at.0, at.1, Requests { next, requests: List(page) });
        Ok(())
    }

    pub(crate) fn show_request(&mut self, at: At, id: RequestId) -> Result<(), Refusal> {
        let index = self.requests.slab.find(id.0).ok_or_else(|| {
            Refusal::new(Reason::NO_REQUEST, id.0, format!("no request {id}, or long ended"))
        })?;
        let requests = List(vec![self.describe(index)]);
        self.reply(at.0, at.1, Requests { next: 0, requests });
        Ok(())
    }
}
