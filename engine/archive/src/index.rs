//! Walking the records of an index, past damage.

use crate::layout::RECORD_HEADER;
use crate::record::Record;

/// One thing found in an index.
#[derive(Debug)]
pub enum IndexItem {
    Record {
        record: Record,
        /// Within the segment, as the record says of itself.
        offset: u64,
        length: u32,
        /// Where it stands in the index.
        at: usize,
    },
    /// Bytes `at..end` of the index hold no valid record.
    Damaged { at: usize, end: usize, path: Option<std::path::PathBuf> },
}

/// Goes through `index` record by record. After damage it tries every eighth byte.
pub fn items(index: &[u8]) -> impl Iterator<Item = IndexItem> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= index.len() {
            return None;
        }
        if let Some((record, offset, length)) = Record::decode(&index[at..]) {
            let item = IndexItem::Record {
                record,
                offset,
                length: u32::try_from(length).expect("decode bounds records by RECORD_MAX"),
                at,
            };
            at += length;
            return Some(item);
        }
        let start = at;
        let mut next = at + 8;
        while next + RECORD_HEADER <= index.len() && Record::decode(&index[next..]).is_none() {
            next += 8;
        }
        at = if next + RECORD_HEADER <= index.len() { next } else { index.len() };
        let path = Record::guess_path(&index[start..at]);
        Some(IndexItem::Damaged { at: start, end: at, path })
    })
}
