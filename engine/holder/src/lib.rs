//! The holder of the watch: a process that is asked by the kernel before data of managed files is
//! accessed, lets those through whose data is there, and has drayd see to the others. It outlives
//! drayd, so that a released file never reads as zeros: `docs/holder.md`.
#![forbid(unsafe_code)]

mod caller;
mod crowd;
mod decide;
mod keeper;
mod limits;
mod link;
mod packet;
mod pending;
mod programs;
mod reader;
mod silent;
mod touch;

pub use caller::{Doing, doing};
pub use keeper::Keeper;
pub use link::{Link, Served, Server, Watched};

/// Makes this process last: it is not the one to be ended for want of memory, and has room for as
/// many descriptors as accesses may wait. Without privilege less of it is done.
pub fn prepare() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = Some(limits::OPEN_FILES);
    if setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit }).is_err() {
        let _ = dray_fs::raise_open_files();
    }
    let _ = std::fs::write("/proc/self/oom_score_adj", "-1000");
    if let Err(error) = std::fs::read_to_string("/proc/1/syscall")
        && error.kind() == std::io::ErrorKind::PermissionDenied
    {
        tracing::error!(
            "it cannot be told what programs do (CAP_SYS_PTRACE): whoever opens a released file \
             waits for drayd"
        );
    }
    // Each answer may wake thousands; the next one is not to wait for all of them. Against so many
    // no niceness helps: each counts for a thread.
    if let Err(error) = dray_fs::run_in_real_time() {
        tracing::warn!(%error, "not in real time: thousands who wait are answered slowly");
    }
}
