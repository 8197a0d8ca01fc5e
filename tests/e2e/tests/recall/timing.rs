//! How long a read of a released file takes. The measured form is `dray bench recall`.

use std::fs;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use dray_e2e::{Output, Rng, write_file};

use crate::scene::Scene;

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

#[test]
fn the_benchmark_of_recalls_measures_them() {
    let Some(scene) = Scene::new("the_benchmark_of_recalls_measures_them", "ext4") else { return };
    let words = ["bench", "recall", "--sizes", "64k,20M", "--reads", "4", "--rounds", "1", "--dir"];
    let mut run = scene.place.dray(words);
    run.arg(&scene.place.fs);
    let report = Output::of(run).expect(0).json();
    let sizes = report["sizes"].as_array().unwrap();
    assert_eq!(sizes.len(), 2, "{report}");
    for size in sizes {
        assert_eq!(size["reads"], 4);
        assert!(size["p50_ns"].as_u64().unwrap() <= size["p99_ns"].as_u64().unwrap());
        assert!(size["whole_s"].as_f64().unwrap() > 0.0);
    }
}
