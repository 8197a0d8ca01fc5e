//! Holding a file's content against its archive copy.

use std::path::Path;

use dray_archive::{Archive, FileRecord, Location};
use dray_io::limits::{BLOCK, SUM_BLOCK};
use dray_io::{Aligned, Context, Files, Operation, Range, sum};

use crate::attribute::Attribute;
use crate::error::{Error, Result};
use crate::manifest::next_data;

/// Bytes that a disk writes or loses as one.
const SECTOR: usize = 512;

/// The manifest that an attribute points at, checked to be of this file; and the place of its
/// segment.
pub(crate) fn manifest_of<F: Files>(
    files: &F,
    archive: &Archive<F>,
    attribute: &Attribute,
    path: &Path,
) -> Result<(Box<FileRecord>, (u32, u64))> {
    let Location { volume, .. } = attribute.manifest;
    let (record, segment) = archive.manifest(files, attribute.manifest)?;
    let same = record.handle.inode == attribute.inode
        && record.handle.generation == attribute.generation
        && record.size == attribute.size;
    if same {
        Ok((record, (volume, segment)))
    } else {
        Err(Error::ForeignManifest { path: path.to_owned() })
    }
}

/// Whether a file that is all on disk has exactly the archived content.
pub(crate) fn is_as_archived<F: Files>(
    files: &F,
    file: &F::File,
    archive: &Archive<F>,
    record: &FileRecord,
    place: (u32, u64),
) -> Result<bool> {
    let whole = Range::new(0, record.size);
    let mut same = true;
    let mut covered = 0;
    let mut buffer = Aligned::new(SUM_BLOCK as usize);
    archive.extents(files, record, place, whole, &mut |stored| {
        let extent = stored.extent;
        same = same
            && zeros(
                files,
                file,
                &record.path,
                Range::new(covered, extent.range.start),
                &mut buffer,
            )?;
        covered = extent.range.end;
        let mut at = extent.range.start;
        for expected in &extent.sums {
            let length = (extent.range.end - at).min(SUM_BLOCK) as usize;
            if !same {
                return Ok(());
            }
            let got = files.read_at(file, &mut buffer, at).during_at(
                Operation::Read,
                &record.path,
                at,
            )?;
            same = got >= length && sum::crc32c(&buffer[..length]) == *expected;
            at += length as u64;
        }
        Ok(())
    })?;
    Ok(same && zeros(files, file, &record.path, Range::new(covered, record.size), &mut buffer)?)
}

/// Whether a stretch reads as zeros.
pub(crate) fn zeros<F: Files>(
    files: &F,
    file: &F::File,
    path: &Path,
    range: Range,
    buffer: &mut Aligned,
) -> dray_archive::Result<bool> {
    let mut at = range.start;
    while at < range.end {
        let data = files.next_data(file, at).during_at(Operation::MapExtents, path, at)?;
        let Some(data) = data.and_then(|data| data.intersect(range)) else { return Ok(true) };
        let start = data.start / BLOCK * BLOCK;
        let got = files.read_at(file, buffer, start).during_at(Operation::Read, path, start)?;
        let end = (start + got as u64).min(range.end);
        if end <= data.start {
            return Ok(true);
        }
        let bytes = &buffer[(data.start - start) as usize..(end - start) as usize];
        if bytes.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at = end;
    }
    Ok(true)
}

