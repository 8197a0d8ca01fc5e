//! Limits of the protocol, each with its argument. All are part of `docs/wire.md`.

/// Bytes of a body. A full submission of 4,096 files with names of 100 bytes is 700 KiB; a frame
/// of 1 MiB takes the coordinator some 2 ms, so nobody waits long behind one.
pub const BODY_MAX: usize = 1 << 20;

/// Items of a submission, an order, a cancellation: what fits a body with usual names.
pub const ITEMS_MAX: usize = 4096;

/// Entries of a page of a listing.
pub const PAGE_MAX: usize = 4096;

/// Bytes of a session's information string: `DM_SESSION_INFO_LEN` of XDSM.
pub const INFO_MAX: usize = 256;

/// Bytes of the data of a user event: a page, as XDSM implementations have it.
pub const EVENT_DATA_MAX: usize = 4096;

/// Bytes of a name: `PATH_MAX`.
pub const NAME_MAX: usize = 4096;

/// Bytes of a text for people: what is wrong and what to do about it, with a path of usual length.
pub const TEXT_MAX: usize = 2048;

/// Bytes of a node's, client's or cluster's name: a DNS label.
pub const LABEL_MAX: usize = 64;

/// Bytes of what one step of a movement tells the next: the places of some 200 pieces.
pub const RECEIPT_MAX: usize = 8192;

/// Bytes of all receipts that the last step gets: so many that a file in 1,024 parts of usually
/// one piece each can be finished, in an order of its own.
pub const RECEIPTS_MAX: usize = 768 << 10;

/// File systems that a node reaches.
pub const FILE_SYSTEMS_MAX: usize = 1024;

/// Cores of a node.
pub const CORES_MAX: usize = 1024;

/// Nodes of a cluster.
pub const NODES_MAX: usize = 1024;

/// Requests without a reply that a connection may have. Enough to keep the coordinator busy over
/// a round trip of a millisecond; what they may hold in memory is this times [`BODY_MAX`].
pub const CREDITS: u32 = 32;

/// Bytes that may wait for a peer that does not read, before it is cut off.
pub const UNREAD_MAX: usize = 16 << 20;

const _: () = assert!(RECEIPTS_MAX + NAME_MAX + 1024 < BODY_MAX, "a finish fits a frame");
const _: () = assert!(UNREAD_MAX >= 2 * BODY_MAX, "a reply of any length can wait");
