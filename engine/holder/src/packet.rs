//! The packets between the holder and those who use it: `docs/holder.md`.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes};

const MAGIC: [u8; 4] = *b"DRYH";
const VERSION: u16 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Kind {
    Watch = 1,
    Silence = 2,
    Expose = 3,
    Serve = 4,
    Adopt = 5,
    Answer = 6,
    Cut = 7,
    Access = 16,
    Done = 17,
}

impl Kind {
    const ALL: [Self; 9] = [
        Self::Watch,
        Self::Silence,
        Self::Expose,
        Self::Serve,
        Self::Adopt,
        Self::Answer,
        Self::Cut,
        Self::Access,
        Self::Done,
    ];
}

/// The range of an access that only opens a file: one that no access to data has.
pub(crate) const OPENS: (u64, u64) = (1, 0);

/// What a packet says; a descriptor may come with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) kind: Kind,
    /// Of the request, or of the access.
    pub(crate) id: u64,
    /// Bytes of an access: its start and its end.
    pub(crate) range: (u64, u64),
    /// An errno, or the thread that accesses.
    pub(crate) code: u32,
}

#[derive(FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Layout {
    magic: [u8; 4],
    version: U16,
    kind: U16,
    id: U64,
    start: U64,
    end: U64,
    code: U32,
    zero: U32,
}

impl Packet {
    pub(crate) fn new(kind: Kind, id: u64) -> Self {
        Self { kind, id, range: (0, 0), code: 0 }
    }

    fn encode(&self) -> Layout {
        Layout {
            magic: MAGIC,
            version: VERSION.into(),
            kind: (self.kind as u16).into(),
            id: self.id.into(),
            start: self.range.0.into(),
            end: self.range.1.into(),
            code: self.code.into(),
            zero: 0.into(),
        }
    }

    fn decode(bytes: &[u8]) -> io::Result<Self> {
        let refused = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
        let layout = Layout::read_from_bytes(bytes)
            .map_err(|_| refused(format!("a packet of {} bytes", bytes.len())))?;
        if layout.magic != MAGIC || layout.version.get() != VERSION {
            let version = layout.version;
            return Err(refused(format!("a packet of version {version}, not {VERSION}")));
        }
        let kind = Kind::ALL.into_iter().find(|kind| *kind as u16 == layout.kind.get());
        let kind = kind.ok_or_else(|| refused(format!("a packet of kind {}", layout.kind)))?;
        let range = (layout.start.get(), layout.end.get());
        Ok(Self { kind, id: layout.id.get(), range, code: layout.code.get() })
    }

    /// Sends it whole, or not at all.
    pub(crate) fn send(&self, to: impl AsFd, file: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let layout = self.encode();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut with = SendAncillaryBuffer::new(&mut space);
        let files = file.map(|file| [file]);
        if let Some(files) = &files {
            with.push(SendAncillaryMessage::ScmRights(files));
        }
        let bytes = [IoSlice::new(layout.as_bytes())];
        sendmsg(to, &bytes, &mut with, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// None at the end of the connection.
    pub(crate) fn receive(from: impl AsFd) -> io::Result<Option<(Self, Option<OwnedFd>)>> {
        // One more than a packet has, to see one that is too long.
        let mut bytes = [0_u8; size_of::<Layout>() + 1];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut with = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC;
        let got = recvmsg(from, &mut [IoSliceMut::new(&mut bytes)], &mut with, flags)?;
        let mut file = None;
        for message in with.drain() {
            if let RecvAncillaryMessage::ScmRights(files) = message {
                file = files.last();
            }
        }
        if got.bytes == 0 {
            return Ok(None);
        }
        Self::decode(&bytes[..got.bytes]).map(|packet| Some((packet, file)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_what_is_received() {
        for kind in Kind::ALL {
            let packet = Packet { kind, id: 7, range: (4096, u64::MAX), code: 11 };
            let bytes = packet.encode();
            assert_eq!(Packet::decode(bytes.as_bytes()).unwrap(), packet);
        }
    }

    #[test]
    fn other_packets_are_refused() {
        let good = Packet::new(Kind::Done, 1).encode();
        let good = good.as_bytes();
        for (at, value) in [(0, b'X'), (4, 2), (6, 99)] {
            let mut bad = good.to_vec();
            bad[at] = value;
            Packet::decode(&bad).unwrap_err();
        }
        Packet::decode(&good[1..]).unwrap_err();
        Packet::decode(&[good, &[0]].concat()).unwrap_err();
    }
}
