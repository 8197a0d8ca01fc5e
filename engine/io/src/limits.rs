//! Limits of the engine, each with its argument.

/// Bytes. The unit of alignment of everything that is read or written directly. 4096 serves every
/// logical block size in use and the page size of the page cache.
pub const BLOCK: u64 = 4096;

/// Bytes per checksum. Small enough that a range restore reads little more than it was asked for,
/// large enough that the sums of 1 GiB take 64 KiB.
pub const SUM_BLOCK: u64 = 64 * 1024;

/// Bytes per I/O of the data path, when the queue takes that much without splitting. With 2 MiB
/// pages one such request is one segment; the reads and writes of a 1 MiB copy cost the least CPU.
pub const SLOT_BYTES: usize = 1 << 20;

/// Buffers per ring: half of them read while the other half writes, 16 MiB each way, far below the
/// `nr_requests` (128 to 256) at which submission would block. More buys no throughput on the
/// disks measured, and each costs the time to fetch and clear its memory.
pub const SLOTS: usize = 32;

/// Buffers per ring that a configuration may ask for. The kernel refuses rings from 32,768 entries;
/// no queue of a device takes more than 1,024 without holding up who submits.
pub const SLOTS_MOST: u32 = 1024;

/// Bytes of all buffers of a ring, likewise: one registration of memory takes no more.
pub const ARENA_MOST: u64 = 1 << 30;

/// Bytes. A file up to this size is packed into a segment by a hand; a larger one is moved by the
/// rings. One slot's worth: below it, opening the file costs more than moving it.
pub const SMALL_FILE: u64 = 1 << 20;

/// Bytes that a released file keeps where accesses are watched: one block of most file systems.
pub const TRIPWIRE: u64 = 4096;

/// Bytes. A range up to this size, that somebody waits for, is restored by a thread with blocking
/// calls: setting a ring up takes longer than moving it.
pub const RECALL_INLINE: u64 = 4 << 20;

/// Bytes of payload in a packed segment. One flush per segment: large enough that the flush does
/// not show, small enough that every hand can hold one.
pub const PACK_BYTES: usize = 4 << 20;

/// Nanoseconds that a file waits in a packed segment for others, about. Where files come slowly, as
/// on a machine that is busy otherwise, whoever is killed has done something all the same, and can
/// go on from there; a flush a second for each hand does not show.
pub const PACK_WAITS: u64 = 1_000_000_000;

/// Files in a packed segment, and files restored under one flush. Each keeps one descriptor open
/// until the segment is committed, so hands * this stays below the descriptor limit that hosts
/// grant (4096 hard at the least).
pub const PACK_FILES: usize = 112;

/// Threads that open, inspect and read small files. They wait for the disk, not for a core:
/// throughput on a cold tree rises up to 16 to 32 of them and is flat after.
pub const HANDS: usize = 32;

/// Threads that a configuration may ask for. Each may hold a packed segment: 4 GiB at this many.
pub const HANDS_MOST: usize = 1024;

/// Bytes of file data in one segment of a large file. Bounds the sums held in memory per piece
/// (64 KiB of them) and is the unit that cores share.
pub const PIECE_BYTES: u64 = 1 << 30;

/// Extents in one piece. Bounds the index of a badly fragmented sparse file to 128 KiB a piece.
pub const PIECE_EXTENTS: usize = 4096;

/// Bytes of file data below which what is left of a volume is not worth a segment of its own: one
/// request's worth.
pub const PIECE_LEAST: u64 = 1 << 20;

/// Bytes. Parts of a file that several nodes archive start and end on multiples of it: whole
/// requests, and whole blocks of any file system.
pub const PART_UNIT: u64 = 1 << 20;

/// Bytes that a volume must at least hold: a packed segment with records ten times the usual, and
/// some pieces.
pub const VOLUME_LEAST: u64 = 16 << 20;

/// Bytes to which the end of a punch is rounded up. File systems free whole blocks only, and have
/// them of up to 64 KiB; beyond the end of the file there is nothing to lose.
pub const PUNCH_UNIT: u64 = 1 << 20;

/// Entries taken from a feed at a time. Bounds memory: some 200 bytes each, whatever the size
/// of the tree.
pub const BATCH_ENTRIES: usize = 32 * 1024;

/// Entries of one directory held at a time, so that a directory of millions does not fill memory.
pub const DIR_ENTRIES: usize = 4096;

/// Ranges that the state attribute of a partly restored file can list. With this many the
/// attribute takes 2,080 bytes, within the one 4 KiB block that ext4 gives an inode's attributes.
pub const PRESENT_RANGES: usize = 126;

const _: () =
    assert!((SLOT_BYTES as u64).is_multiple_of(SUM_BLOCK), "a slot holds whole checksum blocks");
const _: () = assert!(PART_UNIT.is_multiple_of(SUM_BLOCK), "a part holds whole checksum blocks");
const _: () = assert!(SUM_BLOCK.is_multiple_of(BLOCK), "checksum blocks are whole blocks");
const _: () = assert!(SMALL_FILE as usize <= PACK_BYTES, "a small file fits a packed segment");
const _: () = assert!(HANDS * PACK_FILES < 4096, "open files of all hands fit a common hard limit");
