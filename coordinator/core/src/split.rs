//! Large files, moved by many: one node begins, all move parts, one finishes.
//!
//! What a step leaves for the next is a receipt, which is passed on unread.

use std::collections::{BTreeSet, VecDeque};

use dray_wire::limits::{RECEIPT_MAX, RECEIPTS_MAX};
use dray_wire::messages::OrderItem;
use dray_wire::{Bytes, Reason, Status, Step, Token};

use crate::coordinator::Coordinator;
use crate::limits::{CORE_PARTS, PARTS_MAX, TRIES_MAX};
use crate::machine::{SPLIT, may_follow};
use crate::movement::Ending;
use crate::nodes::{Lane, id_of};
use crate::orders::{Order, StepResult, Work};
use crate::requests::{NONE, Where};

/// States of [`SPLIT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Beginning,
    Moving,
    /// Something failed or it was cancelled: parts that are under way end first.
    Stopping,
    Finishing,
    Over,
}

impl Phase {
    fn word(self) -> &'static str {
        match self {
            Self::Beginning => "beginning",
            Self::Moving => "moving",
            Self::Stopping => "stopping",
            Self::Finishing => "finishing",
            Self::Over => "over",
        }
    }
}

#[derive(Debug)]
struct Part {
    offset: u64,
    length: u64,
    receipt: Option<Bytes<RECEIPT_MAX>>,
    tries: u8,
}

#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) request: u32,
    token: Token,
    phase: Phase,
    lane: Lane,
    file_system: u32,
    begun: Bytes<RECEIPT_MAX>,
    parts: Vec<Part>,
    to_do: VecDeque<u32>,
    /// Orders of parts.
    under_way: BTreeSet<u32>,
    /// Among those with parts to give out.
    listed: bool,
    bytes: u64,
    ending: Option<Ending>,
}

impl Split {
    fn go(&mut self, to: Phase) {
        assert!(may_follow(SPLIT, self.phase.word(), to.word()), "{:?} to {to:?}", self.phase);
        self.phase = to;
    }
}

const MIB: u64 = 1 << 20;

impl Coordinator {
    pub(crate) fn begin_split(&mut self, slot: u16, index: u32, token: Token) {
        let request = &self.requests.slab[index];
        let lane = Lane::of(request.class.0.into());
        let file_system = self.file_systems.index(request.handle.file_system);
        let split = Split {
            request: index,
            token,
            phase: Phase::Beginning,
            lane,
            file_system,
            begun: Bytes::default(),
            parts: Vec::new(),
            to_do: VecDeque::new(),
            under_way: BTreeSet::new(),
            listed: false,
            bytes: 0,
            ending: None,
        };
        let split = self.splits.insert(split).index;
        let request = &mut self.requests.slab[index];
        (request.of, request.place_in, request.node) = (split, Where::Split, id_of(slot));
        let item = self.order_item(index);
        self.post_step(slot, split, Work::Begin(split), Step::BEGIN, 0, item);
    }

    fn post_step(
        &mut self,
        slot: u16,
        split: u32,
        work: Work,
        step: Step,
        core: u16,
        item: OrderItem,
    ) {
        let Split { request, token, lane, .. } = self.splits[split];
        let verb = self.requests.slab[request].verb;
        let is_part = matches!(work, Work::Part { .. });
        let order = Order { node: slot, token, lane, verb, work, left: 1 };
        let order = self.orders.insert(order).index;
        let Some(node) = self.nodes.get_mut(slot) else { return };
        if is_part {
            self.splits[split].under_way.insert(order);
            node.core_parts[usize::from(core)] += 1;
        } else {
            node.lanes[lane as usize].orders += 1;
        }
        self.send_order(order, request, step, core, vec![item]);
    }

    /// Cuts a file into parts.
    fn cut(&self, size: u64) -> Vec<Part> {
        let least = size.div_ceil(PARTS_MAX).next_multiple_of(MIB);
        let length = self.setup.part_bytes.next_multiple_of(MIB).max(least);
        let starts = (0..size.div_ceil(length)).map(|part| part * length);
        let part =
            |offset| Part { offset, length: length.min(size - offset), receipt: None, tries: 0 };
        starts.map(part).collect()
    }

