//! A block as it is stored: `docs/store.md`, *Frames*.

use crate::limits::BLOCK_BYTES;

pub(crate) const HEADER_BYTES: usize = 12;

/// What stands behind the header: the block as it is. A later dray may pack it.
const PLAIN: u8 = 0;

pub(crate) fn encode(number: u64, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("blocks are bounded");
    let mut frame = Vec::with_capacity(HEADER_BYTES + bytes.len());
    frame.extend_from_slice(&[PLAIN, 0, 0, 0]);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&sum(number, &frame, bytes).to_le_bytes());
    frame.extend_from_slice(bytes);
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
    if header[0] != PLAIN {
        return Err("it is packed in a way that this dray does not know");
    }
    if body.len() == length { Ok(body.to_vec()) } else { Err("it is not as long as it says") }
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
    use super::{HEADER_BYTES, decode, encode};

    #[test]
    fn blocks_come_back() {
        for bytes in [vec![], vec![7; 4096]] {
            let frame = encode(9, &bytes);
            assert_eq!(frame.len(), HEADER_BYTES + bytes.len());
            assert_eq!(decode(9, &frame), Ok(bytes));
        }
    }

    #[test]
    fn damage_is_found() {
        let frame = encode(9, &[7; 300]);
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
