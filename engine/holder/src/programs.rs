//! Programs that are known by name.

use std::fs;

/// Programs that find out by `lseek` where a file has data, of which the kernel says nothing, and
/// take the rest for zeros; that compare a file's times before and after they read it; or that make
/// a loop device of it, whose accesses the kernel asks nobody about. They read what they open.
const KNOWN: [&str; 13] = [
    "cp", "mv", "install", "tar", "bsdtar", "grep", "egrep", "fgrep", "rg", "rsync", "qemu-img",
    "losetup", "mount",
];

/// Whether the program of this thread has to find all of a file when it has opened it.
pub(crate) fn wants_all(thread: i32) -> bool {
    KNOWN.contains(&comm(thread).as_str())
}

/// The name of a thread; empty if it is not there any more.
pub(crate) fn comm(thread: i32) -> String {
    let name = fs::read_to_string(format!("/proc/{thread}/comm")).unwrap_or_default();
    name.trim_end().to_owned()
}
