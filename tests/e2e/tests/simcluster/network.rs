//! Connections: each keeps its order as TCP does; between them anything may overtake anything.

use dray_wire::{Deframer, Message, encode};

use crate::agenda::Event;
use crate::clock::MS;
use crate::cluster::{Cluster, Party};
use crate::injected::Kind;

/// A connection from a node or client to a coordinator.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) caller: Party,
    pub(crate) host: usize,
    pub(crate) host_life: u64,
    /// What the coordinator calls it, from its first frame on.
    pub(crate) peer: Option<u32>,
    ways: [Way; 2],
}

/// One direction of it.
#[derive(Debug)]
struct Way {
    /// The sender may send.
    open: bool,
    /// The receiver listens.
    heard: bool,
    sent: u64,
    arrived: u64,
    /// Frames after this one are lost.
    last: u64,
    /// When the one before arrives.
    at: u64,
}

impl Way {
    fn new() -> Self {
        Self { open: true, heard: true, sent: 0, arrived: 0, last: u64::MAX, at: 0 }
    }
}

/// How long it may take until an end hears that its connection is no more.
const UNHEARD: u64 = 1500 * MS;

impl Cluster {
    /// Dials a coordinator. Whether anybody is there turns out later.
    pub(crate) fn dial(&mut self, caller: Party, host: usize) -> usize {
        let host_life = self.hosts[host].life;
        let ways = [Way::new(), Way::new()];
        self.links.push(Link { caller, host, host_life, peer: None, ways });
        self.links.len() - 1
    }

    pub(crate) fn send(
        &mut self,
        link: usize,
        up: bool,
        request: u64,
        message: impl Into<Message>,
    ) {
        let way = &self.links[link].ways[usize::from(up)];
        if !way.open {
            return;
        }
        let mut bytes = Vec::new();
        encode(&message.into(), request, &mut bytes);
        let at = self.arrival(link);
        let way = &mut self.links[link].ways[usize::from(up)];
        way.sent += 1;
        way.at = at.max(way.at + 1);
        let at = way.at;
        let number = way.sent;
        self.agenda.note(at, Event::Frame { link, up, number, bytes });
        if !self.calm && self.random.per_mille(self.scenario.network.cut) {
            self.cut(link);
        }
    }

    /// When something that is sent now arrives, if nothing before it is late.
    fn arrival(&mut self, link: usize) -> u64 {
        let [least, most] = self.scenario.network.delay_us;
        // Mostly quick, sometimes late.
        let late = self.random.below(4) == 0;
        let most = if late { most } else { least + (most - least) / 10 };
        let delay = self.random.between(least, most) * 1000;
        let Link { caller, host, .. } = self.links[link];
        let apart = self.apart(caller).max(self.apart(Party::Host(host)));
        if late || apart > self.now {
            self.injected.count(Kind::Delayed);
        }
        self.now.max(apart) + delay
    }

    /// The connection breaks: of what is under way some arrives, each end hears of it in its time.
    pub(crate) fn cut(&mut self, link: usize) {
        for up in [false, true] {
            let way = &self.links[link].ways[usize::from(up)];
            let kept = self.random.between(way.arrived, way.sent);
            if kept < way.sent {
                self.injected.count(Kind::Lost);
            }
            let at = way.at.max(self.now) + self.random.below(UNHEARD);
            let way = &mut self.links[link].ways[usize::from(up)];
            way.last = way.last.min(kept);
            way.at = at;
            self.agenda.note(at, Event::Ended { link, up });
        }
    }

    /// One end closes: it hears nothing more, the other what was sent, and then the end.
    pub(crate) fn close(&mut self, link: usize, by_caller: bool) {
        let ways = &mut self.links[link].ways;
        ways[usize::from(!by_caller)].heard = false;
        let way = &mut ways[usize::from(by_caller)];
        if !std::mem::replace(&mut way.open, false) {
            return;
        }
        let at = self.arrival(link);
        let way = &mut self.links[link].ways[usize::from(by_caller)];
        way.at = at.max(way.at + 1);
        self.agenda.note(way.at, Event::Ended { link, up: by_caller });
    }

    /// Takes a frame off the wire; `None` if it was lost or nobody listens.
    pub(crate) fn receive(
        &mut self,
        link: usize,
        up: bool,
        number: u64,
        bytes: &[u8],
    ) -> Option<(u64, Message)> {
        let way = &mut self.links[link].ways[usize::from(up)];
        if !way.heard || number > way.last {
            return None;
        }
        way.arrived = number;
        let mut deframer = Deframer::default();
        deframer.buffer().extend_from_slice(bytes);
        let frame = deframer.next_frame().unwrap().expect("a whole frame was sent");
        let message = Message::decode(frame.header.kind, frame.body).unwrap();
        Some((frame.header.request, message))
    }

    /// An end hears that a connection is no more; false if it knows.
    pub(crate) fn hears_end(&mut self, link: usize, up: bool) -> bool {
        let ways = &mut self.links[link].ways;
        ways[usize::from(!up)].open = false;
        std::mem::replace(&mut ways[usize::from(up)].heard, false)
    }
}
