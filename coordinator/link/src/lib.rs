//! How two processes of dray reach each other: addresses, sockets, TLS, certificates.
#![forbid(unsafe_code)]

mod address;
mod authority;
mod connect;
mod credentials;
mod error;
mod files;
mod identity;
pub mod limits;
mod listener;
mod names;
mod socket;
mod stream;
mod verify;
mod welcome;

#[cfg(test)]
mod tests;

pub use address::Address;
pub use authority::Authority;
pub use connect::connect;
pub use credentials::{Credentials, days_valid};
pub use error::{Error, Result};
pub use identity::Identity;
pub use listener::{ListenOptions, Listener, Pending};
pub use names::{Role, check_name};
pub use stream::Stream;
