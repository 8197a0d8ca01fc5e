//! What is accessed from within the kernel, what cannot be written to, and what only looks changed.

use std::fs;
use std::os::unix::fs::FileExt;
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
        let refused = fs::read(&path).expect_err("it cannot be written to").raw_os_error();
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

#[test]
fn who_only_sets_the_time_of_a_file_is_told_to_restore_it() {
    let test = "who_only_sets_the_time_of_a_file_is_told_to_restore_it";
    let Some(scene) = Scene::new(test, "ext4") else { return };
    let path = scene.file("f");
    write_file(&path, 1, 9 * MIB);
    scene.put_away();
    let file = fs::File::open(&path).unwrap();
    file.read_exact_at(&mut [0; 5000], 8 * MIB).unwrap();
    drop(file);
    tool("touch", [path.as_os_str()]);
    scene.place.one("archive", &path).expect(1).says("restore it");
    assert_content(&path, 1, 9 * MIB);
    scene.place.one("archive", &path).expect(0);
    assert_eq!(scene.word(&path), "archived");
}
