use std::path::Path;

use dray_io::{Access, Aligned, Files, Range};

use super::{files, filled};

const MIB: u64 = 1 << 20;

pub(crate) fn holes_are_found(dir: &Path) {
    let files = files();
    let file = filled(&files, &dir.join("sparse"), b"", Access::Write);
    files.truncate(&file, 4 * MIB).unwrap();
    assert_eq!(files.next_data(&file, 0).unwrap(), None);
    files.write_at(&file, &[7; 65536], MIB).unwrap();
    files.sync(&file).unwrap();
    let data = files.next_data(&file, 0).unwrap().unwrap();
    assert_eq!(data, Range::new(MIB, MIB + 65536));
    let rest = files.next_data(&file, MIB + 5).unwrap().unwrap();
    assert_eq!(rest, Range::new(MIB + 5, MIB + 65536));
    assert_eq!(files.next_data(&file, MIB + 65536).unwrap(), None);
    assert_eq!(files.next_data(&file, 9 * MIB).unwrap(), None);
}

pub(crate) fn direct_reads_end_at_the_end(dir: &Path) {
    let files = files();
    for size in [0, 1, 512, 4096, 5000, 8192, 70_000] {
        let bytes: Vec<u8> = (0..size).map(|at| at as u8 | 1).collect();
        let file = filled(&files, &dir.join(size.to_string()), &bytes, Access::ReadDirect);
        let mut buffer = Aligned::new(128 * 1024);
        assert_eq!(files.read_at(&file, &mut buffer, 0).unwrap(), bytes.len());
        assert_eq!(&buffer[..bytes.len()], bytes);
    }
    let file = files.create(&dir.join("written"), true).unwrap();
    let block = Aligned::new(4096);
    files.write_at(&file, &block, 4096).unwrap();
    files.truncate(&file, 5000).unwrap();
    let again = files.open(&dir.join("written"), Access::WriteDirect).unwrap();
    assert_eq!(again.is_direct(), file.is_direct());
    let mut buffer = Aligned::new(16384);
    assert_eq!(files.read_at(&again, &mut buffer, 0).unwrap(), 5000);
}

pub(crate) fn allocated_space_reads_as_zeros(dir: &Path) {
    let files = files();
    let file = filled(&files, &dir.join("space"), b"head", Access::Write);
    files.allocate(&file, Range::new(0, 2 * MIB)).unwrap();
    files.allocate(&file, Range::new(5, 5)).unwrap();
    let stat = files.stat(&file).unwrap();
    assert_eq!(stat.size, 2 * MIB);
    assert!(stat.allocated >= 2 * MIB || stat.allocated < 65536, "{}", stat.allocated);
    let mut buffer = vec![1; 100];
    assert_eq!(files.read_at(&file, &mut buffer, 0).unwrap(), 100);
    assert_eq!((&buffer[..4], &buffer[4..]), (&b"head"[..], &[0; 96][..]));
}

pub(crate) fn punched_ranges_keep_the_size(dir: &Path) {
    let files = files();
    let file = filled(&files, &dir.join("full"), &vec![3; MIB as usize + 100], Access::Write);
    files.sync(&file).unwrap();
    let before = files.stat(&file).unwrap();
    files.punch(&file, Range::new(4096, MIB + 100)).unwrap();
    let after = files.stat(&file).unwrap();
    assert_eq!(after.size, before.size);
    assert!(after.allocated < before.allocated, "{} {}", after.allocated, before.allocated);
    let mut buffer = vec![1; 8192];
    files.read_at(&file, &mut buffer, 0).unwrap();
    assert_eq!((buffer[4095], buffer[4096]), (3, 0));
    assert_eq!(files.read_at(&file, &mut buffer, MIB + 50).unwrap(), 50);
    assert!(buffer[..50].iter().all(|byte| *byte == 0));
}
