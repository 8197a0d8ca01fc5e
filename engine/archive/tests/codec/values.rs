//! Anything that can be written.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use dray_archive::{
    Extent, FIRST_SEGMENT, FileRecord, GoneRecord, LinkRecord, Mark, PartRecord, PartRef, Record,
    SegmentKind, Superblock,
};
use dray_io::limits::BLOCK;
use dray_io::{Handle, Kind, PackedTime, Range, Time, sum};
use proptest::collection::vec;
use proptest::prelude::*;

const KINDS: [Kind; 7] = [
    Kind::File,
    Kind::Directory,
    Kind::Symlink,
    Kind::Fifo,
    Kind::Socket,
    Kind::CharDevice,
    Kind::BlockDevice,
];

fn handles() -> impl Strategy<Value = Handle> {
    let fields = (any::<[u8; 16]>(), any::<u64>(), any::<u32>());
    fields.prop_map(|(file_system, inode, generation)| Handle { file_system, inode, generation })
}

fn times() -> impl Strategy<Value = Time> {
    (any::<i64>(), 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| Time { seconds, nanos })
}

fn packed() -> impl Strategy<Value = PackedTime> {
    any::<u64>().prop_map(PackedTime)
}

fn ranges() -> impl Strategy<Value = Range> {
    (0..1_u64 << 50, 0..1_u64 << 20).prop_map(|(start, length)| Range::new(start, start + length))
}

fn paths() -> impl Strategy<Value = PathBuf> {
    vec(1..=255_u8, 0..300).prop_map(|bytes| PathBuf::from(OsString::from_vec(bytes)))
}

fn extents() -> impl Strategy<Value = Vec<Extent>> {
    let extent = (ranges(), any::<u64>(), any::<u32>()).prop_map(|(range, payload, seed)| {
        let count = sum::sums_in(range.len()) as u32;
        let sums = (0..count).map(|index| seed.wrapping_mul(index + 1)).collect();
        Extent { range, payload, sums }
    });
    vec(extent, 0..6)
}

fn parts() -> impl Strategy<Value = Vec<PartRef>> {
    let part = (any::<u32>(), any::<u32>(), any::<u64>(), ranges());
    let part = part.prop_map(|(volume, length, at, range)| PartRef { volume, length, at, range });
    vec(part, 0..6)
}

fn files() -> impl Strategy<Value = Record> {
    let numbers = (any::<[u32; 4]>(), any::<[u64; 2]>(), 0..KINDS.len());
    let moments = ([times(), times(), times(), times()], packed());
    let names = (paths(), vec(any::<u8>(), 0..200));
    let hash = any::<Option<[u8; 32]>>();
    let xattrs = vec((vec(any::<u8>(), 0..255), vec(any::<u8>(), 0..300)), 0..4);
    let rest = (hash, xattrs, extents(), parts());
    (handles(), numbers, moments, names, rest).prop_map(
        |(handle, numbers, moments, names, rest)| {
            let ([mode, uid, gid, links], [size, rdev], kind) = numbers;
            let ([accessed, modified, changed, born], archived) = moments;
            let ((path, target), (hash, xattrs, extents, parts)) = (names, rest);
            Record::File(Box::new(FileRecord {
                handle,
                kind: KINDS[kind],
                mode,
                uid,
                gid,
                links,
                size,
                rdev,
                accessed,
                modified,
                changed,
                born,
                archived,
                hash,
                path,
                target,
                xattrs,
                extents,
                parts,
            }))
        },
    )
}

pub(crate) fn records() -> impl Strategy<Value = Record> {
    let part = (handles(), ranges(), extents())
        .prop_map(|(handle, range, extents)| Record::Part(PartRecord { handle, range, extents }));
    let gone = (handles(), any::<u32>(), any::<u64>(), packed()).prop_map(
        |(handle, volume, at, removed)| Record::Gone(GoneRecord { handle, volume, at, removed }),
    );
    let link = (handles(), packed(), paths())
        .prop_map(|(handle, archived, path)| Record::Link(LinkRecord { handle, archived, path }));
    prop_oneof![2 => files(), 1 => part, 1 => gone, 1 => link]
}

pub(crate) fn marks() -> impl Strategy<Value = Mark> {
    let places = (FIRST_SEGMENT / BLOCK..1 << 40, 0..1_u64 << 40, 0..1_u64 << 28);
    let rest = (any::<u16>(), any::<u32>(), any::<[u64; 2]>(), packed());
    let identity = (any::<[u8; 16]>(), any::<u32>(), any::<u32>());
    (places, rest, identity).prop_map(|((at, payload, index), rest, identity)| {
        let (kind, records, [sequence, durable], created) = rest;
        let (archive, volume, index_sum) = identity;
        let (kind, at, payload) = (SegmentKind(kind), at * BLOCK, payload * BLOCK);
        Mark {
            kind,
            archive,
            volume,
            records,
            sequence,
            at,
            payload,
            index,
            durable,
            created,
            index_sum,
        }
    })
}

pub(crate) fn superblocks() -> impl Strategy<Value = Superblock> {
    let identity = (any::<[u8; 16]>(), any::<u32>(), any::<u64>(), packed());
    (identity, any::<[u64; 3]>()).prop_map(|(identity, mut offsets)| {
        offsets.sort_unstable();
        let (archive, volume, revision, created) = identity;
        let [durable, frontier, capacity] = offsets;
        Superblock { archive, volume, revision, capacity, frontier, durable, created }
    })
}

/// Bytes to be written over others. Extremes hit counts and lengths hard.
pub(crate) fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    let value = prop_oneof![Just(0), Just(255), Just(127), any::<u8>()];
    vec((any::<prop::sample::Index>(), value), 1..8)
}
