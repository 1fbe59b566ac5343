//! The certificate authority of one Longshore, by which others know it, and the certificates that it issues to itself.
//!
//! Made once in the data directory, and the same ever after: whoever trusts it is not to be told again. `names.rs` says
//! for which names a certificate is, `certificates.rs` issues them as they are needed.

mod certificates;
mod names;
#[cfg(test)]
mod tests;

use std::fmt;

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};

use crate::data_dir::DataDir;

pub use certificates::OwnCertificates;
pub use names::Names;

/// A certificate may be used a little before it was made: clocks differ.
const BACKDATED: Duration = Duration::days(1);
/// Browsers and Apple's libraries refuse those that live for more than 398 days.
const LIFETIME: Duration = Duration::days(90);

/// The authority, with its key.
pub struct Authority {
    key: KeyPair,
    pem: String,
    certificate: CertificateDer<'static>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({})", self.fingerprint())
    }
}

/// A certificate with its key, and from when to when it is good.
pub struct Issued {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
    pub from: OffsetDateTime,
    pub until: OffsetDateTime,
}

impl Authority {
    /// The directory's authority, made at the first call.
    pub fn open(dir: &DataDir) -> Result<Self> {
        let authority = match dir.authority()? {
            Some(text) => Self::read(&text).context("read authority.pem of the data directory")?,
            None => {
                let authority = Self::make().context("make a certificate authority")?;
                dir.set_authority(&authority.written())?;
                authority
            }
        };
        // For clients, which are not to see the key.
        dir.set_ca(&authority.pem)?;
        Ok(authority)
    }

    fn make() -> Result<Self> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = params(&key).self_signed(&key)?;
        Ok(Self { key, pem: certificate.pem(), certificate: certificate.into() })
    }

    fn read(text: &str) -> Result<Self> {
        let certificate = CertificateDer::from_pem_slice(text.as_bytes())?;
        let key = KeyPair::from_pem(text)?;
        // The key first, then the certificate, as `written` has it.
        let at = text.find("-----BEGIN CERTIFICATE-----").context("there is no certificate in it")?;
        Ok(Self { key, pem: text[at..].to_owned(), certificate })
    }

    fn written(&self) -> String {
        self.key.serialize_pem() + &self.pem
    }

    /// SHA-256 of the certificate, in hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        hex::encode(Sha256::digest(&self.certificate))
    }

    /// A certificate of a server with these names, which may be addresses.
    pub fn issue(&self, names: impl IntoIterator<Item = String>, now: OffsetDateTime) -> Result<Issued> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let (from, until) = (now - BACKDATED, now + LIFETIME);
        let mut params = CertificateParams::default();
        (params.not_before, params.not_after) = (from, until);
        params.distinguished_name = common_name("Longshore");
        params.subject_alt_names = names.into_iter().map(alternative).collect::<Result<_>>()?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let issuer = Issuer::new(self::params(&self.key), &self.key);
        let certificate = params.signed_by(&key, &issuer)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        // The authority's own too: whoever knows its fingerprint alone finds it there.
        Ok(Issued { chain: vec![certificate.into(), self.certificate.clone()], key, from, until })
    }
}

/// What an authority's certificate says. All follows from its key, but the signature.
fn params(key: &KeyPair) -> CertificateParams {
    let mut params = CertificateParams::default();
    // Of no clock: a machine may believe that it is 1970 when it makes one.
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2070, 1, 1));
    // Several may be known to one client, which tells them by their names.
    let id = hex::encode(&Sha256::digest(key.public_key_raw())[..4]);
    params.distinguished_name = common_name(&format!("Longshore CA {id}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn common_name(name: &str) -> DistinguishedName {
    let mut full = DistinguishedName::new();
    full.push(DnType::CommonName, name);
    full
}

fn alternative(name: String) -> Result<SanType> {
    if let Ok(address) = name.parse() {
        return Ok(SanType::IpAddress(address));
    }
    Ok(SanType::DnsName(name.as_str().try_into().with_context(|| format!("the name {name:?}"))?))
}
