//! Counts what the data path does per block: heap allocations, copies of file data, requests that
//! the kernel punts to a worker thread. A larger file must cost no more of the first two than a
//! small one, and of the last under 1 %.
//!
//! One test, since the counters see the whole process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use dray_archive::{Archive, VolumePlace};
use dray_io::{Access, Files, World};
use dray_mover::{
    ArchiveOptions, CopyOptions, Error, RestoreOptions, Run, Side, Tally, Walk, Watch, archive,
    copy, release, restore,
};
use dray_node::{Machine, MachineOptions};

static ARMED: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static COPIES: AtomicU64 = AtomicU64::new(0);

/// Bytes. Copies of file data would be whole blocks.
const COUNTED_COPY: usize = 4096;
const MIB: u64 = 1 << 20;

struct Counting;

fn count(counter: &AtomicU64) {
    if ARMED.load(Ordering::Relaxed) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: all calls go on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(&ALLOCATIONS);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Takes the place of the C library's for the whole program, the standard library included.
///
/// # Safety
/// As C has it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcpy(target: *mut u8, source: *const u8, bytes: usize) -> *mut u8 {
    if bytes >= COUNTED_COPY {
        count(&COPIES);
    }
    // SAFETY: the caller promises two ranges that do not overlap; the direction flag is clear by
    // the calling convention.
    unsafe {
        std::arch::asm!(
            "rep movsb",
            inout("rcx") bytes => _,
            inout("rdi") target => _,
            inout("rsi") source => _,
            options(nostack, preserves_flags)
        );
    }
    target
}

struct Loud;

impl Watch for Loud {
    fn failed(&self, path: &Path, error: &Error) {
        panic!("{}: {error}", path.display());
    }
}

/// What one movement cost.
#[derive(Debug, Clone, Copy)]
struct Cost {
    allocations: u64,
    copies: u64,
    requests: u64,
    punted: u64,
}

fn measure(work: impl FnOnce(&Machine, &Run<'_>)) -> Cost {
    let machine = Machine::new(&MachineOptions::default());
    let tally = Tally::default();
    let before = dray_ring::worker_runs().runs;
    ALLOCATIONS.store(0, Ordering::Relaxed);
    COPIES.store(0, Ordering::Relaxed);
    ARMED.store(true, Ordering::Relaxed);
    work(&machine, &Run { tally: &tally, watch: &Loud });
    ARMED.store(false, Ordering::Relaxed);
    let rings = tally.rings();
    Cost {
        allocations: ALLOCATIONS.load(Ordering::Relaxed),
        copies: COPIES.load(Ordering::Relaxed),
        requests: rings.reads + rings.writes,
        punted: machine.punted().runs.saturating_sub(before),
    }
}

/// A file of random-looking bytes that is on disk.
fn make_file(path: &Path, bytes: u64) {
    let mut block = vec![0_u8; MIB as usize];
    let mut state = 1_u64;
    for chunk in block.chunks_mut(8) {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        chunk.copy_from_slice(&state.to_le_bytes());
    }
    let content: Vec<u8> = (0..bytes / MIB).flat_map(|_| block.iter().copied()).collect();
    std::fs::write(path, content).expect("room for the test");
    std::fs::File::open(path).and_then(|file| file.sync_all()).expect("flush");
}

fn copy_once(directory: &Path, bytes: u64) -> Cost {
    let (source, target) = (directory.join("source"), directory.join("target"));
    make_file(&source, bytes);
    let cost = measure(|machine, run| {
        let files = machine.files();
        let from = files.open(&source, Access::ReadDirect).expect("open");
        let to = files.create(&target, true).expect("create");
        let source = Side { file: &from, path: &source, size: bytes, is_lun: false };
        let target = Side { file: &to, path: &target, size: 0, is_lun: false };
        let options = CopyOptions { unit: MIB as u32, verify: false };
        copy(machine, &source, &target, options, run).expect("copy");
    });
    assert!(std::fs::read(&source).expect("read") == std::fs::read(&target).expect("read"));
    std::fs::remove_file(&target).expect("remove");
    cost
}

fn walk<'a>(machine: &'a Machine, tree: &Path) -> Walk<'a, <Machine as World>::Files> {
    Walk::new(machine.files(), vec![tree.to_owned()], Vec::new())
}

/// Archives, releases and restores one file; the cost of the first and the last.
fn cycle_once(directory: &Path, bytes: u64) -> (Cost, Cost) {
    let (tree, volumes) = (directory.join("tree"), directory.join("volumes"));
    for new in [&tree, &volumes] {
        std::fs::create_dir(new).expect("directory");
    }
    let file = tree.join("file");
    make_file(&file, bytes);
    let before = std::fs::read(&file).expect("read");
    let place = VolumePlace::Directory { path: volumes.clone(), volume_bytes: 1 << 40 };
    let unit = MIB as u32;
    Archive::create(Machine::new(&MachineOptions::default()).files(), &place, [7; 16], &[])
        .expect("archive");
    let opened = |machine: &Machine| Archive::open(machine.files(), &place).expect("archive");
    let out = measure(|machine, run| {
        let options = ArchiveOptions { hash: false, unit };
        let kept = opened(machine);
        archive(machine, &kept, &mut walk(machine, &tree), options, run).expect("archive");
    });
    measure(|machine, run| {
        release(machine, &opened(machine), &mut walk(machine, &tree), run).expect("release");
    });
    let back = measure(|machine, run| {
        let options = RestoreOptions::new(unit);
        restore(machine, &opened(machine), &mut walk(machine, &tree), options, run)
            .expect("restore");
    });
    assert!(before == std::fs::read(&file).expect("read"), "the content came back");
    for old in [&tree, &volumes] {
        std::fs::remove_dir_all(old).expect("remove");
    }
    (out, back)
}

#[track_caller]
fn assert_flat(what: &str, small: Cost, large: Cost, blocks: u64) {
    println!("{what}: {small:?} then {large:?}, {blocks} blocks more");
    // A share or piece of 64 blocks and more may cost a handful; a block may not.
    let more = large.allocations.saturating_sub(small.allocations);
    assert!(more * 4 <= blocks, "{what}: {more} allocations more for {blocks} blocks");
    let copies = large.copies.saturating_sub(small.copies);
    assert!(copies * 16 <= blocks, "{what}: {copies} copies more for {blocks} blocks");
    if large.requests > 0 {
        assert!(
            large.punted * 100 < large.requests,
            "{what}: {} of {} requests were punted",
            large.punted,
            large.requests
        );
    }
}

#[test]
fn a_block_costs_no_allocation_no_copy_and_no_worker() {
    let directory = tempfile::Builder::new().prefix("dray-steady-").tempdir().expect("tempdir");
    let (small, large) = (64 * MIB, 320 * MIB);
    let blocks = (large - small) / MIB;
    let place = directory.path();
    assert_flat("copy", copy_once(place, small), copy_once(place, large), blocks);
    let (small, large) = (cycle_once(place, small), cycle_once(place, large));
    assert_flat("archive", small.0, large.0, blocks);
    assert_flat("restore", small.1, large.1, blocks);
}
