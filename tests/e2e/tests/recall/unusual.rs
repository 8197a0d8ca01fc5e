//! What is accessed from within the kernel, and what cannot be written to.

use std::fs;
use std::path::Path;

use dray_e2e::{LoopDevice, assert_content, content, tool, write_file};

use crate::scene::{KINDS, Scene};

const MIB: u64 = 1 << 20;

fn remount(path: &Path, how: &str) {
    tool("mount", ["-o".as_ref(), how.as_ref(), path.as_os_str()]);
}

#[test]
fn what_cannot_be_written_to_is_refused_and_the_watch_goes_on() {
    let test = "what_cannot_be_written_to_is_refused_and_the_watch_goes_on";
    for kind in KINDS {
        let Some(scene) = Scene::new(test, kind) else { return };
        let (path, other) = (scene.file("f"), scene.file("g"));
        for path in [&path, &other] {
            write_file(path, 1, 2 * MIB);
        }
        scene.put_away();
        remount(&scene.place.fs, "remount,ro");
        let refused = fs::read(&path).expect_err("there is no room for it").raw_os_error();
        assert_eq!(refused, Some(5), "EIO on {kind}: {}", scene.logs());
        remount(&scene.place.fs, "remount,rw");
        for path in [&path, &other] {
            assert_content(path, 1, 2 * MIB);
        }
    }
}

#[test]
fn a_loop_device_has_all_of_its_file() {
    let test = "a_loop_device_has_all_of_its_file";
    for kind in KINDS {
        let Some(scene) = Scene::new(test, kind) else { return };
        let path = scene.file("image");
        write_file(&path, 1, 2 * MIB);
        scene.put_away();
        let device = LoopDevice::attach(&path);
        assert!(fs::read(&device.path).unwrap() == content(1, 2 * MIB), "on {kind}");
    }
}
