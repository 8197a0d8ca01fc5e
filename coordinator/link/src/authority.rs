//! The certificate authority of a cluster: a folder with `ca.pem` and `ca.key`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::pki_types::UnixTime;

use crate::credentials::{CA, CERTIFICATE, KEY, certificates, dialled};
use crate::error::{Error, Result};
use crate::files::{self, PRIVATE, PUBLIC};
use crate::limits::{AUTHORITY_VALIDITY, CERTIFICATE_VALIDITY, CLOCK_SKEW};
use crate::names::{self, Role};
use crate::verify::MustBeNode;

const CA_KEY: &str = "ca.key";

/// Who holds `ca.key` can be any node: keep it where certificates are issued, and nowhere else.
pub struct Authority {
    folder: PathBuf,
    /// As in the file.
    certificate: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new one. Refuses a folder that holds one.
    pub fn create(folder: &Path) -> Result<Self> {
        files::make_folder(folder)?;
        files::none_exist(folder, [CA, CA_KEY])?;
        let failed = failed("make an authority", folder);
        let key = new_key().map_err(failed)?;
        let params = authority_params(&key);
        let certificate = params.self_signed(&key).map_err(failed)?.pem().into_bytes();
        // The key first: without it the certificate would only look like an authority.
        files::write_new(&folder.join(CA_KEY), key.serialize_pem().as_bytes(), PRIVATE)?;
        files::write_new(&folder.join(CA), &certificate, PUBLIC)?;
        files::sync_folder(folder)?;
        let issuer = Issuer::new(params, key);
        Ok(Self { folder: folder.to_owned(), certificate, issuer })
    }

    /// One that `create` made.
    pub fn open(folder: &Path) -> Result<Self> {
        let failed = failed("use the authority", folder);
        let certificate = files::read(&folder.join(CA))?;
        let path = folder.join(CA_KEY);
        let pem = String::from_utf8(files::read_private(&path)?).map_err(|_| {
            Error::BadCredentials { path: path.clone(), why: "it is no PEM file".into() }
        })?;
        let key = KeyPair::from_pem(&pem).map_err(failed)?;
        let issuer = Issuer::new(authority_params(&key), key);
        let authority = Self { folder: folder.to_owned(), certificate, issuer };
        authority.check()?;
        Ok(authority)
    }

    /// Writes `cert.pem`, `key.pem` and a copy of `ca.pem` into `out`, with which
    /// `Credentials::load_from` makes that node or client. Overwrites nothing.
    pub fn issue(&self, role: Role, name: &str, out: &Path) -> Result<()> {
        names::check_name(name)?;
        self.issue_params(&leaf_params(role, name), out)
    }

    pub(crate) fn issue_params(&self, params: &CertificateParams, out: &Path) -> Result<()> {
        files::make_folder(out)?;
        files::none_exist(out, [CERTIFICATE, KEY])?;
        let failed = failed("issue a certificate", &self.folder);
        let key = new_key().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        self.copy_to(&out.join(CA))?;
        files::write_new(&out.join(KEY), key.serialize_pem().as_bytes(), PRIVATE)?;
        files::write_new(&out.join(CERTIFICATE), certificate.pem().as_bytes(), PUBLIC)?;
        files::sync_folder(out)
    }

    /// The same `ca.pem` may be there: of an earlier certificate, or of the authority itself.
    fn copy_to(&self, path: &Path) -> Result<()> {
        match files::write_new(path, &self.certificate, PUBLIC) {
            Err(Error::Exists { .. }) if files::read(path)? == self.certificate => Ok(()),
            written => written,
        }
    }

    /// Issues a certificate to nobody and verifies it as a peer would, so that a key that does not
    /// belong to the certificate is found here and not on every node.
    fn check(&self) -> Result<()> {
        let path = self.folder.join(CA);
        let bad =
            |why: &dyn ToString| Error::BadCredentials { path: path.clone(), why: why.to_string() };
        let mut roots = RootCertStore::empty();
        for root in certificates(&path, &self.certificate)? {
            roots.add(root).map_err(|error| bad(&error))?;
        }
        let peer = MustBeNode::new(Arc::new(roots)).map_err(|error| bad(&error))?;
        let failed = failed("try out the authority", &self.folder);
        let trial = leaf_params(Role::Node, "trial");
        let trial = trial.signed_by(&new_key().map_err(failed)?, &self.issuer).map_err(failed)?;
        let verified = peer.verify_server_cert(trial.der(), &[], &dialled(), &[], UnixTime::now());
        verified.map(drop).map_err(|_| bad(&"ca.key is not the key of this certificate"))
    }
}

fn failed(operation: &'static str, path: &Path) -> impl Fn(rcgen::Error) -> Error + Copy {
    move |cause| Error::Certificate { operation, path: path.to_owned(), cause }
}

fn new_key() -> std::result::Result<KeyPair, rcgen::Error> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
}

/// Follows from the key alone, so that `open` need not parse the certificate to issue in its name.
/// The name has a part of the key's identifier: of two clusters' authorities it is not the same.
fn authority_params(key: &KeyPair) -> CertificateParams {
    let mut params = dated(AUTHORITY_VALIDITY);
    let id = params.key_identifier(key);
    let id: String = id.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    params.distinguished_name.push(DnType::CommonName, format!("dray authority {id}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// The role is in the name and in the usages. A client is not even technically a server.
pub(crate) fn leaf_params(role: Role, name: &str) -> CertificateParams {
    use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
    let mut params = dated(CERTIFICATE_VALIDITY);
    let dns = names::in_certificate(role, name);
    params.distinguished_name.push(DnType::CommonName, format!("dray {role} {name}"));
    params.subject_alt_names =
        vec![rcgen::SanType::DnsName(dns.try_into().expect("a checked name is ASCII"))];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = match role {
        Role::Node => vec![ServerAuth, ClientAuth],
        Role::Client => vec![ClientAuth],
    };
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params
}

/// Valid from now.
fn dated(validity: Duration) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + now.saturating_sub(CLOCK_SKEW);
    params.not_after = epoch + now + validity;
    params
}
