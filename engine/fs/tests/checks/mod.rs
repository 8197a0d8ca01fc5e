//! What must hold on every file system. Each check gets an empty directory of its own.
// Helpers of tests are tests too, and not every test program uses all of them.
#![allow(dead_code, clippy::unwrap_used)]

mod contents;
mod handles;
mod metadata;
mod names;
mod times;
pub(crate) mod unprivileged;

use std::io;
use std::path::Path;

use dray_fs::{LinuxFile, LinuxFiles};
use dray_io::{Access, Files};

pub(crate) type Check = fn(&Path);

pub(crate) const ALL: &[(&str, Check)] = &[
    ("names of any bytes are listed once", names::names_of_any_bytes_are_listed_once),
    ("links are never followed", names::links_are_never_followed),
    ("a fifo does not hang", names::a_fifo_does_not_hang),
    ("rename, unlink and create", names::rename_unlink_and_create),
    ("holes are found", contents::holes_are_found),
    ("direct reads end at the end", contents::direct_reads_end_at_the_end),
    ("allocated space reads as zeros", contents::allocated_space_reads_as_zeros),
    ("punched ranges keep the size", contents::punched_ranges_keep_the_size),
    ("handles are the same however opened", handles::the_same_however_opened),
    ("a reused inode has a new generation", handles::a_reused_inode_has_a_new_generation),
    ("kernel handles open files", handles::kernel_handles_open_files),
    ("attributes are kept apart from the state", metadata::attributes_beside_the_state),
    ("attributes of links and fifos", metadata::attributes_of_links_and_fifos),
    ("metadata is put back", metadata::put_back),
    ("inherited ACLs are dropped", metadata::inherited_acls_are_dropped),
    ("leases are refused while in use", times::leases_are_refused_while_in_use),
    ("a broken lease does no harm", times::a_broken_lease_does_no_harm),
    ("who writes is seen", times::who_writes_is_seen),
    ("who waited to cut a file has done so", times::who_waited_to_cut_a_file_has_done_so),
    ("modified is put back alone", times::modified_is_put_back_alone),
    ("the clock is never ahead", times::the_clock_is_never_ahead),
    ("a lock keeps others off", times::a_lock_keeps_others_off),
];

pub(crate) fn run_all(root: &Path) {
    for (number, (name, check)) in ALL.iter().enumerate() {
        let dir = root.join(format!("check-{number}"));
        std::fs::create_dir(&dir).unwrap();
        println!("{}: {name}", root.display());
        check(&dir);
    }
}

pub(crate) fn files() -> LinuxFiles {
    LinuxFiles::new()
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A file with these bytes, opened.
pub(crate) fn filled(files: &LinuxFiles, path: &Path, bytes: &[u8], access: Access) -> LinuxFile {
    std::fs::write(path, bytes).unwrap();
    files.open(path, access).unwrap()
}

pub(crate) fn kind_of<T: std::fmt::Debug>(result: io::Result<T>) -> io::ErrorKind {
    result.unwrap_err().kind()
}
