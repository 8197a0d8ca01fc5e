//! Putting the tree on the managed directory: by `cp`, which is the measure for what follows.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use dray_bench::{Tool, run_once};
use dray_fs::{Attributes, LinuxFiles, Node};
use dray_io::limits::SLOT_BYTES;
use dray_io::{Access, Aligned, Files, Handle, Kind};
use dray_mover::Walk;
use serde_json::json;

use super::phase::Row;
use crate::session::Session;
use dray_node::config::Config;

pub(super) struct Put {
    pub(super) row: Row,
    /// The command line, or what was done in its place.
    pub(super) how: String,
    /// Why not all of the tree was copied.
    pub(super) failure: Option<String>,
}

/// Copies `source` to `target` and flushes.
pub(super) fn put(source: &Path, target: &Path) -> anyhow::Result<Put> {
    let cp = Tool::find("cp");
    if cp.present() { by_cp(&cp, source, target) } else { by_hand(source, target) }
}

fn by_cp(cp: &Tool, source: &Path, target: &Path) -> anyhow::Result<Put> {
    fs::create_dir_all(target)?;
    let mut args = vec![OsString::from("-a")];
    // Shared extents would be neither copied here nor freed by a release.
    if cp.version.as_ref().is_some_and(|version| version.contains("coreutils")) {
        args.push("--reflink=never".into());
    }
    let options = args.join(" ".as_ref()).into_string().unwrap_or_default();
    args.extend(["--".into(), source.join(".").into(), target.into()]);
    let once = run_once(cp, &args, target)?;
    let row = Row {
        name: "cp",
        seconds: once.seconds,
        cpu_seconds: once.cpu_seconds,
        memory: Some(once.peak_memory_bytes),
        ..Row::default()
    };
    let how = format!("cp {options}");
    let detail = json!({ "command": how, "failure": once.failure });
    Ok(Put { row: Row { detail, ..row }, how, failure: once.failure })
}

/// For machines without `cp`: one thread, nothing clever.
fn by_hand(source: &Path, target: &Path) -> anyhow::Result<Put> {
    let session = Session::with(Config::default());
    let mut copier = Copier { files: session.files(), names: HashMap::new() };
    let mut failure = None;
    for found in Walk::new(session.files(), vec![source.to_owned()], Vec::new()) {
        let copied = found.map_err(anyhow::Error::from).and_then(|entry| {
            let to = target.join(entry.path.strip_prefix(source)?);
            copier
                .copy(&entry.path, entry.kind, &to)
                .with_context(|| format!("cannot copy {}", entry.path.display()))
        });
        if let Err(error) = copied {
            failure = Some(format!("{error:#}"));
        }
    }
    rustix::fs::syncfs(fs::File::open(target)?)?;
    let how = "no cp here: a plain copy by dray itself".to_owned();
    let row = Row {
        name: "cp",
        seconds: session.stopwatch.seconds(),
        cpu_seconds: session.stopwatch.cpu_seconds(),
        memory: dray_fs::peak_resident_bytes().ok(),
        detail: json!({ "command": null, "failure": failure }),
        ..Row::default()
    };
    Ok(Put { row, how, failure })
}

struct Copier<'a> {
    files: &'a LinuxFiles,
    /// First copies of files that have several names.
    names: HashMap<Handle, PathBuf>,
}

impl Copier<'_> {
    /// Directories come after what is in them, when they get their own attributes.
    fn copy(&mut self, from: &Path, kind: Kind, to: &Path) -> anyhow::Result<()> {
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        let file = self.files.open(from, Access::Inspect)?;
        let stat = self.files.stat(&file)?;
        if kind != Kind::Directory && stat.links > 1 {
            if let Some(first) = self.names.get(&stat.handle) {
                return Ok(fs::hard_link(first, to)?);
            }
            self.names.insert(stat.handle, to.to_owned());
        }
        let link;
        let node = match kind {
            Kind::File => None,
            Kind::Directory => Some(Node::Directory),
            Kind::Symlink => {
                link = self.files.read_link(&file)?;
                Some(Node::Symlink(&link))
            }
            Kind::Fifo => Some(Node::Fifo),
            Kind::Socket => Some(Node::Socket),
            Kind::CharDevice => Some(Node::CharDevice(stat.rdev)),
            Kind::BlockDevice => Some(Node::BlockDevice(stat.rdev)),
        };
        match node {
            None => self.copy_data(from, to, stat.size)?,
            Some(Node::Directory) if to.is_dir() => {}
            Some(node) => self.files.make(to, node)?,
        }
        let xattrs = self.files.xattrs(&file)?;
        let wanted = Attributes {
            mode: stat.mode,
            uid: stat.uid,
            gid: stat.gid,
            xattrs: &xattrs,
            accessed: stat.accessed,
            modified: stat.modified,
        };
        // What takes privilege to set is left off, as `cp -a` leaves it.
        self.files.apply(to, &wanted)?;
        Ok(())
    }

    /// Holes stay holes.
    fn copy_data(&self, from: &Path, to: &Path, size: u64) -> anyhow::Result<()> {
        let source = self.files.open(from, Access::ReadDirect)?;
        let target = self.files.create(to, false)?;
        self.files.truncate(&target, size)?;
        let (mut buffer, mut at) = (Aligned::new(SLOT_BYTES), 0);
        while let Some(data) = self.files.next_data(&source, at)? {
            at = data.start;
            while at < data.end {
                let got = self.files.read_at(&source, &mut buffer, at)?;
                // The file was cut.
                if got == 0 {
                    return Ok(());
                }
                let got = (got as u64).min(data.end - at);
                self.files.write_at(&target, &buffer[..got as usize], at)?;
                at += got;
            }
        }
        Ok(())
    }
}
