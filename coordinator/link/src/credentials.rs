//! A process's own certificate and key, and the authority that it trusts.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::ClientCertVerifier;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::error::{Error, Result};
use crate::files;
use crate::identity::Identity;
use crate::names::{self, Named, Role};
use crate::verify::{MustBeNode, MustHaveRole, provider};

pub(crate) const CA: &str = "ca.pem";
pub(crate) const CERTIFICATE: &str = "cert.pem";
pub(crate) const KEY: &str = "key.pem";

/// Cheap to clone.
#[derive(Clone)]
pub struct Credentials {
    named: Named,
    pub(crate) server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Credentials {
    /// Reads `ca`, `certificate` and `key`, and refuses a set that the others would refuse.
    pub fn load(ca: &Path, certificate: &Path, key: &Path) -> Result<Self> {
        let parts = Parts::read(ca, certificate, key)?;
        parts.check()?;
        parts.assemble()
    }

    /// Of a folder with `ca.pem`, `cert.pem` and `key.pem`, as `Authority::issue` leaves it.
    pub fn load_from(folder: &Path) -> Result<Self> {
        Self::load(&folder.join(CA), &folder.join(CERTIFICATE), &folder.join(KEY))
    }

    /// Who this process is to others.
    pub fn identity(&self) -> Identity {
        Identity::named(self.named.role, self.named.name.clone())
    }

    pub(crate) fn acceptor(&self) -> Result<TlsAcceptor> {
        if self.named.role != Role::Node {
            return Err(Error::ClientListens { name: self.named.name.clone() });
        }
        Ok(self.server.clone().into())
    }

    pub(crate) fn connector(&self) -> TlsConnector {
        self.client.clone().into()
    }
}

/// Whole days, at most `most`, for which others will accept these files; an error if they do not
/// do so now.
pub fn days_valid(ca: &Path, certificate: &Path, key: &Path, most: u64) -> Result<u64> {
    let parts = Parts::read(ca, certificate, key)?;
    parts.check()?;
    let now = UnixTime::now().as_secs();
    let at = |day: u64| UnixTime::since_unix_epoch(Duration::from_secs(now + day * DAY));
    Ok((1..=most).take_while(|day| parts.check_at(at(*day)).is_ok()).count() as u64)
}

/// Seconds.
const DAY: u64 = 24 * 3600;

/// What a client says it dials. Nothing is compared with it, and it is not sent.
pub(crate) fn dialled() -> ServerName<'static> {
    ServerName::try_from("dray").expect("a label is a DNS name")
}

/// No key in a log.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.identity())
    }
}

/// What the files hold.
pub(crate) struct Parts {
    path: PathBuf,
    named: Named,
    roots: Arc<RootCertStore>,
    pub(crate) chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Parts {
    pub(crate) fn read(ca: &Path, certificate: &Path, key: &Path) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for root in certificates(ca, &files::read(ca)?)? {
            roots.add(root).map_err(|error| bad(ca, error))?;
        }
        let chain = certificates(certificate, &files::read(certificate)?)?;
        let named = names::read(&chain[0]).map_err(|error| bad(certificate, error))?;
        let key_pem = files::read_private(key)?;
        Ok(Self {
            path: certificate.to_owned(),
            named,
            roots: Arc::new(roots),
            chain,
            key: PrivateKeyDer::from_pem_slice(&key_pem).map_err(|error| bad(key, error))?,
        })
    }

    /// Asks of our own certificate what others will ask, so that an expired one is reported where
    /// it can be replaced.
    pub(crate) fn check(&self) -> Result<()> {
        self.check_at(UnixTime::now())
    }

    /// As others will ask then.
    fn check_at(&self, now: UnixTime) -> Result<()> {
        let (own, above) = self.chain.split_first().expect("read refuses an empty chain");
        let accepted = self.must_have_role()?.verify_client_cert(own, above, now);
        accepted.map_err(|error| bad(&self.path, error))?;
        if self.named.role == Role::Node {
            let verified =
                self.must_be_node()?.verify_server_cert(own, above, &dialled(), &[], now);
            verified.map_err(|error| bad(&self.path, error))?;
        }
        Ok(())
    }

    /// TLS 1.3 only. No session is resumed: a resumed one would skip the look at the certificate,
    /// and links live long enough that a handshake each costs nothing.
    pub(crate) fn assemble(self) -> Result<Credentials> {
        let wrong = |error| bad(&self.path, error);
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(wrong)?
            .with_client_cert_verifier(Arc::new(self.must_have_role()?))
            .with_single_cert(self.chain.clone(), self.key.clone_key())
            .map_err(wrong)?;
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;

        let mut client = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(wrong)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(self.must_be_node()?))
            .with_client_auth_cert(self.chain, self.key)
            .map_err(|error| bad(&self.path, error))?;
        client.resumption = Resumption::disabled();
        client.enable_sni = false;
        Ok(Credentials { named: self.named, server: Arc::new(server), client: Arc::new(client) })
    }

    fn must_be_node(&self) -> Result<MustBeNode> {
        MustBeNode::new(self.roots.clone()).map_err(|error| bad(&self.path, error))
    }

    fn must_have_role(&self) -> Result<MustHaveRole> {
        MustHaveRole::new(self.roots.clone()).map_err(|error| bad(&self.path, error))
    }
}

fn bad(path: &Path, why: impl ToString) -> Error {
    Error::BadCredentials { path: path.to_owned(), why: why.to_string() }
}

/// At least one.
pub(crate) fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let read: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let list = read.map_err(|error| bad(path, error))?;
    if list.is_empty() {
        return Err(bad(path, "there is no certificate in it"));
    }
    Ok(list)
}
