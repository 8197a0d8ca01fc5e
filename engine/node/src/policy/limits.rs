//! Limits of space management, each with its argument.

use std::time::Duration;

/// Between looks at how full a file system is. At a GiB/s of writes a percent of a 100 GiB file
/// system passes by in one; the look itself is one system call.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// Between looks while space is short and something has happened: outcomes come in batches, and
/// sorting the candidates takes milliseconds.
pub(super) const STEP: Duration = Duration::from_millis(100);

/// What is written is told from no shorter time: a single outcome would show in it.
pub(super) const INFLOW: Duration = Duration::from_millis(500);

/// From asking for an archive and then a release to the space, with files of some MiB and a disk
/// that writers keep busy.
pub(super) const LEAD: Duration = Duration::from_secs(2);

/// Candidates known of each state. At 1 MiB, the least usual size, they are 32 GiB, which takes
/// longer to archive than a walk over a million files to find more.
pub(super) const KNOWN: usize = 32_768;

/// Bytes in the names of these: 256 bytes each, for trees with longer ones fewer.
pub(super) const KNOWN_NAMES: usize = 8 << 20;

/// Files asked for and not ended while space is short: several batches of every node, so that no
/// node waits for this one.
pub(super) const UNDER_WAY: usize = 1024;

/// The same, archived ahead, for which nobody waits: a batch.
pub(super) const AHEAD: usize = 256;

/// Files in one submission, as the commands have it. With names of the longest (4,096 bytes) it
/// fits a frame.
pub(super) const BATCH: usize = 256;

/// Candidates handed over by the scanner at once, and how long it collects them: while space is
/// short nobody should have to wait for the end of a walk.
pub(super) const PART: usize = 1024;
pub(super) const PART_TIME: Duration = Duration::from_millis(500);

/// Files looked at between pauses of the scanner, and how much longer than the looks a pause is:
/// it takes a quarter of one thread, and of the disk no more than that.
pub(super) const LOOKS: usize = 64;
pub(super) const PAUSE: u32 = 3;

/// A pause at most: the stop of the daemon waits for it, and so does haste.
pub(super) const PAUSE_MOST: Duration = Duration::from_millis(250);

/// Between two scans while all is well; see `Area::refresh`.
pub(super) const REFRESH: Duration = Duration::from_secs(60);

/// Between two scans while space is short and all that is known is used up.
pub(super) const RESCAN: Duration = Duration::from_secs(1);

/// Before a file that was refused is tried again: what is in use now will be for some seconds.
pub(super) const REST: Duration = Duration::from_secs(10);

/// Refused files that are remembered; beyond it they are tried again too early.
pub(super) const RESTING: usize = 16_384;

/// Between two attempts to reach the coordinator, and after a refusal that names no time.
pub(super) const AGAIN: Duration = Duration::from_millis(500);

/// Between two notes of how things stand where nothing has changed, and after how long such a note
/// is that of a daemon which has ended.
pub(super) const NOTE: Duration = Duration::from_secs(5);
pub(super) const NOTE_STALE: Duration = Duration::from_secs(20);

/// Between two warnings of one kind in the log.
pub(super) const WARN: Duration = Duration::from_secs(60);
