//! Who was lost from whose sight, and when: what they did may be done again by others.

use std::collections::BTreeMap;

use super::OrderKey;

#[derive(Debug, Default)]
pub(crate) struct Losses {
    /// By node: when it was lost last.
    nodes: BTreeMap<usize, u64>,
    /// When a coordinator ended last.
    host: Option<u64>,
}

/// Who marked a file as archived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Publisher {
    pub(crate) version: u64,
    pub(crate) order: OrderKey,
    pub(crate) node: usize,
    /// When it began with the file.
    pub(crate) begun: u64,
}

impl Losses {
    pub(crate) fn node(&mut self, node: usize, now: u64) {
        self.nodes.insert(node, now);
    }

    pub(crate) fn host(&mut self, now: u64) {
        self.host = Some(now);
    }

    /// Whether the coordinator may have given to others what this one did.
    pub(crate) fn may_be_done_again(&self, publisher: &Publisher) -> bool {
        let lost = self.nodes.get(&publisher.node).copied().max(self.host);
        lost.is_some_and(|at| at >= publisher.begun)
    }
}
