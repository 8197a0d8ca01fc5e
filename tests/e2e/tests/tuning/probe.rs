//! Short probes: what they find is judged by `dray tune probe --sweep`, not here.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use dray_e2e::{LoopDevice, Mount, Output, Place, assert_content, need_root, write_file};

/// As short as may be.
fn probe(place: &Place, words: &[&OsStr]) -> Output {
    let quick = ["tune", "probe", "--window", "10", "--most", "1", "--mib", "128"].map(OsStr::new);
    place.run(quick.into_iter().chain(words.iter().copied()))
}

#[test]
fn a_directory_is_measured_and_the_profile_is_what_commands_use() {
    let place = Place::new();
    let out = place.path().join("profile.toml");
    let words = [place.fs.as_os_str(), OsStr::new("--out"), out.as_os_str()];
    let profile = probe(&place, &words).expect(0).json()["profile"].clone();
    assert_eq!(fs::read_dir(&place.fs).unwrap().count(), 0, "the probe's file is gone");
    for pattern in ["read", "write"] {
        let rate = profile["measured"][pattern]["bytes_per_second"].as_u64();
        assert!(rate.is_some_and(|rate| rate > 0), "{profile}");
    }
    let engine = &profile["engine"];
    assert!(engine["slots"].as_u64().is_some_and(|slots| slots >= 2), "{profile}");
    assert!(fs::read_to_string(&out).unwrap().contains("[engine]"));

    // With it a file is moved as well as without; with one that is damaged nothing is.
    let text = fs::read_to_string(&place.config).unwrap();
    let with = format!("{text}\n[tuning]\nprofile = \"profile.toml\"\n");
    fs::write(&place.config, with).unwrap();
    write_file(&place.file("large"), 7, 9 << 20);
    place.all("archive").expect(0);
    place.all("release").expect(0);
    place.all("restore").expect(0);
    assert_content(&place.file("large"), 7, 9 << 20);
    let damaged = fs::read_to_string(&out).unwrap().replace("slots = ", "slots = 9999");
    fs::write(&out, damaged).unwrap();
    place.all("archive").expect(3).says("profile.toml");
}

#[test]
fn a_device_is_written_only_when_asked_and_when_nobody_needs_it() {
    if !need_root("a_device_is_written_only_when_asked_and_when_nobody_needs_it") {
        return;
    }
    let place = Place::new();
    let lun = LoopDevice::new(&place.path().join("lun"), 160 << 20).format("ext4");
    let (path, write) = (lun.path.as_os_str(), OsStr::new("--write"));
    let whole = |path: &Path| blake3::hash(&fs::read(path).unwrap());
    {
        let device = LoopDevice::attach(&lun.file);
        let mounted = Mount::new(device, &place.path().join("mounted"));
        let device = mounted.device.path.as_os_str();
        probe(&place, &[device, write, OsStr::new("--force")]).expect(2).says("mounted");
    }
    let before = whole(&lun.file);
    let report = probe(&place, &[path]).expect(0).json();
    assert!(report["profile"]["measured"]["write"].is_null(), "{report}");
    probe(&place, &[path, write]).expect(2).says("first MiB is not zero");
    assert_eq!(whole(&lun.file), before);
    let front = || fs::read(&lun.file).unwrap()[..1 << 20].to_vec();
    let label = front();
    let report = probe(&place, &[path, write, OsStr::new("--force")]).expect(0).json();
    assert!(report["profile"]["measured"]["write"]["bytes"].is_u64(), "{report}");
    assert_ne!(whole(&lun.file), before);
    assert!(front() == label, "the first MiB was written");
}

#[test]
fn what_cannot_be_measured_is_refused_before_anything_is_written() {
    let place = Place::new();
    let [null, missing] = ["/dev/null", "/nonexistent"].map(OsStr::new);
    probe(&place, &[null]).expect(2).says("neither");
    probe(&place, &[missing]).expect(1).says("/nonexistent");
    place.run(["tune", "probe", "/tmp", "--mib", "5"]).expect(2);
    place.run(["tune", "probe", "/tmp", "--force"]).expect(2).says("--write");
}
