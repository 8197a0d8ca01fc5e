//! `Welcome`.

use crate::codec::{Text, Zeros};
use crate::ids::{Cluster, Epoch};
use crate::limits::LABEL_MAX;
use crate::macros::message;

message! {
    /// The reply to `Hello`.
    Welcome = 0x0002 {
        version: u16,
        reserved: Zeros<2>,
        /// Requests that may be without a reply.
        credits: u32,
        /// Bytes of a body.
        frame_max: u32,
        lease_ms: u32,
        epoch: Epoch,
        cluster: Cluster,
        /// Of the coordinator.
        name: Text<LABEL_MAX>,
    }
}
