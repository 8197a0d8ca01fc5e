//! `dray copy`: every size between files and LUNs, and copies that must be refused.
#![forbid(unsafe_code)]
// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::Path;

use dray_e2e::{
    LoopDevice, Mount, ODD_SIZES, Output, Place, assert_content, content, need_root, need_tool,
    write_file, write_sparse,
};

/// Block devices have whole sectors.
const SECTOR: u64 = 512;

fn copy(place: &Place, source: &Path, target: &Path) -> Output {
    let words = [OsStr::new("copy"), OsStr::new("--verify")];
    place.run(words.into_iter().chain([source.as_os_str(), target.as_os_str()]))
}

/// The first bytes of a LUN, as the device has them.
fn read_lun(lun: &LoopDevice, length: u64) -> Vec<u8> {
    let mut found = vec![0; length as usize];
    let mut file = fs::File::open(&lun.path).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_exact(&mut found).unwrap();
    found
}

#[test]
fn files_of_all_sizes_are_copied_to_files() {
    let place = Place::new();
    for size in ODD_SIZES {
        let (source, target) = (place.file("source"), place.file(&format!("target-{size}")));
        write_file(&source, size, size);
        let report = copy(&place, &source, &target).expect(0).json();
        assert_eq!(report["verified"], true);
        assert_content(&target, size, size);
        assert_eq!(fs::metadata(&target).unwrap().mode(), fs::metadata(&source).unwrap().mode());
        // Over what is there, which was longer.
        write_file(&target, 9, size + 100_000);
        copy(&place, &source, &target).expect(0);
        assert_content(&target, size, size);
    }
    let left: Vec<_> = fs::read_dir(&place.fs).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left.len(), ODD_SIZES.len() + 1, "something was left: {left:?}");
}

#[test]
fn holes_are_copied_as_holes() {
    let place = Place::new();
    let (source, target) = (place.file("source"), place.file("target"));
    write_sparse(&source, 1, 300 << 20, &[(4096, 100), (100 << 20, 3 << 20), ((300 << 20) - 1, 1)]);
    let report = copy(&place, &source, &target).expect(0).json();
    assert!(report["holes"].as_u64().unwrap() > 300_000_000, "{report}");
    assert_eq!(dray_e2e::hash_file(&source), dray_e2e::hash_file(&target));
    assert!(fs::metadata(&target).unwrap().blocks() * 512 < 8 << 20);
}

#[test]
fn files_are_copied_to_luns_and_back() {
    if !need_root("files_are_copied_to_luns_and_back") {
        return;
    }
    let place = Place::new();
    let lun = LoopDevice::new(&place.path().join("lun"), 8 << 20);
    let back = place.file("back");
    for size in ODD_SIZES {
        let source = place.file("source");
        write_file(&source, size, size);
        copy(&place, &source, &lun.path).expect(0);
        assert_eq!(read_lun(&lun, size), content(size, size), "{size}");
        let whole = fs::read(&lun.file).unwrap();
        copy(&place, &lun.path, &back).expect(0);
        assert!(fs::read(&back).unwrap() == whole, "{size} bytes to a LUN and back");
    }
}

/// A LUN need not be whole blocks of 4096.
#[test]
fn luns_of_odd_sizes_are_copied() {
    if !need_root("luns_of_odd_sizes_are_copied") {
        return;
    }
    let place = Place::new();
    for (index, bytes) in
        [SECTOR, 4096, (1 << 20) - SECTOR, (3 << 20) + SECTOR].into_iter().enumerate()
    {
        let file = |name: &str| place.path().join(format!("{name}-{index}"));
        write_file(&file("from"), bytes, bytes);
        let from = LoopDevice::attach(&file("from"));
        let to = LoopDevice::new(&file("to"), bytes);
        copy(&place, &from.path, &to.path).expect(0);
        assert!(read_lun(&to, bytes) == content(bytes, bytes), "LUN to LUN, {bytes} bytes");
        copy(&place, &from.path, &place.file("target")).expect(0);
        let found = fs::read(place.file("target")).unwrap();
        assert!(found == content(bytes, bytes), "LUN to file, {bytes} bytes");
        // What lies behind a shorter copy stays.
        let larger = LoopDevice::new(&file("larger"), 4 << 20);
        write_file(&file("other"), 77, 4 << 20);
        copy(&place, &file("other"), &larger.path).expect(0);
        copy(&place, &from.path, &larger.path).expect(0);
        let found = read_lun(&larger, 4 << 20);
        assert!(found[..bytes as usize] == content(bytes, bytes), "{bytes} bytes");
        assert!(found[bytes as usize..] == content(77, 4 << 20)[bytes as usize..], "{bytes} bytes");
    }
}

