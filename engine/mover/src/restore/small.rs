//! Small files: a hand takes neighbours in the archive, reads their records and data with a few
//! large reads, and writes file by file; one flush for all of them.

use std::sync::Mutex;

use dray_archive::{Extent, FileRecord, Record};
use dray_io::limits::{BLOCK, PACK_BYTES, PACK_FILES};
use dray_io::{Aligned, Context, Files, Handle, Operation, Range, World, blocks_up, sum};

use super::fill::fill;
use super::settle::Target;
use super::{Shared, Wanted};
use crate::archive::lock;
use crate::error::Result;
use crate::tally::Latency;

/// Bytes of records that are read at once; files are grouped so that their records fit.
const RECORDS: u64 = 1 << 20;

/// A file of a group with its manifest.
struct Member<F: Files> {
    target: Target<F>,
    record: Box<FileRecord>,
    segment: u64,
    written: bool,
}

/// A target, its manifest, and the offset of the manifest's segment.
type Opened<F> = (Target<F>, Box<FileRecord>, u64);

struct Hand<'a, 'w, W: World> {
    shared: &'a Shared<'w, W>,
    records: Aligned,
    data: Aligned,
    latency: Latency,
}

pub(super) fn restore_all<W: World>(shared: &Shared<'_, W>, wanted: Vec<Wanted>) {
    let queue = Mutex::new(wanted.into_iter().peekable());
    shared.world.hands(&|_| {
        let mut hand = Hand {
            shared,
            records: Aligned::new(0),
            data: Aligned::new(0),
            latency: Latency::default(),
        };
        loop {
            let group = take_group(&mut lock(&queue));
            if group.is_empty() {
                break;
            }
            hand.restore(group);
        }
        shared.run.tally.add_files(&hand.latency);
    });
}

/// Neighbours in one volume whose records lie close together.
fn take_group(queue: &mut std::iter::Peekable<std::vec::IntoIter<Wanted>>) -> Vec<Wanted> {
    let mut group: Vec<Wanted> = Vec::new();
    while group.len() < PACK_FILES {
        let near = |next: &Wanted| {
            group.first().is_none_or(|first| {
                let (first, next) = (first.manifest, next.manifest);
                first.volume == next.volume
                    && next.at + u64::from(next.length) - first.at <= RECORDS
            })
        };
        match queue.next_if(near) {
            Some(next) => group.push(next),
            None => break,
        }
    }
    group
}

impl<W: World> Hand<'_, '_, W> {
    fn restore(&mut self, group: Vec<Wanted>) {
        let began = self.shared.world.ticks();
        let mut members = self.open(group);
        let mut start = 0;
        while start < members.len() {
            if members[start].written {
                start += 1;
            } else {
                self.restore_segment(&mut members, start);
            }
        }
        members.retain(|member| member.written);
        if let Err(error) = self.flush(&members) {
            for member in &members {
                self.shared.run.failed(&member.target.path, &error);
            }
            return;
        }
        let files = self.shared.world.files();
        for member in members {
            let path = &member.target.path;
            let place = (member.target.attribute.manifest.volume, member.segment);
            let archive = self.shared.archive;
            let (record, run) = (&member.record, self.shared.run);
            let settled = member.target.settle(files, archive, record, place, None, run);
            match settled {
                Ok(()) => {
                    self.latency.record(self.shared.world.ticks().saturating_sub(began));
                    self.shared.run.moved(member.record.size);
                    self.shared.run.done(path, member.record.size);
                }
                Err(error) => self.shared.run.failed(path, &error),
            }
        }
    }

    /// Opens the files and reads their manifests.
    fn open(&mut self, group: Vec<Wanted>) -> Vec<Member<W::Files>> {
        let files = self.shared.world.files();
        let first = group[0].manifest;
        let span =
            group.iter().map(|wanted| wanted.manifest.at + u64::from(wanted.manifest.length));
        let span = Range::new(first.at, span.max().unwrap_or(first.at));
        let read = self.read_records(first.volume, span);
        let mut members = Vec::with_capacity(group.len());
        for wanted in group {
            let opened = match &read {
                Err(_) => Target::open(files, &wanted.entry).and_then(|target| match target {
                    None => Ok(None),
                    Some(target) => {
                        let (record, place) = target.manifest(files, self.shared.archive)?;
                        Ok(Some((target, record, place.1)))
                    }
                }),
                Ok(start) => self.open_with(&wanted, *start),
            };
            match opened {
                Ok(Some((target, record, segment))) => {
                    members.push(Member { target, record, segment, written: false });
                }
                Ok(None) => self.shared.run.skipped(&wanted.entry.path, "on disk already"),
                Err(error) => self.shared.run.failed(&wanted.entry.path, &error),
            }
        }
        members
    }

    /// Reads a span of records; returns where the buffer begins in the volume.
    fn read_records(&mut self, volume: u32, span: Range) -> Result<u64> {
        let files = self.shared.world.files();
        let volume = self.shared.archive.volume(files, volume)?;
        let start = span.start / BLOCK * BLOCK;
        let length = blocks_up(span.end - start) as usize;
        self.records.reserve(length);
        files.read_at(&volume.file, &mut self.records[..length], start).during_at(
            Operation::Read,
            &volume.path,
            start,
        )?;
        Ok(start)
    }

