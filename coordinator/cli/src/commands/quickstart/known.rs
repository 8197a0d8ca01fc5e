//! What is known of a name: its attributes, and the sum of its content.

use std::path::{Path, PathBuf};

use dray_fs::{LinuxFile, LinuxFiles};
use dray_io::{Access, Aligned, Context, Fault, Files, Kind, Operation, Stat, Time, World};
use dray_mover::Entry;
use dray_node::Machine;

const READ_BYTES: usize = 1 << 20;
/// What a hole is hashed as.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// What is compared of a name. Times of access and of the last change of the inode are not: no
/// program can set the latter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    pub(super) size: u64,
    pub(super) allocated: u64,
    pub(super) links: u32,
    mode: u32,
    uid: u32,
    gid: u32,
    rdev: u64,
    modified: Time,
    target: Option<Vec<u8>>,
    xattrs: blake3::Hash,
    /// Of a file.
    content: Option<blake3::Hash>,
}

impl Known {
    /// Bytes of data, shared out between the names of the file.
    pub(super) fn data_bytes(&self) -> u64 {
        let is_file = self.kind == Kind::File;
        if is_file { self.size.min(self.allocated) / u64::from(self.links.max(1)) } else { 0 }
    }

    /// What is not the same now, in words.
    pub(super) fn differences(&self, now: &Self) -> Vec<String> {
        let mut what = Vec::new();
        let mut field = |name: &str, same: bool, before: String, after: String| {
            if !same {
                what.push(format!("{name} was {before}, is {after}"));
            }
        };
        macro_rules! fields {
            ($($name:ident)*) => { $(field(
                stringify!($name),
                self.$name == now.$name,
                format!("{:?}", self.$name),
                format!("{:?}", now.$name),
            );)* };
        }
        fields!(kind size uid gid links rdev target);
        let octal = |mode| format!("{mode:04o}");
        field("mode", self.mode == now.mode, octal(self.mode), octal(now.mode));
        let time = |time: Time| format!("{}.{:09}", time.seconds, time.nanos);
        let (before, after) = (self.modified, now.modified);
        field("modification time", before == after, time(before), time(after));
        let (before, after) = (self.xattrs.to_hex(), now.xattrs.to_hex());
        field("sum of attributes", before == after, before.to_string(), after.to_string());
        let hex = |sum: Option<blake3::Hash>| sum.map_or("none".into(), |sum| sum.to_string());
        field("sum", self.content == now.content, hex(self.content), hex(now.content));
        what
    }
}

pub(super) fn examine(
    machine: &Machine,
    entry: &Entry,
    buffer: &mut Aligned,
) -> Result<Known, Fault> {
    let (files, path) = (machine.files(), entry.path.as_path());
    // Past the page cache: what counts is what is on the disk.
    let access = if entry.kind == Kind::File { Access::ReadDirect } else { Access::Inspect };
    let file = files.open(path, access).during(Operation::Open, path)?;
    let stat = files.stat(&file).during(Operation::Stat, path)?;
    let mut hasher = blake3::Hasher::new();
    for (name, value) in files.xattrs(&file).during(Operation::ReadAttribute, path)? {
        for part in [name, value] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(&part);
        }
    }
    let target = match stat.kind {
        Kind::Symlink => Some(files.read_link(&file).during(Operation::Read, path)?),
        _ => None,
    };
    let content = match stat.kind {
        Kind::File => Some(sum(files, &file, &stat, path, buffer)?),
        _ => None,
    };
    Ok(Known {
        path: entry.path.clone(),
        kind: stat.kind,
        // The size of a directory is the file system's own affair.
        size: if stat.kind == Kind::Directory { 0 } else { stat.size },
        allocated: stat.allocated,
        mode: stat.mode,
        uid: stat.uid,
        gid: stat.gid,
        links: stat.links,
        rdev: stat.rdev,
        modified: stat.modified,
        target,
        xattrs: hasher.finalize(),
        content,
    })
}

/// BLAKE3 of a file's content, the same whether zeros are stored or are holes.
fn sum(
    files: &LinuxFiles,
    file: &LinuxFile,
    stat: &Stat,
    path: &Path,
    buffer: &mut Aligned,
) -> Result<blake3::Hash, Fault> {
    buffer.reserve(READ_BYTES);
    let (mut hasher, mut at) = (blake3::Hasher::new(), 0);
    'file: while let Some(data) = files.next_data(file, at).during_at(Operation::Read, path, at)? {
        zeros(&mut hasher, data.start - at);
        at = data.start;
        while at < data.end {
            let wanted = READ_BYTES.min((data.end - at).next_multiple_of(4096) as usize);
            let got = files.read_at(file, &mut buffer[..wanted], at);
            let got = got.during_at(Operation::Read, path, at)? as u64;
            if got == 0 {
                break 'file;
            }
            let got = got.min(data.end - at);
            hasher.update(&buffer[..got as usize]);
            at += got;
        }
    }
    zeros(&mut hasher, stat.size.saturating_sub(at));
    Ok(hasher.finalize())
}

fn zeros(hasher: &mut blake3::Hasher, mut length: u64) {
    while length > 0 {
        let part = length.min(ZEROS.len() as u64);
        hasher.update(&ZEROS[..part as usize]);
        length -= part;
    }
}