/// A file that ends within a block: what follows on the LUN is nobody's business.
#[test]
fn a_file_leaves_what_follows_it_on_a_lun() {
    if !need_root("a_file_leaves_what_follows_it_on_a_lun") {
        return;
    }
    let place = Place::new();
    let lun = LoopDevice::new(&place.path().join("lun"), 4 << 20);
    let (first, second) = (place.file("first"), place.file("second"));
    write_file(&first, 1, 4 << 20);
    write_file(&second, 2, (1 << 20) + 513);
    copy(&place, &first, &lun.path).expect(0);
    copy(&place, &second, &lun.path).expect(0);
    let (found, end) = (read_lun(&lun, 4 << 20), (1 << 20) + 513);
    assert!(found[..end] == content(2, end as u64));
    // The rest of the block is zeros, as it cannot be told how long the file was; no more.
    let block = end.next_multiple_of(4096);
    assert!(found[block..] == content(1, 4 << 20)[block..], "more than a block was overwritten");
}

#[test]
fn a_hole_reaches_a_lun_as_zeros() {
    if !need_root("a_hole_reaches_a_lun_as_zeros") {
        return;
    }
    let place = Place::new();
    let lun = LoopDevice::new(&place.path().join("lun"), 4 << 20);
    let (full, sparse) = (place.file("full"), place.file("sparse"));
    write_file(&full, 1, 4 << 20);
    write_sparse(&sparse, 2, 4 << 20, &[(8192, 4096), (2 << 20, 70_000)]);
    copy(&place, &full, &lun.path).expect(0);
    copy(&place, &sparse, &lun.path).expect(0);
    assert!(read_lun(&lun, 4 << 20) == fs::read(&sparse).unwrap(), "old data shows in a hole");
}

#[test]
fn something_is_not_copied_onto_itself() {
    let place = Place::new();
    let (file, hard, soft) = (place.file("file"), place.file("hard"), place.file("soft"));
    write_file(&file, 1, 2 << 20);
    fs::hard_link(&file, &hard).unwrap();
    symlink("file", &soft).unwrap();
    let relative = place.file("../fs/./file");
    for target in [&file, &hard, &soft, &relative, &place.fs] {
        copy(&place, &file, target).expect(1).says("are the same");
        copy(&place, target, &file).code.filter(|code| *code != 0).expect("refused");
        assert_content(&file, 1, 2 << 20);
    }
    if !need_root("something_is_not_copied_onto_itself") {
        return;
    }
    let lun = LoopDevice::attach(&file);
    let node = place.path().join("node");
    symlink(&lun.path, &node).unwrap();
    for target in [&lun.path, &node] {
        copy(&place, &lun.path, target).expect(1).says("are the same");
    }
    assert_content(&file, 1, 2 << 20);
}

/// Two devices of one file, or a device and its file, are the same bytes, which cannot always be
/// told; they stay as they are.
#[test]
fn a_lun_copied_onto_its_own_backing_keeps_its_data() {
    if !need_root("a_lun_copied_onto_its_own_backing_keeps_its_data") {
        return;
    }
    let place = Place::new();
    let file = place.path().join("backing");
    write_file(&file, 1, 2 << 20);
    let (one, two) = (LoopDevice::attach(&file), LoopDevice::attach(&file));
    for (source, target) in [(&one.path, &two.path), (&file, &one.path), (&one.path, &file)] {
        copy(&place, source, target);
        let name = (source.display(), target.display());
        assert!(fs::read(&file).unwrap() == content(1, 2 << 20), "{name:?}: data is gone");
    }
}

