//! Copying in: data comes back from the archive into files that were released.
//!
//! Order: the attribute says that data is on the move; data that matches its sums is written; one
//! flush; size and identity of the file are checked again; times are put back; the attribute says
//! what is present now. Only missing ranges are ever written, and what stands in them before is
//! checked to be nothing but the remains of a move of ours.

mod large;
mod settle;
mod small;

use std::path::PathBuf;
use std::sync::Mutex;

use dray_archive::{Archive, Location};
use dray_io::limits::SMALL_FILE;
use dray_io::{Kind, Range, World};

use crate::archive::lock;
use crate::error::{Error, Result};
use crate::release::{open_to_look, sync_around};
use crate::standing::{Standing, standing};
use crate::tally::Run;
use crate::walk::{Entry, Queue, Walk};

/// How to restore.
#[derive(Debug, Clone, Copy, Default)]
pub struct RestoreOptions {
    /// Only what meets this range, widened to checksum blocks.
    pub range: Option<Range>,
    /// Bytes per request of the data path.
    pub unit: u32,
}

/// A file that is to come back.
pub(crate) struct Wanted {
    pub(crate) path: PathBuf,
    pub(crate) manifest: Location,
    size: u64,
}

pub(crate) struct Shared<'a, W: World> {
    pub(crate) world: &'a W,
    pub(crate) archive: &'a Archive<W::Files>,
    pub(crate) options: RestoreOptions,
    pub(crate) run: &'a Run<'a>,
}

/// Restores every released file under `roots`, in the order of the archive.
pub fn restore<W: World>(
    world: &W,
    archive: &Archive<W::Files>,
    roots: Vec<PathBuf>,
    excluded: Vec<PathBuf>,
    options: RestoreOptions,
    run: &Run<'_>,
) -> Result<()> {
    let shared = Shared { world, archive, options, run };
    let mut walk = Walk::new(world.files(), roots, excluded);
    loop {
        let queue = Queue::new(&mut walk, run);
        let mut wanted = shared.plan(&queue);
        let over = queue.is_over();
        let Some(last) = wanted.last().map(|wanted| wanted.path.clone()) else {
            if over {
                return Ok(());
            }
            continue;
        };
        wanted.sort_by_key(|wanted| wanted.manifest);
        // One manifest, one file: a second name of it would meet the lease taken under the first.
        wanted.dedup_by(|next, first| {
            let again = next.manifest == first.manifest;
            if again {
                run.skipped(&next.path, "another name of a file being restored");
            }
            again
        });
        let packed = |wanted: &Wanted| wanted.size <= SMALL_FILE && options.range.is_none();
        let (small, large): (Vec<_>, Vec<_>) = wanted.into_iter().partition(packed);
        small::restore_all(&shared, small);
        if !large.is_empty() {
            large::restore_all(&shared, large)?;
        }
        sync_around(world.files(), &last)?;
        if over {
            return Ok(());
        }
    }
}

impl<W: World> Shared<'_, W> {
    /// Finds out where the data of each file is; those that are all there are passed over.
    fn plan(&self, queue: &Queue<'_, '_, W::Files>) -> Vec<Wanted> {
        let wanted = Mutex::new(Vec::new());
        self.world.hands(&|_| {
            let (mut handful, mut found) = (Vec::new(), Vec::new());
            while queue.take(&mut handful) {
                while let Some(entry) = handful.pop() {
                    if entry.kind != Kind::File {
                        continue;
                    }
                    match self.look(&entry) {
                        Ok(Some(one)) => found.push(one),
                        Ok(None) => {}
                        Err(error) => self.run.failed(&entry.path, &error),
                    }
                }
            }
            lock(&wanted).append(&mut found);
        });
        wanted.into_inner().unwrap_or_default()
    }

    fn look(&self, entry: &Entry) -> Result<Option<Wanted>> {
        let (files, path) = (self.world.files(), entry.path.as_path());
        let file = open_to_look(files, path)?;
        match standing(files, &file, path)?.1 {
            Standing::Resident | Standing::Dirty(_) | Standing::Archived { .. } => {
                self.run.skipped(path, "on disk already");
                Ok(None)
            }
            Standing::Overwritten(_) => Err(Error::Overwritten { path: path.to_owned() }),
            Standing::Foreign(_) => Err(Error::ForeignAttribute { path: path.to_owned() }),
            Standing::Away { attribute, .. } => Ok(Some(Wanted {
                path: path.to_owned(),
                manifest: attribute.manifest,
                size: attribute.size,
            })),
        }
    }
}
