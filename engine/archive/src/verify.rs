//! Reading whole volumes and checking every byte of them.

use std::path::{Path, PathBuf};

use dray_io::limits::BLOCK;
use dray_io::{Access, Aligned, Context, Files, Handle, Operation, Range, blocks_up, sum};

use crate::error::Result;
use crate::index::{IndexItem, items};
use crate::layout::FIRST_SEGMENT;
use crate::mark::{Mark, SegmentKind};
use crate::record::Record;
use crate::scan::{Finding, Found, Scan, durable_end};
use crate::superblock::Superblock;
use crate::volume::read_superblock;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    pub volume: PathBuf,
    /// Offset of the segment in the volume, where one is known.
    pub segment: Option<u64>,
    /// The file hit, where one is known.
    pub file: Option<PathBuf>,
    /// Offset in the volume of the damaged structure or checksum block.
    pub at: u64,
    /// Offset in the file of the damaged checksum block.
    pub file_offset: Option<u64>,
    pub what: &'static str,
}

/// What [`verify_volumes`] counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    pub segments: u64,
    pub records: u64,
    /// Bytes of file data that were read and summed.
    pub data_bytes: u64,
    /// Segments that their writer never acknowledged: not damage.
    pub torn: u64,
    pub damages: u64,
}

struct Verifier<'a, W: Files> {
    files: &'a W,
    path: &'a Path,
    report: &'a mut VerifyReport,
    tell: &'a mut dyn FnMut(&Damage),
    /// Damage to parts of large files: only the manifest, which may be in another volume, has the
    /// name.
    unnamed: &'a mut Vec<(Handle, Damage)>,
}

/// Checks volumes; `tell` is called for each damage as it is found, but for damage to parts of
/// large files, whose names are looked for in all of the volumes at the end.
pub fn verify_volumes<W: Files, P: AsRef<Path>>(
    files: &W,
    paths: &[P],
    tell: &mut dyn FnMut(&Damage),
) -> Result<VerifyReport> {
    let (mut report, mut unnamed) = (VerifyReport::default(), Vec::new());
    let mut outcome = Ok(());
    for path in paths {
        let path = path.as_ref();
        let (report, unnamed) = (&mut report, &mut unnamed);
        // One volume that cannot be read keeps no damage of the others from being told.
        outcome = outcome.and(verify_volume(Verifier { files, path, report, tell, unnamed }));
    }
    for path in if unnamed.is_empty() { &[] } else { paths } {
        outcome = outcome.and(name(files, path.as_ref(), &mut unnamed));
    }
    for (_, damage) in unnamed {
        report.damages += 1;
        tell(&damage);
    }
    outcome.map(|()| report)
}

/// Names what the manifests in a volume have names for.
fn name<W: Files>(files: &W, path: &Path, unnamed: &mut [(Handle, Damage)]) -> Result<()> {
    let file = files.open(path, Access::ReadDirect).during(Operation::Open, path)?;
    let superblock = read_superblock(files, &file, path)?;
    let mut scan = Scan::begin(files, &file, path, &superblock, FIRST_SEGMENT);
    while let Some(finding) = scan.next(files)? {
        let Finding::Segment(found) = finding else { continue };
        if found.segment.mark.kind == SegmentKind::SKIP {
            continue;
        }
        let used = found.segment.mark.index as usize;
        for item in items(&scan.index(files, &found.segment)?[..used]) {
            let IndexItem::Record { record: Record::File(manifest), .. } = item else { continue };
            let its = unnamed.iter_mut().filter(|(handle, _)| *handle == manifest.handle);
            its.for_each(|(_, damage)| damage.file = Some(manifest.path.clone()));
        }
    }
    Ok(())
}

fn verify_volume<W: Files>(mut verifier: Verifier<'_, W>) -> Result<()> {
    let Verifier { files, path, .. } = verifier;
    let file = files.open(path, Access::ReadDirect).during(Operation::Open, path)?;
    let superblock = read_superblock(files, &file, path)?;
    let durable = durable_end(files, &file, path, &superblock, FIRST_SEGMENT)?;
    verifier.start(&file)?;
    let mut scan = Scan::begin(files, &file, path, &superblock, FIRST_SEGMENT).past_bad_sectors();
    while let Some(finding) = scan.next(files)? {
        match finding {
            Finding::Segment(found) => {
                let durable = found.segment.mark.end() <= durable;
                verifier.segment(&mut scan, &Found { durable, ..found })?;
            }
            Finding::Gap { range, durable: known } => {
                if known || range.start < durable {
                    verifier.damage(Some(range.start), None, range.start, None, "no segment here");
                } else {
                    verifier.report.torn += 1;
                }
            }
        }
    }
    Ok(())
}