    pub(crate) fn step_done(&mut self, order: u32, result: StepResult) {
        match self.orders[order].work {
            Work::Begin(split) => self.begun(split, result),
            Work::Part { split, part, .. } => self.part_done(split, part, order, result),
            Work::Finish(split) => self.finished(split, result),
            Work::Whole(_) => {}
        }
    }

    fn begun(&mut self, split: u32, result: StepResult) {
        if let Some(ending) = self.splits[split].ending.take() {
            return self.end_split(split, &ending);
        }
        if result.ending.status != Status::DONE {
            return self.step_failed(split, result.ending);
        }
        let size = self.requests.slab[self.splits[split].request].size;
        let parts = self.cut(size);
        let state = &mut self.splits[split];
        state.go(Phase::Moving);
        state.begun = result.receipt;
        state.to_do = (0..parts.len() as u32).collect();
        state.parts = parts;
        self.list_split(split);
        // There may be nothing to move.
        self.after_part(split);
    }

    fn list_split(&mut self, split: u32) {
        let listed = &mut self.splits[split].listed;
        if !std::mem::replace(listed, true) {
            self.moving_splits.push_back(split);
        }
    }

    /// Begin or finish did not work, or there was nothing to do.
    fn step_failed(&mut self, split: u32, ending: Ending) {
        let request = self.splits[split].request;
        if !ending.is_of_node() {
            return self.end_split(split, &ending);
        }
        // The node is gone: from the beginning, on another.
        let Some(mut state) = self.splits.remove(split) else { return };
        state.go(Phase::Over);
        self.release_handle(request, state.token);
        self.try_again(request, &ending);
    }

    fn part_done(&mut self, split: u32, part: u32, order: u32, result: StepResult) {
        let state = &mut self.splits[split];
        state.under_way.remove(&order);
        let ending = result.ending;
        let own = &mut state.parts[part as usize];
        if ending.status == Status::DONE {
            own.receipt = Some(result.receipt);
            state.bytes = state.bytes.saturating_add(ending.bytes);
            self.requests.slab[state.request].bytes = state.bytes;
        } else if state.phase == Phase::Moving && ending.is_of_node() && own.tries < TRIES_MAX {
            // Only what that node has not done is done elsewhere.
            own.tries += 1;
            state.to_do.push_back(part);
            self.list_split(split);
        } else if state.phase == Phase::Moving {
            self.stop_split(split, ending);
        }
        self.after_part(split);
    }

    /// No more parts; nodes are told to leave those that are under way.
    fn stop_split(&mut self, split: u32, ending: Ending) {
        let state = &mut self.splits[split];
        state.go(Phase::Stopping);
        state.ending = Some(ending);
        state.to_do.clear();
        let orders: Vec<u32> = state.under_way.iter().copied().collect();
        for order in orders {
            self.tell_cancel(order, 0);
        }
    }

    fn after_part(&mut self, split: u32) {
        let state = &mut self.splits[split];
        if !state.under_way.is_empty() {
            return;
        }
        match state.phase {
            Phase::Stopping => {
                let ending = state.ending.take().unwrap_or_else(Ending::cancelled);
                self.end_split(split, &ending);
            }
            Phase::Moving if state.to_do.is_empty() => {
                state.go(Phase::Finishing);
                self.finishing_splits.push_back(split);
            }
            _ => {}
        }
    }

    fn finished(&mut self, split: u32, result: StepResult) {
        let mut ending = result.ending;
        if ending.status != Status::DONE {
            return self.step_failed(split, ending);
        }
        ending.bytes = self.splits[split].bytes;
        self.end_split(split, &ending);
    }

    fn end_split(&mut self, split: u32, ending: &Ending) {
        let Some(mut state) = self.splits.remove(split) else { return };
        state.go(Phase::Over);
        if state.listed {
            self.moving_splits.retain(|other| *other != split);
        }
        self.release_handle(state.request, state.token);
        if !self.rest(state.request, ending) {
            self.pace.count(self.now_ns);
            self.end_all(state.request, ending);
        }
    }