/// Whether everything that stands `within` a file where it is not present is what an
/// interrupted move of ours can have left there: each sector as archived or, while the attribute
/// tells of remains, zero. Anything else was written by somebody.
pub(crate) fn is_only_ours<F: Files>(
    files: &F,
    file: &F::File,
    archive: &Archive<F>,
    record: &FileRecord,
    place: (u32, u64),
    attribute: &Attribute,
    within: Range,
) -> Result<bool> {
    let (present, zeros) = (&attribute.present, attribute.remains);
    let mut found = Aligned::new(SUM_BLOCK as usize);
    let mut kept = Aligned::new(SUM_BLOCK as usize);
    for gap in present.missing(within) {
        let mut at = gap.start;
        while let Some(data) = next_data(files, file, &record.path, at, gap.end)? {
            let start = data.start.max(at);
            let stretch = Range::new(start, data.end.min(start + SUM_BLOCK));
            let length = stretch.len() as usize;
            let got = files
                .read_at(file, &mut found[..length.next_multiple_of(BLOCK as usize)], start)
                .during_at(Operation::Read, &record.path, start)?
                .min(length);
            // Zeros that are ours whatever the archive says need no look at it.
            if !zeros || found[..got].iter().any(|byte| *byte != 0) {
                read_archived(files, archive, record, place, stretch, &mut kept)?;
                let sectors = found[..got].chunks(SECTOR).zip(kept[..got].chunks(SECTOR));
                for (found, kept) in sectors {
                    if found != kept && !(zeros && found.iter().all(|byte| *byte == 0)) {
                        return Ok(false);
                    }
                }
            }
            at = stretch.end;
        }
    }
    Ok(true)
}

/// Whether the file holds, in these ranges, exactly what was archived.
pub(crate) fn holds<F: Files>(
    files: &F,
    file: &F::File,
    archive: &Archive<F>,
    record: &FileRecord,
    place: (u32, u64),
    ranges: &[Range],
) -> Result<bool> {
    let mut found = Aligned::new(SUM_BLOCK as usize);
    let mut kept = Aligned::new(SUM_BLOCK as usize);
    for range in ranges {
        let mut at = range.start;
        while at < range.end {
            let stretch = Range::new(at, range.end.min(at + SUM_BLOCK));
            let length = stretch.len() as usize;
            let got = files.read_at(file, &mut found[..length], at).during_at(
                Operation::Read,
                &record.path,
                at,
            )?;
            read_archived(files, archive, record, place, stretch, &mut kept)?;
            if got < length || found[..length] != kept[..length] {
                return Ok(false);
            }
            at = stretch.end;
        }
    }
    Ok(true)
}

/// Whether all archived data of these ranges has its place in the file: a write that never came
/// leaves a hole. What else it holds there is not looked at.
pub(crate) fn is_filled<F: Files>(
    files: &F,
    file: &F::File,
    archive: &Archive<F>,
    record: &FileRecord,
    place: (u32, u64),
    ranges: &[Range],
) -> Result<bool> {
    let path = &record.path;
    let mut filled = Ok(true);
    for range in ranges {
        archive.extents(files, record, place, *range, &mut |stored| {
            let wanted = stored.extent.range.intersect(*range).unwrap_or_default();
            let mut at = wanted.start;
            while at < wanted.end && matches!(filled, Ok(true)) {
                let data = files.next_data(file, at).during_at(Operation::MapExtents, path, at)?;
                let data = data.and_then(|data| data.intersect(Range::new(at, wanted.end)));
                let data = data.unwrap_or(Range::new(wanted.end, wanted.end));
                if at < data.start {
                    // Some file systems keep no zeros.
                    let hole = [Range::new(at, data.start)];
                    filled = holds(files, file, archive, record, place, &hole);
                }
                at = data.end;
            }
            Ok(())
        })?;
    }
    filled
}

/// The archived content of a stretch, holes as zeros.
fn read_archived<F: Files>(
    files: &F,
    archive: &Archive<F>,
    record: &FileRecord,
    place: (u32, u64),
    range: Range,
    out: &mut Aligned,
) -> Result<()> {
    let mut buffer = Aligned::new(0);
    out.fill(0);
    archive.read(files, record, place, range, &mut buffer, &mut |at, bytes| {
        let from = (at - range.start) as usize;
        out[from..from + bytes.len()].copy_from_slice(bytes);
        Ok(())
    })?;
    Ok(())
}
