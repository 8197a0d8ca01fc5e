//! What a coordinator must not forget, kept on this machine's disk.
#![forbid(unsafe_code)]

mod embedded;
mod error;
mod frame;
pub mod limits;
mod span;
mod store;

pub use embedded::Embedded;
pub use error::{Error, Result};
pub use store::{Block, Store};
