//! How fast blocks are made durable, while as many are read and dropped at the tail:
//! `cargo run --release -p dray-store --example throughput -- DIRECTORY [SECONDS]`.
//! Beside it a plain file to which the same is appended, with a flush for each.

mod blocks;

use std::error::Error;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use dray_store::{Block, Embedded, Store};

/// Blocks that are kept before the oldest is dropped.
const WINDOW: u64 = 200;
const SIZES: [usize; 2] = [1 << 20, 4 << 10];

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let place = args.next().ok_or("name a directory, on the disk that is to be measured")?;
    let seconds = args.next().map_or(Ok(5), |it| it.parse())?;
    let runs = Runs { time: Duration::from_secs(seconds) };
    for size in SIZES {
        let blocks = blocks::blocks(size);
        // In turns: the disk is not the same from one minute to the next.
        for _ in 0..2 {
            runs.file(Path::new(&place), &blocks)?;
            runs.embedded(Path::new(&place), &blocks)?;
        }
    }
    Ok(())
}

struct Runs {
    time: Duration,
}

impl Runs {
    fn file(&self, place: &Path, blocks: &[Vec<u8>]) -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir_in(place)?;
        let mut file = File::create(folder.path().join("plain"))?;
        self.measure("plain file", blocks, |_, bytes| {
            file.write_all(bytes)?;
            Ok(file.sync_data()?)
        })
    }

    fn embedded(&self, place: &Path, blocks: &[Vec<u8>]) -> Result<(), Box<dyn Error>> {
        let folder = tempfile::tempdir_in(place)?;
        let mut store = Embedded::open(folder.path(), [7; 16])?;
        self.journal("embedded", blocks, &mut store)?;
        let bytes: u64 = std::fs::read_dir(folder.path())?
            .map(|entry| Ok(entry?.metadata()?.len()))
            .sum::<Result<u64, std::io::Error>>()?;
        println!("{:>12}  {:.1} MB on disk in the end", "", bytes as f64 / 1e6);
        drop(store);
        let start = Instant::now();
        let mut count = 0;
        Embedded::open(folder.path(), [7; 16])?.load(&mut |_, _| {
            count += 1;
            Ok(())
        })?;
        println!("{:>12}  {count} blocks opened and loaded in {:.3?}", "", start.elapsed());
        Ok(())
    }

    fn journal(
        &self,
        name: &str,
        blocks: &[Vec<u8>],
        store: &mut dyn Store,
    ) -> Result<(), Box<dyn Error>> {
        self.measure(name, blocks, |number, bytes| {
            let keep_from = (number + 1).saturating_sub(WINDOW);
            if keep_from > 1 {
                store.read(keep_from - 1)?;
            }
            Ok(store.commit(&[Block { number, bytes: bytes.to_vec() }], keep_from)?)
        })
    }

    fn measure(
        &self,
        name: &str,
        blocks: &[Vec<u8>],
        mut keep: impl FnMut(u64, &[u8]) -> Result<(), Box<dyn Error>>,
    ) -> Result<(), Box<dyn Error>> {
        let (start, mut taken, mut bytes) = (Instant::now(), Vec::new(), 0);
        while start.elapsed() < self.time {
            let block = &blocks[taken.len() % blocks.len()];
            let before = Instant::now();
            keep(taken.len() as u64 + 1, block)?;
            taken.push(before.elapsed());
            bytes += block.len();
        }
        let (seconds, commits) = (start.elapsed().as_secs_f64(), taken.len());
        taken.sort_unstable();
        let rate = bytes as f64 / seconds;
        println!(
            "{name:>12}  {:>7} B  {:>6.0} commits/s  {:>6.1} MB/s  {:>9.0} requests/s  half in \
             {:.2?}, 99% in {:.2?}",
            blocks[0].len(),
            commits as f64 / seconds,
            rate / 1e6,
            rate / blocks::REQUEST_BYTES,
            taken[commits / 2],
            taken[commits * 99 / 100],
        );
        Ok(())
    }
}
