//! `Hello`.

use crate::codec::{Text, Zeros};
use crate::enums::Role;
use crate::ids::Cluster;
use crate::limits::LABEL_MAX;
use crate::macros::message;

//= docs/wire.md#w-6
message! {
    /// The first frame of a client: what it speaks and what it is.
    Hello = 0x0001 {
        version_from: u16,
        version_to: u16,
        role: Role,
        reserved: Zeros<3>,
        cluster: Cluster,
        name: Text<LABEL_MAX>,
    }
}
