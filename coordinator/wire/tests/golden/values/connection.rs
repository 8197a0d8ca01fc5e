//! *Connection*.

use dray_wire::messages::{Done, Hello, Ping, Refused, Welcome};
use dray_wire::{Cluster, Epoch, Message, Reason, Role, Zeros};

use super::{sixteen, text};

pub(super) fn all() -> Vec<Message> {
    vec![
        Hello {
            version_from: 1,
            version_to: 2,
            role: Role::NODE,
            reserved: Zeros,
            cluster: Cluster(sixteen(0x10)),
            name: text("node-3.example"),
        }
        .into(),
        Welcome {
            version: 1,
            reserved: Zeros,
            credits: 32,
            frame_max: 1_048_576,
            lease_ms: 5000,
            epoch: Epoch(41),
            cluster: Cluster(sixteen(0x10)),
            name: text("coordinator"),
        }
        .into(),
        Refused {
            reason: Reason::BUSY,
            reserved: Zeros,
            retry_after_ms: 250,
            about: 0x0401,
            text: text("too much \u{2014} later"),
        }
        .into(),
        Done {}.into(),
        Ping {}.into(),
    ]
}
