//! The key that says which blocks are kept.

use crate::error::FORMAT;
use crate::span::Span;

const BYTES: usize = 24;

/// Why it is not one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotAHead {
    Format(u32),
    Other(&'static str),
}

pub(super) fn encode(span: Span) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(BYTES);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&span.first.to_le_bytes());
    bytes.extend_from_slice(&span.next.to_le_bytes());
    bytes
}

pub(super) fn decode(bytes: &[u8]) -> Result<Span, NotAHead> {
    // The format first: a later one may have another length.
    let (format, rest) =
        bytes.split_first_chunk().ok_or(NotAHead::Other("its head is cut short"))?;
    let format = u32::from_le_bytes(*format);
    if format != FORMAT {
        return Err(NotAHead::Format(format));
    }
    let (_, rest) =
        rest.split_first_chunk::<4>().ok_or(NotAHead::Other("its head is cut short"))?;
    let (first, rest) = rest.split_first_chunk().ok_or(NotAHead::Other("its head is cut short"))?;
    let next = rest.try_into().map_err(|_| NotAHead::Other("its head is not as long as it is"))?;
    let span = Span { first: u64::from_le_bytes(*first), next: u64::from_le_bytes(next) };
    if span.first == 0 || span.first > span.next {
        return Err(NotAHead::Other("its head names blocks that cannot be"));
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use super::{NotAHead, decode, encode};
    use crate::span::Span;

    #[test]
    fn heads_come_back() {
        for span in [Span::EMPTY, Span { first: 7, next: u64::MAX }] {
            assert_eq!(decode(&encode(span)), Ok(span));
        }
    }

    #[test]
    fn others_are_refused() {
        let head = encode(Span { first: 3, next: 9 });
        for end in 0..head.len() {
            assert!(matches!(decode(&head[..end]), Err(NotAHead::Other(_))), "{end} bytes");
        }
        assert!(decode(&[&head[..], &[0]].concat()).is_err());
        assert_eq!(decode(&[2, 0, 0, 0]), Err(NotAHead::Format(2)));
        assert!(decode(&encode(Span { first: 9, next: 3 })).is_err());
        assert!(decode(&encode(Span { first: 0, next: 3 })).is_err());
    }
}
