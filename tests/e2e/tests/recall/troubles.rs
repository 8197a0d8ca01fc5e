//! Data that cannot be had, and very many who want it.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dray_e2e::{assert_content, content, write_file};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::scene::Scene;

const MIB: u64 = 1 << 20;
/// Threads that wait at once (`DRAY_RECALL_READERS`), and for how many files.
const READERS: u64 = 10_000;
const WANTED: u64 = 64;

/// What a read fails with.
fn refused(path: &std::path::Path) -> Option<i32> {
    fs::read(path).expect_err("it cannot be read").raw_os_error()
}

#[test]
fn damaged_data_is_refused_and_the_file_stays() {
    let Some(scene) = Scene::new("damaged_data_is_refused_and_the_file_stays", "ext4") else {
        return;
    };
    let (path, size) = (scene.file("f"), MIB);
    write_file(&path, 1, size);
    scene.put_away();
    let volume = &scene.place.volumes()[0];
    let whole = fs::read(volume).unwrap();
    let wanted = &content(1, size)[500_000..500_064];
    let at = whole.windows(64).position(|it| it == wanted).unwrap() as u64;
    let file = fs::File::options().write(true).open(volume).unwrap();
    file.write_all_at(b"damage", at).unwrap();
    assert_eq!(refused(&path), Some(5), "EIO");
    assert_ne!(scene.word(&path), "archived");
    file.write_all_at(&wanted[..6], at).unwrap();
    assert_content(&path, 1, size);
}

#[test]
fn an_archive_out_of_reach_is_an_error_until_it_is_back() {
    let test = "an_archive_out_of_reach_is_an_error_until_it_is_back";
    let Some(mut scene) = Scene::with_archive_apart(test, "ext4") else { return };
    let (path, size) = (scene.file("f"), MIB);
    write_file(&path, 1, size);
    scene.put_away();
    scene.lose_archive();
    assert_eq!(refused(&path), Some(5), "EIO");
    assert_eq!(scene.word(&path), "released");
    scene.kill("drayd");
    scene.find_archive();
    scene.start_daemon();
    assert_content(&path, 1, size);
}

#[test]
fn without_room_reads_are_refused_until_there_is_some() {
    let Some(scene) = Scene::new("without_room_reads_are_refused_until_there_is_some", "ext4")
    else {
        return;
    };
    let (path, size) = (scene.file("f"), 64 * MIB);
    write_file(&path, 1, size);
    scene.put_away();
    let filler = scene.file("filler");
    // As far as it goes.
    let mut bytes = 4_u64 << 30;
    let file = fs::File::create(&filler).unwrap();
    while bytes >= 4096 {
        let length = file.metadata().unwrap().len();
        match rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), length, bytes) {
            Ok(()) => {}
            Err(rustix::io::Errno::NOSPC) => bytes /= 2,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(refused(&path), Some(28), "ENOSPC");
    fs::remove_file(&filler).unwrap();
    drop(file);
    assert_content(&path, 1, size);
}

