//! Both workloads from end to end with a shell script in the place of `dray`.

#![forbid(unsafe_code)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use dray_bench::{CopyOptions, FilesOptions, Measure, Report, run_copy, run_files};
use tempfile::TempDir;

const STAND_IN: &str = r#"#!/bin/sh
set -e
[ "$1" != --version ] || { echo "stand-in 1"; exit; }
[ "$1" != --config ] || { config=$2; shift 2; }
verb=$1; shift
case $verb in
copy) cp --reflink=never --sparse=never "$1" "$2" ;;
init) echo "$4" > "$config" ;;
archive) cp -a "$1" "$(cat "$config")/data" ;;
release) find "$1" -type f -exec sh -c '
    for f; do fallocate -p -o 0 -l $(( ($(stat -c %s "$f") + 4095) / 4096 * 4096 )) "$f"; done
    ' sh {} + ;;
restore) cp -aT "$(cat "$config")/data" "$1" ;;
esac
"#;

struct Stage {
    dir: TempDir,
    dray: PathBuf,
}

impl Stage {
    fn new(script: &str) -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("temporary directory");
        let dray = dir.path().join("dray");
        fs::write(&dray, script).expect("write the stand-in");
        fs::set_permissions(&dray, fs::Permissions::from_mode(0o755)).expect("make it executable");
        Self { dir, dray }
    }

    fn work(&self) -> &Path {
        self.dir.path()
    }

    fn copy(&self, only: &[&str]) -> Report {
        let options = CopyOptions {
            dir: self.work().into(),
            size: 8 << 20,
            rounds: 2,
            only: only.iter().map(|name| (*name).to_owned()).collect(),
            keep: false,
        };
        run_copy(&options, &self.dray).expect("the benchmark runs")
    }

    fn files(&self, only: &[&str]) -> Report {
        let options = FilesOptions {
            dir: self.work().into(),
            count: 150,
            min: 1 << 10,
            max: 64 << 10,
            rounds: 2,
            only: only.iter().map(|name| (*name).to_owned()).collect(),
            keep: false,
        };
        run_files(&options, &self.dray).expect("the benchmark runs")
    }

    /// Only the stand-in is left.
    fn assert_clean(&self) {
        let left = fs::read_dir(self.work()).expect("list").count();
        assert_eq!(left, 1, "working files were left behind");
    }
}

fn assert_sound(report: &Report) {
    let failures: Vec<_> = report.failures().map(|(s, why)| format!("{}: {why}", s.name)).collect();
    assert_eq!(failures, [""; 0]);
    for series in &report.series {
        assert_eq!(series.runs.len(), 2, "{} {}", series.name, series.phase);
        assert!(series.runs.iter().all(|run| run.wall_s > 0.0 && run.rate > 0.0 && run.verified));
        assert!(series.commands.last().is_some_and(|line| line.starts_with("sync -f")));
    }
    serde_json::to_string(report).expect("a report serialises");
}

#[test]
fn copy_measures_and_cleans_up() {
    let stage = Stage::new(STAND_IN);
    let report = stage.copy(&["archive", "cp"]);
    assert_sound(&report);
    assert_eq!(report.series.len(), 4);
    assert_eq!(report.fastest[0].rival, "cp");
    for measure in [Measure::Speed, Measure::Cpu] {
        assert_eq!(report.ratio(measure, "copy", "cp").expect("a ratio to cp").pairs, 2);
    }
    for phase in ["archive", "restore"] {
        report.ratio(Measure::Speed, phase, "dray").expect("a ratio to the own copy");
    }
    // The second round begins with the second mover.
    let places = |phase| {
        let series = report.series("dray", phase).expect("a series");
        series.runs.iter().map(|run| run.place).collect::<Vec<_>>()
    };
    assert_eq!((places("copy"), places("archive")), (vec![1, 3], vec![2, 1]));
    stage.assert_clean();
}

#[test]
fn files_measure_and_clean_up() {
    let stage = Stage::new(STAND_IN);
    let report = stage.files(&["tar", "cp"]);
    assert_sound(&report);
    assert_eq!(report.series.len(), 5);
    report.ratio(Measure::Speed, "archive", "tar").expect("a ratio to tar -cf");
    report.ratio(Measure::Speed, "restore", "tar").expect("a ratio to tar -xf");
    stage.assert_clean();
}

#[test]
fn wrong_results_are_failures_not_figures() {
    let wrong_copy = STAND_IN.replace(r#""$1" "$2" ;;"#, r#""$1" "$2"; printf x >> "$2" ;;"#);
    let stage = Stage::new(&wrong_copy);
    let report = stage.copy(&["cp"]);
    assert_eq!(report.failures().count(), 1);
    assert!(report.ratios.is_empty() && report.to_string().contains("FAILED"));
    stage.assert_clean();

    let lazy_release = STAND_IN.replace("release) find", "release) : find");
    let stage = Stage::new(&lazy_release);
    let report = stage.files(&["tar"]);
    let (_, why) = report.failures().next().expect("nothing was released");
    assert!(why.contains("still there"), "{why}");
    stage.assert_clean();
}
