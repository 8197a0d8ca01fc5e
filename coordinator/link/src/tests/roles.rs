//! Names in certificates.

use std::path::Path;

use tokio_rustls::rustls::pki_types::CertificateDer;

use super::Cluster;
use crate::credentials::{Parts, certificates};
use crate::names::{Named, RoleFault, check_name, read};
use crate::{Credentials, Role};

/// An end that says it is `ops` to itself, and shows the certificate in `folder`.
pub(super) fn with_chain_of(cluster: &Cluster, folder: &Path) -> Credentials {
    cluster.issue(Role::Client, "honest");
    let honest = cluster.path("honest");
    let ca = honest.join("ca.pem");
    let mut parts = Parts::read(&ca, &honest.join("cert.pem"), &folder.join("key.pem")).unwrap();
    let path = folder.join("cert.pem");
    parts.chain = certificates(&path, &std::fs::read(&path).unwrap()).unwrap();
    parts.assemble().unwrap()
}

fn named(names: &[&str]) -> Result<Named, RoleFault> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    read(made.cert.der())
}

#[test]
fn a_role_is_read_from_its_one_name() {
    let node = Named { role: Role::Node, name: "n1".into() };
    assert_eq!(named(&["node.n1.dray"]), Ok(node.clone()));
    assert_eq!(named(&["n1.example.org", "node.n1.dray"]), Ok(node));
    let client = Named { role: Role::Client, name: "7".into() };
    assert_eq!(named(&["client.7.dray"]), Ok(client));
}

#[test]
fn other_names_tell_no_role() {
    for name in ["n1.example.org", "n1.dray", "server.n1.dray", "node.a.b.dray", "*.n1.dray"] {
        assert_eq!(named(&[name]), Err(RoleFault::Nameless), "{name}");
    }
    assert_eq!(named(&["node.a.dray", "client.a.dray"]), Err(RoleFault::Ambiguous));
    assert_eq!(named(&["node.a.dray", "x.dray"]), Err(RoleFault::Ambiguous));
    assert_eq!(read(&CertificateDer::from(vec![1, 2, 3])), Err(RoleFault::Unreadable));
}

#[test]
fn names_are_labels() {
    let longest = "x".repeat(63);
    for name in ["a", "0", "node-17", "a--b", &longest] {
        check_name(name).unwrap();
    }
    let too_long = "x".repeat(64);
    for name in ["", "A", "a.b", "a_b", "ä", "-a", "a-", "a b", "../a", &too_long] {
        assert!(check_name(name).is_err(), "{name}");
    }
}