#[test]
fn a_lun_that_is_too_small_is_left_alone() {
    if !need_root("a_lun_that_is_too_small_is_left_alone") {
        return;
    }
    let place = Place::new();
    write_file(&place.path().join("lun"), 5, 1 << 20);
    let lun = LoopDevice::attach(&place.path().join("lun"));
    let source = place.file("source");
    for size in [(1 << 20) + 1, 3 << 20] {
        write_file(&source, 1, size);
        let output = copy(&place, &source, &lun.path).expect(1).says("are needed");
        assert!(output.stderr.contains("1048576"), "{}", output.stderr);
        assert!(read_lun(&lun, 1 << 20) == content(5, 1 << 20), "it was written to");
    }
    write_file(&source, 1, 1 << 20);
    copy(&place, &source, &lun.path).expect(0);
    assert!(read_lun(&lun, 1 << 20) == content(1, 1 << 20));
}

#[test]
fn a_mounted_lun_is_left_alone() {
    let name = "a_mounted_lun_is_left_alone";
    if !need_root(name) || !need_tool(name, "mkfs.ext4") {
        return;
    }
    let place = Place::bare();
    let lun = LoopDevice::new(&place.path().join("lun"), 32 << 20).format("ext4");
    let mount = Mount::new(lun, &place.path().join("mount"));
    let (kept, source) = (mount.path.join("kept"), place.file("source"));
    write_file(&kept, 1, 100_000);
    write_file(&source, 2, 1 << 20);
    copy(&place, &source, &mount.device.path).expect(1).says("is mounted");
    copy(&place, &mount.device.path, &source).expect(1).says("is mounted");
    let words = ["init", "--force", "--fs"].map(OsStr::new).into_iter();
    let words = words.chain([place.fs.as_os_str(), OsStr::new("--archive")]);
    place.run(words.chain([mount.device.path.as_os_str()])).expect(3).says("is mounted");
    assert_content(&kept, 1, 100_000);
    assert_content(&source, 2, 1 << 20);
}

#[test]
fn a_copy_that_fails_leaves_the_old_file() {
    if !need_root("a_copy_that_fails_leaves_the_old_file") {
        return;
    }
    let place = Place::new();
    let memory = dray_e2e::Tmpfs::new(&place.path().join("small"), 4 << 20);
    let (source, target) = (place.file("source"), memory.path.join("target"));
    write_file(&source, 1, 8 << 20);
    write_file(&target, 2, 1 << 20);
    copy(&place, &source, &target).expect(1).says("No space left");
    assert_content(&target, 2, 1 << 20);
    assert_eq!(fs::read_dir(&memory.path).unwrap().count(), 1, "something was left");
    let missing = place.file("not there");
    copy(&place, &missing, &target).expect(1).says("cannot find");
    copy(&place, &place.fs, &target).expect(2).says("neither a file nor a LUN");
    let file = fs::File::open(&target).unwrap();
    let mut bytes = [0; 16];
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!(bytes[..], content(2, 16));
}

/// Zeros must not go on under another name as if they were the content.
#[test]
fn dray_copy_does_not_copy_the_zeros_of_a_released_file() {
    let place = Place::new();
    let (path, copy) = (place.file("file"), place.path().join("copy"));
    write_file(&path, 1, 3 << 20);
    place.all("archive").expect(0);
    place.all("release").expect(0);
    let output = place.run([OsStr::new("copy"), path.as_os_str(), copy.as_os_str()]);
    let right = output.code != Some(0) && !copy.exists()
        || output.code == Some(0) && fs::read(&copy).unwrap() == content(1, 3 << 20);
    assert!(right, "{:?}: {}", output.code, output.stderr);
}
