//! What fails.

use std::fmt;
use std::time::Duration;

use crate::{LEADS_AGAIN, WORK_MOVES};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// `kill -9` of a node that does not coordinate.
    Worker,
    /// `kill -9` of the one that does.
    Coordinator,
    /// It is stopped for longer than its lease, and goes on.
    Stopped,
    /// The cable of the one that coordinates is cut.
    CutCoordinator,
    /// That of another.
    CutWorker,
    /// `kill -9` of one of the members of etcd.
    Member,
}

impl Fault {
    pub(crate) const ALL: [Self; 6] = [
        Self::Worker,
        Self::Coordinator,
        Self::Stopped,
        Self::CutCoordinator,
        Self::CutWorker,
        Self::Member,
    ];

    /// Whether another has to coordinate.
    pub(crate) fn deposes(self) -> bool {
        matches!(self, Self::Coordinator | Self::Stopped | Self::CutCoordinator)
    }

    /// For the work to go on.
    pub(crate) fn allowed(self) -> Duration {
        match self {
            Self::Worker | Self::CutWorker => WORK_MOVES,
            // The member may be etcd's own leader: the lead of the coordinator, too, waits until
            // etcd has another, and may end meanwhile.
            _ => LEADS_AGAIN,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Worker => "kill -9 of a worker",
            Self::Coordinator => "kill -9 of the coordinator",
            Self::Stopped => "SIGSTOP of the coordinator",
            Self::CutCoordinator => "link of the coordinator cut",
            Self::CutWorker => "link of a worker cut",
            Self::Member => "kill -9 of an etcd member",
        })
    }
}
