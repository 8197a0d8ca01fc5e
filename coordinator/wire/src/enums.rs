//! Enumerations. A value that is not known survives decoding and is refused by whoever would act
//! on it.

use crate::codec::{Field, Malformed, Reader, Writer};

macro_rules! open_enum {
    ($(#[$doc:meta])* $name:ident($inner:ty) {
        $($constant:ident = $value:literal $word:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);

        impl $name {
            $(pub const $constant: Self = Self($value);)*
            /// All that are known.
            pub const ALL: &[Self] = &[$(Self($value)),*];

            /// `None` for a value that is not known.
            pub fn word(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($word),)*
                    _ => None,
                }
            }

            //= docs/wire.md#w-5
            pub fn is_known(self) -> bool {
                self.word().is_some()
            }

            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self($value)),)*
                    _ => None,
                }
            }
        }

        impl Field for $name {
            const LEAST: usize = <$inner as Field>::LEAST;

            fn put(&self, out: &mut Writer) {
                self.0.put(out);
            }

            fn take(from: &mut Reader<'_>) -> Result<Self, Malformed> {
                Ok(Self(<$inner>::take(from)?))
            }
        }

        #[cfg(feature = "samples")]
        impl crate::samples::Sample for $name {
            fn sample(dice: &mut crate::samples::Dice<'_>) -> Self {
                Self(crate::samples::Sample::sample(dice))
            }

            fn shape() -> String {
                <$inner as crate::samples::Sample>::shape()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.word() {
                    Some(word) => f.write_str(word),
                    None => write!(f, "{}({})", stringify!($name), self.0),
                }
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    };
}

open_enum! {
    /// What a peer is.
    Role(u8) {
        CLIENT = 1 "client",
        NODE = 2 "node",
    }
}
open_enum! {
    /// The order of service: a lower class first.
    Class(u8) {
        BLOCKED = 0 "blocked",
        INTERACTIVE = 1 "interactive",
        ARCHIVE = 2 "archive",
        BACKGROUND = 3 "background",
    }
}
open_enum! {
    /// What is done to a file.
    Verb(u8) {
        ARCHIVE = 1 "archive",
        RELEASE = 2 "release",
        RESTORE = 3 "restore",
        REMOVE = 4 "remove",
    }
}
open_enum! {
    /// Which step of a movement.
    Step(u8) {
        WHOLE = 0 "whole",
        BEGIN = 1 "begin",
        PART = 2 "part",
        FINISH = 3 "finish",
    }
}
open_enum! {
    /// Where a request is on its way. Terminal from `DONE` up.
    Status(u8) {
        QUEUED = 1 "queued",
        WAITING = 2 "waiting",
        MOVING = 3 "moving",
        DONE = 4 "done",
        NOTHING = 5 "nothing to do",
        FAILED = 6 "failed",
        CANCELLED = 7 "cancelled",
    }
}
open_enum! {
    /// A right on a handle, under a token.
    Right(u8) {
        NULL = 0 "null",
        SHARED = 1 "shared",
        EXCL = 2 "exclusive",
    }
}
open_enum! {
    /// What happened to a file or was sent to a session.
    EventType(u8) {
        READ = 1 "read",
        WRITE = 2 "write",
        TRUNCATE = 3 "truncate",
        USER = 4 "user",
        ATTRIBUTE = 16 "attribute",
        DESTROY = 17 "destroy",
        CLOSE = 18 "close",
        CANCELLED = 19 "cancelled",
    }
}
open_enum! {
    /// The answer to a synchronous event.
    Response(u8) {
        CONTINUE = 1 "continue",
        ABORT = 2 "abort",
    }
}
open_enum! {
    /// Why something was refused or failed.
    Reason(u16) {
        NONE = 0 "none",
        MALFORMED = 1 "malformed",
        UNKNOWN_KIND = 2 "unknown kind",
        UNKNOWN_VALUE = 3 "unknown value",
        VERSION = 4 "version",
        CLUSTER = 5 "cluster",
        NOT_ALLOWED = 6 "not allowed",
        OUT_OF_ORDER = 7 "out of order",
        NO_CREDIT = 8 "no credit",
        BUSY = 9 "busy",
        NO_SESSION = 10 "no session",
        NO_TOKEN = 11 "no token",
        NO_REQUEST = 12 "no request",
        TOO_BIG = 13 "too big",
        SESSION_BUSY = 14 "session busy",
        RIGHT_REFUSED = 15 "right refused",
        BAD_RIGHT = 16 "bad right",
        ANSWERED = 17 "answered already",
        BAD_RESPONSE = 18 "bad response",
        NO_DISPOSITION = 19 "no disposition",
        OLD_EPOCH = 20 "old epoch",
        LEASE_ENDED = 21 "lease ended",
        NO_RIGHT = 22 "no right",
        NO_NODE = 23 "no node",
        WRONG_FILE = 24 "wrong file",
        FAILED = 25 "failed",
        DAMAGE = 26 "damage",
        LATER = 27 "later",
        CANCELLED = 28 "cancelled",
        NOT_COORDINATOR = 29 "not coordinator",
        NO_NODE_KNOWN = 30 "no node known",
        CONFLICT = 31 "conflict",
        NO_SPACE = 32 "no space",
    }
}

impl Status {
    /// Whether it never changes again.
    pub fn is_final(self) -> bool {
        self >= Self::DONE
    }
}

impl EventType {
    /// Its bit in a set of events, `None` if it is not known.
    pub fn bit(self) -> Option<u32> {
        self.is_known().then(|| 1 << self.0)
    }

    /// Whether somebody waits for a response.
    pub fn is_synchronous(self) -> bool {
        self.0 < 16
    }
}

impl Verb {
    /// The right that a node needs on the file.
    //= docs/wire.md#w-62
    pub fn right(self) -> Right {
        if self == Self::ARCHIVE { Right::SHARED } else { Right::EXCL }
    }
}
