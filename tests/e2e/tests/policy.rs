//! Space management: a small file system with marks, and writers who fill it faster than it holds.
#![forbid(unsafe_code)]
// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use dray_e2e::{
    Cluster, LoopDevice, Mount, NODES, Output, Place, Programs, Signal, Sizes, assert_content,
    daemon, holder, need_root, need_tool, set_modified, skip, write_file,
};
use serde_json::Value;

const MIB: u64 = 1 << 20;
/// For a daemon to get ready.
const READY: Duration = Duration::from_secs(20);
/// Bytes per file of the writers, who make so many files at once, and so many a second.
const FILE: u64 = 4 * MIB;
const WRITERS: u64 = 4;
const FILES_A_SECOND: u64 = 16;
/// For all writing, at most.
const WRITING: Duration = Duration::from_secs(24);
const HIGH: f64 = 60.0;
const LOW: f64 = 40.0;

/// All that it takes; it ends, and the file system goes, with the value.
struct Scene {
    // In this order: nobody may use the file system when it is unmounted.
    programs: Programs,
    _mount: Mount,
    place: Place,
}

impl Scene {
    /// None, with the reason printed, where that cannot be had.
    fn new(test: &str, bytes: u64, policy: &str) -> Option<Self> {
        if !need_root(test) || !need_tool(test, "mkfs.xfs") {
            return None;
        }
        let place = Place::bare();
        let device = LoopDevice::new(&place.path().join("lun"), bytes).format("xfs");
        let mount = Mount::new(device, &place.fs);
        place.init(&[]);
        let at = |name: &str| place.path().join(name).display().to_string();
        let mut text = fs::read_to_string(&place.config).unwrap();
        // The table of the last [[fs]] goes on.
        assert!(text.rfind("[[fs]]") > text.rfind("[engine]"), "{text}");
        text += &format!("\n[fs.policy]\n{policy}\n");
        text += &format!("[node]\nname = \"here\"\nsocket = \"{}\"\n", at("socket"));
        text += &format!("[store]\ndirectory = \"{}\"\n", at("store"));
        fs::write(&place.config, text).unwrap();
        Some(Self { programs: Programs::default(), _mount: mount, place })
    }

    /// Has accesses of released files wait for their data.
    fn start_holder(&mut self) {
        let socket = self.place.path().join("holder.sock");
        let mut text = fs::read_to_string(&self.place.config).unwrap();
        text += &format!("[recall]\nsocket = \"{}\"\n", socket.display());
        fs::write(&self.place.config, text).unwrap();
        let mut start = Command::new(holder());
        start.arg("--socket").arg(&socket).arg("--watch").arg(&self.place.fs);
        start.stdin(Stdio::null()).stderr(Stdio::null());
        self.programs.start("holder", start);
        self.until(|| socket.exists());
    }

