//! The checks on whatever file system holds temporary files.

// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

mod checks;

use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Tells the child where its directory is.
const CHILD_DIR: &str = "DRAY_FS_UNPRIVILEGED_DIR";
const NOBODY: u32 = 65534;

#[test]
fn all_checks_hold_here() {
    let dir = tempfile::tempdir().unwrap();
    checks::run_all(&dir.path().canonicalize().unwrap());
}

#[test]
fn it_works_without_privilege() {
    if let Some(dir) = std::env::var_os(CHILD_DIR) {
        return without_privilege(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().canonicalize().unwrap();
    if !checks::is_root() {
        return without_privilege(&dir);
    }
    std::os::unix::fs::chown(&dir, Some(NOBODY), Some(NOBODY)).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "it_works_without_privilege", "--nocapture"])
        .env(CHILD_DIR, &dir)
        .uid(NOBODY)
        .gid(NOBODY)
        .status();
    match child {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            println!("skipped: nobody may not run this program where it lies");
        }
        status => assert!(status.unwrap().success()),
    }
}

fn without_privilege(dir: &Path) {
    for (name, check) in [
        ("refused", checks::unprivileged::what_is_refused_is_told as checks::Check),
        ("own", checks::unprivileged::own_read_only_files_can_be_moved),
        ("all", checks::run_all),
    ] {
        let dir = dir.join(name);
        std::fs::create_dir(&dir).unwrap();
        check(&dir);
    }
}

#[test]
fn limits_and_use_of_the_process_are_known() {
    let limit = dray_fs::raise_open_files().unwrap();
    assert_eq!(rustix::process::getrlimit(rustix::process::Resource::Nofile).current, limit);
    assert!(dray_fs::process_cpu() > std::time::Duration::ZERO);
    assert!(dray_fs::peak_resident_bytes().unwrap() > 4096);
}

#[test]
fn a_file_stands_for_a_lun() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap().join("lun");
    std::fs::write(&path, vec![0; 1 << 20]).unwrap();
    for write in [false, true] {
        let lun = dray_fs::open_device_exclusive(&path, write).unwrap();
        assert_eq!(dray_fs::device_size(&lun).unwrap(), 1 << 20);
        match dray_fs::queue_limits(&lun) {
            Ok(bytes) => assert!(bytes >= 4096 && bytes.is_multiple_of(1024)),
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
        }
    }
    let refused = dray_fs::open_device_exclusive(path.parent().unwrap(), false).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidInput);
}
