//! A set of volumes with one archive id.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dray_io::{Access, Context, Fault, Files, Operation};

use crate::error::{Error, Result};
use crate::layout::ArchiveId;
use crate::mark::SegmentKind;
use crate::superblock::Superblock;
use crate::volume::{Reservation, Volume, read_superblock};

/// Where a record stands: what a file's state attribute points with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    pub volume: u32,
    /// Offset of the record in the volume.
    pub at: u64,
    /// Bytes of the record.
    pub length: u32,
}

/// Where the volumes of an archive are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VolumePlace {
    /// Files `volume-00000001.dray` and so on, each growing to this many bytes.
    Directory { path: PathBuf, volume_bytes: u64 },
    /// One volume per LUN.
    Luns(Vec<PathBuf>),
}

impl VolumePlace {
    /// What to call it in messages.
    pub fn name(&self) -> &Path {
        match self {
            Self::Directory { path, .. } => path,
            Self::Luns(paths) => paths.first().map_or(Path::new("(no LUN)"), PathBuf::as_path),
        }
    }
}

/// A volume open for reading.
pub struct Open<W: Files> {
    pub number: u32,
    pub path: PathBuf,
    pub file: W::File,
    pub superblock: Superblock,
}

/// An archive: volumes to read from, and one to append to once something is written.
pub struct Archive<W: Files> {
    place: VolumePlace,
    id: ArchiveId,
    volumes: Mutex<Vec<Arc<Open<W>>>>,
    current: Mutex<Option<Arc<Volume<W>>>>,
}

fn volume_path(directory: &Path, number: u32) -> PathBuf {
    directory.join(format!("volume-{number:08}.dray"))
}

