//! The ring of the product.

use anyhow::{Context as _, Result};
use dray_io::{Completion, Fixed, PacedRing as _, Ring as _, Slot};
use dray_ring::{CoreRing, RingChoice, RingSetup};

use crate::work::{Copy, Reads, moved};

type Ring = CoreRing<std::fs::File>;

fn ring(slots: u32, slot_bytes: u32) -> Result<Ring> {
    let setup = RingSetup { choice: RingChoice::Uring, slots, slot_bytes };
    let (ring, notice) = Ring::new(&setup).context("the ring")?;
    if let Some(notice) = notice {
        eprintln!("{notice}");
    }
    Ok(ring)
}

/// A slot is filled again as soon as it is free.
pub(crate) fn read(reads: &Reads) -> Result<()> {
    let mut ring = ring(reads.depth, reads.block)?;
    let file = reads.open()?;
    let fixed = ring.attach(&file)?;
    let mut free: Vec<u32> = (0..reads.depth).collect();
    let mut places = vec![0; reads.depth as usize];
    let mut done = Vec::with_capacity(reads.depth as usize);
    let mut next = 0;
    loop {
        while next < reads.count
            && let Some(slot) = free.pop()
        {
            places[slot as usize] = reads.place(next);
            ring.read(fixed, places[slot as usize], Slot(slot), 0, reads.block);
            next += 1;
        }
        if free.len() == reads.depth as usize {
            break;
        }
        ring.wait_for(1, None, &mut done)?;
        for Completion { slot, result } in done.drain(..) {
            moved("read", places[slot.0 as usize], result.context("read")? as usize, reads.block)?;
            free.push(slot.0);
        }
    }
    ring.detach(fixed);
    Ok(())
}

/// Each slot in turn takes a block and gives it away.
pub(crate) fn copy(copy: &Copy) -> Result<()> {
    let mut ring = ring(copy.depth, copy.block)?;
    let (source, target) = copy.open()?;
    let (from, to) = ring.attach_both(&source, &target)?;
    let mut slots = Slots { copy, from, to, next: 0, held: vec![None; copy.depth as usize] };
    let mut done = Vec::with_capacity(copy.depth as usize);
    for slot in 0..copy.depth {
        slots.take(&mut ring, Slot(slot));
    }
    while slots.held.iter().any(Option::is_some) {
        ring.wait(&mut done)?;
        for Completion { slot, result } in done.drain(..) {
            slots.ended(&mut ring, slot, result.context("copy")?)?;
        }
    }
    ring.detach(from);
    ring.detach(to);
    Ok(())
}

struct Slots<'a> {
    copy: &'a Copy,
    from: Fixed,
    to: Fixed,
    /// Block.
    next: u64,
    /// By slot: the offset of its block, and whether that is being written.
    held: Vec<Option<(u64, bool)>>,
}

impl Slots<'_> {
    fn take(&mut self, ring: &mut Ring, slot: Slot) {
        self.held[slot.0 as usize] = None;
        if self.next < self.copy.blocks {
            let at = self.copy.place(self.next);
            self.next += 1;
            self.held[slot.0 as usize] = Some((at, false));
            ring.read(self.from, at, slot, 0, self.copy.block);
        }
    }

    fn ended(&mut self, ring: &mut Ring, slot: Slot, bytes: u32) -> Result<()> {
        let (at, written) = self.held[slot.0 as usize].expect("a request of it was under way");
        moved(if written { "write" } else { "read" }, at, bytes as usize, self.copy.block)?;
        if written {
            self.take(ring, slot);
        } else {
            self.held[slot.0 as usize] = Some((at, true));
            ring.write(self.to, at, slot, 0, self.copy.block);
        }
        Ok(())
    }
}
