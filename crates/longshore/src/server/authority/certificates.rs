//! The server's own certificate, issued when it is first asked for and again when it no longer does.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use arc_swap::ArcSwapOption;
use control::tls::Certificates;
use rustls::ServerConfig;
use rustls::version::{TLS12, TLS13};
use time::OffsetDateTime;

use super::names::of_the_machine;
use super::{Authority, LIFETIME, Names};

/// What every server of ours speaks (RFC 7301).
const HTTP: &[u8] = b"http/1.1";

/// For whoever asks, at any time, by any name.
pub struct OwnCertificates {
    authority: Authority,
    names: Names,
    current: ArcSwapOption<Current>,
    issuing: Mutex<()>,
}

impl fmt::Debug for OwnCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnCertificates").field("authority", &self.authority).finish_non_exhaustive()
    }
}

pub(super) struct Current {
    pub config: Arc<ServerConfig>,
    pub names: BTreeSet<String>,
    /// Outside of these it is issued again. A clock may go back, too.
    from: OffsetDateTime,
    renew: OffsetDateTime,
}

impl Current {
    fn does(&self, local: IpAddr, now: OffsetDateTime) -> bool {
        self.names.contains(&local.to_string()) && self.from <= now && now < self.renew
    }
}

impl OwnCertificates {
    pub fn new(authority: Authority, names: Names) -> Self {
        Self { authority, names, current: ArcSwapOption::empty(), issuing: Mutex::default() }
    }

    /// By which `host:port` the server is reached, as far as is known now.
    pub fn hosts(&self) -> Vec<String> {
        self.names.authorities(&of_the_machine()).into_iter().collect()
    }

    pub(super) fn at(&self, local: IpAddr, now: OffsetDateTime) -> Result<Arc<Current>> {
        let good = || self.current.load_full().filter(|current| current.does(local, now));
        if let Some(current) = good() {
            return Ok(current);
        }
        let _issuing = self.issuing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(current) = good() {
            return Ok(current);
        }
        // By an address that the machine got later, it is reached as well.
        let mut addresses = of_the_machine();
        addresses.push(local);
        let mut names = self.names.of_certificate(&addresses);
        names.insert(local.to_string());
        let issued = self.authority.issue(names.clone(), now)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&TLS13, &TLS12])?;
        let mut config = config.with_no_client_auth().with_single_cert(issued.chain, issued.key)?;
        config.alpn_protocols = vec![HTTP.to_vec()];
        tracing::info!(until = %issued.until, names = names.len(), "issued a certificate");
        let renew = issued.until - LIFETIME / 3;
        let current = Arc::new(Current { config: Arc::new(config), names, from: issued.from, renew });
        self.current.store(Some(current.clone()));
        Ok(current)
    }
}

impl Certificates for OwnCertificates {
    fn config(&self, local: IpAddr) -> io::Result<Arc<ServerConfig>> {
        let current = self.at(local, OffsetDateTime::now_utc()).map_err(io::Error::other)?;
        Ok(current.config.clone())
    }
}
