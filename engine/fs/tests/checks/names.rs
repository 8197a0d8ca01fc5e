use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use dray_fs::Node;
use dray_io::{Access, Files, Kind};

use super::{files, filled, kind_of};

const EVERY: [Access; 5] =
    [Access::Inspect, Access::ReadDirect, Access::Write, Access::WriteDirect, Access::Invisible];

pub(crate) fn names_of_any_bytes_are_listed_once(dir: &Path) {
    let files = files();
    let odd = OsStr::from_bytes(b"caf\xe9 \n\xff");
    let mut made: Vec<OsString> = (0..3000).map(|n| format!("{n:0100}").into()).collect();
    made.push(odd.to_owned());
    for name in &made {
        std::fs::write(dir.join(name), b"").unwrap();
    }
    std::fs::create_dir(dir.join("sub")).unwrap();
    let (mut listing, mut found) = (files.open_dir(dir).unwrap(), Vec::new());
    loop {
        let before = found.len();
        files.next_entries(&mut listing, 700, &mut found).unwrap();
        assert!(found.len() - before <= 700);
        if found.len() == before {
            break;
        }
    }
    let sub = found.iter().position(|entry| entry.name == "sub").unwrap();
    let kind = found.remove(sub).kind;
    assert!(kind.is_none_or(|kind| kind == Kind::Directory));
    let opened = files.open_in(dir, odd, Access::Inspect).unwrap();
    let listed = found.iter().find(|entry| entry.name == odd).unwrap();
    assert_eq!(files.stat(&opened).unwrap().handle.inode, listed.inode);
    let mut found: Vec<OsString> = found.into_iter().map(|entry| entry.name).collect();
    found.sort_unstable();
    made.sort_unstable();
    assert_eq!(found, made);
}

fn is_link<T>(result: std::io::Result<T>) -> bool {
    let code = result.err().and_then(|error| error.raw_os_error());
    code == Some(rustix::io::Errno::LOOP.raw_os_error())
}

pub(crate) fn links_are_never_followed(dir: &Path) {
    let files = files();
    std::fs::create_dir(dir.join("real")).unwrap();
    std::fs::write(dir.join("real/file"), b"x").unwrap();
    symlink("real/file", dir.join("link")).unwrap();
    symlink("real", dir.join("way")).unwrap();
    for access in EVERY {
        files.open(&dir.join("real/file"), access).unwrap();
        assert!(is_link(files.open(&dir.join("way/file"), access)));
        if access != Access::Inspect {
            assert!(is_link(files.open(&dir.join("link"), access)));
        }
    }
    assert!(files.open_dir(&dir.join("way")).is_err());
    assert!(files.rename(&dir.join("way/file"), &dir.join("stolen")).is_err());
    assert!(files.create(&dir.join("way/new"), false).is_err());
    let link = files.open(&dir.join("link"), Access::Inspect).unwrap();
    assert_eq!(files.stat(&link).unwrap().kind, Kind::Symlink);
    assert_eq!(files.read_link(&link).unwrap(), b"real/file");
}

pub(crate) fn a_fifo_does_not_hang(dir: &Path) {
    let files = files();
    let path = dir.join("fifo");
    files.make(&path, Node::Fifo).unwrap();
    for access in EVERY {
        if let Ok(fifo) = files.open(&path, access) {
            assert_eq!(files.stat(&fifo).unwrap().kind, Kind::Fifo);
        }
    }
}

pub(crate) fn rename_unlink_and_create(dir: &Path) {
    let files = files();
    let (one, two) = (dir.join("one"), dir.join("two"));
    let made = files.create(&one, true).unwrap();
    assert_eq!(files.stat(&made).unwrap().mode, 0o600);
    assert_eq!(kind_of(files.create(&one, false)), ErrorKind::AlreadyExists);
    let handle = files.stat(&made).unwrap().handle;
    files.rename(&one, &two).unwrap();
    files.sync_dir(dir).unwrap();
    assert_eq!(kind_of(files.open(&one, Access::Inspect)), ErrorKind::NotFound);
    let moved = files.open(&two, Access::Inspect).unwrap();
    assert_eq!(files.stat(&moved).unwrap().handle, handle);
    files.unlink(&two).unwrap();
    assert_eq!(kind_of(files.unlink(&two)), ErrorKind::NotFound);
    let file = filled(&files, &one, b"durable", Access::Write);
    files.sync(&file).unwrap();
    files.sync_fs(&file).unwrap();
}
