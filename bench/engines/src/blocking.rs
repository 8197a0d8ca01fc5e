//! Threads with plain reads and writes, as many as requests are to be under way.

use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use anyhow::{Context as _, Result};
use dray_io::Aligned;

use crate::work::{Copy, Reads, moved};

pub(crate) fn read(reads: &Reads) -> Result<()> {
    let file = reads.open()?;
    shared(reads.depth, reads.count, reads.block, |buffer, number| {
        let at = reads.place(number);
        moved("read", at, file.read_at(buffer, at).context("read")?, reads.block)
    })
}

pub(crate) fn copy(copy: &Copy) -> Result<()> {
    let (source, target) = copy.open()?;
    shared(copy.depth, copy.blocks, copy.block, |buffer, number| {
        let at = copy.place(number);
        moved("read", at, source.read_at(buffer, at).context("read")?, copy.block)?;
        moved("write", at, target.write_at(buffer, at).context("write")?, copy.block)
    })
}

/// Numbers below `count`, each done once by one of `threads` with a buffer of `block` bytes.
fn shared(
    threads: u32,
    count: u64,
    block: u32,
    work: impl Fn(&mut [u8], u64) -> Result<()> + Sync,
) -> Result<()> {
    let next = AtomicU64::new(0);
    let one = || {
        let mut buffer = Aligned::new(block as usize);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(());
            }
            work(&mut buffer[..block as usize], number)?;
        }
    };
    thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        all.into_iter().try_for_each(|it| it.join().expect("no thread panics"))
    })
}
