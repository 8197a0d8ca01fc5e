//! Files to move.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags};

use crate::guard::{have, is_root, tool};
use crate::{ODD_SIZES, Rng};

/// Bytes of which none is zero, so that zeros in their place show.
pub fn content(seed: u64, length: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    let mut bytes = Vec::with_capacity(length as usize + 8);
    while (bytes.len() as u64) < length {
        bytes.extend_from_slice(&(rng.number() | 0x0101_0101_0101_0101).to_le_bytes());
    }
    bytes.truncate(length as usize);
    bytes
}

/// Demands that a file holds what [`write_file`] wrote, without printing it all.
#[track_caller]
pub fn assert_content(path: &Path, seed: u64, length: u64) {
    let (found, wanted) = (fs::read(path).expect("a file can be read"), content(seed, length));
    let differs = found.iter().zip(&wanted).position(|(a, b)| a != b);
    let (path, size) = (path.display(), found.len());
    assert!(found == wanted, "{path}: {size} of {length} bytes, first difference at {differs:?}");
}

#[track_caller]
pub fn write_file(path: &Path, seed: u64, length: u64) {
    fs::write(path, content(seed, length)).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}

/// A file of `size` bytes with data in some stretches (offset, length) only.
#[track_caller]
pub fn write_sparse(path: &Path, seed: u64, size: u64, data: &[(u64, u64)]) {
    let file = fs::File::create(path).expect("a file can be made");
    file.set_len(size).expect("a file can be made longer");
    for (at, length) in data {
        file.write_all_at(&content(seed ^ at, *length), *at).expect("a file can be written");
    }
}

/// Sets the modification time, also of a symbolic link.
#[track_caller]
pub fn set_modified(path: &Path, seconds: i64, nanoseconds: i64) {
    let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).expect("times can be set");
}

#[track_caller]
fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode can be set");
}

/// A tree of everything that movers get wrong.
#[track_caller]
pub fn awkward_tree(root: &Path) {
    let sizes = root.join("sizes");
    fs::create_dir_all(&sizes).expect("a directory can be made");
    for size in ODD_SIZES {
        write_file(&sizes.join(format!("of-{size}")), size, size);
    }
    names(root);
    links(root);
    write_sparse(&root.join("hole-at-end"), 1, (5 << 20) + 7, &[(0, 10_000)]);
    write_sparse(&root.join("hole-at-start"), 2, (6 << 20) + 1, &[(5 << 20, (1 << 20) + 1)]);
    write_sparse(
        &root.join("islands"),
        3,
        9 << 20,
        &[(4096, 4096), (1 << 20, 70_000), (8 << 20, 1)],
    );
    write_sparse(&root.join("small-hole"), 4, 300_000, &[(131_072, 65_536)]);
    write_sparse(&root.join("only-hole"), 5, 3 << 20, &[]);
    attributes(root);
    times(root);
}

fn names(root: &Path) {
    let deep = root.join("deep/er/and/deeper/than/that");
    fs::create_dir_all(&deep).expect("directories can be made");
    write_file(&deep.join("file"), 6, 12_345);
    fs::create_dir(root.join("empty directory")).expect("a directory can be made");
    let names: [&[u8]; 8] = [
        b"new\nline",
        b"not \xff\xfe utf-8 \x80",
        b"back\\slash",
        b"'quotes\" and $(signs)",
        b"-rf",
        b" blank ",
        "\u{fc}ml\u{e4}ut \u{65e5}\u{672c}\u{8a9e}".as_bytes(),
        &[b'x'; 255],
    ];
    for (index, name) in names.iter().enumerate() {
        write_file(&root.join(OsStr::from_bytes(name)), 100 + index as u64, 5000);
    }
}

fn links(root: &Path) {
    write_file(&root.join("one name"), 7, 50_000);
    fs::hard_link(root.join("one name"), root.join("deep/other name")).expect("a link");
    write_file(&root.join("large name"), 8, (2 << 20) + 9);
    fs::hard_link(root.join("large name"), root.join("deep/large other")).expect("a link");
    symlink("one name", root.join("symlink")).expect("a symbolic link");
    symlink("/nowhere/at all", root.join("dangling")).expect("a symbolic link");
    symlink("deep", root.join("to directory")).expect("a symbolic link");
    let fifo = root.join("fifo");
    rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o640), 0).expect("a fifo");
}

fn attributes(root: &Path) {
    for (name, mode) in [("read-only", 0o444), ("nothing allowed", 0), ("all", 0o777)] {
        if mode == 0 && !is_root() {
            // Not even its owner can read it.
            continue;
        }
        write_file(&root.join(name), u64::from(mode), 7000);
        set_mode(&root.join(name), mode);
    }
    let with = root.join("attributes");
    write_file(&with, 9, 3 << 20);
    for (name, value) in
        [("user.plain", &b"value"[..]), ("user.empty", b""), ("user.bin", b"\0\xff")]
    {
        rustix::fs::setxattr(&with, name, value, XattrFlags::empty()).expect("an attribute");
    }
    if have("setfacl") {
        write_file(&root.join("listed"), 10, 4096);
        tool(
            "setfacl",
            [OsStr::new("-m"), OsStr::new("u:12345:rw"), root.join("listed").as_os_str()],
        );
    }
    // Privileges that any write takes away.
    for (name, mode) in [("setuid", 0o4755), ("setgid", 0o2755), ("setuid large", 0o6711)] {
        let length = if name == "setuid large" { 2 << 20 } else { 9000 };
        write_file(&root.join(name), 11, length);
        set_mode(&root.join(name), mode);
    }
    if is_root() && have("setcap") {
        for (name, length) in [("capable", 8000), ("capable large", (1 << 20) + 1)] {
            write_file(&root.join(name), 12, length);
            let file = root.join(name);
            tool("setcap", [OsStr::new("cap_net_raw+ep"), file.as_os_str()]);
        }
    }
    if is_root() {
        let foreign = root.join("foreign");
        write_file(&foreign, 13, 6000);
        std::os::unix::fs::chown(&foreign, Some(12_345), Some(54_321)).expect("an owner");
    }
}

fn times(root: &Path) {
    for (name, seconds, nanoseconds) in
        [("new\nline", 1, 1), ("islands", 1_234_567_890, 987_654_321), ("symlink", 2, 3)]
    {
        set_modified(&root.join(name), seconds, nanoseconds);
    }
    write_file(&root.join("before the epoch"), 14, 2000);
    set_modified(&root.join("before the epoch"), -1000, 5);
    write_file(&root.join("far future"), 15, 2000);
    set_modified(&root.join("far future"), 4_102_444_800, 999_999_999);
}