    fn open_with(&self, wanted: &Wanted, start: u64) -> Result<Option<Opened<W::Files>>> {
        let files = self.shared.world.files();
        let Some(target) = Target::open(files, &wanted.entry)? else { return Ok(None) };
        let location = target.attribute.manifest;
        let inside = if location == wanted.manifest {
            let from = (location.at - start) as usize;
            Record::decode(&self.records[from..]).and_then(|(record, offset, _)| match record {
                Record::File(record) => Some((record, location.at.checked_sub(offset)?)),
                _ => None,
            })
        } else {
            None
        };
        let is_of = |record: &FileRecord| {
            record.handle.inode == target.attribute.inode
                && record.handle.generation == target.attribute.generation
                && record.size == target.attribute.size
        };
        if let Some((record, segment)) = inside.filter(|(record, _)| is_of(record)) {
            return Ok(Some((target, record, segment)));
        }
        // Damaged, or archived anew meanwhile: the slow way names what is wrong.
        let (record, place) = target.manifest(files, self.shared.archive)?;
        Ok(Some((target, record, place.1)))
    }

    /// Restores every member whose data is in the segment of member `start`.
    fn restore_segment(&mut self, members: &mut Vec<Member<W::Files>>, start: usize) {
        let key = (members[start].target.attribute.manifest.volume, members[start].segment);
        let same = |member: &Member<W::Files>| {
            (member.target.attribute.manifest.volume, member.segment) == key
        };
        let extents = members.iter().filter(|member| same(member)).flat_map(|m| &m.record.extents);
        let (mut low, mut high, mut total) = (u64::MAX, 0, 0);
        for extent in extents {
            low = low.min(extent.payload);
            high = high.max(extent.payload + blocks_up(extent.range.len()));
            total += blocks_up(extent.range.len());
        }
        // Reading across what nobody asked for pays as long as it is no more than was asked for.
        let window = if total > 0 && high - low <= PACK_BYTES as u64 && high - low <= 2 * total {
            self.read_window(key, Range::new(low, high)).ok()
        } else {
            None
        };
        let mut index = start;
        while index < members.len() {
            if members[index].written || !same(&members[index]) {
                index += 1;
                continue;
            }
            match self.write(&mut members[index], window) {
                Ok(()) => {
                    members[index].written = true;
                    index += 1;
                }
                Err(error) => {
                    let member = members.remove(index);
                    self.shared.run.failed(&member.target.path, &error);
                }
            }
        }
    }

    fn read_window(&mut self, key: (u32, u64), window: Range) -> Result<Range> {
        let files = self.shared.world.files();
        let volume = self.shared.archive.volume(files, key.0)?;
        let length = window.len() as usize;
        self.data.reserve(length);
        let at = key.1 + window.start;
        let got = files.read_at(&volume.file, &mut self.data[..length], at).during_at(
            Operation::Read,
            &volume.path,
            at,
        )?;
        Ok(Range::new(window.start, window.start + got as u64))
    }

    /// Verifies and writes the missing ranges of one file.
    fn write(&mut self, member: &mut Member<W::Files>, window: Option<Range>) -> Result<()> {
        let (files, archive) = (self.shared.world.files(), self.shared.archive);
        let place = (member.target.attribute.manifest.volume, member.segment);
        let Member { target, record, .. } = member;
        let in_window = |extent: &Extent| {
            let data = Range::new(extent.payload, extent.payload + extent.range.len());
            window.is_some_and(|window| window.start <= data.start && data.end <= window.end)
        };
        let (todo, _) = target.goal(Range::new(0, record.size));
        let dense = target.attribute.present.is_empty()
            && record.parts.is_empty()
            && record.extents.iter().all(in_window);
        if !dense {
            target.begin(files, archive, record, place, self.shared.run)?;
            return self.write_slowly(target, record, place, &todo);
        }
        let low = window.map_or(0, |window| window.start);
        let bytes = |extent: &Extent| {
            let from = (extent.payload - low) as usize;
            &self.data[from..from + extent.range.len() as usize]
        };
        for extent in &record.extents {
            if sum::first_bad_block(bytes(extent), &extent.sums).is_some() {
                // Read again by itself, which also names what is wrong.
                target.begin(files, archive, record, place, self.shared.run)?;
                return self.write_slowly(target, record, place, &todo);
            }
        }
        target.begin(files, archive, record, place, self.shared.run)?;
        for extent in &record.extents {
            let at = extent.range.start;
            files.write_at(&target.file, bytes(extent), at).during_at(
                Operation::Write,
                &target.path,
                at,
            )?;
        }
        Ok(())
    }

    fn write_slowly(
        &self,
        target: &Target<W::Files>,
        record: &FileRecord,
        place: (u32, u64),
        todo: &[Range],
    ) -> Result<()> {
        let (files, archive) = (self.shared.world.files(), self.shared.archive);
        fill(files, archive, target, (record, place), todo, self.shared.run)
    }

    /// Makes what was written durable, once per file system.
    fn flush(&self, members: &[Member<W::Files>]) -> Result<()> {
        let mut done: Vec<[u8; 16]> = Vec::new();
        for member in members {
            let Handle { file_system, .. } = member.record.handle;
            if !done.contains(&file_system) {
                let (file, path) = (&member.target.file, &member.target.path);
                let files = self.shared.world.files();
                files.sync_fs(file).during(Operation::FlushFileSystem, path)?;
                done.push(file_system);
            }
        }
        Ok(())
    }
}
