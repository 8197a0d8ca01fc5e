//! `dray bench device` on files and loop devices.
#![forbid(unsafe_code)]
// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use dray_e2e::{
    LoopDevice, Mount, Output, Place, Signal, Tmpfs, binary, command, need_root, need_tool, tool,
};
use serde_json::Value;

const MIB: u64 = 1 << 20;

/// A run of `dray bench device` on `target`.
fn device(target: &Path, words: &str) -> Output {
    let mut run = command(binary());
    run.args(["bench", "device", "--json", "--filename"]).arg(target);
    run.args(words.split_whitespace());
    Output::of(run)
}

/// A file whose blocks are all there.
fn filled(path: PathBuf, bytes: u64) -> PathBuf {
    let some: Vec<u8> = (0..bytes).map(|byte| (byte % 251) as u8).collect();
    fs::write(&path, some).unwrap();
    path
}

fn result(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn a_file_is_measured_and_the_result_is_in_every_form() {
    let place = Place::bare();
    let target = filled(place.path().join("data"), 16 * MIB);
    let file = |name: &str| place.path().join(name).display().to_string();
    let files = format!(
        "--output {} --csv {} --hgrm {} --log {}",
        file("o.json"),
        file("o.csv"),
        file("o.hgrm"),
        file("o.hlog")
    );
    let words = "--rw randrw --rwmixread 70 --iodepth 8 --runtime 1.2 --ramp_time 100ms";
    let json = result(&device(&target, &format!("{words} {files}")).expect(0));
    let job = &json["jobs"][0];
    let (reads, writes) = (&job["read"]["total_ios"], &job["write"]["total_ios"]);
    let (reads, writes) = (reads.as_f64().unwrap(), writes.as_f64().unwrap());
    let share = reads / (reads + writes);
    assert!((0.6..0.8).contains(&share), "{share} of the requests read");
    assert!((1100.0..1900.0).contains(&job["read"]["runtime"].as_f64().unwrap()), "{job}");
    assert_eq!(job["job options"]["iodepth"], "8");
    let kept: Value = serde_json::from_slice(&fs::read(file("o.json")).unwrap()).unwrap();
    assert_eq!(kept["jobs"], json["jobs"]);
    for name in ["o.csv", "o.hgrm", "o.hlog"] {
        assert!(fs::read_to_string(file(name)).unwrap().lines().count() > 1, "{name}");
    }
}

#[test]
fn curves_searches_and_steady_state_are_phases() {
    let place = Place::bare();
    let target = filled(place.path().join("data"), 4 * MIB);
    let names = |words: &str| {
        let json = result(&device(&target, words).expect(0));
        let jobs = json["jobs"].as_array().unwrap().clone();
        jobs.iter().map(|job| job["jobname"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let curve = names("--iodepth 4 --runtime 300ms --curve 20,50 --rate_process poisson");
    assert_eq!(curve, ["closed loop", "20 %", "50 %"]);
    let search = names("--iodepth 4 --runtime 300ms --latency_target 10s --latency_window 200ms");
    assert_eq!(search, ["try 4", "target"], "any depth meets 10 s");
    let steady = names("--rw randwrite --runtime 100ms --steady_state --precondition");
    assert_eq!(steady[0], "precondition");
    assert!(steady.len() > 5, "{steady:?}");
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_written() {
    let place = Place::bare();
    let target = filled(place.path().join("data"), MIB);
    let before = fs::read(&target).unwrap();
    for (words, reason) in [
        ("--rw write --bs 1000", "multiples of its blocks"),
        ("--rw write --offset 100", "multiple of its blocks"),
        ("--rw write --size 2m", "more than there is"),
        ("--rw write --bs 64k --size 4k", "smaller than one request"),
        ("--rw write --offset 1m", "smaller than one request"),
        ("--rw randread --fsync 1", "writes"),
        ("--rw write --numjobs 100000", "CPUs"),
        ("--rate_iops 1e18 --runtime 1", "more than a core"),
    ] {
        device(&target, words).expect(2).says(reason);
    }
    device(&place.path().join("none"), "--rw write").expect(2).says("cannot open");
    device(place.path(), "--rw read").expect(2).says("neither a file nor a block device");
    let dry = device(&target, "--rw write --dry-run").expect(0);
    assert_eq!(result(&dry)["rw"], "write");
    assert_eq!(fs::read(&target).unwrap(), before);
}

#[test]
fn a_device_in_use_is_not_written_to() {
    let name = "a_device_in_use_is_not_written_to";
    if !need_root(name) || !need_tool(name, "mkfs.ext4") {
        return;
    }
    let place = Place::bare();
    let lun = LoopDevice::new(&place.path().join("lun"), 64 * MIB).format("ext4");
    let mount = Mount::new(lun, &place.path().join("mounted"));
    let target = &mount.device.path;
    device(target, "--rw write --number_ios 1").expect(2).says("is mounted at");
    device(target, "--rw write --number_ios 1 --dry-run").expect(2).says("is mounted at");
    device(target, "--rw write --dry-run --allow_mounted_write").expect(0);
    device(target, "--rw randread --number_ios 100").expect(0);
    let backing = place.path().join("lun");
    device(&backing, "--rw write --number_ios 1").expect(2).says("backs loop");
    device(&backing, "--rw randread --number_ios 100").expect(0);
    let file = mount.path.join("file");
    fs::write(&file, b"untouched").unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"untouched");
}

/// A partition that ends with the value, so that its device can be detached.
struct Partition<'a>(&'a str);

impl<'a> Partition<'a> {
    fn new(device: &'a str) -> Self {
        tool("addpart", [device, "1", "2048", "2048"]);
        Self(device)
    }
}

impl Drop for Partition<'_> {
    fn drop(&mut self) {
        tool("delpart", [self.0, "1"]);
    }
}

#[test]
fn a_device_with_partitions_is_not_written_to() {
    let name = "a_device_with_partitions_is_not_written_to";
    if !need_root(name) || !need_tool(name, "addpart") {
        return;
    }
    let place = Place::bare();
    let lun = LoopDevice::new(&place.path().join("lun"), 64 * MIB);
    let partition = Partition::new(lun.path.to_str().unwrap());
    device(&lun.path, "--rw write --number_ios 1").expect(2).says("has partitions");
    let probe = ["tune", "probe", "--write", "--force"].map(OsStr::new);
    let probe = place.run(probe.into_iter().chain([lun.path.as_os_str()]));
    probe.expect(2).says("has partitions");
    drop(partition);
    device(&lun.path, "--rw write --number_ios 1").expect(0);
}

/// What a run of a minute leaves that is told to stop after a moment.
fn interrupted(words: &str) -> Value {
    let place = Place::bare();
    let target = filled(place.path().join("data"), 4 * MIB);
    let kept = place.path().join("kept.json");
    let mut run = command(binary());
    run.args(["bench", "device", "--iodepth", "4", "--runtime", "60", "--filename"]).arg(&target);
    run.args(words.split_whitespace());
    run.arg("--output").arg(&kept).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = run.spawn().unwrap();
    sleep(Duration::from_millis(1500));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, Signal::INT).unwrap();
    let begun = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(6));
    assert!(begun.elapsed() < Duration::from_secs(5));
    let json: Value = serde_json::from_slice(&fs::read(&kept).unwrap()).unwrap();
    assert_eq!(json["dray"]["partial"], "interrupted");
    json
}

