//! The coordinator as a server.
#![forbid(unsafe_code)]

mod connection;
mod error;
mod hub;
mod keeper;
mod limits;
mod outgoing;
mod server;

pub use dray_core::Setup as CoreSetup;
pub use dray_link::{Address, ListenOptions};
pub use error::{Error, Result};
pub use server::{Durable, Server};