#[test]
fn thousands_of_readers_are_all_answered() {
    let test = "thousands_of_readers_are_all_answered";
    let Some(mut scene) = Scene::new(test, "xfs") else { return };
    // As many as this process may have files open, with some to spare.
    let limit = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit }).unwrap();
    let wanted = std::env::var("DRAY_RECALL_READERS");
    let wanted = wanted.map_or(READERS, |text| text.parse().expect("a number"));
    let readers = limit.map_or(wanted, |limit| wanted.min(limit.saturating_sub(200)));
    // Each wants one of some, and then all want the same.
    let name = |number: u64| format!("f{}", number % WANTED);
    for number in 0..WANTED {
        write_file(&scene.file(&name(number)), number, 9000);
    }
    write_file(&scene.file("all"), 1, 3 * MIB);
    scene.put_away();
    scene.kill("drayd");
    let (right, failed) = (AtomicU64::new(0), AtomicU64::new(0));
    let all = content(1, 3 * MIB);
    let started = std::thread::scope(|scope| {
        let mut started = 0;
        for number in 0..readers {
            let (own, shared) = (scene.file(&name(number)), scene.file("all"));
            let (right, failed, all) = (&right, &failed, &all);
            let reader = std::thread::Builder::new().stack_size(64 << 10);
            let read = move || {
                let good = fs::read(own).is_ok_and(|got| got == content(number % WANTED, 9000));
                let file = fs::File::open(shared);
                let mut got = vec![0; 1000];
                let at = (number * 311) % (3 * MIB - 1000);
                let part = file.and_then(|file| file.read_exact_at(&mut got, at));
                let good = good && part.is_ok() && got == all[at as usize..][..1000];
                let counter = if good { right } else { failed };
                counter.fetch_add(1, Ordering::Relaxed);
            };
            // A panic would wait for those who are there already, and wait for the daemon.
            started += u64::from(reader.spawn_scoped(scope, read).is_ok());
        }
        // All of them wait by now, or nearly.
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(right.load(Ordering::Relaxed), 0);
        let began = Instant::now();
        scene.start_daemon();
        while right.load(Ordering::Relaxed) + failed.load(Ordering::Relaxed) < started {
            assert!(began.elapsed() < Duration::from_secs(300), "{right:?} of {started}");
            std::thread::sleep(Duration::from_millis(20));
        }
        println!("{started} readers in {:?}", began.elapsed());
        started
    });
    assert_eq!(started, readers, "threads that could be started");
    let most = scene.peak("drayd").max(scene.peak("holder"));
    println!("peak resident memory: {} MiB", most >> 20);
    assert_eq!(failed.load(Ordering::Relaxed), 0);
    assert!(most < 400 * MIB, "{most}");
}

#[test]
fn who_is_killed_while_waiting_leaves_nothing_behind() {
    let test = "who_is_killed_while_waiting_leaves_nothing_behind";
    let Some(mut scene) = Scene::new(test, "btrfs") else { return };
    let (path, size) = (scene.file("f"), 2 * MIB);
    write_file(&path, 1, size);
    scene.put_away();
    scene.kill("drayd");
    let mut reader = std::process::Command::new("cat").arg(&path).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert!(reader.try_wait().unwrap().is_none());
    reader.kill().unwrap();
    reader.wait().unwrap();
    scene.start_daemon();
    assert_content(&path, 1, size);
    let missing = fs::read(scene.file("missing")).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

/// What one reader waits for cannot be brought any more once another program has emptied the file.
/// Nothing is wrong with that: he reads what it has now.
#[test]
fn who_waits_for_a_file_that_is_emptied_reads_what_it_has_then() {
    let test = "who_waits_for_a_file_that_is_emptied_reads_what_it_has_then";
    let Some(scene) = Scene::new(test, "btrfs") else { return };
    let (path, first) = (scene.file("f"), scene.file("first"));
    write_file(&path, 1, MIB);
    write_file(&first, 2, MIB);
    scene.put_away();
    let limit = |rate: &str| {
        let words = ["node".as_ref(), "limit".as_ref(), scene.place.fs.as_os_str(), rate.as_ref()];
        scene.place.run(words).expect(0);
    };
    // What is read first uses up what may be moved for a long time.
    limit("1");
    assert_content(&first, 2, MIB);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let file = fs::File::open(&path).unwrap();
            let mut block = [0; 4096];
            file.read_at(&mut block, MIB / 2).map(|got| block[..got].to_vec())
        });
        let queued = || {
            let listed = scene.place.run(["request", "list", "--open"]).expect(0).json();
            listed["requests"].as_array().is_some_and(|list| !list.is_empty())
        };
        let until = Instant::now() + Duration::from_secs(30);
        while !queued() {
            assert!(!reader.is_finished() && Instant::now() < until, "{}", scene.logs());
            std::thread::sleep(Duration::from_millis(10));
        }
        fs::File::create(&path).unwrap();
        limit("0");
        assert_eq!(reader.join().unwrap().unwrap(), b"");
    });
    fs::write(&path, "new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
}
