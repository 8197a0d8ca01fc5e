//! The pair, and Unix sockets.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::{AMPLE, meet, talk, unix};
use crate::listener::Users;
use crate::{Address, Error, Identity, ListenOptions, Listener, Stream, connect};

#[tokio::test]
async fn a_pair_talks() {
    let (mut one, mut other) = Stream::pair().unwrap();
    talk(&mut one, &mut other).await;
}

#[tokio::test]
async fn a_socket_talks_and_tells_the_user() {
    let folder = tempfile::tempdir().unwrap();
    let listener = Listener::bind(&unix(&folder), ListenOptions::default()).await.unwrap();
    let (accepted, connected) = meet(&listener, None).await;
    let (mut one, seen) = accepted.unwrap();
    let (mut other, listening) = connected.unwrap();
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    let us = Identity::Local { uid, gid, pid: Some(std::process::id() as i32) };
    assert_eq!((&seen, &listening), (&us, &us));
    talk(&mut one, &mut other).await;
}

#[tokio::test]
async fn a_socket_has_its_mode_and_goes_with_its_listener() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dray.sock");
    for mode in [0o600, 0o660] {
        let options = ListenOptions { mode, ..ListenOptions::default() };
        let listener = Listener::bind(&unix(&folder), options).await.unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, mode);
        drop(listener);
        assert!(!path.exists());
    }
}

#[tokio::test]
async fn a_socket_in_use_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let bind = || async { Listener::bind(&unix(&folder), ListenOptions::default()).await };
    let first = bind().await.unwrap();
    assert!(matches!(bind().await, Err(Error::InUse { .. })));
    let (accepted, connected) = meet(&first, None).await;
    assert!(accepted.is_ok() && connected.is_ok());
    drop(first);

    // One who knows nothing of the lock.
    let other = std::os::unix::net::UnixListener::bind(folder.path().join("dray.sock")).unwrap();
    assert!(matches!(bind().await, Err(Error::InUse { .. })));
    drop(other);
    // Its socket is there still, and dead.
    bind().await.unwrap();
}

#[tokio::test]
async fn a_file_is_no_dead_socket() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("dray.sock"), "precious").unwrap();
    let bound = Listener::bind(&unix(&folder), ListenOptions::default()).await;
    assert!(matches!(bound, Err(Error::NotASocket { .. })));
    assert_eq!(std::fs::read(folder.path().join("dray.sock")).unwrap(), b"precious");
}

#[tokio::test]
async fn nobody_listens() {
    let folder = tempfile::tempdir().unwrap();
    let error = connect(&unix(&folder), None, AMPLE).await.unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    assert!(error.advice().contains("start the daemon"));
}

#[test]
fn users_who_may() {
    let users = Users { own: 7, allowed: vec![1000, 1001] };
    for (uid, may) in [(0, true), (7, true), (1000, true), (1001, true), (8, false)] {
        assert_eq!(users.may(uid), may, "{uid}");
    }
}

/// Set for the child that `a_foreign_user_is_refused` starts.
const SOCKET: &str = "DRAY_LINK_TEST_SOCKET";
const NOBODY: u32 = 65534;

/// The child's part. Alone it does nothing.
#[tokio::test]
async fn as_another_user() {
    let Ok(path) = std::env::var(SOCKET) else { return };
    let refused = connect(&Address::Unix(path.into()), None, AMPLE).await;
    assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_foreign_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return; // Becoming another user takes root; `users_who_may` holds everywhere.
    }
    let folder = tempfile::tempdir().unwrap();
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).unwrap();
    let options = ListenOptions { mode: 0o666, ..ListenOptions::default() };
    let listener = Listener::bind(&unix(&folder), options).await.unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::local::as_another_user"])
        .env(SOCKET, folder.path().join("dray.sock"))
        .stdout(std::process::Stdio::null())
        .uid(NOBODY)
        .spawn();
    // The other user may not reach the build folder.
    let Ok(mut child) = child else { return };
    let pending = tokio::time::timeout(AMPLE, listener.accept()).await;
    let refused = pending.expect("the child connects").unwrap().establish(AMPLE).await;
    assert!(matches!(refused, Err(Error::ForeignUser { uid: NOBODY, .. })), "{refused:?}");
    let status = tokio::task::spawn_blocking(move || child.wait()).await.unwrap();
    assert!(status.unwrap().success());
}
