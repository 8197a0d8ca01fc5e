//! A set of volumes with one archive id.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dray_io::limits::{BLOCK, PIECE_LEAST};
use dray_io::{Access, Context, Fault, Files, Kind, Operation};

use crate::error::{Error, Result};
use crate::layout::{ArchiveId, FIRST_SEGMENT};
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
    /// What is no volume though it should be, and why.
    unreadable: Vec<(PathBuf, &'static str)>,
    writing: Mutex<Writing<W>>,
}

/// The volumes that this process appends to.
struct Writing<W: Files> {
    current: Option<Arc<Volume<W>>>,
    /// Full ones; others may still be writing what they reserved there.
    full: Vec<Arc<Volume<W>>>,
}

impl<W: Files> Writing<W> {
    fn go_on_with(&mut self, next: Arc<Volume<W>>) {
        self.full.extend(self.current.replace(next));
    }
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
        let volume = Volume::format(files, file, &path, id, number, bytes).inspect_err(|_| {
            // On a full file system each try would leave another empty file.
            let _ = files.unlink(&path);
        })?;
        files.sync_dir(directory).during(Operation::Flush, directory)?;
        Ok(volume)
    }

    /// Opens an archive that exists.
    pub fn open(files: &W, place: &VolumePlace) -> Result<Self> {
        let mut volumes: Vec<Arc<Open<W>>> = Vec::new();
        let mut unreadable = Vec::new();
        for path in Self::volume_paths(files, place)? {
            let open = match Self::open_volume(files, &path) {
                // The files on the others can be had all the same.
                Err(Error::NotAVolume { path, why }) => {
                    if !Self::is_unmade(files, &path) {
                        unreadable.push((path, why));
                    }
                    continue;
                }
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
            let none = Error::NoVolume { path: place.name().to_owned() };
            let why = unreadable.into_iter().next();
            return Err(why.map_or(none, |(path, why)| Error::NotAVolume { path, why }));
        };
        let id = first.superblock.archive;
        let writing = Mutex::new(Writing { current: None, full: Vec::new() });
        Ok(Self { place: place.clone(), id, volumes: Mutex::new(volumes), unreadable, writing })
    }

    /// Whether it is a volume whose making was interrupted, which holds nothing yet.
    fn is_unmade(files: &W, path: &Path) -> bool {
        let file = files.open(path, Access::Inspect);
        let stat = file.and_then(|file| files.stat(&file));
        stat.is_ok_and(|stat| stat.kind == Kind::File && stat.size <= FIRST_SEGMENT)
    }

    /// What is among the volumes and cannot be read as one, and why. Its files are not listed.
    pub fn unreadable(&self) -> &[(PathBuf, &'static str)] {
        &self.unreadable
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
        let mut writing = lock(&self.writing);
        loop {
            let volume = self.in_use(files, &mut writing)?;
            match volume.reserve(files, kind, payload, index) {
                Ok(reservation) => return Ok((volume, reservation)),
                Err(full @ Error::Full { .. }) => match self.next_volume(files, &volume)? {
                    Some(next) => writing.go_on_with(next),
                    None => return Err(full),
                },
                Err(other) => return Err(other),
            }
        }
    }

    /// Bytes of payload, at most `most`, that a segment of one file's data can have: what is left
    /// of the current volume or, where that is next to nothing, what the next one takes.
    pub fn piece_room(&self, files: &W, most: u64) -> Result<u64> {
        let mut writing = lock(&self.writing);
        loop {
            let volume = self.in_use(files, &mut writing)?;
            let room = volume.piece_room();
            if room < PIECE_LEAST
                && let Some(next) = self.next_volume(files, &volume)?
            {
                writing.go_on_with(next);
            } else if room > 0 {
                return Ok(room.min(most));
            } else {
                return Err(Error::Full { path: volume.path().to_owned(), wanted: BLOCK });
            }
        }
    }

    /// The volume that is being written.
    fn in_use(&self, files: &W, writing: &mut Writing<W>) -> Result<Arc<Volume<W>>> {
        if let Some(volume) = &writing.current {
            return Ok(Arc::clone(volume));
        }
        let all_in_use = || Error::AllInUse { place: self.place.name().to_owned() };
        let volume = Arc::new(self.take_volume(files, 0)?.ok_or_else(all_in_use)?);
        writing.current = Some(Arc::clone(&volume));
        Ok(volume)
    }

    /// The volume after one that is full; `None` if there is none, or what did not fit would not
    /// fit there either.
    fn next_volume(&self, files: &W, full: &Volume<W>) -> Result<Option<Arc<Volume<W>>>> {
        let alike = matches!(self.place, VolumePlace::Directory { .. });
        if alike && full.is_empty() {
            return Ok(None);
        }
        Ok(self.take_volume(files, full.number())?.map(Arc::new))
    }

    /// Opens for writing the first volume with a number above `beyond` that nobody else has, or
    /// makes one. `None` if there is no such LUN; an error if there is and others have it.
    fn take_volume(&self, files: &W, beyond: u32) -> Result<Option<Volume<W>>> {
        let mut last = beyond;
        let mut taken = false;
        let mut candidates = self.volumes();
        candidates.sort_by_key(|open| open.number);
        // Earlier volumes of a directory are full. But one whose writer was killed is to be
        // settled: what is uncertain in it could otherwise never be told from torn.
        if let (VolumePlace::Directory { .. }, Some(newest)) = (&self.place, candidates.last()) {
            let newest = newest.number;
            let is_closed = |open: &Open<W>| open.superblock.durable == open.superblock.frontier;
            candidates.retain(|open| open.number == newest || !is_closed(open));
        }
        for open in candidates {
            last = last.max(open.number);
            if open.number <= beyond {
                continue;
            }
            match Volume::open(files, &open.path) {
                Ok(volume) => return Ok(Some(volume)),
                Err(Error::Fault(Fault { operation: Operation::Lock, cause, .. }))
                    if cause.kind() == std::io::ErrorKind::WouldBlock =>
                {
                    taken = true;
                }
                Err(other) => return Err(other),
            }
        }
        let in_use = || Error::AllInUse { place: self.place.name().to_owned() };
        let VolumePlace::Directory { path, volume_bytes } = &self.place else {
            return if taken { Err(in_use()) } else { Ok(None) };
        };
        loop {
            last = last.checked_add(1).ok_or_else(in_use)?;
            match Self::add_volume(files, path, *volume_bytes, self.id, last) {
                Err(Error::Fault(Fault { operation: Operation::Create, cause, .. }))
                    if cause.kind() == std::io::ErrorKind::AlreadyExists => {}
                other => return other.map(Some),
            }
        }
    }

    /// Ends writing, until something is reserved again. What is not closed is settled by the next
    /// writer.
    pub fn close(&self, files: &W) -> Result<()> {
        let (current, full) = {
            let mut writing = lock(&self.writing);
            (writing.current.take(), std::mem::take(&mut writing.full))
        };
        let volumes = full.into_iter().chain(current).filter_map(Arc::into_inner);
        // The first failure is told; the others are closed all the same.
        volumes.map(|volume| volume.close(files)).fold(Ok(()), Result::and)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
