//! Moving one file in steps that may run on several nodes: what goes from step to step.
//!
//! Whoever carries it need not understand it: each stamp and each list of parts has a fixed form
//! in bytes, little-endian, beginning with its kind and version.

use dray_archive::PartRef;
use dray_io::{Handle, PackedTime, Range, Stat, Time};

use crate::bytes::{Put, Take};
use crate::error::Result;

/// What the first step found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun<T> {
    /// There is nothing to do, for this reason.
    Nothing(&'static str),
    /// What the other steps need.
    Begun(T),
}

/// Hears of each part: which of the jobs it was, the core on which it ended, and the outcome.
pub type Done<'a, T> = dyn Fn(usize, usize, Result<T>) + Sync + 'a;

const VERSION: u8 = 1;
const ARCHIVE: u8 = b'A';
const RESTORE: u8 = b'R';
const PARTS: u8 = b'P';
/// Bytes of one part in a list, and of what precedes the first.
const PART_BYTES: usize = 32;
const PARTS_HEAD: usize = 8;
/// Bytes of the longest capability that the kernel knows (`vfs_ns_cap_data`).
const CAPABILITY_MAX: usize = 24;
/// Mode bits that the kernel takes away when content changes.
const SET_ID: u32 = 0o6000;

/// A file as it was when its archiving began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveStamp {
    pub(crate) handle: Handle,
    pub(crate) size: u64,
    modified: Time,
    changed: Time,
    /// Changed so shortly before that its times may not move if it changes again.
    pub(crate) recent: bool,
}

impl ArchiveStamp {
    pub(crate) fn new(stat: &Stat, recent: bool) -> Self {
        let Stat { handle, size, modified, changed, .. } = *stat;
        Self { handle, size, modified, changed, recent }
    }

    pub fn handle(&self) -> Handle {
        self.handle
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether a file is still as it was: see [`is_unchanged`](crate::manifest::is_unchanged).
    pub(crate) fn fits(&self, now: &Stat) -> bool {
        *self == Self::new(now, self.recent)
    }

    /// 64 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Put::new(ARCHIVE, VERSION);
        out.u8(self.recent.into());
        out.u8(0);
        out.handle(self.handle);
        out.u64(self.size);
        out.time(self.modified);
        out.time(self.changed);
        out.0
    }

    /// Reads what [`encode`](Self::encode) wrote, or tells what is wrong with it.
    pub fn decode(bytes: &[u8]) -> std::result::Result<Self, &'static str> {
        let mut take = Take::new(bytes, ARCHIVE, VERSION)?;
        let recent = take.flags(1)? != 0;
        take.zero()?;
        let (handle, size) = (take.handle()?, take.u64()?);
        let (modified, changed) = (take.time()?, take.time()?);
        take.end()?;
        Ok(Self { handle, size, modified, changed, recent })
    }
}

/// A file as it was when its restoring began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreStamp {
    pub(crate) handle: Handle,
    pub(crate) size: u64,
    /// What is to be present in the end.
    pub(crate) wanted: Range,
    /// What the attribute has for its stamp since then: tells this restore from any other.
    pub(crate) begun: PackedTime,
    pub(crate) modified: Time,
    pub(crate) owner: (u32, u32),
    pub(crate) mode: u32,
    pub(crate) capability: Option<Vec<u8>>,
    /// Of the attribute, before.
    pub(crate) moving: bool,
    /// Of the attribute, before.
    pub(crate) remains: bool,
    /// See [`Standing::Away`](crate::Standing::Away).
    pub(crate) touched: bool,
}

