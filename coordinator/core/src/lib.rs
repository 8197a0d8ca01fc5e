//! The coordinator: who may do what, in which order, and where.
//!
//! One state machine without I/O: [`Coordinator`] takes messages and the time, and gives messages.
//! The protocol is `docs/wire.md`, whose rules are cited where they are held.
#![forbid(unsafe_code)]

mod bandwidth;
mod cancelling;
mod connections;
mod coordinator;
mod dispatch;
mod duplicates;
mod events;
mod granting;
mod holdings;
mod journal;
mod lanes;
mod leading;
pub mod limits;
mod listing;
pub mod machine;
mod membership;
mod movement;
mod nodes;
mod orders;
mod outbox;
mod pace;
pub mod placement;
mod posting;
mod queue;
mod requests;
mod resting;
pub mod rights;
mod sessions;
mod slab;
mod split;
mod talk;
mod timers;
mod watching;

pub use bandwidth::Bandwidth;
pub use connections::Peer;
pub use coordinator::{Coordinator, Setup};
pub use holdings::Holdings;
pub use journal::{BadBlock, JOURNAL_VERSION};
pub use outbox::Output;
