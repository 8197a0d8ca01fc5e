//! What the end-to-end tests stand on: places to work in, trees of files, the `dray` binary.
#![forbid(unsafe_code)]

mod cluster;
mod dray;
mod guard;
mod net;
mod place;
mod programs;
mod rng;
mod snapshot;
mod states;
mod tree;
mod user;

pub use cluster::{Cluster, NODES, Sizes};
pub use dray::{Output, binary, command, daemon, holder};
pub use guard::{LoopDevice, Mount, Tmpfs, have, is_root, need_root, need_tool, skip, tool};
pub use net::Net;
pub use place::{NOBODY, Place, reader};
pub use programs::Programs;
pub use rng::Rng;
pub use rustix::process::Signal;
pub use snapshot::{Meta, Snapshot, hash_file};
pub use states::{State, States};
pub use tree::{assert_content, awkward_tree, content, set_modified, write_file, write_sparse};
pub use user::User;

/// The sizes at which alignment goes wrong if it does.
pub const ODD_SIZES: [u64; 10] =
    [0, 1, 511, 512, 513, 4095, 4097, (1 << 20) - 1, (1 << 20) + 1, (3 << 20) + 123];
