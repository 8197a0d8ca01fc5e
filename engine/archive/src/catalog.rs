//! The catalog: what counts of all records, kept so that a listing need not read the volumes. A
//! cache: it notes how far it has read each volume, catches up before it answers, and can be
//! deleted at any time.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use dray_io::{Files, Handle, Kind, PackedTime};
use redb::{
    Database, Durability, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction,
};

use crate::archive::{Archive, Location, Open};
use crate::error::{Error, Result};
use crate::index::{IndexItem, items};
use crate::layout::{FIRST_SEGMENT, Put, Take};
use crate::mark::SegmentKind;
use crate::record::{GoneRecord, Record};
use crate::scan::{Finding, Scan, durable_end};
use crate::volume::read_superblock;

/// Handle and order of a manifest, so that the last of a handle counts, to what a listing shows.
const FILES: TableDefinition<'_, Version<'static>, &[u8]> = TableDefinition::new("files");
/// Path to the handle last archived under it, with the time of that.
const PATHS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("paths");
/// Manifests removed, by volume and offset.
const GONE: TableDefinition<'_, (u32, u64), ()> = TableDefinition::new("gone");
/// Handles of which everything archived up to a time was removed.
const DROPPED: TableDefinition<'_, &[u8], u64> = TableDefinition::new("dropped");
/// How far each volume has been read.
const READ: TableDefinition<'_, u32, u64> = TableDefinition::new("read");
/// Archive id under the key 0.
const OF: TableDefinition<'_, u8, &[u8]> = TableDefinition::new("archive");

/// Bytes of page cache; a rebuild of a million files stays in some tens of MiB with it.
const CACHE_BYTES: usize = 16 << 20;
/// Records per transaction: bounds what an open transaction holds in memory.
const RECORDS_PER_COMMIT: u64 = 8192;

/// One archived file, as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub handle: Handle,
    pub location: Location,
    pub archived: PackedTime,
    pub kind: Kind,
    pub size: u64,
    pub path: PathBuf,
}

pub struct Catalog {
    database: Database,
    path: PathBuf,
}

fn handle_key(handle: &Handle) -> Vec<u8> {
    let mut put = Put::default();
    put.handle(handle);
    put.0
}

const HANDLE_KEY: usize = 32;

type Version<'a> = (&'a [u8], u64, u32, u64);

/// All versions of a handle.
fn versions(handle: &[u8]) -> std::ops::RangeInclusive<Version<'_>> {
    (handle, 0, 0, 0)..=(handle, u64::MAX, u32::MAX, u64::MAX)
}

impl Entry {
    fn encode(&self) -> Vec<u8> {
        let mut put = Put::default();
        put.packed(self.archived);
        put.u32(self.location.volume);
        put.u32(self.location.length);
        put.u64(self.location.at);
        put.u64(self.size);
        put.u32(self.kind as u32);
        put.bytes(self.path.as_os_str().as_bytes());
        put.0
    }

    fn decode(key: &[u8], value: &[u8]) -> Option<Self> {
        const KINDS: [Kind; 7] = [
            Kind::File,
            Kind::Directory,
            Kind::Symlink,
            Kind::Fifo,
            Kind::Socket,
            Kind::CharDevice,
            Kind::BlockDevice,
        ];
        let handle = Take::new(key).handle()?;
        let mut take = Take::new(value);
        let archived = take.packed()?;
        let (volume, length, at) = (take.u32()?, take.u32()?, take.u64()?);
        let size = take.u64()?;
        let kind = *KINDS.get(take.count()?)?;
        let path = PathBuf::from(OsStr::from_bytes(&value[take.at()..]));
        Some(Self { handle, location: Location { volume, at, length }, archived, kind, size, path })
    }
}

impl Catalog {
    /// Opens or makes the catalog at `path`.
    pub fn open(path: &Path) -> Result<Self> {
        let failed =
            |cause: redb::Error| Error::Catalog { path: path.to_owned(), cause: Box::new(cause) };
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create(path)
            .map_err(|cause| failed(cause.into()))?;
        Ok(Self { database, path: path.to_owned() })
    }