impl RestoreStamp {
    pub fn handle(&self) -> Handle {
        self.handle
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether a capability can be carried along. The kernel sets no longer one.
    pub(crate) fn takes(capability: Option<&[u8]>) -> bool {
        capability.is_none_or(|bytes| !bytes.is_empty() && bytes.len() <= CAPABILITY_MAX)
    }

    /// Whether the file still has its owner. Else it has not lost its privileges to our writes
    /// but to the change, and must not get them back.
    pub(crate) fn is_owner(&self, now: &Stat) -> bool {
        self.owner == (now.uid, now.gid)
    }

    /// The mode that a file is to have: what it has now, with the bits that writing took away.
    pub(crate) fn mode_of(&self, now: &Stat) -> u32 {
        let alike = now.mode & !SET_ID == self.mode & !SET_ID && now.mode & !self.mode == 0;
        if alike && self.is_owner(now) { self.mode } else { now.mode }
    }

    /// 112 bytes.
    pub fn encode(&self) -> Vec<u8> {
        let capability = self.capability.as_deref().unwrap_or_default();
        let flags = [(self.moving, 1), (self.remains, 2), (self.touched, 4)];
        let mut out = Put::new(RESTORE, VERSION);
        out.u8(flags.iter().filter(|(set, _)| *set).map(|(_, bit)| bit).sum());
        out.u8(capability.len() as u8);
        out.handle(self.handle);
        out.u64(self.size);
        out.range(self.wanted);
        out.u64(self.begun.0);
        out.time(self.modified);
        out.u32(self.owner.0);
        out.u32(self.owner.1);
        out.u32(self.mode);
        out.0.extend_from_slice(capability);
        out.0.resize(out.0.len() + CAPABILITY_MAX - capability.len(), 0);
        out.0
    }

    /// Reads what [`encode`](Self::encode) wrote, or tells what is wrong with it.
    pub fn decode(bytes: &[u8]) -> std::result::Result<Self, &'static str> {
        let mut take = Take::new(bytes, RESTORE, VERSION)?;
        let (flags, length) = (take.flags(7)?, usize::from(take.u8()?));
        let (handle, size, wanted) = (take.handle()?, take.u64()?, take.range()?);
        let (begun, modified) = (PackedTime(take.u64()?), take.time()?);
        let (owner, mode) = ((take.u32()?, take.u32()?), take.u32()?);
        let room: [u8; CAPABILITY_MAX] = take.array()?;
        take.end()?;
        if length > room.len() || room[length..].iter().any(|byte| *byte != 0) {
            return Err("its capability is too long");
        }
        let capability = (length > 0).then(|| room[..length].to_vec());
        let (moving, remains, touched) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0);
        Ok(Self {
            handle,
            size,
            wanted,
            begun,
            modified,
            owner,
            mode,
            capability,
            moving,
            remains,
            touched,
        })
    }
}

/// The bytes of a list of parts: 8, and 32 for each.
pub fn encode_parts(parts: &[PartRef]) -> Vec<u8> {
    let mut out = Put::new(PARTS, VERSION);
    out.u8(0);
    out.u8(0);
    out.u32(u32::try_from(parts.len()).expect("a manifest has fewer parts"));
    for part in parts {
        out.u32(part.volume);
        out.u32(part.length);
        out.u64(part.at);
        out.range(part.range);
    }
    out.0
}

