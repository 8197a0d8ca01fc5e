//! Limits of the coordinator, each with its argument.

/// Queued requests. At some 200 bytes each 3 GiB; beyond it users are told to come back.
//= docs/wire.md#w-57
pub const QUEUED_MAX: usize = 16 << 20;

/// Ended requests that can still be asked for.
//= docs/wire.md#w-50
pub const ENDED_KEPT: usize = 65_536;

/// Sessions. GPFS allows 4,000 a node; this is for the cluster.
pub const SESSIONS_MAX: usize = 65_536;

/// Undelivered events of a session: a second's worth of blocked readers of a large cluster.
//= docs/wire.md#w-37
pub const UNDELIVERED_MAX: usize = 65_536;

/// Nanoseconds that a synchronous event waits for somebody who takes it: the time in which a
/// restarted application sets its dispositions.
//= docs/wire.md#w-31
pub const DISPOSITION_WAIT_NS: u64 = 30_000_000_000;

/// Connections. Each costs some kilobytes until it sends more.
pub const CONNECTIONS_MAX: usize = 16_384;

/// Requests without a reply that a node may have: blocked readers wait in them.
pub const NODE_CREDITS: u32 = 65_536;

/// Bytes of a LUN whose extents are kept together on one core: some seconds of moving, so that
/// they are one sequential stretch, and enough regions on a LUN for all cores.
pub const REGION_BYTES: u64 = 256 << 20;

/// Requests of one bucket. A region with more gets further buckets, so that a crowded one can be
/// shared by nodes.
pub const BUCKET_REQUESTS: u32 = 1024;

/// Items of an order: what is sorted and merged, and made in one go, some 60 us: a blocked reader
/// behind it waits no longer. Of 1,024 it was 250 us and the wait of restores behind a flood
/// doubled. A node runs orders into each other, so that it does not see where one ends.
pub const ORDER_ITEMS: usize = 256;

/// Bytes of file data in an order of more than one item.
pub const ORDER_BYTES: u64 = 256 << 20;

/// Bytes of names in an order, well within a frame.
pub const ORDER_NAMES: usize = 512 << 10;

/// Orders that a node has at once, per lane and core: as many files as its hands hold open until
/// their segments are full, so that none waits for the next order.
pub const WINDOW_ORDERS: u32 = 16;

/// Items that a node has at once in a lane, however large the orders.
pub const WINDOW_ITEMS: u32 = 8192;

/// Bytes from which a file is split over nodes and cores.
pub const SPLIT_BYTES: u64 = 1 << 30;

/// Bytes of a part of a split file, if its parts are not too many: a fraction of a second on one
/// core, so that the last ones end together.
pub const PART_BYTES: u64 = 256 << 20;

/// Parts of a file; it bounds what finishing it takes to a frame.
pub const PARTS_MAX: u64 = 1024;

/// Parts that a core of a node has at once: one moves, one is ready.
pub const CORE_PARTS: u32 = 2;

/// Nanoseconds. A node that is silent so long acts no more. A heartbeat is a third of it. With
/// what is added for clocks, work of a dead node is given to others within three seconds.
pub const LEASE_NS: u64 = 2_500_000_000;

/// What is added to a lease for clocks that run apart: one part in so many.
pub const LEASE_SKEW: u64 = 10;

/// Bytes at which a block of the journal is full. With the longest record after that it is well
/// within what an etcd transaction takes (1.5 MiB), and a flush of it takes milliseconds.
pub const JOURNAL_BLOCK: usize = 512 << 10;

/// Bytes of the journal that are kept however little of them is true: rewriting less is not worth
/// reading it.
pub const JOURNAL_LEAST: u64 = 64 << 20;

/// Bytes recorded and not durable at which submissions are refused for a moment: some seconds of
/// a store that does not keep up.
pub const JOURNAL_BEHIND: usize = 256 << 20;

/// Generations of requests left out after a restart. Requests of blocked readers are not in the
/// journal, so how far their ids went is not known; each of them takes a place that was free for
/// 65,536 others, so that this many are four thousand million requests.
pub const CLASS_ZERO_GENERATIONS: u32 = 65_536;

/// How often a request that a node could not take is tried again elsewhere.
pub const TRIES_MAX: u8 = 5;

/// Nanoseconds after which a restore is tried again whose file somebody else has a lease on: a
/// release has it for some milliseconds. Doubles from time to time, up to [`REST_MAX_NS`].
pub const REST_NS: u64 = 20_000_000;

/// The longest such pause, which a restore may come too late by.
pub const REST_MAX_NS: u64 = 2_000_000_000;

/// How often. All of them together are 57 s: the kernel takes the lease of a process that is
/// stopped away after 45 s (`fs.lease-break-time`).
pub const RESTS_MAX: u8 = 34;

/// The share of a session that did not ask for another.
pub const SHARE: u32 = 100;

/// Bytes of service that a file counts for beside its data: what opening, reading and marking it
/// cost in the time of moving so many bytes.
pub const FILE_COST: u64 = 64 << 10;

/// Limited sessions looked at for one that may be served. They have had the least service, so that
/// they come first for as long as they are limited.
pub const LOOK_SESSIONS: usize = 4096;

/// Buckets of a session looked at for one whose file system's limit lets it be served.
pub const LOOK_BUCKETS: usize = 8;

/// Idle nodes that find nothing to take from a busy one, before no more are asked.
pub const LOOK_IDLE: usize = 4;

/// A node may be loaded so much more than the mean: 5/4.
pub const LOAD_NUMERATOR: u64 = 5;
pub const LOAD_DENOMINATOR: u64 = 4;

/// And by so many buckets in any case: as many as differ by chance while there are few.
pub const LOAD_SLACK: u64 = 14;

/// Outcomes in one message: with texts of full length they still fit a frame.
pub const OUTCOMES: usize = 400;
