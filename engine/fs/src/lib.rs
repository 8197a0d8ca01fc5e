//! Files of a Linux file system: opening without following links, handles, state attributes,
//! holes, leases, invisible I/O; and the LUNs beside them.
//!
//! [`LinuxFiles`] is the kernel's side of [`dray_io::Files`].
#![deny(unsafe_code)]

mod access;
mod data;
mod device;
mod dir;
#[allow(unsafe_code)]
mod ffi;
mod file;
mod files;
mod handle;
mod identity;
mod invisible;
mod lease;
mod metadata;
mod permit;
mod process;
mod queue;
mod stat;
mod use_of_device;
pub mod watch;
mod xattr;

pub use device::{device_size, open_device_exclusive};
pub use dir::LinuxDir;
pub use file::LinuxFile;
pub use files::{CUT_ATTRIBUTE, LinuxFiles};
pub use handle::KernelHandle;
pub use metadata::{Attributes, Node, Shortfall};
pub use process::{peak_resident_bytes, process_cpu, raise_open_files, run_in_real_time};
pub use queue::queue_limits;
pub use use_of_device::{use_of_device, use_of_file};
