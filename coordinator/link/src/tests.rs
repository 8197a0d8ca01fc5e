//! Links over real sockets of this machine, and certificates in temporary folders.

mod address;
mod authority;
mod local;
mod refusals;
mod roles;
mod tls;

use std::path::PathBuf;
use std::time::Duration;

use rcgen::CertificateParams;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::credentials::Parts;
use crate::{
    Address, Authority, Credentials, Identity, ListenOptions, Listener, Result, Role, Stream,
    connect,
};

/// Longer than anything takes on a busy machine; only a broken test waits for it.
const AMPLE: Duration = Duration::from_secs(20);

/// An authority and what it issues.
struct Cluster {
    folder: TempDir,
    authority: Authority,
}

impl Cluster {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::create(&folder.path().join("authority")).unwrap();
        Self { folder, authority }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn issue(&self, role: Role, name: &str) -> Credentials {
        let out = self.path(name);
        self.authority.issue(role, name, &out).unwrap();
        Credentials::load_from(&out).unwrap()
    }

    /// What no honest authority issues, and no honest end loads.
    fn forge(&self, params: &CertificateParams, folder: &str) -> Credentials {
        let out = self.path(folder);
        self.authority.issue_params(params, &out).unwrap();
        unchecked(&out.join("ca.pem"), &out)
    }

    async fn listen(&self) -> Listener {
        listen(self.issue(Role::Node, "server")).await
    }
}

fn unchecked(ca: &std::path::Path, folder: &std::path::Path) -> Credentials {
    let parts = Parts::read(ca, &folder.join("cert.pem"), &folder.join("key.pem"));
    parts.unwrap().assemble().unwrap()
}

async fn listen(credentials: Credentials) -> Listener {
    let options = ListenOptions { credentials: Some(credentials), ..ListenOptions::default() };
    Listener::bind(&"tcp:127.0.0.1:0".parse().unwrap(), options).await.unwrap()
}

type Outcome = Result<(Stream, Identity)>;

/// What the listener makes of one who connects, and what that one gets.
async fn meet(listener: &Listener, credentials: Option<&Credentials>) -> (Outcome, Outcome) {
    let address = listener.address().unwrap();
    let accepts = async { listener.accept().await?.establish(AMPLE).await };
    tokio::join!(accepts, connect(&address, credentials, AMPLE))
}

async fn send(from: &mut Stream, to: &mut Stream) {
    // More than a TLS record and than a socket holds, so that both sides must take turns.
    let sent: Vec<u8> = (0..300_000_u32).map(|at| at as u8).collect();
    let mut got = vec![0; sent.len()];
    let writes = async {
        from.write_all(&sent).await?;
        from.flush().await
    };
    let (wrote, read) = tokio::join!(writes, to.read_exact(&mut got));
    wrote.unwrap();
    read.unwrap();
    assert!(sent == got);
}

async fn talk(one: &mut Stream, other: &mut Stream) {
    send(one, other).await;
    send(other, one).await;
    one.shutdown().await.unwrap();
    assert_eq!(other.read(&mut [0]).await.unwrap(), 0);
}

fn unix(folder: &TempDir) -> Address {
    Address::Unix(folder.path().join("dray.sock"))
}

fn node(name: &str) -> Identity {
    Identity::Node { name: name.into() }
}

fn client(name: &str) -> Identity {
    Identity::Client { name: name.into() }
}
