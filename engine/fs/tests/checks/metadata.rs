use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use dray_fs::{Attributes, Node, Shortfall};
use dray_io::{Access, Files, Kind, Time};

use super::{files, filled, is_root};

/// `u::rwx,g::r-x,m::rwx,o::---,u:1234:rwx` as the kernel stores it, in version 2.
fn acl() -> Vec<u8> {
    const ANYONE: u32 = u32::MAX;
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    let entries = [(1, 7, ANYONE), (2, 7, 1234), (4, 5, ANYONE), (16, 7, ANYONE), (32, 0, ANYONE)];
    for (tag, permissions, id) in entries {
        bytes.extend(u16::to_le_bytes(tag));
        bytes.extend(u16::to_le_bytes(permissions));
        bytes.extend(u32::to_le_bytes(id));
    }
    bytes
}

pub(crate) fn attributes_beside_the_state(dir: &Path) {
    let files = files();
    let path = dir.join("file");
    let file = filled(&files, &path, b"x", Access::ReadDirect);
    assert_eq!(files.attribute(&file).unwrap(), None);
    files.remove_attribute(&file).unwrap();
    let set = |name: &str, value: &[u8]| {
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(&path, name, value, flags)
    };
    if set("user.zebra", b"z").is_err() {
        println!("  skipped: no user attributes here");
        return;
    }
    set("user.alpha", b"").unwrap();
    set("user.dray", b"foreign").unwrap();
    files.set_attribute(&file, &[9; 2080]).unwrap();
    let large = set("user.large", &[5; 60_000]).is_ok();
    let inspected = files.open(&path, Access::Inspect).unwrap();
    for file in [&file, &inspected] {
        assert_eq!(files.attribute(file).unwrap(), Some(vec![9; 2080]));
        let listed = files.xattrs(file).unwrap();
        let names: Vec<&[u8]> = listed.iter().map(|(name, _)| name.as_slice()).collect();
        let all: [&[u8]; 3] = [b"user.alpha", b"user.large", b"user.zebra"];
        let few: [&[u8]; 2] = [b"user.alpha", b"user.zebra"];
        assert_eq!(names, if large { &all[..] } else { &few[..] });
        assert_eq!(listed.last().unwrap().1, b"z");
    }
    files.set_attribute(&inspected, b"short").unwrap();
    assert_eq!(files.attribute(&file).unwrap(), Some(b"short".to_vec()));
    for file in [&file, &inspected] {
        assert!(!files.set_attribute_if(file, false, b"first").unwrap());
        assert!(files.set_attribute_if(file, true, b"next").unwrap());
        assert_eq!(files.attribute(file).unwrap(), Some(b"next".to_vec()));
        files.remove_attribute(file).unwrap();
        assert_eq!(files.attribute(file).unwrap(), None);
        assert!(!files.set_attribute_if(file, true, b"next").unwrap());
        assert!(files.set_attribute_if(file, false, b"first").unwrap());
        assert_eq!(files.attribute(file).unwrap(), Some(b"first".to_vec()));
    }
}

pub(crate) fn attributes_of_links_and_fifos(dir: &Path) {
    let files = files();
    files.make(&dir.join("link"), Node::Symlink(b"nowhere")).unwrap();
    files.make(&dir.join("fifo"), Node::Fifo).unwrap();
    files.make(&dir.join("socket"), Node::Socket).unwrap();
    for name in ["link", "fifo", "socket"] {
        let file = files.open(&dir.join(name), Access::Inspect).unwrap();
        files.xattrs(&file).unwrap();
        assert_eq!(files.attribute(&file).unwrap(), None);
        if is_root() && files.attribute_name().starts_with("trusted.") {
            files.set_attribute(&file, b"state").unwrap();
            assert_eq!(files.attribute(&file).unwrap(), Some(b"state".to_vec()));
        } else {
            println!("  skipped: attributes of a {name} need privilege");
        }
    }
}

pub(crate) fn put_back(dir: &Path) {
    let files = files();
    let nodes = [
        ("directory", Node::Directory, Kind::Directory),
        ("link", Node::Symlink(b"target \xff"), Kind::Symlink),
        ("fifo", Node::Fifo, Kind::Fifo),
        ("socket", Node::Socket, Kind::Socket),
        ("null", Node::CharDevice(rustix::fs::makedev(1, 3)), Kind::CharDevice),
        ("disk", Node::BlockDevice(rustix::fs::makedev(259, 7)), Kind::BlockDevice),
    ];
    let (uid, gid) = if is_root() { (1234, 4321) } else { own_ids() };
    let wanted = Attributes {
        mode: 0o6751,
        uid,
        gid,
        xattrs: &[],
        accessed: Time { seconds: 1_000_000_001, nanos: 5 },
        modified: Time { seconds: -77, nanos: 999_999_999 },
    };
    for (name, node, kind) in nodes {
        let path = dir.join(name);
        if matches!(node, Node::CharDevice(_) | Node::BlockDevice(_)) && !is_root() {
            println!("  skipped: a {name} needs privilege");
            continue;
        }
        files.make(&path, node).unwrap();
        assert!(files.make(&path, node).is_err());
        assert_eq!(files.apply(&path, &wanted).unwrap(), Shortfall::default());
        let stat = files.stat(&files.open(&path, Access::Inspect).unwrap()).unwrap();
        assert_eq!((stat.kind, stat.uid, stat.gid), (kind, uid, gid));
        assert_eq!((stat.accessed, stat.modified), (wanted.accessed, wanted.modified));
        if let Node::CharDevice(rdev) | Node::BlockDevice(rdev) = node {
            assert_eq!(stat.rdev, rdev);
        }
        assert_eq!(stat.mode, if kind == Kind::Symlink { 0o777 } else { wanted.mode }, "{name}");
    }
}

fn own_ids() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

pub(crate) fn inherited_acls_are_dropped(dir: &Path) {
    let files = files();
    let default = "system.posix_acl_default";
    let flags = rustix::fs::XattrFlags::empty();
    if rustix::fs::setxattr(dir, default, &acl(), flags).is_err() {
        println!("  skipped: no ACLs here");
        return;
    }
    let (uid, gid) = own_ids();
    let kept = [(b"system.posix_acl_access".to_vec(), acl())];
    for xattrs in [&[][..], &kept[..]] {
        let path = dir.join(format!("with-{}", xattrs.len()));
        let file = filled(&files, &path, b"", Access::Write);
        assert_eq!(files.xattrs(&file).unwrap().len(), 1, "inherited");
        let time = Time { seconds: 5, nanos: 0 };
        let wanted = Attributes { mode: 0o470, uid, gid, xattrs, accessed: time, modified: time };
        files.apply_to(&file, &wanted).unwrap();
        assert_eq!(files.xattrs(&file).unwrap().len(), xattrs.len());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o470);
    }
}
