//! A tree as it was, to compare with later.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What must be as before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// Type and permission bits.
    pub mode: u32,
    pub owner: (u32, u32),
    pub links: u64,
    pub size: u64,
    /// Seconds and nanoseconds.
    pub modified: (i64, i64),
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Of a symbolic link.
    pub target: Option<PathBuf>,
    /// Of the content of a regular file.
    pub hash: Option<[u8; 32]>,
}

/// By path below the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot(pub BTreeMap<PathBuf, Meta>);

impl Snapshot {
    #[track_caller]
    pub fn take(root: &Path) -> Self {
        let mut found = BTreeMap::new();
        let mut todo = vec![root.to_owned()];
        while let Some(path) = todo.pop() {
            let meta = meta(&path);
            if meta.mode & 0o170_000 == 0o040_000 {
                let entries = fs::read_dir(&path).expect("a directory can be read");
                todo.extend(entries.map(|entry| entry.expect("an entry can be read").path()));
            }
            found.insert(path.strip_prefix(root).expect("below").to_owned(), meta);
        }
        Self(found)
    }

    /// Without what a release takes: the content.
    pub fn without_content(mut self) -> Self {
        self.0.values_mut().for_each(|meta| meta.hash = None);
        self
    }

    /// Without attributes that only the kernel gives a meaning to.
    pub fn without_privileges(mut self) -> Self {
        let keep = |name: &[u8]| name.starts_with(b"user.") || name.starts_with(b"system.");
        self.0.values_mut().for_each(|meta| meta.xattrs.retain(|name, _| keep(name)));
        self
    }

    /// Without the inode times and counts that a copy elsewhere need not have.
    pub fn without_directories(mut self) -> Self {
        self.0.retain(|_, meta| meta.mode & 0o170_000 != 0o040_000);
        self
    }

    /// Demands that nothing differs.
    #[track_caller]
    pub fn assert_same(&self, now: &Self) {
        let mut wrong = Vec::new();
        for (path, meta) in &self.0 {
            match now.0.get(path) {
                None => wrong.push(format!("{}: gone", path.display())),
                Some(other) if other != meta => {
                    wrong.push(format!("{}:\n  was {meta:?}\n  is  {other:?}", path.display()));
                }
                Some(_) => {}
            }
        }
        for path in now.0.keys().filter(|path| !self.0.contains_key(*path)) {
            wrong.push(format!("{}: new", path.display()));
        }
        assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
    }
}

#[track_caller]
fn meta(path: &Path) -> Meta {
    let stat = path.symlink_metadata().unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let is_file = stat.is_file();
    Meta {
        mode: stat.mode(),
        owner: (stat.uid(), stat.gid()),
        links: if stat.is_dir() { 0 } else { stat.nlink() },
        size: if stat.is_dir() { 0 } else { stat.size() },
        modified: (stat.mtime(), stat.mtime_nsec()),
        xattrs: xattrs(path),
        target: stat.is_symlink().then(|| fs::read_link(path).expect("a link can be read")),
        hash: is_file.then(|| hash_file(path)),
    }
}

/// All but the state that dray keeps.
fn xattrs(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut list = vec![0; 1 << 16];
    let length = rustix::fs::llistxattr(path, &mut list[..]).unwrap_or(0);
    let names = list[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let states: [&[u8]; 2] = [b"trusted.dray", b"user.dray"];
    names
        .filter(|name| !states.contains(name))
        .map(|name| {
            let mut value = vec![0; 1 << 16];
            let length = rustix::fs::lgetxattr(path, OsStr::from_bytes(name), &mut value[..]);
            value.truncate(length.unwrap_or(0));
            (name.to_vec(), value)
        })
        .collect()
}

/// BLAKE3 of the content.
#[track_caller]
pub fn hash_file(path: &Path) -> [u8; 32] {
    let mut file = fs::File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let (mut hasher, mut buffer) = (blake3::Hasher::new(), vec![0; 1 << 18]);
    loop {
        let got = file.read(&mut buffer).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        if got == 0 {
            return *hasher.finalize().as_bytes();
        }
        hasher.update(&buffer[..got]);
    }
}
