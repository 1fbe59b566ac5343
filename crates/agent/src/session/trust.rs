//! Whom the agent takes for its control plane: who proves it by TLS, or who is on the same machine.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use wire::endpoint;

/// Why nobody can be trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error(
        "{endpoint} is another machine and has no TLS: whoever is on the way could read and change what is said. Use \
         https://, with the certificate authority that `longshore ca` prints where the server runs"
    )]
    Exposed { endpoint: String },
    #[error("the certificate authority can't be read: {said}")]
    Authority { said: String },
    #[error("this machine trusts no certificate authority; name the control plane's own")]
    NoAuthority,
    #[error("TLS can't be had: {0}")]
    Tls(#[from] rustls::Error),
}

/// How to speak with an endpoint: `None` where TLS isn't spoken. `ca`: the authorities, in PEM, that alone count; without
/// it those that the machine trusts.
pub fn trust(endpoint: &str, ca: Option<&[u8]>) -> Result<Option<Arc<ClientConfig>>, TrustError> {
    if endpoint::is_exposed(endpoint) {
        return Err(TrustError::Exposed { endpoint: endpoint.to_owned() });
    }
    if !endpoint.starts_with("https://") {
        return Ok(None);
    }
    let roots = match ca {
        Some(pem) => named(pem)?,
        None => of_the_machine()?,
    };
    Ok(Some(Arc::new(config(roots)?)))
}

/// Why somebody's certificate wasn't taken, if a request failed for that.
pub(crate) fn distrust<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e CertificateError> {
    if let Some(rustls::Error::InvalidCertificate(why)) = error.downcast_ref() {
        return Some(why);
    }
    // What an I/O error holds is not among its sources.
    let held = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    held.and_then(|held| distrust(held)).or_else(|| error.source().and_then(distrust))
}

/// A client's side of TLS that takes the word of these authorities.
pub(crate) fn config(roots: RootCertStore) -> Result<ClientConfig, TrustError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn named(pem: &[u8]) -> Result<RootCertStore, TrustError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| TrustError::Authority { said: error.to_string() })?;
        roots.add(certificate).map_err(|error| TrustError::Authority { said: error.to_string() })?;
    }
    match roots.is_empty() {
        true => Err(TrustError::Authority { said: "there is no certificate in it".to_owned() }),
        false => Ok(roots),
    }
}

fn of_the_machine() -> Result<RootCertStore, TrustError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    match roots.is_empty() {
        true => Err(TrustError::NoAuthority),
        false => Ok(roots),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_trusted_without_tls() {
        assert!(trust("http://127.0.0.1:4580", None).unwrap().is_none());
        for exposed in ["http://10.0.0.5:4580", "http://control.example"] {
            let told = trust(exposed, None).unwrap_err().to_string();
            assert!(told.contains(exposed) && told.contains("longshore ca"), "{told}");
        }
    }

    #[test]
    fn an_authority_must_be_one() {
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for bad in ["", "nonsense", broken] {
            let told = trust("https://h:1", Some(bad.as_bytes())).unwrap_err();
            assert!(matches!(told, TrustError::Authority { .. }), "{bad:?}: {told}");
        }
    }
}
