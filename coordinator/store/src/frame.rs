//! A block as it is stored: `docs/store.md`, *Frames*.

use crate::limits::BLOCK_BYTES;

pub(crate) const HEADER_BYTES: usize = 12;

/// What stands behind the header.
const PLAIN: u8 = 0;
const LZ4: u8 = 1;

/// How the bytes of a block are stored. A store reads both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    /// Where it makes the block smaller.
    #[cfg_attr(not(any(test, feature = "etcd")), expect(dead_code, reason = "read, not written"))]
    Lz4,
}

pub(crate) fn encode(number: u64, bytes: &[u8], packing: Packing) -> Vec<u8> {
    let packed = match packing {
        Packing::Plain => None,
        Packing::Lz4 => Some(lz4_flex::block::compress(bytes)).filter(|it| it.len() < bytes.len()),
    };
    let (coding, body) = packed.as_deref().map_or((PLAIN, bytes), |packed| (LZ4, packed));
    let length = u32::try_from(bytes.len()).expect("blocks are bounded");
    let mut frame = Vec::with_capacity(HEADER_BYTES + body.len());
    frame.extend_from_slice(&[coding, 0, 0, 0]);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&sum(number, &frame, body).to_le_bytes());
    frame.extend_from_slice(body);
    frame
}

/// The block, or what is wrong with it.
pub(crate) fn decode(number: u64, frame: &[u8]) -> Result<Vec<u8>, &'static str> {
    let Some((header, body)) = frame.split_first_chunk::<HEADER_BYTES>() else {
        return Err("it is cut short");
    };
    let word = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| header[at + byte]));
    if word(8) != sum(number, &header[..8], body) {
        return Err("its sum does not match");
    }
    let length = word(4) as usize;
    if length > BLOCK_BYTES {
        return Err("it is too long");
    }
    let bytes = match header[0] {
        PLAIN => body.to_vec(),
        LZ4 => lz4_flex::block::decompress(body, length).map_err(|_| "it cannot be unpacked")?,
        _ => return Err("it is packed in a way that this dray does not know"),
    };
    if bytes.len() == length { Ok(bytes) } else { Err("it is not as long as it says") }
}

/// The number is part of it, so that a block in the place of another is found.
fn sum(number: u64, header: &[u8], body: &[u8]) -> u32 {
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    digest.update(&number.to_le_bytes());
    digest.update(header);
    digest.update(body);
    digest.finalize() as u32
}

#[cfg(test)]
mod tests {
    use super::{HEADER_BYTES, Packing, decode, encode};

    #[test]
    fn blocks_come_back() {
        let noise: Vec<u8> =
            (0..5000_u32).map(|it| (it.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        for bytes in [vec![], vec![7; 4096], noise] {
            for packing in [Packing::Plain, Packing::Lz4] {
                let frame = encode(9, &bytes, packing);
                assert!(frame.len() <= HEADER_BYTES + bytes.len());
                assert_eq!(decode(9, &frame), Ok(bytes.clone()));
            }
        }
        assert!(encode(9, &[7; 4096], Packing::Lz4).len() < 100);
    }

    #[test]
    fn damage_is_found() {
        for packing in [Packing::Plain, Packing::Lz4] {
            let frame = encode(9, &[7; 300], packing);
            assert!(decode(8, &frame).is_err());
            for bit in 0..8 * frame.len() {
                let mut damaged = frame.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert!(decode(9, &damaged).is_err(), "bit {bit}");
            }
            for end in 0..frame.len() {
                assert!(decode(9, &frame[..end]).is_err(), "{end} bytes");
            }
        }
    }
}
