//! Several nodes over one file system and one archive: each is an archive object of its own.

use std::path::Path;
use std::sync::Mutex;

use dray_archive::{Archive, PartRef, VolumePlace};
use dray_io::limits::PART_UNIT;
use dray_io::{Kind, Range};
use dray_mover::{
    ArchiveOptions, ArchiveStamp, Begun, Entry, Error, PartJob, RestoreJob, RestorePlan,
    RestoreStamp, Result, Run, Tally, Watch, archive_parts, begin_archive, begin_restore,
    decode_parts, encode_parts, finish_archive, finish_restore, restore_parts,
};
use dray_sim::Sim;

use crate::world::{UNIT, path};

/// Bytes at which restores are cut: no multiple of anything.
const CUT: u64 = 700_001;

struct Unheard;

impl Watch for Unheard {
    fn failed(&self, path: &Path, error: &Error) {
        panic!("{}: {error}", path.display());
    }
}

pub(crate) fn with_run<T>(job: impl FnOnce(&Run<'_>) -> T) -> T {
    job(&Run { tally: &Tally::default(), watch: &Unheard })
}

pub(crate) fn entry(name: &str) -> Entry {
    Entry::new(path(name), Kind::File)
}

/// Two nodes.
pub(crate) struct Nodes<'a> {
    sim: &'a Sim,
    tiers: [Archive<Sim>; 2],
}

fn first_error<T>(heard: Vec<Result<T>>) -> Result<Vec<T>> {
    heard.into_iter().collect()
}

impl<'a> Nodes<'a> {
    pub(crate) fn start(sim: &'a Sim, place: &VolumePlace) -> Result<Self> {
        Ok(Self { sim, tiers: [Archive::open(sim, place)?, Archive::open(sim, place)?] })
    }

    pub(crate) fn end(self) -> Result<()> {
        let [first, second] = self.tiers;
        first.close(self.sim)?;
        Ok(second.close(self.sim)?)
    }

    pub(crate) fn begin_archive(&self, entry: &Entry) -> Result<ArchiveStamp> {
        match begin_archive(self.sim, entry)? {
            Begun::Begun(stamp) => Ok(ArchiveStamp::decode(&stamp.encode()).unwrap()),
            Begun::Nothing(why) => panic!("{why}"),
        }
    }

    /// Archives ranges on one node; the parts.
    pub(crate) fn archive_parts(
        &self,
        node: usize,
        entry: &Entry,
        stamp: &ArchiveStamp,
        ranges: &[Range],
    ) -> Result<Vec<PartRef>> {
        let job =
            |range: &Range| PartJob { entry: entry.clone(), stamp: stamp.clone(), range: *range };
        let heard = Mutex::new(Vec::new());
        let jobs = ranges.iter().map(job).collect();
        with_run(|run| {
            archive_parts(self.sim, &self.tiers[node], jobs, UNIT, run, &|index, core, parts| {
                assert_eq!(core, 0, "the simulator has one core");
                heard.lock().unwrap().push(parts.map(|parts| (index, parts)));
            })
        })?;
        let parts = first_error(heard.into_inner().unwrap())?;
        assert_eq!(parts.len(), ranges.len(), "each job is heard of once");
        let parts: Vec<PartRef> = parts.into_iter().flat_map(|(_, parts)| parts).collect();
        Ok(decode_parts(&encode_parts(&parts)).unwrap())
    }

    pub(crate) fn finish_archive(
        &self,
        entry: &Entry,
        stamp: &ArchiveStamp,
        parts: Vec<PartRef>,
    ) -> Result<u64> {
        let options = ArchiveOptions { hash: false, unit: UNIT };
        with_run(|run| finish_archive(self.sim, &self.tiers[1], entry, stamp, parts, options, run))
    }

    /// Archives a file in parts of the least size, in turn on either node.
    pub(crate) fn archive(&self, entry: &Entry) -> Result<Vec<PartRef>> {
        let stamp = self.begin_archive(entry)?;
        let mut parts = Vec::new();
        for (node, ranges) in dealt(Range::new(0, stamp.size()), PART_UNIT).iter().enumerate() {
            parts.extend(self.archive_parts(node, entry, &stamp, ranges)?);
        }
        self.finish_archive(entry, &stamp, parts.clone())?;
        Ok(parts)
    }

    pub(crate) fn begin_restore(&self, entry: &Entry) -> Result<RestorePlan> {
        match with_run(|run| begin_restore(self.sim, &self.tiers[0], entry, run))? {
            Begun::Begun(RestorePlan { stamp, ranges }) => {
                let stamp = RestoreStamp::decode(&stamp.encode()).unwrap();
                Ok(RestorePlan { stamp, ranges })
            }
            Begun::Nothing(why) => panic!("{why}"),
        }
    }

    /// Restores ranges on one node; bytes.
    pub(crate) fn restore_parts(
        &self,
        node: usize,
        entry: &Entry,
        stamp: &RestoreStamp,
        ranges: &[Range],
    ) -> Result<u64> {
        let job = |range: &Range| RestoreJob {
            entry: entry.clone(),
            stamp: stamp.clone(),
            range: *range,
        };
        let heard = Mutex::new(Vec::new());
        let jobs = ranges.iter().map(job).collect();
        with_run(|run| {
            restore_parts(self.sim, &self.tiers[node], jobs, UNIT, run, &|_, _, bytes| {
                heard.lock().unwrap().push(bytes);
            })
        })?;
        let bytes = first_error(heard.into_inner().unwrap())?;
        assert_eq!(bytes.len(), ranges.len(), "each job is heard of once");
        Ok(bytes.into_iter().sum())
    }

    pub(crate) fn finish_restore(&self, entry: &Entry, stamp: &RestoreStamp) -> Result<u64> {
        with_run(|run| finish_restore(self.sim, &self.tiers[1], entry, stamp, run))
    }

    /// Restores a file in parts, in turn on either node; bytes written.
    pub(crate) fn restore(&self, entry: &Entry) -> Result<u64> {
        let RestorePlan { stamp, ranges } = self.begin_restore(entry)?;
        let mut bytes = 0;
        for range in ranges {
            for (node, ranges) in dealt(range, CUT).iter().enumerate() {
                bytes += self.restore_parts(node, entry, &stamp, ranges)?;
            }
        }
        self.finish_restore(entry, &stamp)?;
        Ok(bytes)
    }
}

/// Cuts a range into parts and deals them out to two nodes.
fn dealt(range: Range, unit: u64) -> [Vec<Range>; 2] {
    let mut hands = [Vec::new(), Vec::new()];
    let starts = (range.start..range.end).step_by(unit as usize);
    for (index, start) in starts.enumerate() {
        hands[index % 2].push(Range::new(start, range.end.min(start + unit)));
    }
    hands
}
