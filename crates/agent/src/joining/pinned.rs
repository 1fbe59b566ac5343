//! TLS with the one server whose certificate authority has a known fingerprint.
//!
//! The server sends the authority's certificate along with its own. If it has the fingerprint it is the authority, and then its
//! word counts as usual. Otherwise the handshake fails, and nothing has been said.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};

use crate::session::{TrustError, distrust};

#[derive(Clone, Debug)]
pub(super) struct Pinned(Arc<Verifier>);

#[derive(Debug)]
struct Verifier {
    fingerprint: String,
    provider: Arc<CryptoProvider>,
    seen: Mutex<Option<CertificateDer<'static>>>,
}

/// Why somebody isn't the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    OtherAuthority,
    OtherName(String),
}

impl Pinned {
    /// `fingerprint`: SHA-256 in hexadecimal digits.
    pub fn to(fingerprint: &str) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        Self(Arc::new(Verifier { fingerprint: fingerprint.to_owned(), provider, seen: Mutex::default() }))
    }

    pub fn config(&self) -> Result<ClientConfig, TrustError> {
        let config = ClientConfig::builder_with_provider(self.0.provider.clone());
        let config = config.with_safe_default_protocol_versions()?.dangerous();
        Ok(config.with_custom_certificate_verifier(self.0.clone()).with_no_client_auth())
    }

    /// The authority that was found, in PEM.
    pub fn authority(&self) -> Option<String> {
        let seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.as_ref().map(|certificate| pem(certificate))
    }
}

fn pem(certificate: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    let lines = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned() + "\n");
    format!("-----BEGIN CERTIFICATE-----\n{}-----END CERTIFICATE-----\n", lines.collect::<String>())
}

/// Whether a request failed because somebody else answers.
pub(super) fn stranger(error: &(dyn std::error::Error + 'static)) -> Option<Stranger> {
    Some(match distrust(error)? {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Stranger::OtherAuthority,
        other => Stranger::OtherName(other.to_string()),
    })
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let is_ours =
            |certificate: &&CertificateDer<'_>| hex::encode(Sha256::digest(certificate)) == self.fingerprint;
        let authority = intermediates.iter().find(is_ours);
        let authority = authority.ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let authority = authority.clone().into_owned();
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone())?;
        let usual = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone());
        let usual = usual.build().map_err(|error| Error::General(error.to_string()))?;
        let verified = usual.verify_server_cert(end_entity, &[], server_name, ocsp_response, now)?;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(authority);
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