impl<W: Files> Verifier<'_, W> {
    fn damage(
        &mut self,
        segment: Option<u64>,
        file: Option<&Path>,
        at: u64,
        file_offset: Option<u64>,
        what: &'static str,
    ) {
        let (volume, file) = (self.path.to_owned(), file.map(Path::to_owned));
        self.tell(&Damage { volume, segment, file, at, file_offset, what });
    }

    fn tell(&mut self, damage: &Damage) {
        self.report.damages += 1;
        (self.tell)(damage);
    }

    /// Superblocks and the reserved bytes after them.
    fn start(&mut self, file: &W::File) -> Result<()> {
        let mut start = Aligned::new(FIRST_SEGMENT as usize);
        self.files.read_at(file, &mut start, 0).during_at(Operation::Read, self.path, 0)?;
        for at in [0, BLOCK] {
            if let Err(why) = Superblock::decode(&start[at as usize..(at + BLOCK) as usize]) {
                self.damage(None, None, at, None, why);
            }
        }
        if let Some(bad) = first_nonzero(&start[2 * BLOCK as usize..]) {
            self.damage(None, None, 2 * BLOCK + bad, None, "reserved bytes are not zero");
        }
        Ok(())
    }

    fn segment(&mut self, scan: &mut Scan<'_, W>, found: &Found) -> Result<()> {
        let mark = &found.segment.mark;
        if !found.durable && !scan.is_sound(self.files, found)? {
            self.report.torn += 1;
            return Ok(());
        }
        self.report.segments += 1;
        if !found.segment.header_sound {
            self.damage(Some(mark.at), None, mark.at, None, "the segment's header is damaged");
        }
        if !found.segment.trailer_sound {
            let at = mark.trailer_at();
            self.damage(Some(mark.at), None, at, None, "the segment's trailer is damaged");
        }
        if mark.kind == SegmentKind::SKIP {
            return Ok(());
        }
        let index = scan.index(self.files, &found.segment)?.to_vec();
        let used = mark.index as usize;
        if let Some(bad) = first_nonzero(&index[used..]) {
            let at = mark.index_at() + mark.index + bad;
            self.damage(Some(mark.at), None, at, None, "padding of the index is not zero");
        }
        let damages = self.report.damages;
        let covered = self.records(scan, mark, &index[..used])?;
        let sum_wrong =
            found.segment.trailer_sound && sum::crc32c(&index[..used]) != mark.index_sum;
        if sum_wrong && self.report.damages == damages {
            let at = mark.index_at();
            self.damage(Some(mark.at), None, at, None, "the sum of the index is wrong");
        }
        self.padding(scan, mark, covered)
    }

    /// Checks records and their data; returns what of the payload they account for.
    fn records(
        &mut self,
        scan: &mut Scan<'_, W>,
        mark: &Mark,
        index: &[u8],
    ) -> Result<Option<Vec<Range>>> {
        let mut covered = Some(Vec::new());
        for item in items(index) {
            match item {
                IndexItem::Record { record, .. } => {
                    self.report.records += 1;
                    let name = record.path();
                    for extent in record.extents() {
                        self.report.data_bytes += extent.range.len();
                        if let Some(offset) = scan.first_bad(self.files, mark, extent)? {
                            let at = mark.at + extent.payload + (offset - extent.range.start);
                            let what = "data does not match its sum";
                            let damage = Damage {
                                volume: self.path.to_owned(),
                                segment: Some(mark.at),
                                file: name.map(Path::to_owned),
                                at,
                                file_offset: Some(offset),
                                what,
                            };
                            match &record {
                                Record::Part(part) => self.unnamed.push((part.handle, damage)),
                                _ => self.tell(&damage),
                            }
                        }
                        if let Some(covered) = &mut covered {
                            let start = mark.at + extent.payload;
                            covered.push(Range::new(start, start + extent.range.len()));
                        }
                    }
                }
                IndexItem::Damaged { at, path, .. } => {
                    let at = mark.index_at() + at as u64;
                    self.damage(Some(mark.at), path.as_deref(), at, None, "a record is damaged");
                    // Its data cannot be told from padding.
                    covered = None;
                }
            }
        }
        Ok(covered)
    }

    /// Bytes of payload that no extent covers must be zero; each is less than a block long.
    fn padding(
        &mut self,
        scan: &mut Scan<'_, W>,
        mark: &Mark,
        covered: Option<Vec<Range>>,
    ) -> Result<()> {
        let Some(mut covered) = covered else { return Ok(()) };
        covered.sort_unstable();
        covered.push(Range::new(mark.index_at(), mark.index_at()));
        let mut at = mark.payload_at();
        for range in covered {
            while at < range.start {
                let block = at / BLOCK * BLOCK;
                let end = (block + BLOCK).min(range.start);
                let bytes = scan.stretch(self.files, Range::new(block, block + BLOCK))?;
                let part = &bytes[(at - block) as usize..(end - block) as usize];
                if let Some(bad) = first_nonzero(part) {
                    let what = "padding of the payload is not zero";
                    self.damage(Some(mark.at), None, at + bad, None, what);
                }
                at = end;
            }
            at = at.max(range.end);
        }
        debug_assert!(blocks_up(at) == at);
        Ok(())
    }
}

fn first_nonzero(bytes: &[u8]) -> Option<u64> {
    bytes.iter().position(|byte| *byte != 0).map(|at| at as u64)
}

impl Record {
    /// The name that a record gives a file.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(&file.path),
            Self::Link(link) => Some(&link.path),
            Self::Part(_) | Self::Gone(_) | Self::Unknown(_) => None,
        }
    }
}
