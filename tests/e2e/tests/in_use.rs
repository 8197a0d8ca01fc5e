//! Files that somebody else has open or mapped.
#![forbid(unsafe_code)]
// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Read;
use std::time::Duration;

use dray_e2e::{Place, User, assert_content, content, need_tool, write_file};

const OPEN: &str = "import sys\nf=open(sys.argv[1],'rb')\nprint('.',flush=True)\nsys.stdin.read()";
const MAPPED: &str = "import sys,mmap\nf=open(sys.argv[1],'r+b')\nm=mmap.mmap(f.fileno(),0)\n\
    f.close()\nm[0]\nprint('.',flush=True)\nsys.stdin.read()";
/// Changes a byte through a mapping made before the file was archived, without a flush.
const WRITES_MAPPED: &str = "import sys,mmap\nf=open(sys.argv[1],'r+b')\n\
    m=mmap.mmap(f.fileno(),0)\nm[7]=0x31\nprint('.',flush=True)\nsys.stdin.readline()\n\
    m[8]=0x32\nprint('.',flush=True)\nsys.stdin.read()";

#[test]
fn a_file_in_use_is_not_released() {
    let name = "a_file_in_use_is_not_released";
    if !need_tool(name, "python3") {
        return;
    }
    for length in [9000, 2 << 20] {
        let place = Place::new();
        let (path, other) = (place.file("file"), place.file("other"));
        write_file(&path, 1, length);
        write_file(&other, 2, length);
        place.all("archive").expect(0);
        for script in [OPEN, MAPPED] {
            let user = User::new(script, &path);
            let output = place.all("release").expect(4).says("open or mapped");
            assert_eq!(output.json()["errors"][0]["transient"], true);
            assert_eq!(place.word(&path), "archived");
            assert_eq!(place.word(&other), "released");
            assert_content(&path, 1, length);
            drop(user);
            place.all("release").expect(0);
            assert_eq!(place.word(&path), "released");
            place.all("restore").expect(0);
        }
    }
}

/// A reader that has a released file open sees it come back.
#[test]
fn a_file_in_use_is_restored() {
    let place = Place::new();
    let path = place.file("file");
    write_file(&path, 1, 2 << 20);
    place.all("archive").expect(0);
    place.all("release").expect(0);
    let mut open = fs::File::open(&path).unwrap();
    place.all("restore").expect(0);
    let mut found = Vec::new();
    open.read_to_end(&mut found).unwrap();
    assert_eq!(found, content(1, 2 << 20));
    drop(open);
    place.all("release").expect(0);
}

#[test]
fn a_store_through_a_mapping_makes_a_file_dirty() {
    let name = "a_store_through_a_mapping_makes_a_file_dirty";
    if !need_tool(name, "python3") {
        return;
    }
    for length in [9000, 2 << 20] {
        let place = Place::new();
        let path = place.file("file");
        write_file(&path, 1, length);
        let mut user = User::new(WRITES_MAPPED, &path);
        place.all("archive").expect(0);
        std::thread::sleep(Duration::from_millis(100));
        user.go_on();
        drop(user);
        assert_eq!(place.word(&path), "dirty", "{length} bytes");
        place.all("archive").expect(0);
        place.all("release").expect(0);
        place.all("restore").expect(0);
        assert_eq!(fs::read(&path).unwrap()[7..9], *b"12");
    }
}
