//! Making archived files anew somewhere else, from the volumes alone.

use std::collections::HashMap;
use std::io;
use std::path::{Component, Path, PathBuf};

use dray_archive::catalog::Entry;
use dray_archive::{Archive, FileRecord, Result};
use dray_fs::{Attributes, LinuxFiles, Node};
use dray_io::{Access, Aligned, Context, Fault, Files, Handle, Kind, Operation, Range};

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extracted {
    Made {
        bytes: u64,
        /// Attributes that could not be put back without privilege.
        missing: Vec<Vec<u8>>,
    },
    /// A directory whose metadata waits for the second pass.
    Later,
}

/// Entries of an archive being made below a directory.
pub struct Extraction<'a> {
    files: &'a LinuxFiles,
    archive: &'a Archive<LinuxFiles>,
    root: &'a Path,
    /// The name under which a file with several was made; the others are linked to it.
    several: HashMap<Handle, PathBuf>,
}

impl<'a> Extraction<'a> {
    pub fn new(files: &'a LinuxFiles, archive: &'a Archive<LinuxFiles>, root: &'a Path) -> Self {
        Self { files, archive, root, several: HashMap::new() }
    }

    /// Makes one entry. A directory gets its metadata in a second pass, from
    /// [`finish_directory`](Self::finish_directory), since making what is in it moves its times.
    pub fn make(&mut self, entry: &Entry) -> Result<Extracted> {
        let Self { files, archive, root, .. } = *self;
        let path = below(root, &entry.path)?;
        if entry.kind == Kind::Directory {
            make_directories(files, root, &path)?;
            return Ok(Extracted::Later);
        }
        let (record, segment) = archive.manifest(files, entry.location)?;
        make_directories(files, root, path.parent().unwrap_or(root))?;
        if let Some(first) = self.several.get(&record.handle) {
            match files.link(first, &path) {
                Ok(()) => return Ok(Extracted::Made { bytes: 0, missing: Vec::new() }),
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
                    Err(cause).during(Operation::Create, &path)?;
                }
                // No links here, or no more of them: a copy has the content.
                Err(_) => {}
            }
        }
        let place = (entry.location.volume, segment);
        let made = make_one(files, archive, &record, place, &path)?;
        if record.links > 1 || entry.path != record.path {
            self.several.insert(record.handle, path);
        }
        Ok(made)
    }

    /// Puts the metadata of a directory back when all that is in it was made.
    pub fn finish_directory(&self, entry: &Entry) -> Result<Extracted> {
        let (record, _) = self.archive.manifest(self.files, entry.location)?;
        apply(self.files, &below(self.root, &entry.path)?, &record, 0)
    }
}

fn make_one(
    files: &LinuxFiles,
    archive: &Archive<LinuxFiles>,
    record: &FileRecord,
    place: (u32, u64),
    path: &Path,
) -> Result<Extracted> {
    let node = match record.kind {
        Kind::File => return write_file(files, archive, record, place, path),
        Kind::Directory => Node::Directory,
        Kind::Symlink => Node::Symlink(&record.target),
        Kind::Fifo => Node::Fifo,
        Kind::Socket => Node::Socket,
        Kind::CharDevice => Node::CharDevice(record.rdev),
        Kind::BlockDevice => Node::BlockDevice(record.rdev),
    };
    files.make(path, node).during(Operation::Create, path)?;
    apply(files, path, record, 0)
}

/// The path below `root`; archived paths are absolute and have no `..`.
fn below(root: &Path, archived: &Path) -> Result<PathBuf> {
    let mut path = root.to_owned();
    for component in archived.components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                let cause = io::Error::other("the archived path leads out of its tree");
                let path = archived.to_owned();
                return Err(Fault { operation: Operation::Create, path, at: None, cause }.into());
            }
        }
    }
    Ok(path)
}

/// Makes what is missing between `root` and `path`, following no symbolic link.
fn make_directories(files: &LinuxFiles, root: &Path, path: &Path) -> Result<()> {
    let Ok(rest) = path.strip_prefix(root) else { return Ok(()) };
    let mut at = root.to_owned();
    for component in rest.components() {
        at.push(component);
        match files.make(&at, Node::Directory) {
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.during(Operation::Create, &at)?,
        }
    }
    Ok(())
}

fn write_file(
    files: &LinuxFiles,
    archive: &Archive<LinuxFiles>,
    record: &FileRecord,
    place: (u32, u64),
    path: &Path,
) -> Result<Extracted> {
    let file = files.create(path, false).during(Operation::Create, path)?;
    let filled = fill(files, archive, record, place, path, &file);
    if let Err(error) = filled {
        // Half a file under the right name would be taken for the whole.
        files.unlink(path).during(Operation::Unlink, path)?;
        return Err(error);
    }
    apply(files, path, record, record.size)
}

fn fill(
    files: &LinuxFiles,
    archive: &Archive<LinuxFiles>,
    record: &FileRecord,
    place: (u32, u64),
    path: &Path,
    file: &<LinuxFiles as Files>::File,
) -> Result<()> {
    files.truncate(file, record.size).during(Operation::Truncate, path)?;
    let whole = Range::new(0, record.size);
    let mut buffer = Aligned::new(0);
    archive.read(files, record, place, whole, &mut buffer, &mut |at, bytes| {
        Ok(files.write_at(file, bytes, at).during_at(Operation::Write, path, at)?)
    })
}

fn apply(files: &LinuxFiles, path: &Path, record: &FileRecord, bytes: u64) -> Result<Extracted> {
    let attributes = Attributes {
        mode: record.mode,
        uid: record.uid,
        gid: record.gid,
        xattrs: &record.xattrs,
        accessed: record.accessed,
        modified: record.modified,
    };
    let file = files.open(path, Access::Inspect).during(Operation::Open, path)?;
    let shortfall = files.apply_to(&file, &attributes).during(Operation::SetMetadata, path)?;
    Ok(Extracted::Made { bytes, missing: shortfall.xattrs })
}
