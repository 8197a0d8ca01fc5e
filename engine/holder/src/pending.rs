//! Accesses that wait for somebody to see to them.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::AsFd;

use dray_fs::watch::Access;

use crate::packet::{Kind, OPENS, Packet};

/// One that waits, and the group that asked.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) group: usize,
    pub(crate) access: Access,
}

/// All that wait. They outlive whoever serves them.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    waiting: BTreeMap<u64, Waiting>,
    /// Not told to who serves, in the order in which they came.
    untold: VecDeque<u64>,
    last: u64,
}

impl Pending {
    pub(crate) fn add(&mut self, waiting: Waiting) {
        self.last += 1;
        self.waiting.insert(self.last, waiting);
        self.untold.push_back(self.last);
    }

    pub(crate) fn take(&mut self, id: u64) -> Option<Waiting> {
        self.waiting.remove(&id)
    }

    pub(crate) fn has_untold(&self) -> bool {
        !self.untold.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Another serves now, who knows of none.
    pub(crate) fn retell(&mut self) {
        self.untold = self.waiting.keys().copied().collect();
    }

    /// Tells whoever serves as much as he takes in.
    pub(crate) fn tell(&mut self, to: impl AsFd) -> std::io::Result<()> {
        while let Some(id) = self.untold.front() {
            if let Some(Waiting { access, .. }) = self.waiting.get(id) {
                let all = if access.opens { OPENS } else { (0, u64::MAX) };
                let range = access.range.map_or(all, |range| (range.start, range.end));
                let code = access.thread.cast_unsigned();
                let packet = Packet { kind: Kind::Access, id: *id, range, code };
                packet.send(&to, Some(access.file.as_fd()))?;
            }
            self.untold.pop_front();
        }
        Ok(())
    }
}
