//! Blocks like those of a coordinator: requests and their ends.

/// Marsaglia's xorshift: the same blocks in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Bytes of one request with what it costs to end it, names and all, on average.
pub(crate) const REQUEST_BYTES: f64 = 122.0;

/// Sixteen different blocks of nearly `size` bytes.
pub(crate) fn blocks(size: usize) -> Vec<Vec<u8>> {
    let mut random = Random(88_172_645_463_325_252);
    let mut inode = 1_000_000;
    (0..16).map(|_| block(size, &mut random, &mut inode)).collect()
}

fn block(size: usize, random: &mut Random, inode: &mut u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(size);
    while out.len() + 160 < size {
        *inode += 1;
        let id = random.next();
        out.extend_from_slice(&[3, 0, 1, 0]);
        out.extend_from_slice(&id.to_le_bytes());
        // One of three file systems.
        out.extend([0xa7, 0x11, 0x5d][(id % 3) as usize..].iter().cycle().take(16));
        out.extend_from_slice(&inode.to_le_bytes());
        out.extend_from_slice(&(random.next() as u32).to_le_bytes());
        out.extend_from_slice(&(random.next() % (1 << 30)).to_le_bytes());
        out.extend_from_slice(&1_800_000_000_u64.to_le_bytes());
        out.extend_from_slice(&[0; 16]);
        if random.next().is_multiple_of(2) {
            let run = random.next() % 40;
            let name = format!("/project/run{run}/step/part-{inode:08}.dat");
            out.extend_from_slice(name.as_bytes());
        }
        out.extend_from_slice(&[4, 0, 0, 0]);
        out.extend_from_slice(&id.to_le_bytes());
        out.extend_from_slice(&[0; 20]);
    }
    out
}
