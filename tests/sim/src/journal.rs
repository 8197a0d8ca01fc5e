//! What is durable, what is not yet, and what a crash makes of it.

use std::collections::VecDeque;

use crate::change::Change;
use crate::image::{Id, Image};
use crate::random::Random;

#[derive(Debug, Clone)]
struct Entry {
    change: Change,
    durable: bool,
    /// The flush that should have made it durable failed. The kernel then takes the pages for
    /// clean, so a later flush succeeds without writing them.
    doomed: bool,
}

/// A durable image and the changes since. A durable change stays listed while an older one is
/// not, so that they are applied in the order in which they were made.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    durable: Image,
    pending: VecDeque<Entry>,
}

/// Whose data: one file's, or that of all.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope {
    /// Metadata only.
    Names,
    File(Id),
    All,
}

impl Scope {
    fn holds(self, change: &Change) -> bool {
        match self {
            Self::Names => false,
            Self::File(id) => change.subject() == id,
            Self::All => true,
        }
    }
}

impl Journal {
    pub(crate) fn new(durable: Image) -> Self {
        Self { durable, pending: VecDeque::new() }
    }

    pub(crate) fn push(&mut self, change: Change) {
        self.pending.push_back(Entry { change, durable: false, doomed: false });
    }

    /// Adds a change that no crash undoes and that waits for no other: damage to the medium.
    pub(crate) fn push_durable(&mut self, change: Change) {
        assert!(change.is_data(), "metadata is durable only in order");
        self.pending.push_back(Entry { change, durable: true, doomed: false });
    }

    /// All metadata so far, and the data in `scope`.
    pub(crate) fn flush(&mut self, scope: Scope) {
        for entry in &mut self.pending {
            let wanted = !entry.change.is_data() || scope.holds(&entry.change);
            entry.durable |= wanted && !entry.doomed;
        }
        while let Some(entry) = self.pending.pop_front_if(|entry| entry.durable) {
            self.durable.apply(&entry.change);
        }
    }

    pub(crate) fn fail_flush(&mut self, scope: Scope) {
        for entry in &mut self.pending {
            let data = entry.change.is_data() && scope.holds(&entry.change);
            entry.doomed |= data && !entry.durable;
        }
    }

    /// Subjects of the changes that a crash might undo.
    pub(crate) fn unsynced(&self) -> impl Iterator<Item = Id> {
        self.pending.iter().filter(|entry| !entry.durable).map(|entry| entry.change.subject())
    }

    /// What is on the disk after a crash now: the journal up to a cut, and of the data not synced
    /// each write whole, lost, or some of its sectors.
    pub(crate) fn survivors(&self, random: &mut Random) -> Image {
        let open = |entry: &&Entry| !entry.durable && !entry.change.is_data();
        let changes = self.pending.iter().filter(open).count() as u64;
        // The ends of the journal are where orders go wrong: give them more than their share.
        let cut = match random.below(8) {
            0 => 0,
            1 => changes,
            _ => random.below(changes + 1),
        };
        let mood = random.below(8);
        let (mut image, mut seen) = (self.durable.clone(), 0);
        for entry in &self.pending {
            if entry.durable {
                image.apply(&entry.change);
            } else if entry.change.is_data() {
                match if mood < 3 { mood } else { random.below(3) } {
                    0 => {}
                    1 => image.apply(&entry.change),
                    _ => image.write(&entry.change, |_| random.coin()),
                }
            } else {
                if seen < cut {
                    image.apply(&entry.change);
                }
                seen += 1;
            }
        }
        image.recover();
        image
    }
}
