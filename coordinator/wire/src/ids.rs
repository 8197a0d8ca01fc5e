//! What things are called on the wire: a type for each, so that none is taken for another.

use crate::codec::{Field, Malformed, Reader, Writer};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);

        impl $name {
            /// Names nothing.
            pub const NONE: Self = Self(0);
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
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// A session; unique over time in the cluster.
    SessionId(u64)
}
id! {
    /// An outstanding event, and what rights are held under.
    Token(u64)
}
id! {
    /// A movement of one file that was asked for.
    RequestId(u64)
}
id! {
    /// What a coordinator posted to a node.
    OrderId(u64)
}
id! {
    /// A node that has joined; unique within an epoch.
    NodeId(u16)
}
id! {
    /// Grows with each coordinator.
    Epoch(u64)
}

/// The cluster that a peer belongs to; zeros for whichever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Cluster(pub [u8; 16]);

impl Field for Cluster {
    const LEAST: usize = 16;

    fn put(&self, out: &mut Writer) {
        self.0.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self(<[u8; 16]>::take(from)?))
    }
}

/// A file, whatever its name, as XDSM has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FileHandle {
    pub file_system: [u8; 16],
    pub inode: u64,
    /// Changes when the inode number is used again.
    pub generation: u32,
}

impl Field for FileHandle {
    const LEAST: usize = 32;

    fn put(&self, out: &mut Writer) {
        self.file_system.put(out);
        self.inode.put(out);
        self.generation.put(out);
        0_u32.put(out);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, Malformed> {
        let file_system = Field::take(from)?;
        let inode = Field::take(from)?;
        let generation = Field::take(from)?;
        from.zeros(4)?;
        Ok(Self { file_system, inode, generation })
    }
}
