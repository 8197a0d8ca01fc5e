//! Managed file systems: which archive a file goes to, and where to find it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use dray_fs::LinuxFiles;
use dray_io::{Access, Context, Files, Handle, Kind, Operation, Range};
use dray_mover::Entry;
use dray_wire::messages::{
    Item, KIND_DIRECTORY, KIND_FILE, KIND_LINK, KIND_OTHER, KIND_SYMLINK, OrderItem,
};
use dray_wire::{FileHandle, Reason};

use crate::config::{Config, Follow};

/// A directory below which everything is managed.
#[derive(Debug, Clone)]
pub struct Managed {
    pub path: PathBuf,
    /// Index of the archive in the configuration.
    pub archive: usize,
    /// Of the file system that the directory is on.
    pub file_system: [u8; 16],
    /// What it is part of: a managed file system may be made of several.
    pub name: String,
    pub follow: Follow,
}

/// All that a node has.
#[derive(Debug, Clone, Default)]
pub struct Places {
    pub managed: Vec<Managed>,
    /// Directories of archives, which are nobody's files.
    pub excluded: Vec<PathBuf>,
}

/// Why an item of an order cannot be found.
#[derive(Debug)]
pub(crate) struct NotFound {
    pub(crate) reason: Reason,
    pub(crate) text: String,
}

pub fn to_wire(handle: Handle) -> FileHandle {
    let Handle { file_system, inode, generation } = handle;
    FileHandle { file_system, inode, generation }
}

pub(crate) fn from_wire(handle: FileHandle) -> Handle {
    let FileHandle { file_system, inode, generation } = handle;
    Handle { file_system, inode, generation }
}

pub fn kind_to_wire(kind: Kind) -> u8 {
    match kind {
        Kind::File => KIND_FILE,
        Kind::Directory => KIND_DIRECTORY,
        Kind::Symlink => KIND_SYMLINK,
        _ => KIND_OTHER,
    }
}

/// The name of an item as it is asked for.
pub fn path_of(item: &Item) -> &Path {
    Path::new(OsStr::from_bytes(item.name.as_slice()))
}

impl Places {
    /// Looks the managed directories of a configuration up. One that is not there is left out:
    /// it may be mounted on other nodes only.
    pub fn find(files: &LinuxFiles, config: &Config) -> Self {
        let mut managed = Vec::new();
        for fs in &config.fs {
            let archive = config.archive.iter().position(|archive| archive.name == fs.archive);
            let identity = files
                .open(&fs.path, Access::Look)
                .and_then(|file| files.stat(&file))
                .map(|stat| stat.handle.file_system);
            if let (Some(archive), Ok(file_system)) = (archive, identity) {
                let path = fs.path.clone();
                let name = fs.name.clone().unwrap_or_else(|| path.display().to_string());
                managed.push(Managed { path, archive, file_system, name, follow: fs.recall });
            }
        }
        let directories = config.archive.iter().filter_map(|archive| archive.directory.as_ref());
        let excluded = directories.filter_map(|path| std::fs::canonicalize(path).ok()).collect();
        Self { managed, excluded }
    }

    /// What is restored beside a range of a file of this file system.
    pub(crate) fn follow(&self, file_system: [u8; 16]) -> Follow {
        let managed = self.managed.iter().find(|managed| managed.file_system == file_system);
        managed.map_or_else(Follow::default, |managed| managed.follow)
    }

    /// `None` for what lies elsewhere, and for the archives. A name that does not say plainly where
    /// it leads, by `..` or from wherever this runs, is none.
    fn of_path(&self, path: &Path) -> Option<&Managed> {
        use std::path::Component::{Normal, RootDir};
        let plain = path.components().all(|it| matches!(it, Normal(_) | RootDir));
        if !plain || self.excluded.iter().any(|archive| path.starts_with(archive)) {
            return None;
        }
        let within = self.managed.iter().filter(|managed| path.starts_with(&managed.path));
        within.max_by_key(|managed| managed.path.components().count())
    }

    /// The entry that an item of an order stands for, and the index of its archive. The name says
    /// where to look first; the mover checks that the handle is the one meant.
    pub(crate) fn locate(
        &self,
        files: &LinuxFiles,
        item: &OrderItem,
    ) -> Result<(Entry, usize), NotFound> {
        let named = Path::new(OsStr::from_bytes(item.name.as_slice()));
        let handle = from_wire(item.handle);
        let (path, managed) = match self.of_path(named) {
            Some(managed) if is_at(files, named, item.kind) => (named.to_owned(), managed),
            _ => self.by_handle(files, handle)?,
        };
        let kind = match item.kind {
            KIND_FILE => Kind::File,
            KIND_DIRECTORY => Kind::Directory,
            KIND_SYMLINK => Kind::Symlink,
            _ => kind_at(files, &path)?,
        };
        let end = item.offset.saturating_add(item.length);
        let range = (item.length > 0).then(|| Range::new(item.offset, end));
        let link = item.kind == KIND_LINK;
        Ok((Entry { path, kind, handle: Some(handle), range, link }, managed.archive))
    }

    /// Where a handle leads, and the index of the archive there.
    pub(crate) fn at(&self, files: &LinuxFiles, handle: Handle) -> Option<(PathBuf, usize)> {
        let found = self.by_handle(files, handle).ok();
        found.map(|(path, managed)| (path, managed.archive))
    }

    /// Finds a file by its handle alone, for want of a name that leads anywhere.
    fn by_handle(
        &self,
        files: &LinuxFiles,
        handle: Handle,
    ) -> Result<(PathBuf, &Managed), NotFound> {
        let missing = |text: String| NotFound { reason: Reason::WRONG_FILE, text };
        let on_it = self.managed.iter().filter(|it| it.file_system == handle.file_system);
        let mut why = "no managed file system has it\nask a node that reaches it".to_owned();
        for managed in on_it {
            match files.path_by_handle(&managed.path, handle) {
                Ok(path) => {
                    if let Some(own) = self.of_path(&path) {
                        return Ok((path, own));
                    }
                    why = "it lies outside the managed directories\nmove it into one".to_owned();
                }
                Err(cause) => {
                    let inode = handle.inode;
                    why = format!("inode {inode}: {cause}\nit was removed: ask for another");
                }
            }
        }
        Err(missing(why))
    }
}

/// Whether there is something under a name. What it is, the mover checks; files are what there
/// are many of, so they cost no call here.
fn is_at(files: &LinuxFiles, path: &Path, kind: u8) -> bool {
    kind == KIND_FILE || files.open(path, Access::Inspect).is_ok()
}

fn kind_at(files: &LinuxFiles, path: &Path) -> Result<Kind, NotFound> {
    let found = files.open(path, Access::Inspect).and_then(|file| files.stat(&file));
    found.during(Operation::Stat, path).map(|stat| stat.kind).map_err(|fault| NotFound {
        reason: Reason::FAILED,
        text: format!("{fault}\n{}", fault.advice()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_below_a_managed_directory_lead_to_a_file() {
        let path = PathBuf::from("/managed");
        let (archive, file_system, name) = (0, [0; 16], String::new());
        let follow = Follow::default();
        let managed = vec![Managed { path, archive, file_system, name, follow }];
        let places = Places { managed, excluded: vec![PathBuf::from("/managed/archive")] };
        let leads = |path: &str| places.of_path(Path::new(path)).is_some();
        assert!(leads("/managed/a/b"));
        for other in ["/managed/../etc/passwd", "/etc/passwd", "managed/a", "/managed/archive/1"] {
            assert!(!leads(other), "{other}");
        }
    }
}
