//! What can go wrong on the way to the coordinator, and what it refuses.

use std::time::Duration;

use dray_wire::{Kind, Malformed, Reason, TooBig};

#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("{0}")]
    Link(std::sync::Arc<dray_link::Error>),
    #[error("the coordinator closed the connection")]
    Closed,
    #[error("refused ({reason}): {text}")]
    Refused { reason: Reason, about: u64, retry_after_ms: u32, text: String },
    #[error("an answer of kind {0} was not expected")]
    Unexpected(Kind),
    #[error("the coordinator sent what is no frame: {0}")]
    Malformed(Malformed),
    #[error("the message was not sent: {0}")]
    TooBig(TooBig),
    #[error("the coordinator did not answer within {0:?}")]
    Silent(Duration),
}

pub type Result<T> = std::result::Result<T, Error>;

impl From<dray_link::Error> for Error {
    fn from(error: dray_link::Error) -> Self {
        Self::Link(std::sync::Arc::new(error))
    }
}

impl Error {
    /// Why it was refused, if that is what happened.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Refused { reason, .. } => Some(*reason),
            _ => None,
        }
    }

    /// Whether it is the connection that failed and another may do better: the coordinator or the
    /// daemon on the way to it has ended, or it does not lead any more.
    pub fn is_of_connection(&self) -> bool {
        use dray_link::Error as E;
        match self {
            Self::Link(error) => matches!(
                **error,
                E::Io { .. } | E::Timeout { .. } | E::Refused { .. } | E::Handshake { .. }
            ),
            Self::Closed | Self::Silent(_) => true,
            Self::Refused { reason, .. } => *reason == Reason::NOT_COORDINATOR,
            Self::Unexpected(_) | Self::Malformed(_) | Self::TooBig(_) => false,
        }
    }

    /// For a refusal that passes by itself: after how long to ask again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after_ms, .. } if *retry_after_ms > 0 => {
                Some(Duration::from_millis(u64::from(*retry_after_ms)))
            }
            _ => None,
        }
    }

    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Link(error) => error.advice(),
            Self::Closed => "see the log of drayd; connect again",
            Self::Refused { reason: Reason::BUSY, .. } => "ask again after a while",
            Self::Refused { .. } => "see docs/wire.md for the reason",
            Self::TooBig(_) => "ask for fewer at once: see the limits in docs/wire.md",
            Self::Silent(_) => "see the log of drayd, and whether the machine is overloaded",
            Self::Unexpected(_) | Self::Malformed(_) => {
                "the two ends are of different versions: see `dray --version` on both"
            }
        }
    }
}
