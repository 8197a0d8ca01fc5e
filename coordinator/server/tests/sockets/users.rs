//! Users of this machine who may not use the socket.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use dray_client::{Address, Client, Error, Options};
use dray_link::ListenOptions;

use crate::party::{Place, Witness, run};

/// Set for the child.
const SOCKET: &str = "DRAY_SERVER_TEST_SOCKET";
const ROLE: &str = "DRAY_SERVER_TEST_ROLE";
const NOBODY: u32 = 65534;

/// The child's part. Alone it does nothing.
#[test]
fn as_another_user() {
    let (Ok(path), Ok(role)) = (std::env::var(SOCKET), std::env::var(ROLE)) else { return };
    let address = Address::Unix(path.into());
    run(async {
        let options = if role == "client" { Options::client("c") } else { Options::node("n1") };
        let outcome = Client::connect(&address, None, &options).await;
        match role.as_str() {
            "client" => outcome.unwrap().0.ping().await.unwrap(),
            "node" => {
                let reason = outcome.unwrap_err().reason();
                assert_eq!(reason, Some(dray_wire::Reason::NOT_ALLOWED));
            }
            _ => assert!(matches!(outcome, Err(Error::Link(_))), "{outcome:?}"),
        }
    });
}

/// Runs the child's part as nobody; false if that cannot be done here.
fn as_nobody(place: &Place, role: &str) -> bool {
    let child = Command::new("setpriv")
        .arg(format!("--reuid={NOBODY}"))
        .args(["--clear-groups", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "users::as_another_user"])
        .env(SOCKET, place.folder.path().join("dray.sock"))
        .env(ROLE, role)
        .stdin(Stdio::null())
        .output();
    let Ok(output) = child else {
        println!("left out: there is no setpriv");
        return false;
    };
    if output.status.code() == Some(127) || output.status.code() == Some(126) {
        println!("left out: nobody cannot run this file");
        return false;
    }
    assert!(output.status.success(), "{role}: {}", String::from_utf8_lossy(&output.stdout));
    true
}

fn open_place(allow_uids: Vec<u32>) -> Place {
    let options = ListenOptions { mode: 0o666, allow_uids, ..ListenOptions::default() };
    let place = Place::with(Default::default(), options);
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(place.folder.path(), open).unwrap();
    place
}

#[test]
fn a_foreign_user_gets_nothing_and_an_allowed_one_is_no_node() {
    if !rustix::process::geteuid().is_root() {
        println!("left out: becoming another user takes root");
        return;
    }
    let (closed, open) = (open_place(Vec::new()), open_place(vec![NOBODY]));
    run(async {
        let witness = Witness::of(&closed).await;
        let children = tokio::task::spawn_blocking(move || {
            let ran = as_nobody(&closed, "nothing")
                && as_nobody(&open, "client")
                && as_nobody(&open, "node");
            (ran, closed, open)
        });
        let (ran, closed, _open) = children.await.unwrap();
        println!("as another user: {ran}");
        witness.unharmed("a foreign user").await;
        drop(closed);
    });
}
