//! Rights as programs believe to have them.

use std::collections::BTreeMap;

use dray_wire::{FileHandle, Right, Token};

#[derive(Debug, Default)]
pub(crate) struct Rights {
    held: BTreeMap<FileHandle, BTreeMap<Token, Right>>,
    owners: BTreeMap<Token, usize>,
}

impl Rights {
    /// A program hears that it has a right; what is wrong with that.
    pub(crate) fn granted(
        &mut self,
        client: usize,
        handle: FileHandle,
        token: Token,
        right: Right,
    ) -> Option<String> {
        let held = self.held.entry(handle).or_default();
        let clash = |(own, other): (&Token, &Right)| {
            *own != token && (right == Right::EXCL || *other == Right::EXCL)
        };
        let against = held.iter().find(|held| clash(*held));
        let fault = against.map(|it| format!("token {token} got {right} against {it:?}"));
        held.insert(token, right);
        self.owners.insert(token, client);
        fault
    }

    /// A program is no more, and does nothing with what it had.
    pub(crate) fn gone(&mut self, client: usize) {
        let its = self.owners.iter().filter(|(_, owner)| **owner == client);
        let its: Vec<Token> = its.map(|(token, _)| *token).collect();
        its.into_iter().for_each(|token| self.given_back(token));
    }

    /// A program says that it gives all back that it has under a token.
    pub(crate) fn given_back(&mut self, token: Token) {
        self.held.values_mut().for_each(|held| {
            held.remove(&token);
        });
    }

    /// Somebody who has a right that keeps others from changing a file.
    pub(crate) fn against(&self, handle: &FileHandle, alone: bool) -> Option<String> {
        let held = self.held.get(handle)?;
        let it = held.iter().find(|(_, right)| alone || **right == Right::EXCL)?;
        Some(format!("{} of token {}", it.1, it.0))
    }
}
