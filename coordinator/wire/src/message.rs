//! All messages in one.

use crate::codec::{Body, Malformed, TooBig, Writer};
use crate::header::{HEADER_BYTES, Header, Kind};
use crate::limits::BODY_MAX;
use crate::messages::*;

macro_rules! messages {
    ($($name:ident,)*) => {
        /// Any message.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Message {
            $($name($name),)*
            /// Of a kind that this version does not know; the body is dropped.
            Unknown(Kind),
        }

        impl Message {
            /// All kinds that are known, with their names, in the order of `docs/wire.md`.
            pub const KINDS: &[(Kind, &str)] = &[$(($name::KIND, stringify!($name))),*];

            pub fn kind(&self) -> Kind {
                match self {
                    $(Self::$name(_) => $name::KIND,)*
                    Self::Unknown(kind) => *kind,
                }
            }

            pub fn decode(kind: Kind, body: &[u8]) -> Result<Self, Malformed> {
                match kind {
                    $($name::KIND => <$name as Body>::decode(body).map(Self::$name),)*
                    other => Ok(Self::Unknown(other)),
                }
            }

            /// `None` for a kind that is not known.
            #[cfg(feature = "samples")]
            pub fn sample(kind: Kind, dice: &mut crate::samples::Dice<'_>) -> Option<Self> {
                match kind {
                    $($name::KIND => Some(Self::$name(crate::samples::Sample::sample(dice))),)*
                    _ => None,
                }
            }

            /// Its fields as `docs/wire.md` has them.
            #[cfg(feature = "samples")]
            pub fn shape(kind: Kind) -> Option<String> {
                match kind {
                    $($name::KIND => Some(<$name as crate::samples::Sample>::shape()),)*
                    _ => None,
                }
            }

            fn fits(&self) -> bool {
                match self {
                    $(Self::$name(message) => crate::codec::Field::fits(message),)*
                    Self::Unknown(_) => true,
                }
            }

            fn put_body(&self, out: &mut Writer) {
                match self {
                    $(Self::$name(message) => message.put_body(out),)*
                    Self::Unknown(_) => {}
                }
            }
        }

        $(impl From<$name> for Message {
            fn from(message: $name) -> Self {
                Self::$name(message)
            }
        })*
    };
}

messages! {
    Hello,
    Welcome,
    Refused,
    Done,
    Ping,
    CreateSession,
    SessionCreated,
    DestroySession,
    ListSessions,
    Sessions,
    SetShare,
    SetDisposition,
    ListDispositions,
    Dispositions,
    RaiseEvent,
    EventAnswered,
    GetEvents,
    Events,
    RespondEvent,
    PendEvent,
    MoveEvent,
    TokenIs,
    CreateUserEvent,
    SendMessage,
    ListTokens,
    Tokens,
    FindEvent,
    RequestRight,
    ReleaseRight,
    UpgradeRight,
    DowngradeRight,
    QueryRight,
    RightIs,
    Submit,
    Accepted,
    Outcomes,
    Cancel,
    Cancelled,
    ListRequests,
    Requests,
    ShowRequest,
    Watch,
    Watched,
    Join,
    Joined,
    Renew,
    Renewed,
    Grant,
    Withdraw,
    Order,
    OrderDone,
    OrderProgress,
    OrderRefused,
    CancelOrder,
    ListNodes,
    Nodes,
    SetLimit,
}

/// Appends a message to `out` as a frame.
///
/// # Panics
///
/// If the body is longer than [`BODY_MAX`]: whoever makes lists bounds them.
pub fn encode(message: &Message, request: u64, out: &mut Vec<u8>) {
    let body = append(message, request, out);
    assert!(body <= BODY_MAX, "a body of {body} bytes: {:?}", message.kind());
}

/// The same for what somebody else has made: what no frame may carry leaves `out` as it was.
pub fn try_encode(message: &Message, request: u64, out: &mut Vec<u8>) -> Result<(), TooBig> {
    if !message.fits() {
        return Err(TooBig::List);
    }
    let start = out.len();
    let body = append(message, request, out);
    if body > BODY_MAX {
        out.truncate(start);
        return Err(TooBig::Body(body));
    }
    Ok(())
}

/// Appends a frame; the bytes of its body.
fn append(message: &Message, request: u64, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    let mut writer = Writer(std::mem::take(out));
    writer.bytes(&[0; HEADER_BYTES]);
    message.put_body(&mut writer);
    let Writer(mut bytes) = writer;
    let body = &bytes[start + HEADER_BYTES..];
    let length = body.len();
    let header = Header::of(message.kind(), request, body).encode();
    bytes[start..start + HEADER_BYTES].copy_from_slice(&header);
    *out = bytes;
    length
}
