//! Mounted file systems, as `/proc/self/mountinfo` lists them (proc_pid_mountinfo(5)).

use std::fs;
use std::path::Path;

use crate::error::Error;

const MOUNTS: &str = "/proc/self/mountinfo";

/// A line of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mount {
    pub point: String,
    /// Of file system.
    pub kind: String,
    pub source: String,
    /// Of this mount.
    pub options: Vec<String>,
    pub file_system_options: Vec<String>,
}

impl Mount {
    /// That of a path without symbolic links; none if it is below no mount point of this process.
    pub fn of(path: &Path) -> Result<Option<Self>, Error> {
        let mounts = fs::read_to_string(MOUNTS)
            .map_err(|error| Error::Read { path: MOUNTS.into(), error })?;
        let mounts = mounts.lines().filter_map(Self::parse);
        // The last of equals is the one mounted on top.
        Ok(mounts
            .filter(|mount| path.starts_with(&mount.point))
            .max_by_key(|mount| Path::new(&mount.point).components().count()))
    }

    fn parse(line: &str) -> Option<Self> {
        let list = |text: &str| text.split(',').map(str::to_owned).collect();
        let (head, tail) = line.split_once(" - ")?;
        let (mut head, mut tail) = (head.split(' '), tail.split(' '));
        Some(Self {
            point: head.nth(4)?.replace(r"\040", " "),
            options: list(head.next()?),
            kind: tail.next()?.to_owned(),
            source: tail.next()?.to_owned(),
            file_system_options: list(tail.next().unwrap_or_default()),
        })
    }

    /// Whether it, or its file system, has an option.
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().chain(&self.file_system_options).any(|it| it == option)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_mountinfo() {
        let line = r"36 35 98:0 / /mnt/a\040b rw,noatime master:1 - ext4 /dev/vda rw,discard";
        let mount = Mount::parse(line).expect("a full line");
        assert_eq!((mount.point.as_str(), mount.kind.as_str()), ("/mnt/a b", "ext4"));
        assert_eq!(
            (mount.source.as_str(), mount.options.join(",")),
            ("/dev/vda", "rw,noatime".into())
        );
        assert!(mount.has("noatime") && mount.has("discard") && !mount.has("ro"));
        assert_eq!(Mount::parse("36 35 98:0"), None);
    }
}