fn volume_number(name: &OsStr) -> Option<u32> {
    let digits = name.as_bytes().strip_prefix(b"volume-")?.strip_suffix(b".dray")?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

impl<W: Files> Archive<W> {
    /// Makes an archive with its first volume (or, on LUNs, all of them).
    pub fn create(files: &W, place: &VolumePlace, id: ArchiveId, sizes: &[u64]) -> Result<()> {
        match place {
            VolumePlace::Directory { path, volume_bytes } => {
                let volume = Self::add_volume(files, path, *volume_bytes, id, 1)?;
                volume.close(files)
            }
            VolumePlace::Luns(paths) => {
                for (index, (path, size)) in paths.iter().zip(sizes).enumerate() {
                    let number = u32::try_from(index + 1).expect("LUNs are listed by hand");
                    let file =
                        files.open(path, Access::WriteDirect).during(Operation::Open, path)?;
                    Volume::format(files, file, path, id, number, *size)?;
                }
                Ok(())
            }
        }
    }

    fn add_volume(
        files: &W,
        directory: &Path,
        bytes: u64,
        id: ArchiveId,
        number: u32,
    ) -> Result<Volume<W>> {
        let path = volume_path(directory, number);
        let file = files.create(&path, true).during(Operation::Create, &path)?;
        let volume = Volume::format(files, file, &path, id, number, bytes)?;
        files.sync_dir(directory).during(Operation::Flush, directory)?;
        Ok(volume)
    }

    /// Opens an archive that exists.
    pub fn open(files: &W, place: &VolumePlace) -> Result<Self> {
        let mut volumes: Vec<Arc<Open<W>>> = Vec::new();
        for path in Self::volume_paths(files, place)? {
            let open = match Self::open_volume(files, &path) {
                // A volume whose making was interrupted holds nothing yet.
                Err(Error::NotAVolume { .. }) if !volumes.is_empty() => continue,
                other => other?,
            };
            if let Some(first) = volumes.first()
                && first.superblock.archive != open.superblock.archive
            {
                return Err(Error::ForeignVolume { path, first: first.path.clone() });
            }
            volumes.push(Arc::new(open));
        }
        let Some(first) = volumes.first() else {
            return Err(Error::NoVolume { path: place.name().to_owned() });
        };
        let id = first.superblock.archive;
        let current = Mutex::new(None);
        Ok(Self { place: place.clone(), id, volumes: Mutex::new(volumes), current })
    }

    fn volume_paths(files: &W, place: &VolumePlace) -> Result<Vec<PathBuf>> {
        let directory = match place {
            VolumePlace::Luns(paths) => return Ok(paths.clone()),
            VolumePlace::Directory { path, .. } => path,
        };
        let mut listing = files.open_dir(directory).during(Operation::List, directory)?;
        let mut numbers = Vec::new();
        let mut entries = Vec::new();
        loop {
            entries.clear();
            files
                .next_entries(&mut listing, 1024, &mut entries)
                .during(Operation::List, directory)?;
            if entries.is_empty() {
                break;
            }
            numbers.extend(entries.iter().filter_map(|entry| volume_number(&entry.name)));
        }
        numbers.sort_unstable();
        Ok(numbers.into_iter().map(|number| volume_path(directory, number)).collect())
    }

    fn open_volume(files: &W, path: &Path) -> Result<Open<W>> {
        let file = files.open(path, Access::ReadDirect).during(Operation::Open, path)?;
        let superblock = read_superblock(files, &file, path)?;
        Ok(Open { number: superblock.volume, path: path.to_owned(), file, superblock })
    }

    pub fn id(&self) -> &ArchiveId {
        &self.id
    }

    pub fn place(&self) -> &VolumePlace {
        &self.place
    }

    /// All volumes there were at open and those added since, by number.
    pub fn volumes(&self) -> Vec<Arc<Open<W>>> {
        lock(&self.volumes).clone()
    }

    /// The volume with this number, open for reading.
    pub fn volume(&self, files: &W, number: u32) -> Result<Arc<Open<W>>> {
        let known = lock(&self.volumes).iter().find(|open| open.number == number).cloned();
        if let Some(open) = known {
            return Ok(open);
        }
        let missing = || Error::MissingVolume { number, place: self.place.name().to_owned() };
        let VolumePlace::Directory { path, .. } = &self.place else { return Err(missing()) };
        let open = match Self::open_volume(files, &volume_path(path, number)) {
            Err(Error::Fault(Fault { cause, .. }))
                if cause.kind() == std::io::ErrorKind::NotFound =>
            {
                return Err(missing());
            }
            other => Arc::new(other?),
        };
        lock(&self.volumes).push(Arc::clone(&open));
        Ok(open)
    }

    /// Space for a segment, in the current volume or the next one with room.
    pub fn reserve(
        &self,
        files: &W,
        kind: SegmentKind,
        payload: u64,
        index: u64,
    ) -> Result<(Arc<Volume<W>>, Reservation)> {
        let mut current = lock(&self.current);
        let mut fresh = false;
        loop {
            let volume = match current.as_ref() {
                Some(volume) => Arc::clone(volume),
                None => {
                    fresh = true;
                    Arc::new(self.take_volume(files, 0)?)
                }
            };
            match volume.reserve(files, kind, payload, index) {
                Ok(reservation) => {
                    *current = Some(Arc::clone(&volume));
                    return Ok((volume, reservation));
                }
                Err(Error::Full { path, wanted }) => {
                    let beyond = volume.number();
                    *current = Some(Arc::new(self.take_volume(files, beyond).map_err(
                        |error| match error {
                            Error::AllInUse { .. } if fresh => Error::Full { path, wanted },
                            other => other,
                        },
                    )?));
                }
                Err(other) => return Err(other),
            }
        }
    }

    /// Opens for writing the first volume with a number above `beyond` that nobody else has, or
    /// makes one.
    fn take_volume(&self, files: &W, beyond: u32) -> Result<Volume<W>> {
        let mut last = beyond;
        let mut candidates: Vec<(u32, PathBuf)> =
            self.volumes().iter().map(|open| (open.number, open.path.clone())).collect();
        candidates.sort();
        // Earlier volumes of a directory are full but for what a reopened one may have left;
        // only the newest is worth settling.
        if matches!(self.place, VolumePlace::Directory { .. }) {
            candidates.drain(..candidates.len().saturating_sub(1));
        }
        for (number, path) in candidates {
            last = last.max(number);
            if number <= beyond {
                continue;
            }
            match Volume::open(files, &path) {
                Ok(volume) => return Ok(volume),
                Err(Error::Fault(Fault { operation: Operation::Lock, cause, .. }))
                    if cause.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(other) => return Err(other),
            }
        }
        let in_use = || Error::AllInUse { place: self.place.name().to_owned() };
        let VolumePlace::Directory { path, volume_bytes } = &self.place else {
            return Err(in_use());
        };
        loop {
            last = last.checked_add(1).ok_or_else(in_use)?;
            match Self::add_volume(files, path, *volume_bytes, self.id, last) {
                Err(Error::Fault(Fault { operation: Operation::Create, cause, .. }))
                    if cause.kind() == std::io::ErrorKind::AlreadyExists => {}
                other => return other,
            }
        }
    }

    /// Ends writing. What is not closed is settled by the next writer.
    pub fn close(self, files: &W) -> Result<()> {
        let current = lock(&self.current).take();
        match current.and_then(Arc::into_inner) {
            Some(volume) => volume.close(files),
            None => Ok(()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
