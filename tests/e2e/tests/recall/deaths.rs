//! The daemon, the holder, or both end while files are accessed.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use dray_e2e::{content, set_modified, tool, write_file};

use crate::scene::{KINDS, Scene};

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
fn who_reads_from_front_to_back_outlives_daemons() {
    for kind in KINDS {
        let test = "who_reads_from_front_to_back_outlives_daemons";
        let Some(mut scene) = Scene::new(test, kind) else { continue };
        let (path, size) = (scene.file("large"), 160 * MIB);
        write_file(&path, 1, size);
        scene.put_away();
        let come_to = AtomicU64::new(0);
        let got = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut file = fs::File::open(&path).unwrap();
                let mut got = vec![0; size as usize];
                for part in got.chunks_mut(MIB as usize) {
                    file.read_exact(part).unwrap();
                    come_to.fetch_add(MIB, Ordering::Relaxed);
                }
                got
            });
            for place in [10, 50, 100] {
                scene.until(|| come_to.load(Ordering::Relaxed) >= place * MIB);
                scene.kill("drayd");
                scene.start_daemon();
            }
            reader.join().unwrap()
        });
        assert!(got == content(1, size), "{kind}");
        scene.put_away();
        assert!(fs::read(&path).unwrap() == content(1, size), "{kind}");
    }
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

/// As by its name at the moment of its release, of which the kernel says nothing in time.
#[test]
fn a_file_that_was_cut_unseen_has_what_is_left_of_it() {
    for kind in KINDS {
        let test = "a_file_that_was_cut_unseen_has_what_is_left_of_it";
        let Some(mut scene) = Scene::new(test, kind) else { return };
        let size = 2 * MIB + 5;
        // None of these is a multiple of a block; the first lies within the one that is kept.
        let sizes = [1234, 70_000, MIB + 7, 3 * MIB + 1];
        let path = |scene: &Scene, to: u64| scene.file(&format!("f{to}"));
        let emptied = scene.file("emptied");
        for to in sizes {
            write_file(&path(&scene, to), to, size);
        }
        write_file(&emptied, 1, size);
        scene.put_away();
        scene.kill("holder");
        scene.kill("drayd");
        for to in sizes {
            let name = path(&scene, to);
            tool("truncate", ["--size", &to.to_string(), name.to_str().unwrap()]);
            set_modified(&name, 1_600_000_000 + to as i64, 0);
        }
        let name = emptied.to_str().unwrap();
        tool("truncate", ["--size", "0", name]);
        tool("truncate", ["--size", &MIB.to_string(), name]);
        scene.start_holder();
        scene.start_daemon();
        for to in sizes {
            let name = path(&scene, to);
            let mut wanted = content(to, size);
            wanted.resize(to as usize, 0);
            let read = fs::read(&name).unwrap_or_else(|error| panic!("{error}: {}", scene.logs()));
            assert!(read == wanted, "{kind}, cut to {to}");
            let modified = fs::metadata(&name).unwrap().mtime();
            assert_eq!(modified, 1_600_000_000 + to as i64, "{kind}, cut to {to}");
        }
        assert_eq!(fs::read(&emptied).unwrap_err().raw_os_error(), Some(5), "nobody knows");
        fs::remove_file(&emptied).unwrap();
        scene.put_away();
        for to in sizes {
            let name = path(&scene, to);
            let mut wanted = content(to, size);
            wanted.resize(to as usize, 0);
            assert!(fs::read(&name).unwrap() == wanted, "{kind}, cut to {to}");
        }
    }
}
