//! `tokio-uring` 0.5: a task for each request under way, buffers registered, the ring set up so
//! that completions do not interrupt its thread. `IORING_SETUP_DEFER_TASKRUN` would be better
//! still, but its runtime looks for completions without entering the kernel, and would not see
//! them.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use anyhow::{Context as _, Result};
use dray_io::limits::BLOCK;
use tokio_uring::buf::BoundedBuf as _;
use tokio_uring::buf::Slice;
use tokio_uring::buf::fixed::{FixedBuf, FixedBufRegistry};
use tokio_uring::fs::File;

use crate::work::{Copy, Reads, moved};

pub(crate) fn read(reads: Reads) -> Result<()> {
    run(reads.depth, async move {
        let buffers = buffers(reads.depth, reads.block)?;
        let file = Rc::new((File::from_std(reads.open()?), reads));
        each(buffers, file.1.count, move |buffer, number| {
            let file = file.clone();
            async move {
                let (file, reads) = &*file;
                let at = reads.place(number);
                let (result, buffer) = file.read_fixed_at(buffer, at).await;
                moved("read", at, result.context("read")?, reads.block)?;
                Ok(buffer)
            }
        })
        .await
    })
}

pub(crate) fn copy(copy: Copy) -> Result<()> {
    run(copy.depth, async move {
        let buffers = buffers(copy.depth, copy.block)?;
        let (source, target) = copy.open()?;
        let files = Rc::new((File::from_std(source), File::from_std(target), copy));
        each(buffers, files.2.blocks, move |buffer, number| {
            let files = files.clone();
            async move {
                let (source, target, copy) = &*files;
                let at = copy.place(number);
                let (result, buffer) = source.read_fixed_at(buffer, at).await;
                moved("read", at, result.context("read")?, copy.block)?;
                let (result, buffer) = target.write_fixed_at(buffer, at).await;
                moved("write", at, result.context("write")?, copy.block)?;
                Ok(buffer)
            }
        })
        .await
    })
}

/// A task for each buffer, which takes the next number below `count` as long as there is one.
async fn each<F: Future<Output = Result<Slice<FixedBuf>>>>(
    buffers: Vec<Slice<FixedBuf>>,
    count: u64,
    step: impl Fn(Slice<FixedBuf>, u64) -> F + 'static,
) -> Result<()> {
    let shared = Rc::new((step, Cell::new(0)));
    let task = |mut buffer: Slice<FixedBuf>| {
        let shared = shared.clone();
        tokio_uring::spawn(async move {
            let (step, next) = &*shared;
            loop {
                let number = next.replace(next.get() + 1);
                if number >= count {
                    return anyhow::Ok(());
                }
                buffer = step(buffer, number).await?;
            }
        })
    };
    let tasks: Vec<_> = buffers.into_iter().map(task).collect();
    for task in tasks {
        task.await.context("a task")??;
    }
    Ok(())
}

fn run(depth: u32, work: impl Future<Output = Result<()>>) -> Result<()> {
    let mut ring = tokio_uring::uring_builder();
    ring.setup_coop_taskrun().setup_single_issuer();
    tokio_uring::builder().entries(depth.next_power_of_two() * 2).uring_builder(&ring).start(work)
}

/// Registered, and each cut to where it is aligned.
fn buffers(count: u32, bytes: u32) -> io::Result<Vec<Slice<FixedBuf>>> {
    let (bytes, block) = (bytes as usize, BLOCK as usize);
    let memory = (0..count).map(|_| vec![0_u8; bytes + block]);
    let registry = FixedBufRegistry::new(memory);
    registry.register()?;
    let each = (0..count as usize).map(|index| {
        let buffer = registry.check_out(index).expect("each is taken once");
        let start = buffer.as_ptr().addr().next_multiple_of(block) - buffer.as_ptr().addr();
        buffer.slice(start..start + bytes)
    });
    Ok(each.collect())
}
