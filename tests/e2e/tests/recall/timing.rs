//! How long a read of a released file takes. The measured form is `dray bench recall`.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use dray_e2e::{Output, Rng, write_file};

use crate::scene::{KINDS, Scene};

const MIB: u64 = 1 << 20;
/// A generous bound: machines that test are busy.
const SLOW: Duration = Duration::from_millis(500);

#[test]
fn a_range_of_a_large_file_comes_soon() {
    let Some(scene) = Scene::new("a_range_of_a_large_file_comes_soon", "xfs") else { return };
    let (path, size) = (scene.file("large"), 512 * MIB);
    write_file(&path, 1, size);
    scene.put_away();
    let file = fs::File::open(&path).unwrap();
    let (mut rng, mut times) = (Rng::new(1), Vec::new());
    let mut got = vec![0; 65_536];
    for _ in 0..100 {
        let began = Instant::now();
        file.read_exact_at(&mut got, rng.below(size - 65_536)).unwrap();
        times.push(began.elapsed());
    }
    times.sort_unstable();
    println!("median {:?}, 90 of 100 {:?}, worst {:?}", times[50], times[90], times[99]);
    assert!(times[50] < SLOW);
}

/// What is paid for the watch where nothing has been released: for each file once after a start,
/// and for each read after that.
#[test]
fn a_resident_file_is_read_as_if_nobody_watched() {
    // Allowed on a quiet machine is a tenth of it.
    const REPEATED: Duration = Duration::from_micros(20);
    const FIRST: Duration = Duration::from_micros(1500);
    for kind in KINDS {
        let name = "a_resident_file_is_read_as_if_nobody_watched";
        let Some(mut scene) = Scene::new(name, kind) else { return };
        let files: Vec<_> = (0..200).map(|number| scene.file(&format!("f{number}"))).collect();
        for (number, path) in files.iter().enumerate() {
            write_file(path, number as u64, 256 << 10);
        }
        scene.kill("drayd");
        scene.kill("holder");
        // The first time brings them into memory.
        first(&files);
        let (first_before, before) = (first(&files), repeated(&files[0]));
        scene.start_holder();
        scene.start_daemon();
        let (first_with, with) = (first(&files), repeated(&files[0]));
        println!(
            "{kind}: opened and read {first_before:?} without, {first_with:?} with; repeated \
             {before:?} without, {with:?} with"
        );
        assert!(first_with < first_before + FIRST, "{kind}: {first_before:?} {first_with:?}");
        assert!(with < before + REPEATED, "{kind}: {before:?} {with:?}");
    }
}

/// Median of how long it takes to open a file and read the first time.
fn first(files: &[PathBuf]) -> Duration {
    let mut got = [0; 4096];
    let each = files.iter().map(|path| {
        let began = Instant::now();
        let file = fs::File::open(path).unwrap();
        file.read_exact_at(&mut got, 65_536).unwrap();
        began.elapsed()
    });
    median(each.collect())
}

/// The same of one read of many.
fn repeated(path: &Path) -> Duration {
    const READS: u32 = 5_000;
    let file = fs::File::open(path).unwrap();
    let mut got = [0; 4096];
    let each = (0..21).map(|_| {
        let began = Instant::now();
        for read in 0..READS {
            file.read_exact_at(&mut got, u64::from(read % 64) * 4096).unwrap();
        }
        began.elapsed() / READS
    });
    median(each.collect())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[test]
fn the_benchmark_of_recalls_measures_them() {
    let Some(scene) = Scene::new("the_benchmark_of_recalls_measures_them", "ext4") else { return };
    let words = ["bench", "recall", "--sizes", "64k,20M", "--reads", "4", "--rounds", "1"];
    let mut run = scene.place.dray(words);
    run.args(["--flood", "160M", "--dir"]).arg(&scene.place.fs);
    let report = Output::of(run).expect(0).json();
    let sizes = report["sizes"].as_array().unwrap();
    assert_eq!(sizes.len(), 2, "{report}");
    for size in sizes {
        assert_eq!(size["reads"], 4);
        assert!(size["p50_ns"].as_u64().unwrap() <= size["p99_ns"].as_u64().unwrap());
        assert!(size["whole_s"].as_f64().unwrap() > 0.0);
        assert_eq!(size["flood"]["reads"], 4);
        assert!(size["flood"]["archived_bytes_per_s"].as_f64().unwrap() > 0.0);
    }
}
