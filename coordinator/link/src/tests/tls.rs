//! Links that come about, and peers that take their time.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{AMPLE, Cluster, client, meet, node, talk};
use crate::{Address, Error, ListenOptions, Listener, Role, connect};

const SHORT: Duration = Duration::from_millis(200);

async fn dial(listener: &Listener) -> TcpStream {
    let Address::Tcp { host, port } = listener.address().unwrap() else { panic!("it is TCP") };
    TcpStream::connect((host.as_str(), port)).await.unwrap()
}

#[tokio::test]
async fn both_ends_learn_names() {
    let cluster = Cluster::new();
    let listener = cluster.listen().await;
    for (role, name, seen) in
        [(Role::Client, "ops", client("ops")), (Role::Node, "n-2", node("n-2"))]
    {
        let credentials = cluster.issue(role, name);
        assert_eq!(credentials.identity(), seen);
        let (accepted, connected) = meet(&listener, Some(&credentials)).await;
        let (mut one, who) = accepted.unwrap();
        let (mut other, server) = connected.unwrap();
        assert_eq!((who, server), (seen, node("server")));
        talk(&mut one, &mut other).await;
    }
}

#[tokio::test]
async fn a_slow_peer_keeps_nobody_waiting() {
    let cluster = Cluster::new();
    let listener = cluster.listen().await;
    let _slow = dial(&listener).await;
    let slow = listener.accept().await.unwrap();
    let waits = tokio::spawn(slow.establish(SHORT));
    let ops = cluster.issue(Role::Client, "ops");
    let (accepted, connected) = meet(&listener, Some(&ops)).await;
    assert!(accepted.is_ok() && connected.is_ok());
    let started = Instant::now();
    let timed_out = waits.await.unwrap();
    assert!(matches!(timed_out, Err(Error::Timeout { .. })), "{timed_out:?}");
    assert!(started.elapsed() < AMPLE);
}

#[tokio::test]
async fn a_listener_that_says_nothing_is_given_up() {
    let cluster = Cluster::new();
    let ops = cluster.issue(Role::Client, "ops");
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp:{}", silent.local_addr().unwrap()).parse().unwrap();
    let timed_out = connect(&address, Some(&ops), SHORT).await;
    assert!(matches!(timed_out, Err(Error::Timeout { .. })), "{timed_out:?}");
}

#[tokio::test]
async fn a_peer_without_tls_gets_no_welcome() {
    let cluster = Cluster::new();
    let listener = cluster.listen().await;
    let mut plain = dial(&listener).await;
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let refused = listener.accept().await.unwrap().establish(AMPLE).await;
    assert!(matches!(refused, Err(Error::Handshake { .. })), "{refused:?}");
    let mut got = Vec::new();
    // An alert or a reset, and the end.
    let _ = plain.read_to_end(&mut got).await;
    assert!(got.first() != Some(&b'd'));
}

#[tokio::test]
async fn tcp_needs_credentials_and_listening_a_node() {
    let cluster = Cluster::new();
    let address: Address = "tcp:127.0.0.1:0".parse().unwrap();
    let without = Listener::bind(&address, ListenOptions::default()).await;
    assert!(matches!(without, Err(Error::NoCredentials { .. })));
    let without = connect(&address, None, AMPLE).await;
    assert!(matches!(without, Err(Error::NoCredentials { .. })));
    let credentials = Some(cluster.issue(Role::Client, "ops"));
    let options = ListenOptions { credentials, ..ListenOptions::default() };
    let as_client = Listener::bind(&address, options).await;
    assert!(matches!(as_client, Err(Error::ClientListens { .. })));
}