#[test]
fn an_interrupted_run_leaves_what_it_measured() {
    // Also one that waits for an arrival which comes much later.
    interrupted("--rate_iops 0.01");
    let json = interrupted("");
    let runtime = json["jobs"][0]["read"]["runtime"].as_u64().unwrap();
    assert!((300..10_000).contains(&runtime), "{runtime} ms");
    assert!(json["jobs"][0]["read"]["total_ios"].as_u64().unwrap() > 0);
}

#[test]
fn a_device_that_fails_ends_the_run_with_what_was_measured() {
    if !need_root("a_device_that_fails_ends_the_run_with_what_was_measured") {
        return;
    }
    let place = Place::bare();
    // There is less behind the device than it says.
    let small = Tmpfs::new(&place.path().join("small"), 8 * MIB);
    let lun = LoopDevice::new(&small.path.join("lun"), 64 * MIB);
    let output = device(&lun.path, "--rw write --bs 64k --iodepth 4 --runtime 30").expect(1);
    let json = result(&output);
    let partial = json["dray"]["partial"].as_str().unwrap();
    let named = lun.path.display().to_string();
    assert!(partial.contains(&named) && partial.contains("write of 65536 bytes at"), "{partial}");
    assert!(output.stderr.contains(partial), "{}", output.stderr);
    let write = &json["jobs"][0]["write"];
    assert!(write["total_ios"].as_u64().unwrap() > 0, "{write}");
    assert!(json["jobs"][0]["error"].as_i64().unwrap() > 0);
}

/// Writes to a device want it for themselves, also right after a run that had it.
#[test]
fn a_device_is_free_when_a_run_has_ended() {
    if !need_root("a_device_is_free_when_a_run_has_ended") {
        return;
    }
    let place = Place::bare();
    let lun = LoopDevice::new(&place.path().join("lun"), 16 * MIB);
    for _ in 0..10 {
        device(&lun.path, "--rw randwrite --iodepth 32 --number_ios 100").expect(0);
    }
}

