//! Peers that must get nothing.

use std::sync::Arc;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{AMPLE, Cluster, Outcome, client, listen, meet, node, unchecked};
use crate::authority::leaf_params;
use crate::credentials::{certificates, dialled};
use crate::verify::{MustBeNode, provider};
use crate::{Address, Credentials, Error, Role, connect};

fn untrusted(outcome: &Outcome) -> bool {
    matches!(outcome, Err(Error::Untrusted { .. }))
}

fn refused(outcome: &Outcome) -> bool {
    matches!(outcome, Err(Error::Refused { .. }))
}

fn expired(role: Role) -> CertificateParams {
    let mut params = leaf_params(role, "late");
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2022, 1, 1);
    params
}

/// What `connect` makes of a server that does not look at its own certificate.
async fn dial_rogue(server: Credentials, own: &Credentials) -> Outcome {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: Address = socket.local_addr().unwrap().to_string().parse().unwrap();
    let serves = async {
        let (stream, _) = socket.accept().await.unwrap();
        TlsAcceptor::from(server.server.clone()).accept(stream).await.map(drop)
    };
    let (served, outcome) = tokio::join!(serves, connect(&address, Some(own), AMPLE));
    assert!(served.is_err(), "the server must learn that it was refused");
    outcome
}

#[tokio::test]
async fn a_peer_without_a_certificate() {
    let cluster = Cluster::new();
    let listener = cluster.listen().await;
    let ca = cluster.path("authority/ca.pem");
    let mut roots = RootCertStore::empty();
    roots.add(certificates(&ca, &std::fs::read(&ca).unwrap()).unwrap().remove(0)).unwrap();
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(MustBeNode::new(Arc::new(roots)).unwrap()))
        .with_no_client_auth();
    let Address::Tcp { host, port } = listener.address().unwrap() else { panic!("it is TCP") };
    let anonymous = async {
        let stream = TcpStream::connect((host.as_str(), port)).await.unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(dialled(), stream).await?;
        stream.read_u8().await
    };
    let accepts = async { listener.accept().await?.establish(AMPLE).await };
    let (accepted, got) = tokio::join!(accepts, anonymous);
    assert!(untrusted(&accepted), "{accepted:?}");
    assert!(got.is_err(), "{got:?}");
}

#[tokio::test]
async fn a_client_of_another_cluster() {
    let (ours, theirs) = (Cluster::new(), Cluster::new());
    let listener = ours.listen().await;
    let foreign = theirs.issue(Role::Client, "ops");
    // It does not trust us, and we learn that.
    let (accepted, connected) = meet(&listener, Some(&foreign)).await;
    assert!(refused(&accepted), "{accepted:?}");
    assert!(untrusted(&connected), "{connected:?}");
    // Trusting us does not help it.
    let mixed = unchecked(&ours.path("authority/ca.pem"), &theirs.path("ops"));
    let (accepted, connected) = meet(&listener, Some(&mixed)).await;
    assert!(untrusted(&accepted), "{accepted:?}");
    assert!(refused(&connected), "{connected:?}");
}

#[tokio::test]
async fn a_node_of_another_cluster() {
    let (ours, theirs) = (Cluster::new(), Cluster::new());
    theirs.issue(Role::Node, "n1");
    let rogue = unchecked(&ours.path("authority/ca.pem"), &theirs.path("n1"));
    let outcome = dial_rogue(rogue, &ours.issue(Role::Client, "ops")).await;
    assert!(untrusted(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn a_client_that_plays_a_node() {
    let cluster = Cluster::new();
    let ops = cluster.issue(Role::Client, "ops");
    let outcome = dial_rogue(cluster.issue(Role::Client, "mallory"), &ops).await;
    assert!(matches!(outcome, Err(Error::WrongRole { .. })), "{outcome:?}");
    // By its name alone.
    let mut params = leaf_params(Role::Client, "eve");
    params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    let outcome = dial_rogue(cluster.forge(&params, "eve"), &ops).await;
    assert!(matches!(outcome, Err(Error::WrongRole { .. })), "{outcome:?}");
    // By its usages alone.
    let mut params = leaf_params(Role::Node, "trudy");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let outcome = dial_rogue(cluster.forge(&params, "trudy"), &ops).await;
    assert!(untrusted(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn a_client_whose_certificate_tells_no_role() {
    let cluster = Cluster::new();
    let listener = cluster.listen().await;
    // `read` would refuse it too, so another's file is replaced after reading.
    let mut params = leaf_params(Role::Client, "ops");
    params.subject_alt_names.push(rcgen::SanType::DnsName("node.ops.dray".try_into().unwrap()));
    let out = cluster.path("both");
    cluster.authority.issue_params(&params, &out).unwrap();
    let loaded = Credentials::load_from(&out);
    assert!(matches!(loaded, Err(Error::BadCredentials { .. })), "{loaded:?}");
    let two_faced = super::roles::with_chain_of(&cluster, &out);
    let (accepted, connected) = meet(&listener, Some(&two_faced)).await;
    assert!(matches!(accepted, Err(Error::WrongRole { .. })), "{accepted:?}");
    assert!(refused(&connected), "{connected:?}");
}

#[tokio::test]
async fn expired_certificates() {
    let cluster = Cluster::new();
    let listener = cluster.listen().await;
    let late = cluster.forge(&expired(Role::Client), "late-client");
    let (accepted, connected) = meet(&listener, Some(&late)).await;
    assert!(untrusted(&accepted), "{accepted:?}");
    assert!(refused(&connected), "{connected:?}");

    let listener = listen(cluster.forge(&expired(Role::Node), "late-node")).await;
    let ops = cluster.issue(Role::Client, "ops");
    let (accepted, connected) = meet(&listener, Some(&ops)).await;
    assert!(refused(&accepted), "{accepted:?}");
    assert!(untrusted(&connected), "{connected:?}");

    // Their owners learn it first.
    for folder in ["late-client", "late-node"] {
        let loaded = Credentials::load_from(&cluster.path(folder));
        assert!(matches!(loaded, Err(Error::BadCredentials { .. })), "{loaded:?}");
    }
}

#[tokio::test]
async fn the_refused_do_not_spoil_the_listener() {
    let (ours, theirs) = (Cluster::new(), Cluster::new());
    let listener = ours.listen().await;
    let foreign = theirs.issue(Role::Node, "n1");
    let (accepted, _) = meet(&listener, Some(&foreign)).await;
    assert!(accepted.is_err());
    let ops = ours.issue(Role::Client, "ops");
    let (accepted, connected) = meet(&listener, Some(&ops)).await;
    assert_eq!(accepted.unwrap().1, client("ops"));
    assert_eq!(connected.unwrap().1, node("server"));
}
