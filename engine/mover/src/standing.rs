//! How a file stands: what its attribute says, held against the file itself.

use std::path::Path;

use dray_io::{Context, Files, Kind, Operation, PackedTime, RangeSet, Stat, Time};

use crate::attribute::{Attribute, Kept};
use crate::error::{Error, Result};
use crate::manifest::changed;

/// Nanoseconds between the stamp and the change time that writing the attribute left. Anything
/// later changed the file after it was archived. A change that leaves size and modification time
/// alone goes unseen only if a program makes it and puts the time back at once, before the clock of
/// the file system has moved beyond this.
const STAMP_WINDOW_NS: u64 = 200_000;

/// Nanoseconds from looking at a file to marking it. Whoever is kept waiting longer has not seen
/// how it is now. Two ticks at 100 Hz.
const SEEN_NS: u64 = 20_000_000;

/// How often a mark is set until the change time that it leaves fits its stamp. A second one does
/// but for a writer that is kept waiting in between.
const STAMP_TRIES: usize = 6;

/// Nanoseconds. A file that changed so shortly before it was looked at may change again without
/// its times moving, on kernels whose time stamps move by the tick (4 ms at 250 Hz, 10 ms at 100).
const RECENT_NS: u64 = 20_000_000;

/// Nanoseconds from the moment in which a store to a mapped page moves the file's times until it is
/// done: in between the kernel may wait for the journal, and the program for a processor.
const STORE_NS: u64 = 60_000_000_000;

/// The state of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// No archive copy.
    Resident,
    /// On disk with a valid archive copy. If not `certain`, something other than the content
    /// seems to have changed since; comparing the content settles it.
    Archived { attribute: Attribute, certain: bool },
    /// All on disk, changed since it was archived.
    Dirty(Attribute),
    /// Not all on disk. `touched` says that the modification time moved since.
    Away { attribute: Attribute, touched: bool },
    /// Cut or grown while not all was on disk: what is there now is not what was archived.
    Overwritten(Attribute),
    /// The attribute was copied from a file that was not all on disk.
    Foreign(Attribute),
}

impl Standing {
    /// The word for it, as `dray state` shows it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Resident => "resident",
            Self::Archived { .. } => "archived",
            Self::Dirty(_) | Self::Overwritten(_) => "dirty",
            Self::Away { attribute, .. } if attribute.kept == Kept::Partial => "partial",
            Self::Away { .. } => "released",
            Self::Foreign(_) => "lost",
        }
    }

    pub fn attribute(&self) -> Option<&Attribute> {
        match self {
            Self::Resident => None,
            Self::Archived { attribute, .. }
            | Self::Dirty(attribute)
            | Self::Away { attribute, .. }
            | Self::Overwritten(attribute)
            | Self::Foreign(attribute) => Some(attribute),
        }
    }

    /// Holds an attribute against its file.
    pub fn judge(stat: &Stat, attribute: Option<Attribute>) -> Self {
        let Some(attribute) = attribute else { return Self::Resident };
        let same_size = stat.size == attribute.size;
        let same_time = PackedTime::from(stat.modified) == attribute.modified;
        if !attribute.is_of(stat) {
            // A copy of a file that was all there is just a file.
            return match attribute.kept {
                Kept::Archived if !attribute.moving => Self::Resident,
                _ => Self::Foreign(attribute),
            };
        }
        if attribute.kept == Kept::Archived {
            if !same_size || !same_time {
                return Self::Dirty(attribute);
            }
            let certain = fits(stat.changed, Time::from(attribute.stamp));
            return Self::Archived { attribute, certain };
        }
        if !same_size {
            return Self::Overwritten(attribute);
        }
        let touched = !attribute.moving && !same_time;
        Self::Away { attribute, touched }
    }
}

/// Whether a change time is that of the attribute with this stamp.
fn fits(changed: Time, stamp: Time) -> bool {
    changed.since(stamp).is_some_and(|since| since <= STAMP_WINDOW_NS)
}

/// Reads the state of an open file.
pub fn standing<F: Files>(files: &F, file: &F::File, path: &Path) -> Result<(Stat, Standing)> {
    let stat = files.stat(file).during(Operation::Stat, path)?;
    if stat.kind != Kind::File {
        return Ok((stat, Standing::Resident));
    }
    let attribute = attribute(files, file, path)?;
    let standing = Standing::judge(&stat, attribute);
    Ok((stat, standing))
}

/// Reads and decodes the state attribute of an open file.
pub(crate) fn attribute<F: Files>(
    files: &F,
    file: &F::File,
    path: &Path,
) -> Result<Option<Attribute>> {
    let bytes = files.attribute(file).during(Operation::ReadAttribute, path)?;
    let Some(bytes) = bytes else { return Ok(None) };
    let decoded = Attribute::decode(&bytes);
    decoded.map(Some).map_err(|why| Error::BadAttribute { path: path.to_owned(), why })
}

/// Whether a file may change from how it was at `stat` without its times moving again: it changed
/// too shortly before `now`, or somebody has it open for writing who may have moved them already.
/// To be asked after `stat` and before the content is read.
pub(crate) fn may_change_unseen<F: Files>(
    files: &F,
    file: &F::File,
    stat: &Stat,
    now: Time,
    path: &Path,
) -> Result<bool> {
    let age = now.since(stat.changed);
    if age.is_none_or(|age| age < RECENT_NS) {
        return Ok(true);
    }
    let slowly = age.is_some_and(|age| age < STORE_NS);
    Ok(slowly && files.has_writer(file).during(Operation::Lease, path)?)
}

/// A file as it was found to be what the archive has.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) stat: &'a Stat,
    /// [`Files::now`] before it was looked at.
    pub(crate) at: Time,
}

/// Marks a file whose content is all there as archived. The mark is certain if the file was `seen`
/// so and the change time that it leaves can be told from that of any later change; else the
/// content is compared before a release, that is all. Fails with [`Error::Changed`] if the file
/// had an attribute (`marked`) and has none now, or the other way round: what somebody else removes
/// from the archive between the comparison and the mark may be this copy, too.
pub(crate) fn mark_archived<F: Files>(
    files: &F,
    file: &F::File,
    path: &Path,
    attribute: &Attribute,
    marked: bool,
    seen: Option<Seen<'_>>,
) -> Result<()> {
    let mark = |there, stamp| {
        let value = Attribute {
            kept: Kept::Archived,
            moving: false,
            remains: false,
            stamp,
            present: RangeSet::default(),
            ..attribute.clone()
        };
        let set = files.set_attribute_if(file, there, &value.encode());
        match set.during(Operation::WriteAttribute, path)? {
            true => Ok(()),
            false => Err(changed(path)),
        }
    };
    let Some(Seen { stat, at }) = seen else { return mark(marked, PackedTime::default()) };
    let (mut there, mut changed) = (marked, stat.changed);
    for _ in 0..STAMP_TRIES {
        let tick = files.now();
        if tick.since(at).is_none_or(|pause| pause > SEEN_NS) {
            break;
        }
        // The change times of one tick are told apart by the fine clock, once they were looked at.
        let stamp = PackedTime::from(if changed < tick { tick } else { files.now_fine() });
        mark(there, stamp)?;
        there = true;
        changed = files.restat(file, stat).during(Operation::Stat, path)?.changed;
        if fits(changed, Time::from(stamp)) {
            return Ok(());
        }
    }
    mark(there, PackedTime::default())
}