#[test]
fn a_verification_sees_damage_and_lost_writes() {
    let place = Place::bare();
    let target = filled(place.path().join("data"), MIB);
    let state = place.path().join("state");
    let words = format!("--verify_state {}", state.display());
    let write = format!("--verify --rw randwrite --iodepth 8 --number_ios 2000 {words}");
    let json = result(&device(&target, &write).expect(0));
    let verified = &json["jobs"][1]["dray"]["verified"];
    assert_eq!((verified["blocks"].as_u64(), verified["wrong"].as_u64()), (Some(256), Some(0)));
    assert_eq!(verified["covered"], 256);

    let check = format!("--verify_only --rw read {words}");
    device(&target, &check).expect(0);
    let file = fs::File::options().read(true).write(true).open(&target).unwrap();
    let mut block = [0; 4096];
    file.read_exact_at(&mut block, 40_960).unwrap();
    let damaged = |at: u64, bytes: &[u8], words: &str| {
        let mut before = vec![0; bytes.len()];
        file.read_exact_at(&mut before, at).unwrap();
        file.write_all_at(bytes, at).unwrap();
        let json = result(&device(&target, &check).expect(5));
        let verified = &json["jobs"][0]["dray"]["verified"];
        assert_eq!((&verified["wrong"], &json["jobs"][0]["error"]), (&1.into(), &5.into()));
        let first = verified["first_wrong"].as_str().unwrap();
        assert!(first.contains(words) && first.contains(target.to_str().unwrap()), "{first}");
        file.write_all_at(&before, at).unwrap();
    };
    damaged(8192 + 100, b"?", "nothing of this run, or damaged");
    damaged(81_920, &block, "written to byte 40960");
    device(&target, &check).expect(0);
    fs::write(&state, "garbage").unwrap();
    device(&target, &check).expect(2).says("no whole state file");
}

#[test]
fn a_verification_sees_what_was_written_to_another_target() {
    let place = Place::bare();
    let [one, other] = ["one", "other"].map(|name| filled(place.path().join(name), MIB));
    let both = PathBuf::from(format!("{}:{}", one.display(), other.display()));
    let words = format!("--verify_state {}", place.path().join("state").display());
    device(&both, &format!("--verify --rw write --number_ios 512 {words}")).expect(0);
    let check = format!("--verify_only --rw read {words}");
    device(&both, &check).expect(0);
    fs::copy(&one, &other).unwrap();
    let json = result(&device(&both, &check).expect(5));
    let first = json["jobs"][0]["dray"]["verified"]["first_wrong"].as_str().unwrap();
    let place_of = |path: &Path| format!("byte 0 of {}", path.display());
    assert!(first.starts_with(&format!("at {}", place_of(&other))), "{first}");
    assert!(first.ends_with(&place_of(&one)), "{first}");
}

#[test]
fn a_file_is_made_where_it_can_be_and_only_to_be_measured() {
    let place = Place::bare();
    let new = place.path().join("new");
    device(&new, "--rw read --size 1m").expect(2).says("cannot open");
    device(&new, "--rw write --size 50%").expect(2).says("cannot open");
    device(&new, "--rw write --size 1m --dry-run").expect(0);
    device(&new, "--rw write --size 1m --bs 1000").expect(2).says("multiples of its blocks");
    assert!(!new.exists(), "nothing was measured");
    let json = result(&device(&new, "--rw randwrite --size 1m").expect(0));
    assert_eq!(json["jobs"][0]["write"]["io_bytes"], MIB);
    assert_eq!(fs::metadata(&new).unwrap().len(), MIB);
}

#[test]
fn where_the_result_cannot_be_kept_nothing_is_measured() {
    let place = Place::bare();
    let target = filled(place.path().join("data"), MIB);
    let before = fs::read(&target).unwrap();
    let [folder, none] = [place.path().to_owned(), place.path().join("none/file")];
    for option in ["--output", "--csv", "--hgrm", "--log", "--verify --verify_state"] {
        for bad in [&folder, &none] {
            let words = format!("--rw write {option} {}", bad.display());
            device(&target, &words).expect(2).says("nothing can be written there");
        }
    }
    assert_eq!(fs::read(&target).unwrap(), before);
    // What fails all the same does not take the rest of the result with it.
    let csv = place.path().join("csv");
    let words = format!("--number_ios 8 --output /dev/full --csv {}", csv.display());
    let output = device(&target, &words).expect(1);
    assert_eq!(result(&output)["jobs"][0]["read"]["total_ios"], 8);
    assert!(csv.exists(), "{output:?}");
}
