//! Records, as `docs/journal.md` has them.

use dray_wire::limits::{EVENT_DATA_MAX, INFO_MAX};
use dray_wire::messages::Item;
use dray_wire::{
    Bytes, Class, Field, FileHandle, Malformed, Reader, Reason, RequestId, Right, SessionId,
    Status, Token, Verb, Writer,
};

use super::{HEAD, JOURNAL_VERSION};

/// Why a block cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadBlock {
    #[error("it is of format {0}; this version reads {JOURNAL_VERSION}")]
    Version(u16),
    #[error("it has a record of kind {0}, which this version does not know")]
    Kind(u8),
    #[error("a record in it cannot be read: {0}")]
    Malformed(#[from] Malformed),
}

/// Appends fields in this order.
macro_rules! put {
    ($out:expr, $($field:expr),*) => {{ $(($field).put($out);)* }};
}

const SESSION: u8 = 1;
const DESTROYED: u8 = 2;
const LIMIT: u8 = 3;
const TOKEN: u8 = 4;
const TOKEN_GONE: u8 = 5;
const RIGHT: u8 = 6;
const SUBMITTED: u8 = 7;
const ENDED: u8 = 8;

/// Something that is true from now on, whatever was before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Record {
    /// A session as a whole. `root` is its first id, which requests go by.
    Session {
        root: SessionId,
        id: SessionId,
        share: u32,
        /// Bytes per second; 0: no limit.
        rate: u64,
        info: Bytes<INFO_MAX>,
        dispositions: Vec<([u8; 16], u32)>,
    },
    Destroyed {
        root: SessionId,
    },
    /// The limit of a file system.
    Limit {
        file_system: [u8; 16],
        rate: u64,
    },
    /// A user event that is outstanding in a session.
    Token {
        root: SessionId,
        token: Token,
        data: Bytes<EVENT_DATA_MAX>,
    },
    /// An event has its response: its rights are gone, too.
    TokenGone {
        token: Token,
    },
    Right {
        token: Token,
        handle: FileHandle,
        right: Right,
    },
    Ended {
        request: RequestId,
        bytes: u64,
        status: Status,
        reason: Reason,
    },
    Submitted(SubmittedHead, Vec<SubmittedItem>),
}

/// What the requests of a submission have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SubmittedHead {
    pub(crate) root: SessionId,
    pub(crate) tenant: u32,
    pub(crate) deadline_ms: u32,
    pub(crate) class: Class,
    pub(crate) verb: Verb,
    pub(crate) flags: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SubmittedItem {
    pub(crate) request: RequestId,
    /// Requests accepted before it.
    pub(crate) age: u64,
    pub(crate) item: Item,
}

impl SubmittedHead {
    /// Its items, and their count before them, follow.
    pub(crate) fn put(&self, out: &mut Writer) {
        let Self { root, tenant, deadline_ms, class, verb, flags } = self;
        put!(out, SUBMITTED, root, tenant, deadline_ms, class, verb, flags);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            root: Field::take(from)?,
            tenant: Field::take(from)?,
            deadline_ms: Field::take(from)?,
            class: Field::take(from)?,
            verb: Field::take(from)?,
            flags: Field::take(from)?,
        })
    }
}

impl SubmittedItem {
    fn take(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (request, age) = (Field::take(from)?, Field::take(from)?);
        Ok(Self { request, age, item: Field::take(from)? })
    }
}

impl Record {
    pub(crate) fn put(&self, out: &mut Writer) {
        match self {
            Self::Session { root, id, share, rate, info, dispositions } => {
                put!(out, SESSION, root, id, share, rate, info, dispositions.len() as u32);
                for (file_system, events) in dispositions {
                    put!(out, file_system, events);
                }
            }
            Self::Destroyed { root } => put!(out, DESTROYED, root),
            Self::Limit { file_system, rate } => put!(out, LIMIT, file_system, rate),
            Self::Token { root, token, data } => put!(out, TOKEN, root, token, data),
            Self::TokenGone { token } => put!(out, TOKEN_GONE, token),
            Self::Right { token, handle, right } => put!(out, RIGHT, token, handle, right),
            Self::Submitted(head, items) => {
                head.put(out);
                put!(out, items.len() as u32);
                for SubmittedItem { request, age, item } in items {
                    put!(out, request, age, item);
                }
            }
            Self::Ended { request, bytes, status, reason } => {
                put!(out, ENDED, request, bytes, status, reason);
            }
        }
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, BadBlock> {
        let record = match u8::take(from)? {
            SESSION => Self::Session {
                root: Field::take(from)?,
                id: Field::take(from)?,
                share: Field::take(from)?,
                rate: Field::take(from)?,
                info: Field::take(from)?,
                dispositions: many(from, |from| Ok((Field::take(from)?, Field::take(from)?)))?,
            },
            DESTROYED => Self::Destroyed { root: Field::take(from)? },
            LIMIT => Self::Limit { file_system: Field::take(from)?, rate: Field::take(from)? },
            TOKEN => Self::Token {
                root: Field::take(from)?,
                token: Field::take(from)?,
                data: Field::take(from)?,
            },
            TOKEN_GONE => Self::TokenGone { token: Field::take(from)? },
            RIGHT => Self::Right {
                token: Field::take(from)?,
                handle: Field::take(from)?,
                right: Field::take(from)?,
            },
            SUBMITTED => {
                Self::Submitted(SubmittedHead::take(from)?, many(from, SubmittedItem::take)?)
            }
            ENDED => Self::Ended {
                request: Field::take(from)?,
                bytes: Field::take(from)?,
                status: Field::take(from)?,
                reason: Field::take(from)?,
            },
            kind => return Err(BadBlock::Kind(kind)),
        };
        Ok(record)
    }
}

fn many<T>(
    from: &mut Reader<'_>,
    take: impl Fn(&mut Reader<'_>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let count = u32::take(from)?;
    // Whatever it is, it takes a byte.
    let mut all = Vec::with_capacity((count as usize).min(from.left()).min(4096));
    for _ in 0..count {
        all.push(take(from)?);
    }
    Ok(all)
}

/// The records of a block in their order; the highest generation before it.
//= docs/journal.md#j-2
pub(super) fn read_block(block: &[u8], mut each: impl FnMut(Record)) -> Result<u32, BadBlock> {
    let mut reader = Reader::new(block);
    let version = u16::take(&mut reader)?;
    if version != JOURNAL_VERSION {
        return Err(BadBlock::Version(version));
    }
    reader.zeros(2)?;
    let highest = u32::take(&mut reader)?;
    debug_assert_eq!(block.len() - reader.left(), HEAD);
    while reader.left() > 0 {
        each(Record::take(&mut reader)?);
    }
    Ok(highest)
}
