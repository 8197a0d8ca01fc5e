//! A node: the machine as a world for the engine, the orders that it takes, and drayd around both.
#![forbid(unsafe_code)]

mod agent;
mod ahead;
pub mod config;
mod daemon;
#[cfg(feature = "etcd")]
mod elected;
mod extract;
mod forward;
mod leader;
mod machine;
mod member;
mod node;
mod office;
pub mod places;
pub mod policy;
mod recall;
mod service;
mod still;
mod worker;

pub use daemon::{Daemon, DaemonError, machine_of, unit_of};
pub use dray_ring::{RingChoice, RingSetup};
pub use extract::{Extracted, Extraction};
pub use machine::{Machine, MachineOptions};
pub use member::{Member, MemberSetup};
pub use node::{Finished, NodeError, Standalone, excluded};
pub use service::session_info;
pub use worker::admission;
