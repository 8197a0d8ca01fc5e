//! The journal in a file of this machine: `docs/store.md`, *Embedded*.

mod file;
mod mark;
mod tables;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use redb::{Database, ReadableDatabase as _};

use crate::embedded::mark::Mark;
use crate::embedded::tables::{BLOCKS, Meta};
use crate::error::{Error, Result};
use crate::frame;
use crate::span::Span;
use crate::store::{Block, Store};

/// A store of which one process at a time has the use.
#[derive(Debug)]
pub struct Embedded {
    path: PathBuf,
    cluster: [u8; 16],
    epoch: u64,
    /// None after an error: the database refuses everything from then on, and is opened anew.
    database: Option<Database>,
    span: Span,
    mark: Mark,
    /// Held, also while the database is opened anew, until this is dropped.
    _lock: File,
}

impl Embedded {
    /// Opens the store in this directory, or makes one. Its epoch is larger than that of every
    /// opening before, and durable.
    pub fn open(directory: &Path, cluster: [u8; 16]) -> Result<Self> {
        let lock = file::lock(directory)?;
        let path = file::path(directory);
        if !file::exists(&path)? {
            Mark::forget(directory)?;
            file::create(directory, cluster)?;
        }
        let database = file::open(&path, true)?;
        let mut store = Self {
            path,
            cluster,
            epoch: 0,
            database: Some(database),
            span: Span::EMPTY,
            mark: Mark::open(directory),
            _lock: lock,
        };
        let meta = store.look()?;
        store.mark.check(&store.path, store.span)?;
        // Seconds, so that epochs go on growing where the store was moved away: nodes remember.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs());
        store.epoch = now.max(meta.epoch + 1);
        store.write(&[], store.span)?;
        Ok(store)
    }

    /// Larger than every one before.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The database, opened anew if there was an error.
    fn database(&mut self) -> Result<&Database> {
        if self.database.is_none() {
            self.database = Some(file::open(&self.path, false)?);
            let meta = self.look()?;
            if meta.epoch != self.epoch {
                self.database = None;
                let why = "another process has written to it".into();
                return Err(Error::Damaged { path: self.path.clone(), why });
            }
        }
        Ok(self.database.as_ref().expect("it has just been opened"))
    }

    /// Reads what the database says of itself, and which blocks it has.
    fn look(&mut self) -> Result<Meta> {
        let database = self.database.as_ref().expect("called when it has been opened");
        let failed = tables::failed("read", &self.path);
        let found = tables::look(database).map_err(failed)?;
        let (meta, span) =
            found.map_err(|why| Error::NotAStore { path: self.path.clone(), why })?;
        meta.check(&self.path, self.cluster)?;
        self.span = span;
        Ok(meta)
    }

    /// One transaction; on error the database is given up.
    fn write(&mut self, blocks: &[Block], after: Span) -> Result<()> {
        let frames: Vec<(u64, Vec<u8>)> = blocks
            .iter()
            .filter(|block| block.number >= after.first)
            .map(|block| (block.number, frame::encode(block.number, &block.bytes)))
            .collect();
        let meta = Meta { format: crate::error::FORMAT, cluster: self.cluster, epoch: self.epoch };
        let before = self.span;
        match tables::commit(self.database()?, &meta, &frames, before, after) {
            Ok(()) => {
                self.span = after;
                self.mark.set(after);
                Ok(())
            }
            Err(cause) => {
                self.database = None;
                Err(tables::failed("write", &self.path)(cause))
            }
        }
    }
}

impl Store for Embedded {
    fn load(&mut self, each: &mut dyn FnMut(u64, &[u8]) -> Result<(), String>) -> Result<()> {
        self.database()?;
        let database = self.database.as_ref().expect("it is open");
        let mut met = Span { next: self.span.first, ..self.span };
        let result = tables::each_block(database, &mut |number, frame| {
            met.meet(number)?;
            let bytes =
                frame::decode(number, frame).map_err(|why| Error::BadBlock { number, why })?;
            each(number, &bytes).map_err(|why| Error::Content { number, why })
        });
        result.map_err(tables::failed("read", &self.path))?
    }

    fn commit(&mut self, blocks: &[Block], keep_from: u64) -> Result<()> {
        // Opened first where that is due: an unfinished commit may have been kept after all.
        self.database()?;
        let after = self.span.after(blocks, keep_from)?;
        self.write(blocks, after)
    }

    fn read(&mut self, number: u64) -> Result<Vec<u8>> {
        let path = self.path.clone();
        let database = self.database()?;
        let get = || -> Result<Option<Vec<u8>>, redb::Error> {
            let table = database.begin_read()?.open_table(BLOCKS)?;
            Ok(table.get(number)?.map(|frame| frame.value().to_vec()))
        };
        let frame = get().map_err(tables::failed("read", &path))?;
        let frame = frame.ok_or(Error::Missing { number })?;
        frame::decode(number, &frame).map_err(|why| Error::BadBlock { number, why })
    }
}
