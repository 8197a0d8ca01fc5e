use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::{Cluster, node};
use crate::{Authority, Credentials, Error, Role};

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().mode() & 0o777
}

fn make_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_is_issued_can_be_loaded_and_keys_are_private() {
    let cluster = Cluster::new();
    let again = Authority::open(&cluster.path("authority")).unwrap();
    let out = cluster.path("n1");
    again.issue(Role::Node, "n1", &out).unwrap();
    assert_eq!(Credentials::load_from(&out).unwrap().identity(), node("n1"));
    assert_eq!(mode(&cluster.path("authority/ca.key")), 0o600);
    assert_eq!(mode(&out.join("key.pem")), 0o600);
    assert_eq!(mode(&out), 0o700);
    let same = std::fs::read(out.join("ca.pem")).unwrap();
    assert_eq!(same, std::fs::read(cluster.path("authority/ca.pem")).unwrap());
}

#[test]
fn nothing_is_overwritten() {
    let cluster = Cluster::new();
    let folder = cluster.path("authority");
    assert!(matches!(Authority::create(&folder), Err(Error::Exists { .. })));
    std::fs::remove_file(folder.join("ca.pem")).unwrap();
    assert!(matches!(Authority::create(&folder), Err(Error::Exists { .. })));
    assert!(!folder.join("ca.pem").exists());

    let out = cluster.path("n1");
    cluster.authority.issue(Role::Node, "n1", &out).unwrap();
    let before = std::fs::read(out.join("key.pem")).unwrap();
    let again = cluster.authority.issue(Role::Node, "n1", &out);
    assert!(matches!(again, Err(Error::Exists { .. })));
    // Renewal: the old ones are moved away, the same ca.pem may stay.
    for file in ["key.pem", "cert.pem"] {
        std::fs::rename(out.join(file), out.join(format!("old-{file}"))).unwrap();
    }
    cluster.authority.issue(Role::Node, "n1", &out).unwrap();
    assert_ne!(before, std::fs::read(out.join("key.pem")).unwrap());
}

#[test]
fn the_folder_of_another_cluster_is_left_alone() {
    let (ours, theirs) = (Cluster::new(), Cluster::new());
    theirs.issue(Role::Node, "n1");
    let out = theirs.path("n1");
    for file in ["key.pem", "cert.pem"] {
        std::fs::remove_file(out.join(file)).unwrap();
    }
    let issued = ours.authority.issue(Role::Node, "n1", &out);
    assert!(matches!(issued, Err(Error::Exists { .. })));
    assert!(!out.join("key.pem").exists());
}

#[test]
fn bad_names_are_refused() {
    let cluster = Cluster::new();
    for name in ["", "Node", "a.b", "-"] {
        let issued = cluster.authority.issue(Role::Node, name, &cluster.path("out"));
        assert!(matches!(issued, Err(Error::BadName { .. })), "{name}");
    }
    assert!(!cluster.path("out").exists());
}

#[test]
fn keys_that_others_can_read_are_refused() {
    let cluster = Cluster::new();
    cluster.issue(Role::Node, "n1");
    for mode in [0o644, 0o640, 0o620, 0o601] {
        make_mode(&cluster.path("n1/key.pem"), mode);
        let loaded = Credentials::load_from(&cluster.path("n1"));
        assert!(matches!(loaded, Err(Error::OpenKey { .. })), "{loaded:?}");
    }
    make_mode(&cluster.path("n1/key.pem"), 0o400);
    Credentials::load_from(&cluster.path("n1")).unwrap();
    make_mode(&cluster.path("authority/ca.key"), 0o604);
    let opened = Authority::open(&cluster.path("authority"));
    assert!(matches!(opened, Err(Error::OpenKey { .. })));
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let (ours, theirs) = (Cluster::new(), Cluster::new());
    ours.issue(Role::Node, "n1");
    theirs.issue(Role::Node, "n1");
    for file in ["ca.pem", "cert.pem", "key.pem"] {
        let of = |it: &str| if it == file { theirs.path("n1") } else { ours.path("n1") }.join(it);
        let loaded = Credentials::load(&of("ca.pem"), &of("cert.pem"), &of("key.pem"));
        assert!(matches!(loaded, Err(Error::BadCredentials { .. })), "{file}: {loaded:?}");
    }
    let foreign = theirs.path("authority/ca.pem");
    std::fs::copy(foreign, ours.path("authority/ca.pem")).unwrap();
    let opened = Authority::open(&ours.path("authority"));
    assert!(matches!(opened, Err(Error::BadCredentials { .. })));
}

#[test]
fn what_is_no_pem_is_refused() {
    let cluster = Cluster::new();
    cluster.issue(Role::Node, "n1");
    for (file, content) in [("cert.pem", ""), ("key.pem", "nonsense"), ("ca.pem", "nonsense")] {
        let path = cluster.path("n1").join(file);
        let before = std::fs::read(&path).unwrap();
        std::fs::write(&path, content).unwrap();
        let loaded = Credentials::load_from(&cluster.path("n1"));
        assert!(matches!(loaded, Err(Error::BadCredentials { .. })), "{file}: {loaded:?}");
        std::fs::write(&path, before).unwrap();
    }
}
