//! Steps of large files, as nodes do them.

use dray_archive::Archive;
use dray_io::Range;
use dray_mover::{
    ArchiveOptions, ArchiveStamp, Begun, Entry, PartJob, RestoreJob, RestoreStamp, Run, Tally,
    archive_parts, begin_archive, begin_restore, decode_parts, encode_parts, finish_archive,
    finish_restore, restore_parts,
};
use dray_sim::Sim;
use dray_wire::messages::ItemResult;
use dray_wire::{Bytes, Step, Verb};
use std::sync::Mutex;

use crate::files::UNIT;
use crate::work::{Batch, Task, done, entry, failed, nothing};

fn with_receipt(result: ItemResult, bytes: Vec<u8>) -> ItemResult {
    ItemResult { receipt: Bytes::new(bytes).expect("a short receipt"), ..result }
}

fn receipts(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let (one, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        all.push(one);
        bytes = rest;
    }
    all
}

impl Batch<'_> {
    /// Steps, one after the other.
    pub(crate) fn steps(&self, world: &Sim, archive: &Archive<Sim>) {
        while let Some(task) = self.next_task() {
            let path = {
                let mut cluster = self.shared.lock();
                let path = cluster.checks.path(&task.item);
                let call = cluster.calls.last_mut().expect("the mover runs");
                call.given.insert(path.clone(), task.clone());
                path
            };
            let entry = entry(&path, &task.item);
            let result = match task.step {
                Step::BEGIN => {
                    let run = Run { tally: &Tally::default(), watch: self };
                    begin(world, archive, &entry, task.verb, &run)
                }
                Step::PART => self.part(world, archive, entry, &task),
                _ => self.finish(world, archive, &entry, &task),
            };
            let mut cluster = self.shared.lock();
            cluster.observe();
            let call = cluster.calls.last_mut().expect("the mover runs");
            call.given.remove(&path);
            if cluster.nodes[self.node].life == self.life {
                cluster.node_answers(self.node, &task, result);
            }
        }
    }

    fn part(&self, world: &Sim, archive: &Archive<Sim>, entry: Entry, task: &Task) -> ItemResult {
        let range = entry.range.expect("a part has a range");
        let entry = Entry { range: None::<Range>, ..entry };
        let tally = Tally::default();
        let run = Run { tally: &tally, watch: self };
        let heard = Mutex::new(None);
        let hear = |result: ItemResult| *heard.lock().expect("nobody panicked") = Some(result);
        let receipt = task.item.receipt.as_slice();
        let moved = if task.verb == Verb::ARCHIVE {
            let stamp = ArchiveStamp::decode(receipt).expect("a stamp");
            let jobs = vec![PartJob { entry, stamp, range }];
            archive_parts(world, archive, jobs, UNIT, &run, &|_, _, outcome| {
                hear(outcome.map_or_else(
                    |error| failed(&error),
                    |parts| with_receipt(done(range.len()), encode_parts(&parts)),
                ));
            })
        } else {
            let stamp = RestoreStamp::decode(receipt).expect("a stamp");
            let jobs = vec![RestoreJob { entry, stamp, range }];
            restore_parts(world, archive, jobs, UNIT, &run, &|_, _, outcome| {
                hear(outcome.map_or_else(|error| failed(&error), done));
            })
        };
        let heard = heard.into_inner().expect("nobody panicked");
        match (heard, moved) {
            (Some(result), _) => result,
            (None, Err(error)) => failed(&error),
            (None, Ok(())) => nothing("nothing was heard of the part"),
        }
    }

    fn finish(
        &self,
        world: &Sim,
        archive: &Archive<Sim>,
        entry: &Entry,
        task: &Task,
    ) -> ItemResult {
        let receipts = receipts(task.item.receipt.as_slice());
        let (stamp, parts) = receipts.split_first().expect("that of the beginning");
        let tally = Tally::default();
        let run = Run { tally: &tally, watch: self };
        let finished = if task.verb == Verb::ARCHIVE {
            let stamp = ArchiveStamp::decode(stamp).expect("a stamp");
            let parts = parts.iter().flat_map(|part| decode_parts(part).expect("parts")).collect();
            let options = ArchiveOptions { hash: false, unit: UNIT };
            finish_archive(world, archive, entry, &stamp, parts, options, &run)
        } else {
            let stamp = RestoreStamp::decode(stamp).expect("a stamp");
            finish_restore(world, archive, entry, &stamp, &run)
        };
        finished.map_or_else(|error| failed(&error), done)
    }
}

fn begin(
    world: &Sim,
    archive: &Archive<Sim>,
    entry: &Entry,
    verb: Verb,
    run: &Run<'_>,
) -> ItemResult {
    let begun = if verb == Verb::ARCHIVE {
        begin_archive(world, entry).map(|begun| match begun {
            Begun::Nothing(why) => Err(why),
            Begun::Begun(stamp) => Ok(stamp.encode()),
        })
    } else {
        begin_restore(world, archive, entry, run).map(|begun| match begun {
            Begun::Nothing(why) => Err(why),
            Begun::Begun(plan) => Ok(plan.stamp.encode()),
        })
    };
    match begun {
        Ok(Ok(stamp)) => with_receipt(done(0), stamp),
        Ok(Err(why)) => nothing(why),
        Err(error) => failed(&error),
    }
}
