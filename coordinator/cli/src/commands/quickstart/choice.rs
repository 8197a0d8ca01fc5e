//! Which tree is taken, and where it is put.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use dray_fs::LinuxFiles;
use dray_io::limits::BLOCK;
use dray_io::{Aligned, Files, Range};

use crate::exit::Failure;

/// File systems in memory (`TMPFS_MAGIC`, `RAMFS_MAGIC`), in which a trial says little.
const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];
const ELSEWHERE: &str = "name another directory with --dir";

/// The tree to take: what is given, or what cargo and rustup are sure to have left behind.
pub(super) fn source(given: Option<&Path>) -> Result<PathBuf, Failure> {
    let chosen = match given {
        Some(path) => Some(path.to_owned()),
        None => usual_sources().into_iter().find(|path| holds_files(path)),
    };
    let chosen = chosen.ok_or_else(|| Failure {
        advice: Some("name a directory with files in it: dray quickstart --source DIR"),
        ..anyhow!("found no sources that cargo has downloaded").into()
    })?;
    let source =
        fs::canonicalize(&chosen).with_context(|| format!("cannot find {}", chosen.display()))?;
    fs::read_dir(&source).with_context(|| format!("cannot list {}", source.display()))?;
    Ok(source)
}

fn usual_sources() -> Vec<PathBuf> {
    let home = env::var_os("HOME").map(PathBuf::from);
    let below = |variable: &str, name: &str| {
        let named = env::var_os(variable).map(PathBuf::from);
        named.or_else(|| home.as_ref().map(|home| home.join(name)))
    };
    let mut sources: Vec<PathBuf> =
        below("CARGO_HOME", ".cargo").map(|cargo| cargo.join("registry/src")).into_iter().collect();
    let toolchains = below("RUSTUP_HOME", ".rustup").map(|rustup| rustup.join("toolchains"));
    let toolchains = toolchains.and_then(|path| fs::read_dir(path).ok()).into_iter().flatten();
    let toolchains: Vec<PathBuf> = toolchains.flatten().map(|entry| entry.path()).collect();
    for part in ["lib/rustlib/src", "share"] {
        sources.extend(toolchains.iter().map(|toolchain| toolchain.join(part)));
    }
    sources
}

fn holds_files(path: &Path) -> bool {
    let mut directories = vec![path.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_file() => return true,
                Ok(kind) if kind.is_dir() => directories.push(entry.path()),
                _ => {}
            }
        }
    }
    false
}

/// The directory to work in.
pub(super) fn directory(given: Option<&Path>, source: &Path) -> Result<PathBuf, Failure> {
    if let Some(given) = given {
        let advised = |error| Failure { advice: Some(ELSEWHERE), ..Failure::from(error) };
        return usable(given, source, true).map_err(advised);
    }
    let here = env::current_dir().map_err(anyhow::Error::from);
    let here = here.and_then(|here| usable(&here, source, false));
    here.or_else(|refused| {
        usable(&env::temp_dir(), source, true).map_err(|error| Failure {
            advice: Some(ELSEWHERE),
            ..error.context(format!("{refused:#}")).into()
        })
    })
}

fn usable(path: &Path, source: &Path, even_memory: bool) -> anyhow::Result<PathBuf> {
    let path = fs::canonicalize(path).with_context(|| format!("cannot find {}", path.display()))?;
    if path.starts_with(source) {
        bail!("{} lies in the tree that is to be taken", path.display());
    }
    let kind = rustix::fs::statfs(&path)?.f_type as u64;
    if !even_memory && IN_MEMORY.contains(&kind) {
        bail!("{} is in memory, not on a disk", path.display());
    }
    probe(&path)?;
    Ok(path)
}

/// Tries what the trial will need.
fn probe(directory: &Path) -> anyhow::Result<()> {
    let files = LinuxFiles::new();
    let path = directory.join(format!(".dray-probe-{}", std::process::id()));
    let at = || directory.display().to_string();
    let file = files.create(&path, true).with_context(|| format!("cannot write in {}", at()))?;
    let attributes = files.set_attribute(&file, b"probe");
    let written = files.write_at(&file, &Aligned::new(BLOCK as usize), 0);
    let punched = files.punch(&file, Range::new(0, BLOCK));
    files.unlink(&path).with_context(|| format!("cannot remove from {}", at()))?;
    let name = files.attribute_name();
    attributes.with_context(|| format!("{} takes no attribute {name}", at()))?;
    written.with_context(|| format!("cannot write in {}", at()))?;
    punched.with_context(|| format!("{} cannot punch holes", at()))
}

/// Refuses to begin where the disk would fill up: the tree and its archive are there at once.
pub(super) fn check_room(directory: &Path, allocated: u64) -> Result<(), Failure> {
    const MARGIN: u64 = 64 << 20;
    let needed = allocated * 21 / 10 + MARGIN;
    let room = rustix::fs::statvfs(directory)
        .map_err(anyhow::Error::from)
        .with_context(|| format!("cannot tell the room in {}", directory.display()))?;
    let free = room.f_bavail * room.f_frsize;
    if free < needed {
        let (needed, free) = (needed >> 20, free >> 20);
        let place = directory.display();
        return Err(Failure {
            advice: Some("choose another place with --dir, or a smaller tree with --source"),
            ..anyhow!("{place}: {needed} MiB are needed, {free} MiB are free").into()
        });
    }
    Ok(())
}
