//! The daemon, the holder, or both end while files are accessed.

use std::fs;
use std::sync::mpsc::channel;
use std::time::Duration;

use dray_e2e::{content, write_file};

use crate::scene::Scene;

const MIB: u64 = 1 << 20;

#[test]
fn readers_wait_for_the_next_daemon() {
    let Some(mut scene) = Scene::new("readers_wait_for_the_next_daemon", "xfs") else { return };
    let (path, size) = (scene.file("f"), 2 * MIB);
    write_file(&path, 1, size);
    write_file(&scene.file("here"), 2, size);
    scene.put_away();
    assert!(fs::read(scene.file("here")).unwrap() == content(2, size));
    scene.kill("drayd");
    let (sender, got) = channel();
    std::thread::spawn(move || sender.send(fs::read(path)));
    got.recv_timeout(Duration::from_millis(300)).expect_err("the reader waits");
    // What is there is read as ever.
    assert!(fs::read(scene.file("here")).unwrap() == content(2, size));
    scene.start_daemon();
    let read = got.recv_timeout(Duration::from_secs(20)).expect("the reader goes on");
    assert!(read.unwrap() == content(1, size));
}

#[test]
fn without_the_holder_nobody_reads_zeros() {
    let Some(mut scene) = Scene::new("without_the_holder_nobody_reads_zeros", "ext4") else {
        return;
    };
    let size = 2 * MIB;
    for name in ["first", "second"] {
        write_file(&scene.file(name), 1, size);
    }
    scene.put_away();
    let resident = scene.file("resident");
    write_file(&resident, 3, size);
    scene.place.one("archive", &resident).expect(0);
    scene.kill("holder");
    let (sender, got) = channel();
    let first = scene.file("first");
    std::thread::spawn(move || sender.send(fs::read(first)));
    got.recv_timeout(Duration::from_millis(300)).expect_err("the reader waits");
    // Nothing is released when nobody would be asked.
    scene.place.one("release", &resident).expect(1).says("holder");
    assert_eq!(scene.word(&resident), "archived");
    scene.start_holder();
    let read = got.recv_timeout(Duration::from_secs(20)).expect("the reader goes on");
    assert!(read.unwrap() == content(1, size));
    assert!(fs::read(scene.file("second")).unwrap() == content(1, size));
    assert!(fs::read(&resident).unwrap() == content(3, size));
}
