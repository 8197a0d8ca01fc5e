//! The ways in which programs access data.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::time::{Duration, Instant};

use dray_e2e::{User, assert_content, content, need_tool, write_file, write_sparse};

use crate::scene::{KINDS, Scene};

const MIB: u64 = 1 << 20;

/// Runs a check on each kind of file system.
fn on_each(test: &str, check: impl Fn(&Scene)) {
    for kind in KINDS {
        if let Some(scene) = Scene::new(test, kind) {
            println!("on {kind}");
            check(&scene);
        }
    }
}

#[test]
fn a_released_file_reads_as_before() {
    on_each("a_released_file_reads_as_before", |scene| {
        let sizes = [1, 4096, 4097, 65_537, MIB + 1, 9 * MIB + 7];
        for size in sizes {
            write_file(&scene.file(&format!("f{size}")), size, size);
        }
        write_sparse(&scene.file("sparse"), 5, 64 * MIB, &[(3 * MIB, 70_000), (60 * MIB, MIB)]);
        let sparse = fs::read(scene.file("sparse")).unwrap();
        scene.put_away();
        for size in sizes {
            let path = scene.file(&format!("f{size}"));
            let word = if size > 4096 { "released" } else { "archived" };
            assert_eq!(scene.word(&path), word, "{size}");
            assert_content(&path, size, size);
        }
        assert!(fs::read(scene.file("sparse")).unwrap() == sparse);
    });
}

#[test]
fn a_range_is_there_before_the_rest() {
    on_each("a_range_is_there_before_the_rest", |scene| {
        let (path, size) = (scene.file("large"), 96 * MIB);
        write_file(&path, 1, size);
        scene.put_away();
        let file = fs::File::open(&path).unwrap();
        let mut got = vec![0; 100_000];
        file.read_exact_at(&mut got, 50 * MIB + 17).unwrap();
        let from = (50 * MIB + 17) as usize;
        assert!(got == content(1, size)[from..from + 100_000]);
        // Beyond the end there is nothing to wait for.
        assert_eq!(file.read_at(&mut got, size + MIB).unwrap(), 0);
    });
}

#[test]
fn what_is_written_stays_and_the_rest_is_as_before() {
    on_each("what_is_written_stays_and_the_rest_is_as_before", |scene| {
        let size = 3 * MIB + 11;
        let names = ["inside", "append", "cut", "grow", "emptied", "replaced", "punched"];
        for name in names {
            write_file(&scene.file(name), 1, size);
        }
        scene.put_away();
        let old = content(1, size);
        let open =
            |name: &str| fs::File::options().read(true).write(true).open(scene.file(name)).unwrap();
        open("inside").write_all_at(b"new", MIB).unwrap();
        let mut wanted = old.clone();
        wanted[MIB as usize..][..3].copy_from_slice(b"new");
        assert!(fs::read(scene.file("inside")).unwrap() == wanted, "inside");

        let mut append = fs::File::options().append(true).open(scene.file("append")).unwrap();
        append.write_all(b"more").unwrap();
        assert!(fs::read(scene.file("append")).unwrap() == [&old[..], b"more"].concat());

        open("cut").set_len(MIB + 5).unwrap();
        assert!(fs::read(scene.file("cut")).unwrap() == old[..(MIB + 5) as usize], "cut");

        open("grow").set_len(size + 4096).unwrap();
        let grown = [&old[..], &[0; 4096]].concat();
        assert!(fs::read(scene.file("grow")).unwrap() == grown, "grow");

        // `O_TRUNC` raises no event.
        fs::write(scene.file("emptied"), b"").unwrap();
        assert!(fs::read(scene.file("emptied")).unwrap().is_empty());
        fs::write(scene.file("replaced"), &old[1..]).unwrap();
        assert!(fs::read(scene.file("replaced")).unwrap() == old[1..], "replaced");

        let path = scene.file("punched");
        let punch = ["--punch-hole", "--offset", "4096", "--length", "8192"];
        let status = Command::new("fallocate").args(punch).arg(&path).status().unwrap();
        assert!(status.success());
        let mut wanted = old;
        wanted[4096..12_288].fill(0);
        assert!(fs::read(&path).unwrap() == wanted, "punched");
    });
}

