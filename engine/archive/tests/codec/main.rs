//! Everything that is encoded decodes to the same, and nothing that is read makes a reader panic.
#![allow(clippy::unwrap_used)]

mod values;

use dray_archive::{FIRST_SEGMENT, IndexItem, Mark, Record, Superblock, items};
use dray_io::limits::BLOCK;
use dray_io::sum;
use proptest::collection::vec;
use proptest::prelude::*;

use values::{changes, marks, records, superblocks};

fn encoded(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    record.encode(4096, &mut bytes).unwrap();
    bytes
}

/// Puts the sum right that stands at `at`, so that what is behind it gets read.
fn seal(bytes: &mut [u8], at: usize) {
    bytes[at..at + 4].fill(0);
    let sum = sum::crc32c(bytes);
    bytes[at..at + 4].copy_from_slice(&sum.to_le_bytes());
}

fn mutate(bytes: &mut [u8], changes: &[(prop::sample::Index, u8)]) {
    let length = bytes.len();
    for (place, value) in changes {
        bytes[place.index(length)] = *value;
    }
}

/// Every byte of an index is told of, once and in order.
fn walk(index: &[u8]) {
    let mut next = 0;
    for item in items(index) {
        let (at, end) = match item {
            IndexItem::Record { at, length, .. } => (at, at + length as usize),
            IndexItem::Damaged { at, end, .. } => (at, end),
        };
        assert!(at == next && end > at && end <= index.len(), "{at}..{end} after {next}");
        next = end;
    }
    assert_eq!(next, index.len());
}

proptest! {
    #[test]
    fn records_survive(records in vec(records(), 1..6)) {
        let mut index = Vec::new();
        for record in &records {
            let offset = 4096 + index.len() as u64;
            let length = record.encode(offset, &mut index).unwrap();
            prop_assert_eq!(length % 8, 0);
        }
        let mut expected = records.iter();
        for item in items(&index) {
            let IndexItem::Record { record, offset, at, .. } = item else { panic!("{item:?}") };
            prop_assert_eq!(Some(&record), expected.next());
            prop_assert_eq!(offset, 4096 + at as u64);
        }
        prop_assert_eq!(expected.next(), None);
    }

    #[test]
    fn damage_to_one_record_leaves_the_others(
        records in vec(records(), 2..5),
        place in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        let mut index: Vec<u8> = records.iter().flat_map(encoded).collect();
        let place = place.index(index.len());
        index[place] ^= flip;
        walk(&index);
        let whole = items(&index).filter(|item| matches!(item, IndexItem::Record { .. })).count();
        prop_assert!(whole + 1 == records.len(), "{} of {} are left", whole, records.len());
    }

    #[test]
    fn mutated_records_are_read_without_panic(record in records(), changes in changes()) {
        let mut bytes = encoded(&record);
        mutate(&mut bytes, &changes);
        Record::guess_path(&bytes);
        walk(&bytes);
        let length = u32::try_from(bytes.len()).unwrap();
        bytes[..4].copy_from_slice(b"DREC");
        bytes[8..12].copy_from_slice(&length.to_le_bytes());
        seal(&mut bytes, 12);
        Record::decode(&bytes);
        walk(&bytes);
    }

    #[test]
    fn noise_is_read_without_panic(mut bytes in vec(any::<u8>(), 0..3 * 4096)) {
        walk(&bytes);
        Record::decode(&bytes);
        Record::peek_length(&bytes);
        Record::guess_path(&bytes);
        prop_assert!(Superblock::decode(&bytes).is_err());
        prop_assert!(Superblock::newest(&bytes).is_err());
        prop_assert_eq!(Mark::decode_header(&bytes, &[0; 16], 1, FIRST_SEGMENT), None);
        prop_assert_eq!(Mark::decode_trailer(&bytes, &[0; 16], 1, FIRST_SEGMENT), None);
        if bytes.len() >= 4096 {
            bytes.truncate(4096);
            bytes[..8].copy_from_slice(b"DRAYVOL1");
            seal(&mut bytes, 124);
            Superblock::decode(&bytes).ok();
        }
    }

    #[test]
    fn marks_survive(mark in marks()) {
        let mut block = vec![1; 4096];
        mark.encode_header(&mut block);
        let header = Mark { index_sum: 0, ..mark };
        prop_assert!(header.matches(&mark));
        prop_assert_eq!(
            Mark::decode_header(&block, &mark.archive, mark.volume, mark.at),
            Some(header)
        );
        let (archive, volume) = (mark.archive, mark.volume);
        prop_assert_eq!(Mark::decode_trailer(&block, &archive, volume, mark.trailer_at()), None);
        mark.encode_trailer(&mut block);
        let trailer = Mark::decode_trailer(&block, &archive, volume, mark.trailer_at());
        prop_assert_eq!(trailer, Some(mark.clone()));
        prop_assert_eq!(Mark::decode_header(&block, &archive, volume, mark.at), None);
        let elsewhere = mark.trailer_at() + BLOCK;
        prop_assert_eq!(Mark::decode_trailer(&block, &archive, volume, elsewhere), None);
        prop_assert_eq!(Mark::decode_trailer(&block, &archive, !volume, mark.trailer_at()), None);
    }

    #[test]
    fn mutated_marks_are_read_without_panic(mark in marks(), changes in changes()) {
        let mut block = vec![0; 4096];
        for trailer in [false, true] {
            if trailer { mark.encode_trailer(&mut block) } else { mark.encode_header(&mut block) }
            let whole = block.clone();
            mutate(&mut block[8..92], &changes);
            let (archive, at) = (&mark.archive, [mark.at, mark.trailer_at()]);
            if block != whole {
                prop_assert_eq!(Mark::decode_header(&block, archive, mark.volume, at[0]), None);
                prop_assert_eq!(Mark::decode_trailer(&block, archive, mark.volume, at[1]), None);
            }
            seal(&mut block, 124);
            Mark::decode_header(&block, archive, mark.volume, at[0]);
            Mark::decode_trailer(&block, archive, mark.volume, at[1]);
        }
    }

    #[test]
    fn superblocks_survive(superblock in superblocks(), changes in changes()) {
        let mut copies = vec![1; 8192];
        let next = Superblock { revision: superblock.revision.wrapping_add(1), ..superblock };
        superblock.encode(&mut copies[..4096]);
        next.encode(&mut copies[4096..]);
        prop_assert_eq!(Superblock::decode(&copies[..4096]), Ok(superblock.clone()));
        let newest = if next.revision > superblock.revision { &next } else { &superblock };
        prop_assert_eq!(Superblock::newest(&copies), Ok(newest.clone()));
        mutate(&mut copies[4096..], &changes);
        let other = Superblock::newest(&copies);
        prop_assert!(other == Ok(superblock) || other == Ok(next));
        seal(&mut copies[4096..], 124);
        Superblock::newest(&copies).ok();
    }
}
