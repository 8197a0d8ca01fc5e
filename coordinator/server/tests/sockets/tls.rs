//! Over TLS: who has no business here gets nothing.

use std::path::PathBuf;

use dray_client::{Address, Client, Credentials, Error, Options};
use dray_link::{Authority, ListenOptions, Role};
use dray_wire::messages::{CreateSession, Ping};
use dray_wire::{Message, Reason};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::party::{AMPLE, Place, Raw, Witness, frame, hello, run};

struct Cluster {
    authority: Authority,
    folder: tempfile::TempDir,
}

impl Cluster {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::create(&folder.path().join("authority")).unwrap();
        Self { authority, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn issue(&self, role: Role, name: &str) -> Credentials {
        self.authority.issue(role, name, &self.path(name)).unwrap();
        Credentials::load_from(&self.path(name)).unwrap()
    }

    /// A place that listens over TLS beside its Unix socket; where.
    fn place(&self) -> (Place, Address) {
        let place = Place::new();
        let credentials = Some(self.issue(Role::Node, "server"));
        let options = ListenOptions { credentials, ..ListenOptions::default() };
        let address = place.server.listen("tcp:127.0.0.1:0".parse().unwrap(), options).unwrap();
        (place, address)
    }
}

async fn raw(address: &Address, credentials: &Credentials) -> Raw {
    Raw::new(dray_link::connect(address, Some(credentials), AMPLE).await.unwrap().0)
}

#[test]
fn clients_and_nodes_with_their_certificates_are_served() {
    let cluster = Cluster::new();
    let (_place, address) = cluster.place();
    let (ops, n1) = (cluster.issue(Role::Client, "ops"), cluster.issue(Role::Node, "n1"));
    run(async {
        let (client, _) =
            Client::connect(&address, Some(&ops), &Options::client("ops")).await.unwrap();
        client.ping().await.unwrap();
        for options in [Options::node("n1"), Options::client("whatever")] {
            let (node, _) = Client::connect(&address, Some(&n1), &options).await.unwrap();
            node.ping().await.unwrap();
        }
    });
}

#[test]
fn a_role_or_name_of_another_is_refused() {
    let cluster = Cluster::new();
    let (place, address) = cluster.place();
    let (ops, n1) = (cluster.issue(Role::Client, "ops"), cluster.issue(Role::Node, "n1"));
    let cases = [(&ops, "ops"), (&ops, "n1"), (&n1, "n2"), (&n1, "server"), (&n1, "")];
    run(async {
        let witness = Witness::of(&place).await;
        for (credentials, name) in cases {
            let mut raw = raw(&address, credentials).await;
            let hello = frame(hello(dray_wire::Role::NODE, name), 1);
            raw.send(&[hello, frame(CreateSession::default(), 2)].concat()).await;
            raw.refused(1, Reason::NOT_ALLOWED).await;
            raw.closed().await;
        }
        let (client, _) = place.client("other").await;
        assert_eq!(client.sessions().await.unwrap(), []);
        assert_eq!(client.nodes().await.unwrap(), []);
        witness.unharmed("roles of others").await;
    });
}

#[test]
fn bad_frames_over_tls_are_refused_too() {
    let cluster = Cluster::new();
    let (_place, address) = cluster.place();
    let ops = cluster.issue(Role::Client, "ops");
    run(async {
        let mut raw = raw(&address, &ops).await;
        raw.greet().await;
        raw.send(&[frame(Ping::default(), 5), vec![b'x'; 200_000]].concat()).await;
        assert!(matches!(raw.next().await, Some((5, Message::Done(_)))));
        raw.refused(0, Reason::MALFORMED).await;
        raw.closed().await;
    });
}

#[test]
fn a_foreign_authority_gets_nothing() {
    let (ours, theirs) = (Cluster::new(), Cluster::new());
    let (place, address) = ours.place();
    let foreign = theirs.issue(Role::Node, "n1");
    // Trusting us does not help it either.
    let mixed = Credentials::load(
        &ours.path("authority/ca.pem"),
        &theirs.path("n1/cert.pem"),
        &theirs.path("n1/key.pem"),
    );
    assert!(mixed.is_err(), "an honest end does not even load it");
    run(async {
        let witness = Witness::of(&place).await;
        let refused = Client::connect(&address, Some(&foreign), &Options::node("n1")).await;
        assert!(matches!(refused, Err(Error::Link(_))), "{refused:?}");
        witness.unharmed("a foreign authority").await;
    });
}

#[test]
fn without_a_certificate_there_is_nothing() {
    let cluster = Cluster::new();
    let (place, address) = cluster.place();
    let Address::Tcp { host, port } = &address else { panic!("{address}") };
    run(async {
        let witness = Witness::of(&place).await;
        let none = Client::connect(&address, None, &Options::client("none")).await;
        assert!(matches!(none, Err(Error::Link(_))), "{none:?}");
        // Frames without TLS: an alert of TLS at most, and never a frame.
        let mut plain = tokio::net::TcpStream::connect((host.as_str(), *port)).await.unwrap();
        plain.write_all(&frame(hello(dray_wire::Role::CLIENT, "plain"), 1)).await.unwrap();
        let mut got = Vec::new();
        let read = tokio::time::timeout(AMPLE, plain.read_to_end(&mut got)).await;
        assert!(read.is_ok(), "the connection ends");
        assert!(got.len() < 32 && !got.starts_with(b"DRAY"), "{got:?}");
        witness.unharmed("no certificate").await;
    });
}
