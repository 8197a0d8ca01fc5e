//! Many processes that access files in every way while these are archived and released all the
//! time and the daemon is killed. The long form is `cargo xtask hammer`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dray_e2e::{Output, need_tool};

use crate::scene::{KINDS, Scene};

/// Between two kills of the daemon.
const LIFE: Duration = Duration::from_secs(3);
/// For the last process to end after its time.
const LATE: Duration = Duration::from_secs(120);

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| text.parse().expect("a number"))
}

/// Processes, files and seconds.
struct Size {
    processes: u64,
    files: u64,
    seconds: u64,
}

impl Size {
    fn of_this_run() -> Self {
        Self {
            processes: number("DRAY_HAMMER_PROCESSES", 8),
            files: number("DRAY_HAMMER_FILES", 300),
            seconds: number("DRAY_HAMMER_SECONDS", 12),
        }
    }
}

/// What one process left: an error, or how often it accessed.
struct Workers(Vec<Child>);

impl Workers {
    fn start(scene: &Scene, size: &Size) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recall/hammer.py");
        let start = |number: u64| {
            let mut worker = Command::new("python3");
            worker.arg(&script).arg(tree(scene));
            worker
                .args([number, size.processes, size.files, size.seconds].map(|it| it.to_string()));
            worker.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        Self((0..size.processes).map(start).collect())
    }

    fn has_ended(&mut self) -> bool {
        self.0.iter_mut().all(|child| child.try_wait().unwrap().is_some())
    }

    fn has_failed(&mut self) -> bool {
        let mut ended = self.0.iter_mut().filter_map(|child| child.try_wait().unwrap());
        ended.any(|status| !status.success())
    }

    /// Accesses of all, or what went wrong.
    fn end(mut self) -> Result<u64, String> {
        let mut count = 0;
        for child in std::mem::take(&mut self.0) {
            let output = child.wait_with_output().unwrap();
            if !output.status.success() {
                return Err(String::from_utf8_lossy(&output.stderr).into_owned());
            }
            count += String::from_utf8_lossy(&output.stdout).trim().parse::<u64>().unwrap();
        }
        Ok(count)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn tree(scene: &Scene) -> PathBuf {
    scene.file("tree")
}

/// Archives and releases until it is told to stop; how many files were released.
fn put_away(scene: &Put, stop: &AtomicBool, released: &AtomicU64) {
    while !stop.load(Ordering::Relaxed) {
        for verb in ["archive", "release"] {
            let mut run = Command::new(&scene.program);
            run.args(["--json", "--config"]).arg(&scene.config).arg(verb).arg(&scene.tree);
            run.env_remove("DRAY_CONFIG").stdin(Stdio::null());
            // Files in use, and files that change, are passed over: their turn comes.
            let output = Output::of(run);
            if verb == "release" && !output.stdout.is_empty() {
                released.fetch_add(output.count("files"), Ordering::Relaxed);
            }
        }
    }
}

/// Stops whoever archives, also when something has failed.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What the one who archives needs to know.
struct Put {
    program: PathBuf,
    config: PathBuf,
    tree: PathBuf,
}

/// Who is killed now and then.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Victims {
    Daemon,
    /// All that have the watch.
    Both,
}

/// What the processes found, and how many files were released meanwhile.
fn hammer(scene: &mut Scene, size: &Size, victims: Victims) -> (Result<u64, String>, u64) {
    std::fs::create_dir(tree(scene)).unwrap();
    let mut workers = Workers::start(scene, size);
    let made = |number| scene.file(&format!("ready{number}")).exists();
    while !(0..size.processes).all(made) {
        assert!(!workers.has_failed(), "{:?}", workers.end());
        std::thread::sleep(Duration::from_millis(20));
    }
    let put = Put {
        program: dray_e2e::binary().to_owned(),
        config: scene.place.config.clone(),
        tree: tree(scene),
    };
    std::fs::write(scene.file("go"), "").unwrap();
    let (stop, released) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| put_away(&put, &stop, &released));
        let _stop = Stop(&stop);
        let until = Instant::now() + Duration::from_secs(size.seconds) + LATE;
        while !workers.has_ended() && !workers.has_failed() && Instant::now() < until {
            std::thread::sleep(LIFE);
            if victims == Victims::Both {
                scene.kill("holder");
                scene.kill("drayd");
                // Whoever waited goes on, and the next ones are not asked.
                std::thread::sleep(Duration::from_millis(200));
                scene.start_holder();
            } else {
                scene.kill("drayd");
            }
            scene.start_daemon();
        }
    });
    let late = !workers.has_ended() && !workers.has_failed();
    let found = if late { Err("not all have ended".to_owned()) } else { workers.end() };
    (found, released.load(Ordering::Relaxed))
}

fn hammer_on(kind: &str) {
    let test = format!("hammer_on_{kind}");
    if !need_tool(&test, "python3") {
        return;
    }
    let Some(mut scene) = Scene::new(&test, kind) else { return };
    let size = Size::of_this_run();
    let (found, released) = hammer(&mut scene, &size, Victims::Daemon);
    println!("{kind}: {found:?} accesses, {released} files released");
    assert!(released > size.files / 10, "too few files were released: {released}");
    found.unwrap_or_else(|why| panic!("{why}\n{}", scene.logs()));
}

#[test]
fn hammer_on_ext4() {
    hammer_on(KINDS[0]);
}

#[test]
fn hammer_on_xfs() {
    hammer_on(KINDS[1]);
}

#[test]
fn hammer_on_btrfs() {
    hammer_on(KINDS[2]);
}

/// The hammer finds zeros where there are some: nobody has the watch for a moment.
#[test]
fn without_a_watch_the_hammer_finds_zeros() {
    let test = "without_a_watch_the_hammer_finds_zeros";
    if !need_tool(test, "python3") {
        return;
    }
    let Some(mut scene) = Scene::new(test, "xfs") else { return };
    let size = Size { processes: 8, files: 300, seconds: 60 };
    let (found, _) = hammer(&mut scene, &size, Victims::Both);
    println!("found: {found:?}");
    found.expect_err("what was released reads as zeros");
}