    #[track_caller]
    fn until(&self, wanted: impl Fn() -> bool) {
        let until = Instant::now() + READY;
        while !wanted() {
            assert!(Instant::now() < until, "{}\n{}", self.show(), self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.place.path().join("drayd.log")).unwrap_or_default()
    }

    #[track_caller]
    fn start_daemon(&mut self) {
        let log = fs::File::create(self.place.path().join("drayd.log")).unwrap();
        let mut start = Command::new(daemon());
        start.arg("--config").arg(&self.place.config).env_remove("DRAY_CONFIG");
        start.stdin(Stdio::null()).stderr(log);
        self.programs.start("drayd", start);
        self.until(|| !self.show()["daemon"].is_null());
    }

    /// What `dray policy show` says of the one managed file system.
    fn show(&self) -> Value {
        self.place.run(["policy", "show"]).expect(0).json()["file_systems"][0].clone()
    }

    fn used(&self) -> f64 {
        used(&self.place.fs)
    }

    fn many(&self, word: &str, paths: &[PathBuf]) -> Output {
        let words = std::iter::once(Path::new(word)).chain(paths.iter().map(PathBuf::as_path));
        self.place.run(words).expect(0)
    }
}

/// Whether the kernel, as (version, patch level), asks about accesses.
fn can_watch() -> bool {
    let text = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = text.split('.').map_while(|part| part.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(14))
}

/// Percent of the file system of a path.
fn used(path: &Path) -> f64 {
    let found = rustix::fs::statvfs(path).unwrap();
    let used = found.f_blocks - found.f_bfree;
    used as f64 * 100.0 / (used + found.f_bavail) as f64
}

/// What the watch over the writers saw.
#[derive(Debug, Default)]
struct Seen {
    most: f64,
    /// Seconds until it was above the high mark, and from then until it was below the low one.
    above: Option<f64>,
    below: Option<f64>,
}

fn name(writer: u64, number: u64) -> String {
    format!("w{writer}/{number}")
}

/// Makes files until it is over, each with a content of its own; how many. Fails on any error,
/// and so if there is no space.
fn write_on(directory: &Path, writer: u64, over: &AtomicBool, written: &AtomicU64) -> u64 {
    fs::create_dir(directory.join(format!("w{writer}"))).unwrap();
    let (began, mut count) = (Instant::now(), 0);
    while !over.load(Ordering::Relaxed) {
        write_file(&directory.join(name(writer, count)), seed(writer, count), FILE);
        written.fetch_add(FILE, Ordering::Relaxed);
        count += 1;
        let due = Duration::from_millis(count * 1000 * WRITERS / FILES_A_SECOND);
        std::thread::sleep(due.saturating_sub(began.elapsed()));
    }
    count
}

fn seed(writer: u64, number: u64) -> u64 {
    writer << 32 | number
}

#[test]
fn a_file_system_comes_below_its_low_mark_while_writers_go_on() {
    let policy = "high = 60\nlow = 40\nmin_age = 1\nmin_bytes = 65536\narchive_after = 3";
    let Some(mut scene) = Scene::new("policy", 1 << 30, policy) else { return };
    scene.start_daemon();
    let (over, written, mut seen) = (AtomicBool::new(false), AtomicU64::new(0), Seen::default());
    let counts: Vec<u64> = std::thread::scope(|scope| {
        let (scene, over, written) = (&scene, &over, &written);
        let write = |writer| scope.spawn(move || write_on(&scene.place.fs, writer, over, written));
        let writers: Vec<_> = (0..WRITERS).map(write).collect();
        let began = Instant::now();
        while began.elapsed() < WRITING && !writers.iter().any(|it| it.is_finished()) {
            let (used, at) = (scene.used(), began.elapsed().as_secs_f64());
            seen.most = seen.most.max(used);
            match seen {
                Seen { above: None, .. } if used > HIGH => seen.above = Some(at),
                Seen { above: Some(_), below: None, .. } if used < LOW => seen.below = Some(at),
                // More than the whole of it, and for a while after.
                Seen { below: Some(_), .. } if written.load(Ordering::Relaxed) > 17 << 26 => break,
                _ => {}
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        over.store(true, Ordering::Relaxed);
        writers.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let stands = scene.show();
    println!("{seen:?}, {} MiB written, {stands}", written.load(Ordering::Relaxed) / MIB);
    // Nothing is released any more by itself.
    scene.programs.kill("drayd");
    assert!(seen.above.is_some() && seen.below.is_some(), "{seen:?}\n{stands}\n{}", scene.log());
    assert!(written.load(Ordering::Relaxed) > 1 << 30, "{written:?}");
    let all = (0..WRITERS).zip(counts);
    let all: Vec<(u64, u64)> =
        all.flat_map(|(writer, count)| (0..count).map(move |it| (writer, it))).collect();
    for some in all.chunks(48) {
        let paths = some.iter().map(|(writer, number)| scene.place.file(&name(*writer, *number)));
        let paths: Vec<PathBuf> = paths.collect();
        scene.many("restore", &paths);
        for (path, (writer, number)) in paths.iter().zip(some) {
            assert_content(path, seed(*writer, *number), FILE);
            // There is not room for all at once.
            fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn of_a_cluster_the_node_that_coordinates_sees_to_it() {
    let test = "policy of a cluster";
    if !need_root(test) || !["ip", "mkfs.xfs", "mkfs.ext4"].iter().all(|it| need_tool(test, it)) {
        return;
    }
    let bytes = 512 * MIB;
    let sizes = Sizes { xfs: bytes, ext4: bytes, split: 64 * MIB, part: 16 * MIB };
    let mut cluster = Cluster::start(sizes);
    let policy = "[fs.policy]\nhigh = 30\nlow = 20\nmin_age = 1\narchive_after = 0\n";
    for node in NODES {
        // The [[fs]] of the second LUN is the last table.
        let text = fs::read_to_string(cluster.config(node)).unwrap() + policy;
        fs::write(cluster.config(node), text).unwrap();
        cluster.daemons.kill(node);
        cluster.start_node(node);
    }
    let path = |at: u64| cluster.ext4.path.join(format!("{at}"));
    (0..10).for_each(|at| write_file(&path(at), at, 20 * MIB));
    let shown = |node: &str| cluster.dray(node, &["policy", "show"]).expect(0).json();
    let until = Instant::now() + READY;
    while used(&cluster.ext4.path) >= 20.0 {
        assert!(Instant::now() < until, "{}\n{}", shown(NODES[0]), cluster.log(NODES[0]));
        std::thread::sleep(Duration::from_millis(50));
    }
    let daemon = |node: &str| shown(node)["file_systems"][0]["daemon"].clone();
    assert!(daemon(NODES[0])["archived_files"].as_u64() > Some(3), "{}", shown(NODES[0]));
    // Where it has ended nothing is said of it any more.
    cluster.daemons.signal(NODES[0], Signal::TERM);
    // Sooner than a note grows old by itself.
    let until = Instant::now() + READY / 2;
    while !daemon(NODES[0]).is_null() {
        assert!(Instant::now() < until, "{}", cluster.log(NODES[0]));
        std::thread::sleep(Duration::from_millis(50));
    }
    for other in &NODES[1..] {
        assert!(daemon(other).is_null(), "{}", shown(other));
    }
}

#[test]
fn what_has_gone_is_recalled_while_space_is_kept() {
    let test = "policy and recall";
    let policy = "high = 50\nlow = 30\nmin_age = 1\narchive_after = 0";
    let Some(mut scene) = Scene::new(test, 320 * MIB, policy) else { return };
    if !can_watch() {
        return skip(test, "Linux 6.14 or later is needed");
    }
    scene.start_holder();
    scene.start_daemon();
    scene.until(|| scene.log().contains("accesses are watched"));
    let path = |at: u64| scene.place.file(&format!("{at}"));
    (0..10).for_each(|at| write_file(&path(at), at, 20 * MIB));
    scene.until(|| scene.used() < 30.0);
    // All of it does not fit below the mark: what was read goes again.
    for round in 0..2 {
        for at in 0..10 {
            assert_content(&path(at), at, 20 * MIB);
        }
        scene.until(|| scene.used() < 50.0);
        println!("{round}: {}", scene.show());
    }
}

#[test]
fn a_pass_by_hand_does_what_it_lists() {
    let policy = "high = 30\nlow = 20\nmin_age = 60\narchive_after = 600\nexclude = [\"keep\"]";
    let Some(scene) = Scene::new("policy by hand", 320 * MIB, policy) else { return };
    let place = &scene.place;
    // Oldest first: 0 to 7 are old enough to go, 8 to be archived only, 9 for nothing.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let age = |path: &Path, age: i64| set_modified(path, now.as_secs() as i64 - age, 0);
    let ages = [9000, 8000, 7000, 6000, 5000, 4000, 3000, 2000, 650, 5];
    for (at, seconds) in (0..).zip(ages) {
        let path = place.file(&format!("{at}"));
        write_file(&path, at, 10 * MIB);
        age(&path, seconds);
    }
    fs::create_dir(place.file("keep")).unwrap();
    write_file(&place.file("keep/it"), 77, 10 * MIB);
    age(&place.file("keep/it"), 99_999);
    write_file(&place.file("small"), 78, 5000);
    age(&place.file("small"), 99_999);
    let paths = |value: &Value, list: &str| -> Vec<String> {
        let list = value["file_systems"][0][list].as_array().unwrap();
        list.iter().map(|it| it.as_str().unwrap().rsplit('/').next().unwrap().to_owned()).collect()
    };
    let dry = place.run(["policy", "run", "--dry-run"]).expect(0).json();
    let go = paths(&dry, "archive_and_release");
    println!("{dry}");
    assert!(go.len() >= 3 && go.len() < 9, "{dry}");
    assert_eq!(go[..3], ["0", "1", "2"]);
    assert!(paths(&dry, "release").is_empty(), "{dry}");
    place.states().all("resident");
    let path = place.fs.display().to_string();
    let done = place.run(["policy", "run", "--fs", &path]).expect(0).json();
    assert_eq!(paths(&done, "archive_and_release"), go);
    assert!(scene.used() < 20.0, "{done}");
    let word = |name: &str| place.word(&place.file(name));
    for name in &go {
        assert_eq!(word(name), "released");
    }
    for (name, state) in [("keep/it", "resident"), ("9", "resident"), ("8", "archived")] {
        assert_eq!(word(name), state, "{name}");
    }
    // All is well now.
    let again = place.run(["policy", "run"]).expect(0).json();
    assert!(paths(&again, "release").is_empty(), "{again}");
    let show = scene.show();
    assert!(show["daemon"].is_null() && show["policy"]["high"] == 30, "{show}");
    place.patiently("restore");
    for at in 0..ages.len() as u64 {
        assert_content(&place.file(&format!("{at}")), at, 10 * MIB);
    }
    place.run(["policy", "run", "--fs", "/"]).expect(2);
}
