//! What a coordinator must not forget, kept on this machine's disk or, with the feature `etcd`, in
//! an etcd, and who is the coordinator then.
#![forbid(unsafe_code)]

mod embedded;
mod error;
#[cfg(feature = "etcd")]
mod etcd;
mod frame;
pub mod limits;
mod span;
mod store;

pub use embedded::Embedded;
pub use error::{Error, Result};
#[cfg(feature = "etcd")]
pub use etcd::{Election, Etcd, EtcdSetup, EtcdTls, Lead, Leads, local};
pub use store::{Block, Store};
