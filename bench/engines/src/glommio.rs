//! `glommio` 0.9: an executor with a task for each request under way, and enough registered memory
//! for all of them. It reads into buffers that it chooses and writes out of others, so that a copy
//! copies in memory, too: its interface has no way around that.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use glommio::io::{DmaFile, OpenOptions};
use glommio::{LocalExecutorBuilder, Placement, spawn_local};

use crate::work::{Copy, Reads, moved};

pub(crate) fn read(reads: Reads) -> Result<()> {
    run(reads.depth, reads.block, move || async move {
        let file = Rc::new((DmaFile::open(&reads.file).await.map_err(told)?, reads));
        each(file.1.depth, file.1.count, move |number| {
            let file = file.clone();
            async move {
                let (file, reads) = &*file;
                let at = reads.place(number);
                let bytes = file.read_at_aligned(at, reads.block as usize).await.map_err(told)?;
                moved("read", at, bytes.len(), reads.block)
            }
        })
        .await
    })
}

pub(crate) fn copy(copy: Copy) -> Result<()> {
    run(copy.depth, copy.block, move || async move {
        let source = DmaFile::open(&copy.source).await.map_err(told)?;
        // Its `create` would cut the target to nothing.
        let mut options = OpenOptions::new();
        let target = options.write(true).dma_open(&copy.target).await.map_err(told)?;
        let files = Rc::new((source, target, copy));
        each(files.2.depth, files.2.blocks, move |number| {
            let files = files.clone();
            async move {
                let (source, target, copy) = &*files;
                let (at, length) = (copy.place(number), copy.block as usize);
                let bytes = source.read_at_aligned(at, length).await.map_err(told)?;
                moved("read", at, bytes.len(), copy.block)?;
                let mut buffer = target.alloc_dma_buffer(length);
                buffer.as_bytes_mut().copy_from_slice(&bytes);
                drop(bytes);
                let bytes = target.write_at(buffer, at).await.map_err(told)?;
                moved("write", at, bytes, copy.block)
            }
        })
        .await
    })
}

/// So many tasks, each of which takes the next number below `count` as long as there is one.
async fn each<F: Future<Output = Result<()>>>(
    tasks: u32,
    count: u64,
    step: impl Fn(u64) -> F + 'static,
) -> Result<()> {
    let shared = Rc::new((step, Cell::new(0)));
    let task = |_| {
        let shared = shared.clone();
        spawn_local(async move {
            let (step, next) = &*shared;
            loop {
                let number = next.replace(next.get() + 1);
                if number >= count {
                    return anyhow::Ok(());
                }
                step(number).await?;
            }
        })
    };
    let tasks: Vec<_> = (0..tasks).map(task).collect();
    for task in tasks {
        task.await?;
    }
    Ok(())
}

fn run<F: Future<Output = Result<()>> + 'static>(
    depth: u32,
    block: u32,
    work: impl FnOnce() -> F + Send + 'static,
) -> Result<()> {
    // Each request under way may hold one buffer of reading and one of writing; the allocator
    // wants powers of two, and room for itself.
    let memory = (4 * depth as usize * block as usize).next_power_of_two().max(16 << 20);
    let executor = LocalExecutorBuilder::new(Placement::Unbound)
        .io_memory(memory)
        .ring_depth(depth.next_power_of_two().max(128) as usize)
        // Nothing else shares the executor.
        .preempt_timer(Duration::from_secs(1))
        .spawn(work);
    executor.map_err(told)?.join().map_err(told)?.context("glommio")
}

fn told<T>(error: glommio::GlommioError<T>) -> anyhow::Error
where
    glommio::GlommioError<T>: std::fmt::Display,
{
    anyhow!("{error}")
}
