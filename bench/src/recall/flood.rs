//! Files that are archived over and over while something else is measured.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};

use super::Dray;
use crate::data::make_file;

/// Half of the bytes are in files that the rings move, half in files that are packed.
const LARGE: u64 = 64 << 20;
const SMALL: u64 = 64 << 10;
/// Files of a folder.
const TOGETHER: u64 = 1000;
/// For the first files to be archived, so that what is measured meets a flood.
const RISES: Duration = Duration::from_secs(1);

/// What is archived.
pub(super) struct Flood {
    folder: PathBuf,
    files: Vec<PathBuf>,
    /// Of all files.
    bytes: u64,
}

impl Flood {
    /// Makes files of some `bytes` below `folder`.
    pub(super) fn new(folder: &Path, bytes: u64) -> Result<Self> {
        let folder = folder.join("flood");
        let sizes = [(LARGE, bytes / 2 / LARGE), (SMALL, bytes / 2 / SMALL)];
        let (mut files, mut bytes) = (Vec::new(), 0);
        for (size, count) in sizes {
            for number in 0..count {
                let within = folder.join(format!("{size}-{}", number / TOGETHER));
                fs::create_dir_all(&within).with_context(|| within.display().to_string())?;
                let path = within.join(number.to_string());
                make_file(&path, size, number)?;
                files.push(path);
                bytes += size;
            }
        }
        ensure!(bytes > 0, "a flood needs {} bytes at least", 2 * SMALL);
        Ok(Self { folder, files, bytes })
    }

    /// All of them are to be archived again.
    fn change(&self) -> Result<()> {
        let now = SystemTime::now();
        for path in &self.files {
            let file = File::options().write(true).open(path);
            let changed = file.and_then(|file| file.set_modified(now));
            changed.with_context(|| path.display().to_string())?;
        }
        Ok(())
    }

    /// Measures under the flood; with the bytes per second that were archived meanwhile.
    pub(super) fn over<T>(
        &self,
        dray: &Dray<'_>,
        measure: impl FnOnce() -> Result<T>,
    ) -> Result<(T, f64)> {
        let (stop, archived) = (AtomicBool::new(false), AtomicU64::new(0));
        let flows = || -> Result<()> {
            while !stop.load(Ordering::Relaxed) {
                self.change()?;
                dray.run("archive", &self.folder)?;
                archived.fetch_add(self.bytes, Ordering::Relaxed);
            }
            Ok(())
        };
        let began = Instant::now();
        let (measured, flowed) = std::thread::scope(|scope| {
            let flowing = scope.spawn(flows);
            std::thread::sleep(RISES);
            let measured = measure();
            stop.store(true, Ordering::Relaxed);
            (measured, flowing.join())
        });
        let took = began.elapsed().as_secs_f64();
        match flowed {
            Ok(outcome) => outcome.context("the flood")?,
            Err(panic) => std::panic::resume_unwind(panic),
        }
        Ok((measured?, archived.into_inner() as f64 / took))
    }
}
