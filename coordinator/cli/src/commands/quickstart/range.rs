//! Restoring a part of one file.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use dray_fs::LinuxFiles;
use dray_io::limits::SUM_BLOCK;
use dray_io::{Access, Context as _, Files, Kind, Operation, Range};
use dray_mover::standing;
use serde_json::{Value, json};

use super::known::Known;
use crate::output::{json_path, text_path};

/// Bytes to restore: one checksum block, so that nothing beside them has to come.
const WANTED: u64 = SUM_BLOCK;

/// Some bytes of a file, known from before its release.
pub(super) struct Sample {
    pub(super) path: PathBuf,
    size: u64,
    /// Names that the file has.
    pub(super) links: u64,
    pub(super) range: Range,
    bytes: Vec<u8>,
}

/// How the file stands once the range is back.
pub(super) struct Checked {
    present: u64,
    /// What is wrong.
    pub(super) wrong: Option<String>,
}

impl Sample {
    /// From the middle of the largest file, while its data is there.
    pub(super) fn take(files: &LinuxFiles, known: &[Known]) -> anyhow::Result<Option<Self>> {
        let with_data = known.iter().filter(|known| known.kind == Kind::File && known.size > 0);
        let Some(largest) = with_data.max_by_key(|known| known.size.min(known.allocated)) else {
            return Ok(None);
        };
        let (path, size, links) = (largest.path.clone(), largest.size, largest.links.into());
        let middle = size / 2;
        let file = files.open(&path, Access::ReadDirect).during(Operation::Open, &path)?;
        let data = match files.next_data(&file, middle)? {
            Some(data) => Some(data),
            None => files.next_data(&file, 0)?,
        };
        let Some(data) = data else { return Ok(None) };
        let start = middle.clamp(data.start, data.end - 1) / SUM_BLOCK * SUM_BLOCK;
        let range = Range::new(start, (start + WANTED).min(size));
        let bytes = read(&path, range)?;
        Ok(Some(Self { path, size, links, range, bytes }))
    }

    /// Whether exactly the range is there, and right.
    pub(super) fn check(&self, files: &LinuxFiles) -> anyhow::Result<Checked> {
        let path = self.path.as_path();
        let file = files.open(path, Access::ReadDirect).during(Operation::Open, path)?;
        let (_, standing) = standing(files, &file, path)?;
        let present = standing.attribute().map(|attribute| attribute.present.as_slice());
        let present = present.unwrap_or_default();
        let whole = self.range.len() == self.size;
        let wanted = if whole { "archived" } else { "partial" };
        let wrong = if standing.word() != wanted {
            Some(format!("it is {}, not {wanted}", standing.word()))
        } else if read(path, self.range)? != self.bytes {
            Some("the bytes are not those from before".to_owned())
        } else if !whole && present != [self.range] {
            Some(format!("it is said to hold {present:?}, not {:?}", self.range))
        } else if !whole {
            self.stray_data(files, &file)?
        } else {
            None
        };
        let present = if whole { self.size } else { present.iter().map(|it| it.len()).sum() };
        Ok(Checked { present, wrong })
    }

    /// Data outside the range, where all should be holes.
    fn stray_data(
        &self,
        files: &LinuxFiles,
        file: &dray_fs::LinuxFile,
    ) -> anyhow::Result<Option<String>> {
        // File systems with larger blocks may keep a whole one at each end.
        let allowed = self.range.widen(SUM_BLOCK, u64::MAX);
        let mut at = 0;
        while let Some(data) = files.next_data(file, at)? {
            if data.start < allowed.start || data.end > allowed.end {
                return Ok(Some(format!("data at {data:?}, outside of {:?}", self.range)));
            }
            at = data.end;
        }
        Ok(None)
    }

    pub(super) fn text(&self, checked: &Checked, seconds: f64) -> String {
        let (path, size) = (text_path(&self.path), self.size);
        let Range { start, end } = self.range;
        let outcome = checked.wrong.as_deref().unwrap_or("right");
        format!(
            "bytes {start} to {end} of {path} in {:.1} ms: {outcome}; {} of its {size} bytes are \
             on disk",
            seconds * 1000.0,
            checked.present,
        )
    }

    pub(super) fn json(&self, checked: &Checked, seconds: f64) -> Value {
        json!({
            "path": json_path(&self.path),
            "range": [self.range.start, self.range.end],
            "size": self.size,
            "present_bytes": checked.present,
            "seconds": seconds,
            "wrong": checked.wrong,
        })
    }
}

fn read(path: &Path, range: Range) -> anyhow::Result<Vec<u8>> {
    let mut bytes = vec![0; range.len() as usize];
    File::open(path)
        .and_then(|file| file.read_exact_at(&mut bytes, range.start))
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(bytes)
}
