//! How a world is built.

/// How the world is built.
#[derive(Debug, Clone)]
pub struct Options {
    pub hands: usize,
    pub cores: usize,
    pub slots: u32,
    /// Smaller than in the kernel's world, so that small files take many requests.
    pub slot_bytes: u32,
    /// Blocks of file data that fit on the disk.
    pub capacity_blocks: Option<u64>,
    /// Bytes; offsets and lengths of direct I/O are multiples of it.
    pub alignment: u64,
    /// Bytes; a short transfer moves a multiple of it.
    pub short_unit: u64,
    /// Whether [`Invisible`](dray_io::Access::Invisible) leaves all times alone, as on XFS.
    pub invisible_times: bool,
    /// Whether directories say what their entries are.
    pub entry_kinds: bool,
    /// Whether writes on rings are done by the next wait after they were submitted, before reads.
    pub prompt_writes: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            hands: 1,
            cores: 1,
            slots: 8,
            slot_bytes: 1 << 20,
            capacity_blocks: None,
            alignment: 4096,
            short_unit: 512,
            invisible_times: false,
            entry_kinds: true,
            prompt_writes: false,
        }
    }
}
