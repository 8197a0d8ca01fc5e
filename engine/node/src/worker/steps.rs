//! Steps of large files that are moved by many nodes.

use std::borrow::Cow;
use std::sync::mpsc::Receiver;

use dray_io::{Access, Files, Range, World};
use dray_mover::{
    ArchiveOptions, ArchiveStamp, Begun, Pace, PartJob, RestoreJob, RestoreStamp, Run, Watch,
    archive_parts, begin_archive, begin_restore, decode_parts, encode_parts, finish_archive,
    finish_restore, restore_parts,
};
use dray_wire::messages::ItemResult;
use dray_wire::{Reason, Status, Step, Verb};

use super::order::{Task, done, ended, failed, nothing, receipt};
use super::{Shared, Urgency};
use crate::machine::OneCore;

/// Outcomes come another way.
struct Quiet<'a>(&'a Shared, Urgency);

impl Watch for Quiet<'_> {
    fn failed(&self, _path: &std::path::Path, _error: &dray_mover::Error) {}

    fn may_act(&self) -> bool {
        self.0.lease.left_ns() > 0
    }

    fn pace(&self) -> Pace {
        self.0.pace(self.1)
    }

    fn give_way(&self) {
        self.0.awaited.give_way();
    }
}

fn bad_receipt(why: &str) -> ItemResult {
    ended(Status::FAILED, Reason::MALFORMED, &format!("a receipt is wrong: {why}\nask again"))
}

fn with_receipt(result: ItemResult, bytes: Vec<u8>) -> ItemResult {
    match receipt(bytes) {
        Some(receipt) => ItemResult { receipt, ..result },
        None => bad_receipt("it is too long"),
    }
}

/// Begins and finishes, one after the other.
pub(crate) fn ends(shared: &Shared, archive: usize, tasks: &Receiver<Vec<Task>>) {
    while let Ok(batch) = tasks.recv() {
        for task in batch {
            let result = shared.not_to_begin(&task).unwrap_or_else(|| {
                let placed = in_place(shared, archive, &task);
                match task.order.step {
                    Step::BEGIN => begin(shared, archive, &placed),
                    _ => finish(shared, archive, &placed),
                }
            });
            shared.answer(&task, result);
        }
    }
}

/// The file where it is now: its name is a hint, and a large file may be renamed between steps.
fn in_place<'a>(shared: &Shared, archive: usize, task: &'a Task) -> Cow<'a, Task> {
    let files = shared.machine.files();
    let there = files.open(&task.entry.path, Access::Inspect).and_then(|file| files.stat(&file));
    if there.is_ok_and(|stat| Some(stat.handle) == task.entry.handle) {
        return Cow::Borrowed(task);
    }
    shared.found_by_handle(archive, task).map_or(Cow::Borrowed(task), Cow::Owned)
}

fn begin(shared: &Shared, archive: usize, task: &Task) -> ItemResult {
    let stamp = if task.order.verb == Verb::ARCHIVE {
        begin_archive(&shared.machine, &task.entry).map(|begun| match begun {
            Begun::Nothing(why) => Err(why),
            Begun::Begun(stamp) => Ok(stamp.encode()),
        })
    } else {
        let run =
            Run { tally: &shared.tally, watch: &Quiet(shared, Urgency::of(task.order.class)) };
        let archive = &shared.archives[archive];
        let begun = begin_restore(&shared.machine, archive, &task.entry, &run);
        begun.map(|begun| match begun {
            Begun::Nothing(why) => Err(why),
            Begun::Begun(plan) => Ok(plan.stamp.encode()),
        })
    };
    match stamp {
        Ok(Ok(stamp)) => with_receipt(done(0), stamp),
        Ok(Err(why)) => nothing(why),
        Err(error) => failed(&error),
    }
}

/// The receipts of a finish, one behind the other.
fn receipts(mut bytes: &[u8]) -> Result<Vec<&[u8]>, &'static str> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or("it ends within a length")?;
        let length = u32::from_le_bytes(*length) as usize;
        let (one, rest) = rest.split_at_checked(length).ok_or("it ends within a receipt")?;
        all.push(one);
        bytes = rest;
    }
    Ok(all)
}