#[test]
fn an_empty_one_that_grows_to_its_old_size_is_not_the_old_one() {
    on_each("an_empty_one_that_grows_to_its_old_size_is_not_the_old_one", |scene| {
        let (path, size) = (scene.file("f"), MIB);
        write_file(&path, 1, size);
        scene.put_away();
        let mut file =
            fs::File::options().read(true).write(true).truncate(true).open(&path).unwrap();
        file.set_len(size).unwrap();
        file.seek(SeekFrom::Start(10)).unwrap();
        file.write_all(b"x").unwrap();
        let mut wanted = vec![0; size as usize];
        wanted[10] = b'x';
        assert!(fs::read(&path).unwrap() == wanted);
    });
}

#[test]
fn programs_that_map_clone_and_execute_see_all() {
    on_each("programs_that_map_clone_and_execute_see_all", |scene| {
        let (path, size) = (scene.file("mapped"), 5 * MIB + 3);
        write_file(&path, 2, size);
        let program = scene.file("program");
        fs::copy("/bin/cat", &program).unwrap();
        scene.put_away();
        // It clones where that can be had, and else looks for holes.
        let copy = scene.file("copy");
        let cp = Command::new("cp").arg("--reflink=auto").args([&path, &copy]).status().unwrap();
        assert!(cp.success());
        assert!(fs::read(&copy).unwrap() == content(2, size));
        let run = Command::new(&program).arg(&path).output().unwrap();
        assert!(run.stdout == content(2, size), "executed");
        scene.put_away();
        let map = "import mmap,sys,hashlib; f=open(sys.argv[1],'rb'); \
                   m=mmap.mmap(f.fileno(),0,prot=mmap.PROT_READ); \
                   sys.stdout.buffer.write(m[:])";
        let run = Command::new("python3").args(["-c", map]).arg(&path).output().unwrap();
        assert!(run.stdout == content(2, size), "mapped");
    });
}

#[test]
fn other_mounts_of_the_file_system_are_watched() {
    on_each("other_mounts_of_the_file_system_are_watched", |scene| {
        let size = 2 * MIB;
        for name in ["bound", "read-only", "namespace"] {
            write_file(&scene.file(name), 3, size);
        }
        let at = scene.place.path().join("bind");
        fs::create_dir(&at).unwrap();
        scene.put_away();
        let script = format!(
            "mount --bind '{fs}' '{at}' && cat '{at}/bound' && \
             mount -o remount,bind,ro '{at}' && cat '{at}/read-only' && \
             cat '{fs}/namespace'",
            fs = scene.place.fs.display(),
            at = at.display(),
        );
        let run = Command::new("unshare").args(["--mount", "sh", "-ec", &script]).output().unwrap();
        let wanted = content(3, size).repeat(3);
        assert!(run.stdout == wanted, "{}", String::from_utf8_lossy(&run.stderr));
    });
}

#[test]
fn many_who_want_the_same_cause_one_recall() {
    on_each("many_who_want_the_same_cause_one_recall", |scene| {
        let (path, size) = (scene.file("wanted"), 32 * MIB);
        write_file(&path, 4, size);
        scene.put_away();
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    let mut got = Vec::new();
                    fs::File::open(&path).unwrap().read_to_end(&mut got).unwrap();
                    assert!(got == content(4, size));
                });
            }
        });
        // Archived, released and restored: each once.
        let nodes = scene.place.run(["node", "list"]).expect(0).json();
        assert_eq!(nodes["nodes"][0]["bytes"].as_u64(), Some(3 * size), "{nodes}");
    });
}

/// Has a lease on a file, as a release has. The holder, who was asked when the file was opened, may
/// close it a moment later.
const LEASES: &str = "import fcntl,signal,sys,time\n\
    signal.signal(signal.SIGIO,signal.SIG_IGN)\nf=open(sys.argv[1],'r+b')\ntime.sleep(0.1)\n\
    fcntl.fcntl(f,fcntl.F_SETLEASE,fcntl.F_WRLCK)\nprint('.',flush=True)\nsys.stdin.readline()\n\
    fcntl.fcntl(f,fcntl.F_SETLEASE,fcntl.F_UNLCK)\nprint('.',flush=True)\nsys.stdin.read()";

