//! The checks on XFS, ext4 and btrfs in loop devices, and what is particular to each.

// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

mod checks;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use dray_fs::{LinuxFiles, device_size, open_device_exclusive, queue_limits};
use dray_io::{Access, Aligned, Files, Range};

const IMAGE_BYTES: u64 = 512 << 20;

/// A file system in an image, mounted; taken down when dropped, also by a panic.
struct Mounted {
    dir: tempfile::TempDir,
    device: PathBuf,
    mounted: bool,
}

impl Mounted {
    /// `None`, with the reason printed, where loop devices or tools are missing.
    fn new(make: &[&str]) -> Option<Self> {
        Self::with_options(make, "defaults")
    }

    fn with_options(make: &[&str], options: &str) -> Option<Self> {
        if !checks::is_root() {
            println!("skipped: mounting needs root");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("image");
        std::fs::File::create(&image).unwrap().set_len(IMAGE_BYTES).unwrap();
        let device = run("losetup", &["--find", "--show", image.to_str().unwrap()])?;
        let device = PathBuf::from(device.trim());
        let mut this = Self { dir, device, mounted: false };
        let name = this.device.to_str().unwrap().to_owned();
        run(make[0], &[&make[1..], &[&name]].concat())?;
        std::fs::create_dir(this.root()).unwrap();
        run("mount", &["-o", options, &name, this.root().to_str().unwrap()])?;
        this.mounted = true;
        Some(this)
    }

    fn root(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join("mount")
    }

    fn check_all(&self) {
        checks::run_all(&self.root());
        let claimed = open_device_exclusive(&self.device, false).unwrap_err();
        assert_eq!(claimed.kind(), ErrorKind::ResourceBusy);
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if self.mounted {
            run("umount", &[self.root().to_str().unwrap()]);
        }
        run("losetup", &["--detach", self.device.to_str().unwrap()]);
    }
}

/// Output of a command, or `None` with the reason printed.
fn run(command: &str, arguments: &[&str]) -> Option<String> {
    let output = match Command::new(command).args(arguments).output() {
        Ok(output) => output,
        Err(error) => {
            println!("skipped: {command}: {error}");
            return None;
        }
    };
    if !output.status.success() {
        println!("skipped: {command}: {}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn ext4_holds() {
    if let Some(mounted) = Mounted::new(&["mkfs.ext4", "-q", "-F"]) {
        mounted.check_all();
        let path = mounted.root().join("visible");
        std::fs::write(&path, b"x").unwrap();
        let files = LinuxFiles::new();
        assert!(!files.open(&path, Access::Invisible).unwrap().is_invisible());
        assert!(files.open(&path, Access::ReadDirect).unwrap().is_direct());
    }
}

#[test]
fn direct_in_name_only_is_not_direct() {
    if let Some(mounted) = Mounted::with_options(&["mkfs.ext4", "-q", "-F"], "data=journal") {
        mounted.check_all();
        let path = mounted.root().join("file");
        std::fs::write(&path, b"x").unwrap();
        let files = LinuxFiles::new();
        for access in [Access::ReadDirect, Access::WriteDirect] {
            assert!(!files.open(&path, access).unwrap().is_direct());
        }
    }
}

#[test]
fn xfs_holds_and_keeps_times() {
    if let Some(mounted) = Mounted::new(&["mkfs.xfs", "-q", "-f"]) {
        mounted.check_all();
        invisible_io_moves_no_times(&mounted.root());
    }
}

fn invisible_io_moves_no_times(root: &Path) {
    let files = LinuxFiles::new();
    let path = root.join("quiet");
    std::fs::write(&path, vec![1; 1 << 20]).unwrap();
    let file = files.open(&path, Access::Invisible).unwrap();
    assert!(file.is_invisible());
    assert!(rustix::io::fcntl_getfd(&file).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
    files.lease(&file).unwrap();
    files.sync(&file).unwrap();
    let before = files.stat(&file).unwrap();
    // Longer than the coarse clock's tick.
    std::thread::sleep(std::time::Duration::from_millis(50));
    files.write_at(&file, &[2; 4096], 0).unwrap();
    files.punch(&file, Range::new(8192, 1 << 20)).unwrap();
    files.set_modified(&file, before.modified).unwrap();
    let mut bytes = [0; 4096];
    files.read_at(&file, &mut bytes, 4096).unwrap();
    files.sync(&file).unwrap();
    let after = files.stat(&file).unwrap();
    assert!(after.allocated < before.allocated);
    assert_eq!((after.modified, after.changed), (before.modified, before.changed));
    assert_eq!(after.accessed, before.accessed);
    let other = root.join("other");
    std::fs::write(&other, b"x").unwrap();
    let other = files.open(&other, Access::ReadDirect).unwrap();
    let handle = files.kernel_handle(&file).unwrap();
    assert_eq!(
        checks::kind_of(files.by_handle(&other, &handle, Access::Invisible)),
        ErrorKind::WouldBlock
    );
    files.unlease(&file).unwrap();
    assert!(files.by_handle(&other, &handle, Access::Invisible).unwrap().is_invisible());
    let plain = LinuxFiles::with_attribute("user.other");
    plain.set_attribute(&file, b"x").unwrap();
    assert!(files.stat(&file).unwrap().changed > before.changed, "attributes do move ctime");
}

#[test]
fn btrfs_holds_and_tells_snapshots_apart() {
    let Some(mounted) = Mounted::new(&["mkfs.btrfs", "-q", "-f"]) else { return };
    mounted.check_all();
    let (volume, copy) = (mounted.root().join("volume"), mounted.root().join("copy"));
    let [volume_name, copy_name] = [&volume, &copy].map(|path| path.to_str().unwrap());
    run("btrfs", &["subvolume", "create", volume_name]).unwrap();
    std::fs::write(volume.join("file"), b"x").unwrap();
    run("btrfs", &["subvolume", "snapshot", volume_name, copy_name]).unwrap();
    let files = LinuxFiles::new();
    let [first, second] = [volume, copy].map(|dir| {
        let file = files.open(&dir.join("file"), Access::Inspect).unwrap();
        files.stat(&file).unwrap().handle
    });
    assert_eq!((first.inode, first.generation), (second.inode, second.generation));
    assert_ne!(first.file_system, second.file_system);
}

#[test]
fn a_free_device_is_claimed_while_it_is_open() {
    let Some(mut mounted) = Mounted::new(&["mkfs.ext4", "-q", "-F"]) else { return };
    run("umount", &[mounted.root().to_str().unwrap()]).unwrap();
    mounted.mounted = false;
    let lun = open_device_exclusive(&mounted.device, true).unwrap();
    assert_eq!(device_size(&lun).unwrap(), IMAGE_BYTES);
    assert!(queue_limits(&lun).unwrap() >= 4096);
    let second = open_device_exclusive(&mounted.device, false).unwrap_err();
    assert_eq!(second.kind(), ErrorKind::ResourceBusy);
    let files = LinuxFiles::new();
    let mut buffer = Aligned::new(8192);
    buffer.fill(5);
    files.write_at(&lun, &buffer, IMAGE_BYTES - 8192).unwrap();
    buffer.fill(0);
    assert_eq!(files.read_at(&lun, &mut buffer, IMAGE_BYTES - 8192).unwrap(), 8192);
    assert!(buffer.iter().all(|byte| *byte == 5));
    drop(lun);
    open_device_exclusive(&mounted.device, false).unwrap();
}
