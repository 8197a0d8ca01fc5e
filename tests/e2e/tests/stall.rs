//! A device that stalls: what an open loop tells of it, and what others do.
//!
//! The recorded form is `cargo xtask stall`, which keeps results and report.
#![forbid(unsafe_code)]
// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use dray_e2e::{
    LoopDevice, Mount, Output, Place, Tmpfs, binary, command, have, need_root, need_tool, tool,
};
use serde_json::Value;

const MIB: u64 = 1 << 20;
const DEPTH: &str = "--iodepth=4";
const SECONDS: u64 = 4;
const STALL: Duration = Duration::from_millis(500);

/// A device whose file is on a file system that can be frozen.
struct Stage {
    // In the order in which they are to end.
    device: LoopDevice,
    mount: Mount,
    _memory: Tmpfs,
    place: Place,
}

impl Stage {
    fn new() -> Self {
        let place = Place::bare();
        // In memory: a freeze begins with a flush, which is to take no time of its own.
        let memory = Tmpfs::new(&place.path().join("memory"), 256 * MIB);
        let lun = LoopDevice::new(&memory.path.join("lun"), 200 * MIB).format("ext4");
        let mount = Mount::new(lun, &place.path().join("mounted"));
        let inner = mount.path.join("inner");
        // All of its blocks are there.
        fs::write(&inner, vec![7; 64 * MIB as usize]).unwrap();
        let device = LoopDevice::attach(&inner);
        Self { device, mount, _memory: memory, place }
    }

    fn dray(&self, words: &[&str]) -> Command {
        let mut run = command(binary());
        run.args(["bench", "device", "--json", "--rw", "randwrite", DEPTH]).args(words);
        run.arg("--filename").arg(&self.device.path);
        run
    }

    /// Runs to the end, what it prints into a file of this name, the device stalled in the middle.
    fn stalled(&self, mut run: Command, name: &str) -> (PathBuf, Value) {
        let path = self.place.path().join(name);
        let mut child = run.stdout(File::create(&path).unwrap()).spawn().unwrap();
        sleep(Duration::from_secs(SECONDS / 2));
        tool("fsfreeze", [OsStr::new("--freeze"), self.mount.path.as_os_str()]);
        sleep(STALL);
        tool("fsfreeze", [OsStr::new("--unfreeze"), self.mount.path.as_os_str()]);
        assert!(child.wait().unwrap().success(), "{name}");
        let json = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        (path, json)
    }
}

fn seconds(json: &Value, times: &str, at: &str) -> f64 {
    let found = &json["jobs"][0]["write"][times]["percentile"][at];
    found.as_f64().unwrap_or_else(|| panic!("no {times} {at}")) / 1e9
}

#[test]
fn a_stalled_device_shows_in_the_response_and_not_in_the_service() {
    let name = "a_stalled_device_shows_in_the_response_and_not_in_the_service";
    if !need_root(name) || !need_tool(name, "mkfs.ext4") || !need_tool(name, "fsfreeze") {
        return;
    }
    let stage = Stage::new();
    let most = Output::of(stage.dray(&["--runtime=2"])).expect(0).json();
    let most = most["jobs"][0]["write"]["iops"].as_f64().unwrap();
    let rate = format!("--rate_iops={:.0}", 0.8 * most);
    let runtime = format!("--runtime={SECONDS}");
    let open = ["--rate_process=poisson", &rate, &runtime];
    let (dray, json) = stage.stalled(stage.dray(&open), "dray.json");
    let service = seconds(&json, "clat_ns", "99.900000");
    let response = seconds(&json, "lat_ns", "99.900000");
    println!(
        "{most:.0} writes/s at most; dray at 0.8 of it: service {service}, response {response}"
    );

    let mut results = vec![dray];
    if have("fio") {
        let mut run = Command::new("fio");
        run.args(["--name=fio", "--ioengine=io_uring", "--direct=1", "--rw=randwrite", "--bs=4k"]);
        run.args([DEPTH, "--time_based", "--output-format=json"]).args(open);
        run.arg("--percentile_list=50:90:99:99.9:99.99").arg(filename(&stage.device.path));
        let (fio, json) = stage.stalled(run, "fio.json");
        let at = |times| seconds(&json, times, "99.900000");
        println!("fio at the same rate: clat {}", at("clat_ns"));
        results.push(fio);
    }
    let report = stage.place.path().join("report.html");
    let mut run = command(binary());
    run.args(["bench", "report", "-o"]).arg(&report).args(&results);
    Output::of(run).expect(0);
    if let Some(kept) = std::env::var_os("DRAY_STALL_OUT") {
        for path in results.iter().chain([&report]) {
            fs::copy(path, Path::new(&kept).join(path.file_name().unwrap())).unwrap();
        }
    }
    // Where 0.8 of the most was too much for a busy machine, the service is no longer than it was.
    assert!(service < 0.2, "service {service}");
    assert!(response > 0.35, "response {response}");
}

fn filename(path: &Path) -> String {
    format!("--filename={}", path.display())
}