    /// Parts and last steps that a node has room for.
    pub(crate) fn dispatch_steps(&mut self) {
        for _ in 0..self.finishing_splits.len() {
            let Some(split) = self.finishing_splits.pop_front() else { break };
            if !self.post_finish(split) {
                self.finishing_splits.push_back(split);
            }
        }
        for _ in 0..self.moving_splits.len() {
            let Some(split) = self.moving_splits.pop_front() else { break };
            while self.post_part(split) {}
            if let Some(state) = self.splits.get_mut(split) {
                state.listed = !state.to_do.is_empty();
                if state.listed {
                    self.moving_splits.push_back(split);
                }
            }
        }
    }

    /// The core with the least to do, of nodes that reach the file: so all of them take part.
    fn post_part(&mut self, split: u32) -> bool {
        let Some(state) = self.splits.get(split) else { return false };
        if state.phase != Phase::Moving || state.to_do.is_empty() {
            return false;
        }
        let able =
            self.nodes.iter().filter(|(_, node)| node.may_act() && node.reaches(state.file_system));
        let own = self.setup.name.as_str();
        // Of equals, the coordinator's own node last: it has something else to do.
        let cores = able.flat_map(|(slot, node)| {
            let parts = node.core_parts.iter().enumerate();
            parts.map(move |(core, parts)| (*parts, node.name == own, core as u16, slot))
        });
        let Some((parts, _, core, slot)) = cores.min() else { return false };
        if parts >= CORE_PARTS {
            return false;
        }
        let state = &mut self.splits[split];
        let Some(part) = state.to_do.pop_front() else { return false };
        let Part { offset, length, .. } = state.parts[part as usize];
        let receipt = Bytes::new(state.begun.as_slice()).expect("a receipt fits receipts");
        let request = state.request;
        let item = OrderItem { offset, length, receipt, ..self.order_item(request) };
        self.post_step(slot, split, Work::Part { split, part, core }, Step::PART, core, item);
        true
    }

    fn post_finish(&mut self, split: u32) -> bool {
        let Some(state) = self.splits.get(split) else { return true };
        let (lane, file_system, request) = (state.lane, state.file_system, state.request);
        let (slots, _) = self.candidates(file_system);
        let roomy = |slot: &u16| self.nodes.get(*slot).is_some_and(|node| node.has_room(lane));
        let Some(slot) = slots.into_iter().find(roomy) else { return false };
        let Some(receipt) = self.receipts(split) else {
            let text = "the receipts of the parts are too long: archive it with larger parts";
            self.end_split(split, &Ending::failed(Reason::TOO_BIG, text));
            return true;
        };
        let item = OrderItem { receipt, ..self.order_item(request) };
        self.post_step(slot, split, Work::Finish(split), Step::FINISH, 0, item);
        true
    }

    /// All receipts, each behind its length, that of the beginning first.
    fn receipts(&self, split: u32) -> Option<Bytes<RECEIPTS_MAX>> {
        let state = &self.splits[split];
        let parts = state.parts.iter().filter_map(|part| part.receipt.as_ref());
        let mut all = Vec::new();
        for receipt in std::iter::once(&state.begun).chain(parts) {
            all.extend_from_slice(&(receipt.as_slice().len() as u32).to_le_bytes());
            all.extend_from_slice(receipt.as_slice());
        }
        Bytes::new(all)
    }

    pub(crate) fn cancel_split(&mut self, index: u32) {
        if self.requests.slab[index].followers != NONE {
            return;
        }
        self.requests.slab[index].cancelled = true;
        let split = self.requests.slab[index].of;
        let state = &mut self.splits[split];
        match state.phase {
            Phase::Beginning => state.ending = Some(Ending::cancelled()),
            Phase::Moving => {
                self.stop_split(split, Ending::cancelled());
                self.after_part(split);
            }
            Phase::Finishing => {
                // Unless a node is at it, it need not be begun.
                if let Some(at) = self.finishing_splits.iter().position(|it| *it == split) {
                    self.finishing_splits.remove(at);
                    self.end_split(split, &Ending::cancelled());
                }
            }
            // What is being stopped ends by itself.
            Phase::Stopping | Phase::Over => {}
        }
    }
}
