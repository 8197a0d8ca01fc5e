use std::io::ErrorKind;
use std::path::Path;

use dray_fs::Node;
use dray_io::{Access, Files};

use super::{files, filled, is_root, kind_of};

pub(crate) fn the_same_however_opened(dir: &Path) {
    let path = dir.join("file");
    let seen = |access| {
        let files = files();
        files.stat(&files.open(&path, access).unwrap()).unwrap()
    };
    std::fs::write(&path, b"x").unwrap();
    let inspected = seen(Access::Inspect);
    for access in [Access::ReadDirect, Access::Write, Access::WriteDirect, Access::Invisible] {
        assert_eq!(seen(access).handle, inspected.handle, "{access:?}");
    }
    assert_ne!(inspected.handle.file_system, [0; 16]);
    let files = files();
    files.make(&dir.join("fifo"), Node::Fifo).unwrap();
    files.make(&dir.join("link"), Node::Symlink(b"file")).unwrap();
    for name in ["fifo", "link", ""] {
        let other = files.open(&dir.join(name), Access::Inspect).unwrap();
        let other = files.stat(&other).unwrap().handle;
        assert_eq!(other.file_system, inspected.handle.file_system);
    }
}

pub(crate) fn a_reused_inode_has_a_new_generation(dir: &Path) {
    let files = files();
    let path = dir.join("file");
    let handle = || {
        let file = filled(&files, &path, b"x", Access::Inspect);
        files.stat(&file).unwrap().handle
    };
    let mut last = handle();
    for _ in 0..50 {
        files.unlink(&path).unwrap();
        let next = handle();
        assert_ne!(next, last);
        if next.inode == last.inode {
            return;
        }
        last = next;
    }
    println!("  not shown: no inode number was used again");
}

pub(crate) fn kernel_handles_open_files(dir: &Path) {
    if !is_root() {
        println!("  skipped: opening by handle needs CAP_DAC_READ_SEARCH");
        return;
    }
    let files = files();
    let file = filled(&files, &dir.join("file"), b"by handle", Access::ReadDirect);
    let handle = match files.kernel_handle(&file) {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            println!("  skipped: no handles on this file system");
            return;
        }
        handle => handle.unwrap(),
    };
    files.rename(&dir.join("file"), &dir.join("renamed")).unwrap();
    for access in [Access::Inspect, Access::Write, Access::Invisible] {
        let again = files.by_handle(&file, &handle, access).unwrap();
        assert_eq!(files.stat(&again).unwrap().handle, files.stat(&file).unwrap().handle);
    }
    let again = files.by_handle(&file, &handle, Access::Write).unwrap();
    let mut bytes = [0; 20];
    assert_eq!(files.read_at(&again, &mut bytes, 0).unwrap(), 9);
    let other = filled(&files, &dir.join("other"), b"", Access::Write);
    drop((file, again));
    files.unlink(&dir.join("renamed")).unwrap();
    let gone = || kind_of(files.by_handle(&other, &handle, Access::Inspect));
    // A kernel short of memory says so first.
    let said = std::iter::repeat_with(gone).take(100).find(|kind| *kind != ErrorKind::OutOfMemory);
    assert_eq!(said, Some(ErrorKind::StaleNetworkFileHandle));
}
