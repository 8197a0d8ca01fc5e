//! What holds without privilege; run in a process that has none.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use dray_fs::{Attributes, Node};
use dray_io::{Access, Files, Range, Time};

use super::{files, filled, is_root};

pub(crate) fn own_read_only_files_can_be_moved(dir: &Path) {
    assert!(!is_root());
    let files = files();
    assert_eq!(files.attribute_name(), "user.dray");
    for mode in [0o444, 0o4511, 0o000] {
        let path = dir.join(format!("{mode:o}"));
        drop(filled(&files, &path, &[1; 8192], Access::Inspect));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let named = files.open(&path, Access::Inspect).unwrap();
        let mode_is = || files.stat(&named).unwrap().mode;
        files.set_attribute(&named, b"state").unwrap();
        assert_eq!(mode_is(), mode);
        if mode & 0o400 != 0 {
            let reading = files.open(&path, Access::ReadDirect).unwrap();
            assert_eq!(files.attribute(&reading).unwrap(), Some(b"state".to_vec()));
            files.set_attribute(&reading, b"again").unwrap();
        }
        match files.open(&path, Access::Invisible) {
            Ok(writing) => {
                assert!(!writing.is_invisible());
                files.lease(&writing).unwrap();
                files.punch(&writing, Range::new(0, 8192)).unwrap();
            }
            Err(error) => assert_eq!(mode & 0o400, 0, "{error}"),
        }
        files.remove_attribute(&named).unwrap();
        // Writing takes set-user-ID off, as for anyone without privilege.
        assert_eq!(mode_is(), mode & 0o777);
    }
}

pub(crate) fn what_is_refused_is_told(dir: &Path) {
    let files = files();
    let path = dir.join("directory");
    files.make(&path, Node::Directory).unwrap();
    let time = Time { seconds: 1, nanos: 2 };
    let xattrs =
        [(b"trusted.secret".to_vec(), b"1".to_vec()), (b"user.plain".to_vec(), b"2".to_vec())];
    let wanted = Attributes {
        mode: 0o6755,
        uid: 0,
        gid: 0,
        xattrs: &xattrs,
        accessed: time,
        modified: time,
    };
    let shortfall = files.apply(&path, &wanted).unwrap();
    assert!(shortfall.owner);
    assert_eq!(shortfall.xattrs, [b"trusted.secret".to_vec()]);
    let stat = files.stat(&files.open(&path, Access::Inspect).unwrap()).unwrap();
    assert_eq!((stat.mode, stat.modified), (0o755, time));
}
