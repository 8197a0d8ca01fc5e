//! Files that are asked for together.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use dray_io::{Handle, Range};
use dray_mover::Entry;
use dray_node::places::{kind_to_wire, to_wire};
use dray_wire::Name;
use dray_wire::messages::{Item, KIND_LINK};

use crate::look::Found;

/// Files submitted at once. A directory's worth: the first of them should not wait for long.
pub(super) const BATCH: usize = 256;
/// Names in one submission, in bytes: well within a frame.
const BATCH_NAMES: usize = 512 << 10;

/// Items that go out together.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) items: Vec<Item>,
    pub(super) entries: Vec<(PathBuf, Option<Handle>)>,
    pub(super) first_names: Vec<Handle>,
    names: usize,
}

impl Batch {
    pub(super) fn is_full(&self) -> bool {
        self.items.len() >= BATCH || self.names >= BATCH_NAMES
    }

    pub(super) fn add(&mut self, found: Found, range: Option<Range>, link: bool) {
        let Found { entry: Entry { path, kind, handle, .. }, size, place, .. } = found;
        let name = path.as_os_str().as_bytes();
        self.names += name.len();
        // A longer one could not have been opened.
        let name = Name::new(name).unwrap_or_default();
        let (offset, length) = range.map_or((0, 0), |range| (range.start, range.len()));
        self.items.push(Item {
            handle: handle.map(to_wire).unwrap_or_default(),
            size: if link { 0 } else { size },
            lun: place.0,
            place: place.1,
            offset,
            length,
            kind: if link { KIND_LINK } else { kind_to_wire(kind) },
            name,
            ..Item::default()
        });
        self.entries.push((path, handle));
    }
}