fn finish(shared: &Shared, archive: usize, task: &Task) -> ItemResult {
    let receipts = match receipts(&task.receipt) {
        Ok(receipts) => receipts,
        Err(why) => return bad_receipt(why),
    };
    let Some((stamp, parts)) = receipts.split_first() else { return bad_receipt("it is empty") };
    let (machine, archive) = (&shared.machine, &shared.archives[archive]);
    let run = Run { tally: &shared.tally, watch: &Quiet(shared, Urgency::of(task.order.class)) };
    let finished = if task.order.verb == Verb::ARCHIVE {
        let decoded = ArchiveStamp::decode(stamp).and_then(|stamp| {
            let parts = parts.iter().map(|part| decode_parts(part));
            Ok((stamp, parts.collect::<Result<Vec<_>, _>>()?.concat()))
        });
        let (stamp, parts) = match decoded {
            Ok(decoded) => decoded,
            Err(why) => return bad_receipt(why),
        };
        let options = ArchiveOptions { hash: shared.hash, unit: shared.unit };
        finish_archive(machine, archive, &task.entry, &stamp, parts, options, &run)
    } else {
        match RestoreStamp::decode(stamp) {
            Ok(stamp) => finish_restore(machine, archive, &task.entry, &stamp, &run),
            Err(why) => return bad_receipt(why),
        }
    };
    finished.map_or_else(|error| failed(&error), done)
}

/// Parts, on one core that is this thread's own.
pub(crate) fn parts(shared: &Shared, archive: usize, core: usize, tasks: &Receiver<Vec<Task>>) {
    let world = OneCore::new(&shared.machine, core);
    while let Ok(batch) = tasks.recv() {
        for task in batch {
            let result = shared.not_to_begin(&task).unwrap_or_else(|| {
                part(shared, &world, archive, &in_place(shared, archive, &task))
            });
            shared.answer(&task, ItemResult { core: core as u16, ..result });
        }
    }
}

fn part(shared: &Shared, world: &OneCore<'_>, archive: usize, task: &Task) -> ItemResult {
    let Some(range) = task.entry.range else { return bad_receipt("a part has no range") };
    let run = Run { tally: &shared.tally, watch: &Quiet(shared, Urgency::of(task.order.class)) };
    let archive = &shared.archives[archive];
    let heard = std::sync::Mutex::new(None);
    let hear = |result: ItemResult| {
        if let Ok(mut heard) = heard.lock() {
            *heard = Some(result);
        }
    };
    let moved = if task.order.verb == Verb::ARCHIVE {
        let stamp = match ArchiveStamp::decode(&task.receipt) {
            Ok(stamp) => stamp,
            Err(why) => return bad_receipt(why),
        };
        let jobs = vec![PartJob { entry: whole(task), stamp, range }];
        archive_parts(world, archive, jobs, shared.unit, &run, &|_, _, outcome| {
            hear(outcome.map_or_else(
                |error| failed(&error),
                |parts| with_receipt(done(range.len()), encode_parts(&parts)),
            ));
        })
    } else {
        let stamp = match RestoreStamp::decode(&task.receipt) {
            Ok(stamp) => stamp,
            Err(why) => return bad_receipt(why),
        };
        let jobs = vec![RestoreJob { entry: whole(task), stamp, range }];
        restore_parts(world, archive, jobs, shared.unit, &run, &|_, _, outcome| {
            hear(outcome.map_or_else(|error| failed(&error), done));
        })
    };
    match (heard.into_inner().ok().flatten(), moved) {
        (Some(result), _) => result,
        (None, Err(error)) => failed(&error),
        (None, Ok(())) => ended(Status::FAILED, Reason::FAILED, "nothing was heard of the part"),
    }
}

/// The entry of a part is the file: its range is the part's.
fn whole(task: &Task) -> dray_mover::Entry {
    dray_mover::Entry { range: None::<Range>, ..task.entry.clone() }
}
