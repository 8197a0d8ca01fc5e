//! A managed file system of its own, its holder, its daemon.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dray_e2e::{
    LoopDevice, Mount, Place, Programs, daemon, holder, need_root, need_tool, skip, tool,
};

/// For a daemon to get ready.
const READY: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(10);

/// The kinds of file system that can be watched.
pub(crate) const KINDS: [&str; 3] = ["ext4", "xfs", "btrfs"];

/// Linux, as (version, patch level).
fn kernel() -> (u32, u32) {
    let text = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = text.split('.').map_while(|part| part.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

/// Whether the kernel asks before data is accessed; says so if it does not.
pub(crate) fn can_watch(test: &str) -> bool {
    let can = kernel() >= (6, 14);
    if !can {
        skip(test, "Linux 6.14 or later is needed");
    }
    can
}

/// All that it takes; it ends, and the file system goes, with the value.
pub(crate) struct Scene {
    // In this order: nobody may use the file system when it is unmounted.
    programs: Programs,
    _mount: Mount,
    /// Where the archive is, if on a file system of its own.
    archive: Option<Mount>,
    pub(crate) place: Place,
}

impl Scene {
    /// None, with the reason printed, where that cannot be had.
    pub(crate) fn new(test: &str, kind: &str) -> Option<Self> {
        Self::make(test, kind, false)
    }

    /// With the archive on a file system that can be lost.
    pub(crate) fn with_archive_apart(test: &str, kind: &str) -> Option<Self> {
        if !need_tool(test, "mkfs.xfs") || !need_tool(test, "xfs_io") {
            return None;
        }
        Self::make(test, kind, true)
    }

    fn make(test: &str, kind: &str, archive_apart: bool) -> Option<Self> {
        if !need_root(test) || !need_tool(test, &format!("mkfs.{kind}")) {
            return None;
        }
        if !can_watch(test) {
            return None;
        }
        let place = Place::bare();
        let device = LoopDevice::new(&place.path().join("lun"), 3 << 30).format(kind);
        // The archive lies elsewhere, so that the managed file system is all that is watched.
        let mount = Mount::new(device, &place.fs);
        let archive = archive_apart.then(|| {
            let device = LoopDevice::new(&place.path().join("archive-lun"), 1 << 30).format("xfs");
            Mount::new(device, &place.archive)
        });
        place.init(&[]);
        let mut scene = Self { programs: Programs::default(), _mount: mount, archive, place };
        scene.configure();
        scene.start_holder();
        scene.start_daemon();
        Some(scene)
    }

    fn configure(&self) {
        let at = |name: &str| self.place.path().join(name).display().to_string();
        let mut text = fs::read_to_string(&self.place.config).unwrap();
        text += &format!("\n[node]\nname = \"here\"\nsocket = \"{}\"\n", at("socket"));
        text += &format!("[store]\ndirectory = \"{}\"\n", at("store"));
        text += &format!("[recall]\nsocket = \"{}\"\n", at("holder.sock"));
        fs::write(&self.place.config, text).unwrap();
    }

    fn log(&self, name: &str) -> Stdio {
        let path = self.place.path().join(name);
        fs::File::options().create(true).append(true).open(path).unwrap().into()
    }

    /// What the holder and the daemons have said.
    pub(crate) fn logs(&self) -> String {
        let read = |name| fs::read_to_string(self.place.path().join(name)).unwrap_or_default();
        format!("{}\n{}", read("holder.log"), read("drayd.log"))
    }

    #[track_caller]
    pub(crate) fn start_holder(&mut self) {
        let mut start = Command::new(holder());
        let socket = self.place.path().join("holder.sock");
        start.arg("--socket").arg(&socket).arg("--watch").arg(&self.place.fs);
        start.stdin(Stdio::null()).stderr(self.log("holder.log"));
        self.programs.start("holder", start);
        self.until(|| socket.exists());
    }

    /// Starts drayd, and waits until it has joined and serves accesses.
    #[track_caller]
    pub(crate) fn start_daemon(&mut self) {
        let told = |scene: &Self| scene.logs().matches("accesses are watched").count();
        let before = told(self);
        let mut start = Command::new(daemon());
        start.arg("--config").arg(&self.place.config).env_remove("DRAY_CONFIG");
        start.stdin(Stdio::null()).stderr(self.log("drayd.log"));
        self.programs.start("drayd", start);
        self.until(|| told(self) > before && self.has_joined());
    }

    fn has_joined(&self) -> bool {
        let listed = self.place.run(["node", "list"]);
        listed.code == Some(0)
            && listed.json()["nodes"].as_array().is_some_and(|nodes| !nodes.is_empty())
    }

    #[track_caller]
    pub(crate) fn until(&self, wanted: impl Fn() -> bool) {
        let until = Instant::now() + READY;
        while !wanted() {
            assert!(Instant::now() < until, "{}", self.logs());
            std::thread::sleep(LOOK);
        }
    }

    /// From now on whatever is done with the archive fails, as when its device has gone.
    pub(crate) fn lose_archive(&self) {
        let archive = self.archive.as_ref().expect("an archive of its own");
        tool("xfs_io", ["-x", "-c", "shutdown"].map(Path::new).into_iter().chain([&*archive.path]));
    }

    /// It is there again, for a daemon that starts then.
    pub(crate) fn find_archive(&self) {
        let archive = self.archive.as_ref().expect("an archive of its own");
        tool("umount", [&archive.path]);
        tool("mount", [&archive.device.path, &archive.path]);
    }

    pub(crate) fn kill(&mut self, name: &str) {
        self.programs.kill(name);
    }

    /// Bytes of memory that a program has had at most.
    pub(crate) fn peak(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.programs.id(name)));
        let status = status.unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.place.file(name)
    }

    /// Archives and releases all that is there.
    #[track_caller]
    pub(crate) fn put_away(&self) {
        self.place.patiently("archive");
        self.place.patiently("release");
    }

    /// What the state attribute says of a file.
    #[track_caller]
    pub(crate) fn word(&self, path: &Path) -> String {
        self.place.word(path)
    }
}