    fn failed<E: Into<redb::Error>>(&self) -> impl Fn(E) -> Error + use<'_, E> {
        |cause| Error::Catalog { path: self.path.clone(), cause: Box::new(cause.into()) }
    }

    /// Reads what the volumes have got since the catalog last looked. `seen` is told of every
    /// record.
    pub fn catch_up<W: Files>(
        &self,
        files: &W,
        archive: &Archive<W>,
        seen: &mut dyn FnMut(u64),
    ) -> Result<()> {
        self.check_archive(archive)?;
        for volume in archive.volumes() {
            self.read_volume(files, &volume, seen)?;
        }
        Ok(())
    }

    fn check_archive<W: Files>(&self, archive: &Archive<W>) -> Result<()> {
        let transaction = self.database.begin_write().map_err(self.failed())?;
        let foreign = {
            let mut of = transaction.open_table(OF).map_err(self.failed())?;
            let stored = of.get(0).map_err(self.failed())?.map(|id| id.value().to_vec());
            of.insert(0, archive.id().as_slice()).map_err(self.failed())?;
            stored.is_some_and(|stored| stored != archive.id())
        };
        if foreign {
            transaction.delete_table(FILES).map_err(self.failed())?;
            transaction.delete_table(PATHS).map_err(self.failed())?;
            transaction.delete_table(GONE).map_err(self.failed())?;
            transaction.delete_table(DROPPED).map_err(self.failed())?;
            transaction.delete_table(READ).map_err(self.failed())?;
        }
        transaction.open_table(FILES).map_err(self.failed())?;
        transaction.open_table(PATHS).map_err(self.failed())?;
        transaction.commit().map_err(self.failed())
    }

    fn begin(&self) -> Result<WriteTransaction> {
        let mut transaction = self.database.begin_write().map_err(self.failed())?;
        // A lost transaction only means reading those segments again.
        transaction.set_durability(Durability::None).map_err(self.failed())?;
        Ok(transaction)
    }

    fn read_volume<W: Files>(
        &self,
        files: &W,
        volume: &Open<W>,
        seen: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let superblock = read_superblock(files, &volume.file, &volume.path)?;
        let mut transaction = self.begin()?;
        let from = {
            let read = transaction.open_table(READ).map_err(self.failed())?;
            read.get(volume.number).map_err(self.failed())?.map_or(FIRST_SEGMENT, |at| at.value())
        };
        let durable = durable_end(files, &volume.file, &volume.path, &superblock, from)?;
        let mut scan = Scan::begin(files, &volume.file, &volume.path, &superblock, from);
        let (mut records, mut in_transaction, mut settled) = (0, 0, true);
        while let Some(finding) = scan.next(files)? {
            let Finding::Segment(found) = finding else { continue };
            let mark = found.segment.mark.clone();
            let durable = mark.end() <= durable;
            settled &= durable;
            if mark.kind == SegmentKind::SKIP || (!durable && !scan.is_sound(files, &found)?) {
                continue;
            }
            let index = scan.index(files, &found.segment)?;
            for item in items(&index[..mark.index as usize]) {
                if let IndexItem::Record { record, length, at, .. } = item {
                    let at = mark.index_at() + at as u64;
                    let location = Location { volume: volume.number, at, length };
                    self.take(&transaction, record, location)?;
                    records += 1;
                    in_transaction += 1;
                }
            }
            if settled {
                let mut read = transaction.open_table(READ).map_err(self.failed())?;
                read.insert(volume.number, mark.end()).map_err(self.failed())?;
            }
            if in_transaction >= RECORDS_PER_COMMIT {
                transaction.commit().map_err(self.failed())?;
                transaction = self.begin()?;
                in_transaction = 0;
            }
            seen(records);
        }
        transaction.set_durability(Durability::Immediate).map_err(self.failed())?;
        transaction.commit().map_err(self.failed())
    }

    fn take(
        &self,
        transaction: &WriteTransaction,
        record: Record,
        location: Location,
    ) -> Result<()> {
        match record {
            Record::File(file) => {
                let entry = Entry {
                    handle: file.handle,
                    location,
                    archived: file.archived,
                    kind: file.kind,
                    size: file.size,
                    path: file.path,
                };
                self.take_file(transaction, &entry)
            }
            Record::Link(link) => {
                let path = link.path.as_os_str().as_bytes();
                self.take_path(transaction, path, &handle_key(&link.handle), link.archived)
            }
            Record::Gone(gone) => self.take_gone(transaction, &gone),
            Record::Part(_) | Record::Unknown(_) => Ok(()),
        }
    }

    fn take_file(&self, transaction: &WriteTransaction, entry: &Entry) -> Result<()> {
        let gone = transaction.open_table(GONE).map_err(self.failed())?;
        let dropped = transaction.open_table(DROPPED).map_err(self.failed())?;
        let key = handle_key(&entry.handle);
        let place = (entry.location.volume, entry.location.at);
        let until = dropped.get(key.as_slice()).map_err(self.failed())?.map(|until| until.value());
        if gone.get(place).map_err(self.failed())?.is_some()
            || until.is_some_and(|until| entry.archived.0 <= until)
        {
            return Ok(());
        }
        let mut files = transaction.open_table(FILES).map_err(self.failed())?;
        let version = (key.as_slice(), entry.archived.0, place.0, place.1);
        files.insert(version, entry.encode().as_slice()).map_err(self.failed())?;
        self.take_path(transaction, entry.path.as_os_str().as_bytes(), &key, entry.archived)
    }

    fn take_path(
        &self,
        transaction: &WriteTransaction,
        path: &[u8],
        key: &[u8],
        archived: PackedTime,
    ) -> Result<()> {
        let mut paths = transaction.open_table(PATHS).map_err(self.failed())?;
        let known = paths.get(path).map_err(self.failed())?.map(|value| value.value().to_vec());
        let newer = known.is_none_or(|known| {
            let mut take = Take::new(known.get(HANDLE_KEY..).unwrap_or_default());
            take.packed().is_none_or(|known| known.0 <= archived.0)
        });
        if newer {
            let mut value = key.to_vec();
            value.extend(archived.0.to_le_bytes());
            paths.insert(path, value.as_slice()).map_err(self.failed())?;
        }
        Ok(())
    }

    fn take_gone(&self, transaction: &WriteTransaction, record: &GoneRecord) -> Result<()> {
        let key = handle_key(&record.handle);
        if record.volume == 0 {
            let mut dropped = transaction.open_table(DROPPED).map_err(self.failed())?;
            let known = dropped.get(key.as_slice()).map_err(self.failed())?.map(|t| t.value());
            let until = known.unwrap_or(0).max(record.removed.0);
            dropped.insert(key.as_slice(), until).map_err(self.failed())?;
        } else {
            let mut gone = transaction.open_table(GONE).map_err(self.failed())?;
            gone.insert((record.volume, record.at), ()).map_err(self.failed())?;
        }
        let mut files = transaction.open_table(FILES).map_err(self.failed())?;
        let mut over = Vec::new();
        for row in files.range(versions(&key)).map_err(self.failed())? {
            let (version, value) = row.map_err(self.failed())?;
            let (_, archived, volume, at) = version.value();
            drop(value);
            if (volume, at) == (record.volume, record.at)
                || (record.volume == 0 && archived <= record.removed.0)
            {
                over.push((archived, volume, at));
            }
        }
        for (archived, volume, at) in over {
            files.remove((key.as_slice(), archived, volume, at)).map_err(self.failed())?;
        }
        Ok(())
    }

    /// Calls `visit` for each path under `prefix` (all if empty), in order of path bytes. A file
    /// with several names comes once per name.
    pub fn list(&self, prefix: &Path, visit: &mut dyn FnMut(Entry) -> Result<()>) -> Result<()> {
        let transaction = self.database.begin_read().map_err(self.failed())?;
        let files = transaction.open_table(FILES).map_err(self.failed())?;
        let paths = transaction.open_table(PATHS).map_err(self.failed())?;
        let prefix = prefix.as_os_str().as_bytes();
        for row in paths.range(prefix..).map_err(self.failed())? {
            let (path, key) = row.map_err(self.failed())?;
            let path = path.value();
            if !path.starts_with(prefix) {
                break;
            }
            let rest = &path[prefix.len()..];
            if !(prefix.is_empty() || prefix.ends_with(b"/") || rest.is_empty() || rest[0] == b'/')
            {
                continue;
            }
            let Some(key) = key.value().get(..HANDLE_KEY).map(<[u8]>::to_vec) else { continue };
            let last = files.range(versions(&key)).map_err(self.failed())?.next_back();
            let Some(last) = last.transpose().map_err(self.failed())? else { continue };
            if let Some(mut entry) = Entry::decode(&key, last.1.value()) {
                entry.path = PathBuf::from(OsStr::from_bytes(path));
                visit(entry)?;
            }
        }
        Ok(())
    }

    /// The file archived under exactly this path.
    pub fn find(&self, path: &Path) -> Result<Option<Entry>> {
        let mut found = None;
        self.list(path, &mut |entry| {
            if entry.path == path {
                found = Some(entry);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Where a catalog of a directory archive is kept.
    pub fn default_path(directory: &Path) -> PathBuf {
        directory.join("catalog.redb")
    }
}