#[test]
fn who_cuts_a_file_by_its_name_waits_for_a_lease_and_nobody_else_does() {
    let test = "who_cuts_a_file_by_its_name_waits_for_a_lease_and_nobody_else_does";
    if !need_tool(test, "python3") {
        return;
    }
    on_each(test, |scene| {
        let (size, cut) = (2 * MIB, MIB + 7);
        let (leased, other) = (["a", "b", "c"].map(|name| scene.file(name)), scene.file("other"));
        for path in leased.iter().chain([&other]) {
            write_file(path, 6, size);
        }
        scene.put_away();
        let mut users = leased.each_ref().map(|path| User::new(LEASES, path));
        std::thread::scope(|scope| {
            let cuts = leased.each_ref().map(|path| {
                let mut truncate = Command::new("python3");
                truncate.args(["-c", "import os,sys; os.truncate(sys.argv[1], int(sys.argv[2]))"]);
                truncate.arg(path).arg(cut.to_string());
                scope.spawn(move || truncate.output().unwrap())
            });
            std::thread::sleep(Duration::from_millis(300));
            assert!(cuts.iter().all(|cut| !cut.is_finished()), "they wait");
            assert_content(&other, 6, size);
            assert!(cuts.iter().all(|cut| !cut.is_finished()), "they wait");
            for user in &mut users {
                user.go_on();
            }
            for cut in cuts {
                let run = cut.join().unwrap();
                assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
            }
        });
        for path in &leased {
            assert!(fs::read(path).unwrap() == content(6, size)[..cut as usize]);
        }
    });
}

/// Starts the daemon anew with this for what follows a range.
fn follow(scene: &mut Scene, recall: &str) {
    scene.kill("drayd");
    let old = fs::read_to_string(&scene.place.config).unwrap();
    let kept = old.lines().filter(|line| !line.starts_with("recall = "));
    let text = kept.collect::<Vec<_>>().join("\n");
    let text = text.replace("[[fs]]", &format!("[[fs]]\nrecall = \"{recall}\""));
    fs::write(&scene.place.config, text).unwrap();
    scene.start_daemon();
}

/// Of where a file is cut the kernel says only in which page.
#[test]
fn a_file_is_cut_in_a_range_that_is_there() {
    let test = "a_file_is_cut_in_a_range_that_is_there";
    let Some(mut scene) = Scene::new(test, "xfs") else { return };
    follow(&mut scene, "range");
    for cut in [12 * MIB + 4096, 12 * MIB + 100] {
        let (path, size) = (scene.file(&format!("f{cut}")), 24 * MIB);
        write_file(&path, 1, size);
        scene.put_away();
        let file = fs::File::options().read(true).write(true).open(&path).unwrap();
        let mut got = [0; 16_384];
        file.read_exact_at(&mut got, 12 * MIB).unwrap();
        assert_eq!(scene.word(&path), "partial");
        file.set_len(cut).unwrap();
        drop(file);
        assert!(fs::read(&path).unwrap() == content(1, size)[..cut as usize], "{cut}");
    }
}

/// A write at the end begins in the last page, which may be there.
#[test]
fn a_file_grows_where_its_end_is_there() {
    let test = "a_file_grows_where_its_end_is_there";
    let Some(mut scene) = Scene::new(test, "ext4") else { return };
    follow(&mut scene, "range");
    let (path, size) = (scene.file("large"), 24 * MIB + 100);
    write_file(&path, 1, size);
    scene.put_away();
    let file = fs::File::options().read(true).write(true).open(&path).unwrap();
    let mut got = [0; 1000];
    file.read_exact_at(&mut got, size - 1000).unwrap();
    assert_eq!(scene.word(&path), "partial");
    file.write_all_at(&[7; 20_000], size).unwrap();
    drop(file);
    assert!(fs::read(&path).unwrap() == [&content(1, size)[..], &[7; 20_000]].concat());
}

#[test]
fn the_rest_follows_as_configured() {
    let test = "the_rest_follows_as_configured";
    let Some(mut scene) = Scene::new(test, "ext4") else { return };
    let (path, size) = (scene.file("large"), 48 * MIB);
    write_file(&path, 1, size);
    for (recall, word) in [("range", "partial"), ("whole", "archived")] {
        follow(&mut scene, recall);
        scene.put_away();
        let mut got = [0; 1000];
        fs::File::open(&path).unwrap().read_exact_at(&mut got, 30 * MIB).unwrap();
        assert!(got == content(1, size)[30 << 20..][..1000]);
        let until = Instant::now() + Duration::from_secs(20);
        while scene.word(&path) != word {
            assert!(Instant::now() < until, "{recall}: {}", scene.word(&path));
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(scene.word(&path), word, "and it stays so");
    }
}
