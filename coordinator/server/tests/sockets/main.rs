//! The server over real sockets: those who keep to `docs/wire.md`, those who do not, and the first
//! beside the second.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod again;
mod bad_frames;
mod bad_order;
mod client_end;
mod ending;
mod events;
mod front_end;
mod garbage;
mod movements;
mod pace;
#[path = "../party/mod.rs"]
mod party;
#[path = "../../../client/examples/front_end/recall.rs"]
mod recall;
mod tls;
mod users;
