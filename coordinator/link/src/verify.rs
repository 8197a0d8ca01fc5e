//! Whom a handshake lets through.
//!
//! Everything that decides over validity is webpki's: chain, signatures, dates, key usages. These
//! wrappers add one question each, and never turn a no of webpki into a yes.

use std::sync::Arc;

use tokio_rustls::rustls;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, RootCertStore,
    SignatureScheme,
};

use crate::names::{self, Role, RoleFault};

/// Passed explicitly: the process-wide default belongs to the program, not to this crate.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn fault(fault: RoleFault) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(fault))))
}

/// Of a client: the server must be a node of the cluster, whichever.
///
/// Why this is sound though no host name is compared: the usual check asks whether a certificate
/// that *some* trusted authority issued is good for *this* host, since a public authority issues
/// for everybody. Here the only authority is the cluster's, and holding its certificate for a node
/// is the whole of what is to be shown. So the name is read from the certificate, must be of the
/// form `node.<name>.dray`, and then webpki is asked about exactly that name: it verifies the
/// chain up to our authority and that the certificate, as signed, is valid for the name. A name
/// that the authority did not sign never passes. Which node it is the caller learns, and judges.
#[derive(Debug)]
pub(crate) struct MustBeNode(Arc<WebPkiServerVerifier>);

impl MustBeNode {
    pub(crate) fn new(
        roots: Arc<RootCertStore>,
    ) -> Result<Self, rustls::client::VerifierBuilderError> {
        WebPkiServerVerifier::builder_with_provider(roots, provider()).build().map(Self)
    }
}

impl ServerCertVerifier for MustBeNode {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _dialled: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let named = names::read(end_entity).map_err(fault)?;
        if named.role != Role::Node {
            return Err(fault(RoleFault::NotANode(named.name)));
        }
        let claimed = ServerName::try_from(names::in_certificate(Role::Node, &named.name))
            .map_err(|_| fault(RoleFault::Nameless))?;
        self.0.verify_server_cert(end_entity, intermediates, &claimed, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Of a listener: whoever connects must have a certificate of the cluster that tells a role.
#[derive(Debug)]
pub(crate) struct MustHaveRole(Arc<dyn ClientCertVerifier>);

impl MustHaveRole {
    pub(crate) fn new(
        roots: Arc<RootCertStore>,
    ) -> Result<Self, rustls::client::VerifierBuilderError> {
        // Refuses a peer without a certificate, unless told otherwise.
        WebPkiClientVerifier::builder_with_provider(roots, provider()).build().map(Self)
    }
}

impl ClientCertVerifier for MustHaveRole {
    fn offer_client_auth(&self) -> bool {
        true
    }

    fn client_auth_mandatory(&self) -> bool {
        true
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.0.verify_client_cert(end_entity, intermediates, now)?;
        names::read(end_entity).map_err(fault)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
