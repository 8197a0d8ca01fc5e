//! The binary protocol between programs, nodes and the coordinator: `docs/wire.md`.
//!
//! No I/O: [`Deframer`] takes bytes as they come and gives frames, [`encode`] makes them.
#![forbid(unsafe_code)]

mod codec;
mod deframer;
mod enums;
mod header;
mod ids;
pub mod limits;
mod macros;
mod message;
pub mod messages;
#[cfg(feature = "samples")]
pub mod samples;

pub use codec::{Body, Bytes, Field, List, Malformed, Name, Reader, Text, TooBig, Writer, Zeros};
pub use deframer::{Deframer, Frame};
pub use enums::{Class, EventType, Reason, Response, Right, Role, Status, Step, Verb};
pub use header::{HEADER_BYTES, Header, Kind, MAGIC, VERSION};
pub use ids::{Cluster, Epoch, FileHandle, NodeId, OrderId, RequestId, SessionId, Token};
pub use message::{Message, encode, try_encode};
