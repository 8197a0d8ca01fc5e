//! Rights on files: who holds which, and who waits.

use std::collections::VecDeque;

use dray_wire::{FileHandle, Right, Token};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;

/// Who asked for a right and waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiter {
    /// A connection, and the number of its request.
    Client { connection: u32, request: u64 },
    /// The movement with this index.
    Movement(u32),
}

#[derive(Debug)]
struct Waiting {
    token: Token,
    right: Right,
    upgrade: bool,
    waiter: Waiter,
}

#[derive(Debug)]
struct Held {
    exclusive: bool,
    /// Mostly there is one holder, which costs no allocation.
    first: Option<Token>,
    more: Vec<Token>,
    waiting: VecDeque<Waiting>,
}

/// What became of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Granted,
    /// Another has it, and the caller does not wait.
    Refused,
    Waits,
    /// The change makes no sense from what is held.
    Bad,
}

/// Somebody who waited has what he asked for.
pub type Served = (Waiter, Token);

#[derive(Debug, Default)]
pub struct Rights {
    held: HashMap<FileHandle, Held, FixedState>,
}

impl Held {
    fn empty() -> Self {
        Self { exclusive: false, first: None, more: Vec::new(), waiting: VecDeque::new() }
    }

    fn has(&self, token: Token) -> bool {
        self.first == Some(token) || self.more.contains(&token)
    }

    fn right_of(&self, token: Token) -> Right {
        match (self.has(token), self.exclusive) {
            (false, _) => Right::NULL,
            (true, false) => Right::SHARED,
            (true, true) => Right::EXCL,
        }
    }

    fn holders(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.len()
    }

    //= docs/wire.md#w-40
    fn lets_in(&self, right: Right) -> bool {
        self.holders() == 0 || (!self.exclusive && right == Right::SHARED)
    }

    fn give(&mut self, token: Token, right: Right) {
        self.exclusive = right == Right::EXCL;
        match self.first {
            None => self.first = Some(token),
            Some(_) => self.more.push(token),
        }
    }

    fn take(&mut self, token: Token) {
        if self.first == Some(token) {
            self.first = self.more.pop();
        } else {
            self.more.retain(|held| *held != token);
        }
        self.exclusive &= self.first.is_some();
    }

    /// Serves those who wait, in order, as far as that goes.
    //= docs/wire.md#w-41
    fn serve(&mut self, served: &mut Vec<Served>) {
        while let Some(next) = self.waiting.front() {
            if next.upgrade {
                if self.holders() != 1 || !self.has(next.token) {
                    return;
                }
                self.exclusive = true;
            } else if self.lets_in(next.right) {
                let (token, right) = (next.token, next.right);
                self.give(token, right);
            } else {
                return;
            }
            let next = self.waiting.pop_front().expect("looked at above");
            served.push((next.waiter, next.token));
        }
    }
}

impl Rights {
    /// Asks for a right that the token does not have yet.
    pub fn request(
        &mut self,
        handle: FileHandle,
        token: Token,
        right: Right,
        waiter: Option<Waiter>,
    ) -> Asked {
        if right == Right::NULL || !right.is_known() {
            return Asked::Bad;
        }
        let held = self.held.entry(handle).or_insert_with(Held::empty);
        let has = held.right_of(token);
        if has >= right {
            return Asked::Granted;
        }
        // A token asks for one thing at a time: served twice it would hold twice.
        if has != Right::NULL || held.waiting.iter().any(|waiting| waiting.token == token) {
            return Asked::Bad;
        }
        if held.waiting.is_empty() && held.lets_in(right) {
            held.give(token, right);
            return Asked::Granted;
        }
        let Some(waiter) = waiter else { return Asked::Refused };
        held.waiting.push_back(Waiting { token, right, upgrade: false, waiter });
        Asked::Waits
    }

    //= docs/wire.md#w-42
    pub fn upgrade(&mut self, handle: FileHandle, token: Token, waiter: Option<Waiter>) -> Asked {
        let Some(held) = self.held.get_mut(&handle) else { return Asked::Bad };
        match held.right_of(token) {
            Right::NULL => return Asked::Bad,
            Right::EXCL => return Asked::Granted,
            _ => {}
        }
        if held.holders() == 1 {
            held.exclusive = true;
            return Asked::Granted;
        }
        let Some(waiter) = waiter else { return Asked::Refused };
        if held.waiting.iter().any(|waiting| waiting.upgrade) {
            return Asked::Refused;
        }
        held.waiting.push_front(Waiting { token, right: Right::EXCL, upgrade: true, waiter });
        Asked::Waits
    }

    pub fn downgrade(
        &mut self,
        handle: FileHandle,
        token: Token,
        served: &mut Vec<Served>,
    ) -> Asked {
        let Some(held) = self.held.get_mut(&handle) else { return Asked::Bad };
        if held.right_of(token) != Right::EXCL {
            return Asked::Bad;
        }
        held.exclusive = false;
        held.serve(served);
        Asked::Granted
    }

    /// Gives back what a token has on a handle; not an error if that is nothing. Who waited under
    /// the token waits no more, and is to be told.
    pub fn release(
        &mut self,
        handle: FileHandle,
        token: Token,
        served: &mut Vec<Served>,
    ) -> Vec<Waiter> {
        let Entry::Occupied(mut entry) = self.held.entry(handle) else { return Vec::new() };
        let held = entry.get_mut();
        held.take(token);
        let of_token = held.waiting.iter().filter(|waiting| waiting.token == token);
        let dropped: Vec<Waiter> = of_token.map(|waiting| waiting.waiter).collect();
        held.waiting.retain(|waiting| waiting.token != token);
        held.serve(served);
        if held.holders() == 0 && held.waiting.is_empty() {
            entry.remove();
        }
        dropped
    }

    /// Lets another token share what this one holds shared, past all who wait: it stands for a
    /// use of the file that nobody can stop.
    pub fn lend(&mut self, handle: FileHandle, from: Token, to: Token) -> bool {
        let Some(held) = self.held.get_mut(&handle) else { return false };
        let may = held.right_of(from) == Right::SHARED && !held.has(to);
        if may {
            held.give(to, Right::SHARED);
        }
        may
    }

    /// Somebody does not wait any more.
    pub fn forget(&mut self, handle: FileHandle, waiter: Waiter, served: &mut Vec<Served>) {
        let Entry::Occupied(mut entry) = self.held.entry(handle) else { return };
        let held = entry.get_mut();
        held.waiting.retain(|waiting| waiting.waiter != waiter);
        held.serve(served);
        if held.holders() == 0 && held.waiting.is_empty() {
            entry.remove();
        }
    }

    //= docs/wire.md#w-43
    pub fn query(&self, handle: FileHandle, token: Token) -> Right {
        self.held.get(&handle).map_or(Right::NULL, |held| held.right_of(token))
    }

    /// Handles that somebody has a right on or waits for.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}
