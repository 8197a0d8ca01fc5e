//! Changes of names.

use std::io;
use std::path::Path;

use dray_io::Kind;

use crate::change::Change;
use crate::errors::Errno;
use crate::state::State;

impl State {
    pub(crate) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (from_dir, from_name) = self.live.parent(from)?;
        let (to_dir, to_name) = self.live.parent(to)?;
        let id = self.live.child(from_dir, from_name)?.ok_or(Errno::NotFound)?;
        let replaced = self.live.child(to_dir, to_name)?;
        if replaced == Some(id) {
            return Ok(());
        }
        let directory = self.inode(id)?.kind == Kind::Directory;
        if directory && to.starts_with(from) {
            return Err(Errno::Invalid.into());
        }
        if let Some(replaced) = replaced {
            let other = self.inode(replaced)?;
            match (directory, other.kind == Kind::Directory) {
                (true, false) => return Err(Errno::NotDirectory.into()),
                (false, true) => return Err(Errno::IsDirectory.into()),
                _ if !other.entries.is_empty() => return Err(Errno::NotEmpty.into()),
                _ => {}
            }
        }
        let time = self.tick();
        let (from, to) = ((from_dir, from_name.to_owned()), (to_dir, to_name.to_owned()));
        self.record(Change::Rename { from, to, time });
        if let Some(replaced) = replaced {
            self.forget_if_unused(replaced);
        }
        Ok(())
    }

    pub(crate) fn unlink(&mut self, path: &Path, directories: bool) -> io::Result<()> {
        let (dir, name) = self.live.parent(path)?;
        let id = self.live.child(dir, name)?.ok_or(Errno::NotFound)?;
        let inode = self.inode(id)?;
        if inode.kind == Kind::Directory && !directories {
            return Err(Errno::IsDirectory.into());
        }
        if !inode.entries.is_empty() {
            return Err(Errno::NotEmpty.into());
        }
        let time = self.tick();
        self.record(Change::Unlink { place: (dir, name.to_owned()), time });
        self.forget_if_unused(id);
        Ok(())
    }

    pub(crate) fn link(&mut self, old: &Path, new: &Path) -> io::Result<()> {
        let id = self.live.lookup(old)?;
        let (dir, name) = self.live.parent(new)?;
        if self.live.child(dir, name)?.is_some() {
            return Err(Errno::Exists.into());
        }
        let time = self.tick();
        self.record(Change::Link { place: (dir, name.to_owned()), id, time });
        Ok(())
    }
}