/// Reads what [`encode_parts`] wrote, or tells what is wrong with it.
pub fn decode_parts(bytes: &[u8]) -> std::result::Result<Vec<PartRef>, &'static str> {
    let mut take = Take::new(bytes, PARTS, VERSION)?;
    take.zero()?;
    take.zero()?;
    let count = take.u32()? as usize;
    // Before anything is reserved for so many.
    if (bytes.len() - PARTS_HEAD) / PART_BYTES != count {
        return Err("it has not as many parts as it says");
    }
    let mut parts = Vec::with_capacity(count);
    for _ in 0..count {
        let (volume, length, at) = (take.u32()?, take.u32()?, take.u64()?);
        parts.push(PartRef { volume, length, at, range: take.range()? });
    }
    take.end()?;
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle() -> Handle {
        Handle { file_system: [3; 16], inode: 1 << 40, generation: 77 }
    }

    fn archive() -> ArchiveStamp {
        let (modified, changed) =
            (Time { seconds: -5, nanos: 999_999_999 }, Time { seconds: 1 << 40, nanos: 1 });
        ArchiveStamp { handle: handle(), size: 1 << 50, modified, changed, recent: true }
    }

    fn restore() -> RestoreStamp {
        RestoreStamp {
            handle: handle(),
            size: 1 << 50,
            wanted: Range::new(65_536, 1 << 49),
            begun: PackedTime(9),
            modified: Time { seconds: 1_700_000_000, nanos: 5 },
            owner: (1000, 100),
            mode: 0o4755,
            capability: Some(vec![7; 20]),
            moving: true,
            remains: false,
            touched: true,
        }
    }

    fn parts() -> Vec<PartRef> {
        let part = |index: u64| PartRef {
            volume: index as u32 + 1,
            length: 4096,
            at: index << 33,
            range: Range::new(index << 30, (index + 1) << 30),
        };
        (0..3).map(part).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(ArchiveStamp::decode(&archive().encode()), Ok(archive()));
        assert_eq!(RestoreStamp::decode(&restore().encode()), Ok(restore()));
        let plain = RestoreStamp { capability: None, remains: true, touched: false, ..restore() };
        assert_eq!(RestoreStamp::decode(&plain.encode()), Ok(plain));
        assert_eq!(decode_parts(&encode_parts(&parts())), Ok(parts()));
        assert_eq!(decode_parts(&encode_parts(&[])), Ok(Vec::new()));
        let lengths = [archive().encode().len(), restore().encode().len()];
        assert_eq!((lengths, encode_parts(&parts()[..1]).len()), ([64, 112], 40));
    }

    #[test]
    fn what_is_cut_or_longer_or_of_another_kind_is_refused() {
        let all = [archive().encode(), restore().encode(), encode_parts(&parts())];
        for (kind, bytes) in all.iter().enumerate() {
            let refused = |bytes: &[u8]| {
                let read = [
                    ArchiveStamp::decode(bytes).is_ok(),
                    RestoreStamp::decode(bytes).is_ok(),
                    decode_parts(bytes).is_ok(),
                ];
                read == [false; 3]
            };
            assert!((0..bytes.len()).all(|length| refused(&bytes[..length])), "kind {kind}");
            assert!(refused(&[bytes.as_slice(), &[0]].concat()), "kind {kind}");
            assert!(refused(&[bytes.as_slice(), &[0; PART_BYTES]].concat()), "kind {kind}");
            let version = [&bytes[..1], &[VERSION + 1], &bytes[2..]].concat();
            assert!(refused(&version), "kind {kind}");
        }
        assert!(ArchiveStamp::decode(&all[1]).is_err() && RestoreStamp::decode(&all[0]).is_err());
    }

    #[test]
    fn no_bytes_make_decoding_panic() {
        for bytes in [archive().encode(), restore().encode(), encode_parts(&parts())] {
            for at in 0..bytes.len() {
                for value in [0, 0x7f, 0xff] {
                    let mut broken = bytes.clone();
                    broken[at] = value;
                    let _ = (ArchiveStamp::decode(&broken), RestoreStamp::decode(&broken));
                    let _ = decode_parts(&broken);
                }
            }
        }
    }

    #[test]
    fn only_what_writing_took_away_is_put_back() {
        let stat = |uid, mode| Stat {
            kind: dray_io::Kind::File,
            handle: handle(),
            mode,
            uid,
            gid: 100,
            links: 1,
            size: 0,
            allocated: 0,
            rdev: 0,
            accessed: Time::default(),
            modified: Time::default(),
            changed: Time::default(),
            born: Time::default(),
        };
        assert_eq!(restore().mode_of(&stat(1000, 0o755)), 0o4755);
        assert_eq!(restore().mode_of(&stat(1000, 0o700)), 0o700, "the owner changed it");
        assert_eq!(restore().mode_of(&stat(1000, 0o2755)), 0o2755, "the owner changed it");
        assert_eq!(restore().mode_of(&stat(0, 0o755)), 0o755, "it has another owner");
    }
}
