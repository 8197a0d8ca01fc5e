//! Being asked before data of files is accessed: fanotify's pre-content events (Linux 6.14; ext4,
//! XFS, btrfs).

mod group;
mod silence;

pub use group::{Access, Group};
pub use silence::Silence;
