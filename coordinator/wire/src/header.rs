//! The fixed header of every frame.

use crate::codec::{Field, Malformed, Reader, Writer};
use crate::limits::BODY_MAX;

pub const HEADER_BYTES: usize = 32;
pub const MAGIC: [u8; 4] = *b"DRAY";
pub const VERSION: u16 = 1;
/// Bytes of the header that its own sum covers.
const SUMMED: usize = 28;

/// Which message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind(pub u16);

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#06x}", self.0)
    }
}

/// A header that has been checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub kind: Kind,
    /// Bytes of the body.
    pub length: u32,
    pub request: u64,
    pub body_sum: u32,
}

pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

impl Header {
    pub(crate) fn of(kind: Kind, request: u64, body: &[u8]) -> Self {
        let length = u32::try_from(body.len()).expect("bodies are bounded");
        Self { kind, length, request, body_sum: crc32c(body) }
    }

    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = Writer(Vec::with_capacity(HEADER_BYTES));
        MAGIC.put(&mut out);
        VERSION.put(&mut out);
        self.kind.0.put(&mut out);
        0_u32.put(&mut out);
        self.length.put(&mut out);
        self.request.put(&mut out);
        self.body_sum.put(&mut out);
        let sum = crc32c(&out.0);
        sum.put(&mut out);
        out.0.try_into().expect("the fields above are 32 bytes")
    }

    //= docs/wire.md#w-1
    pub fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, Malformed> {
        let mut from = Reader::new(bytes);
        if from.array()? != MAGIC {
            return Err(Malformed::Magic);
        }
        let version = u16::take(&mut from)?;
        let kind = Kind(u16::take(&mut from)?);
        let flags = u32::take(&mut from)?;
        let length = u32::take(&mut from)?;
        let request = u64::take(&mut from)?;
        let body_sum = u32::take(&mut from)?;
        if u32::take(&mut from)? != crc32c(&bytes[..SUMMED]) {
            return Err(Malformed::HeaderSum);
        }
        if version != VERSION {
            return Err(Malformed::Version(version));
        }
        if flags != 0 {
            return Err(Malformed::Reserved);
        }
        if length as usize > BODY_MAX {
            return Err(Malformed::TooLong(length));
        }
        Ok(Self { kind, length, request, body_sum })
    }

    pub fn check(&self, body: &[u8]) -> Result<(), Malformed> {
        if crc32c(body) == self.body_sum { Ok(()) } else { Err(Malformed::BodySum) }
    }
}
