//! The HTTP clients: one for http, one for our own registry where that speaks TLS, and one for other https that is made
//! when it is first needed.

use super::super::error::RequestError;
use std::{error::Error as _, io, sync::OnceLock, time::Duration};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Between two reads: a registry that stalls longer than this counts as gone.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Kept connections. https needs the machine's trusted roots, which an air-gapped machine that uses only
/// our own registry may lack, so their absence is an error only when https is asked for.
#[derive(Debug)]
pub(in crate::images) struct Transport {
    plain: reqwest::Client,
    own: Option<(String, reqwest::Client)>,
    tls: OnceLock<Result<reqwest::Client, RequestError>>,
}

impl Transport {
    /// `own`: our own registry (`https://host:port`) and how to know it by.
    pub fn new(own: Option<(&str, &rustls::ClientConfig)>) -> Result<Self, RequestError> {
        let no_roots = rustls::ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| RequestError::Tls { reason: error.to_string() })?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        // Loopback and named insecure hosts are reached directly: a proxy can't know them.
        let plain = builder()
            .no_proxy()
            .tls_backend_preconfigured(no_roots)
            .build()
            .map_err(|error| RequestError::Tls { reason: describe(&error) })?;
        let own = own.map(|(base, tls)| {
            let client = builder().no_proxy().tls_backend_preconfigured(tls.clone()).build();
            let client = client.map_err(|error| RequestError::Tls { reason: describe(&error) });
            client.map(|client| (base.trim_end_matches('/').to_owned(), client))
        });
        Ok(Self { plain, own: own.transpose()?, tls: OnceLock::new() })
    }

    /// The client for a URL's scheme.
    pub fn for_url(&self, url: &str) -> Result<&reqwest::Client, RequestError> {
        if url.starts_with("http://") {
            return Ok(&self.plain);
        }
        if let Some((base, client)) = &self.own
            && url.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        {
            return Ok(client);
        }
        self.tls
            .get_or_init(|| {
                // reqwest takes the process's provider for the platform's verifier. Whoever installed one
                // before us chose it; a second installation fails and is not needed.
                let _ = rustls::crypto::CryptoProvider::install_default((*provider()).clone());
                builder().build().map_err(|error| RequestError::Tls { reason: describe(&error) })
            })
            .as_ref()
            .map_err(Clone::clone)
    }
}

fn provider() -> std::sync::Arc<rustls::crypto::CryptoProvider> {
    std::sync::Arc::new(rustls::crypto::ring::default_provider())
}

fn builder() -> reqwest::ClientBuilder {
    let redirects = reqwest::redirect::Policy::custom(|attempt| {
        // A registry may send a blob elsewhere (reqwest then leaves the authorization out), but not from
        // https to http, where anybody could read and change it.
        let from_tls = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
        if attempt.previous().len() > 10 {
            attempt.error("too many redirects")
        } else if from_tls && attempt.url().scheme() != "https" {
            attempt.error("redirected from https to http")
        } else {
            attempt.follow()
        }
    });
    reqwest::Client::builder()
        .user_agent(concat!("longshore/", env!("CARGO_PKG_VERSION")))
        .redirect(redirects)
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .tcp_nodelay(true)
}

/// A request without an answer, in the words of Go's network errors, which ECS's users know.
pub(super) fn failed(method: &str, url: &str, error: reqwest::Error) -> RequestError {
    let method = match method {
        "HEAD" => "Head",
        "GET" => "Get",
        other => other,
    };
    RequestError::Transport {
        method: method.to_owned(),
        url: url.to_owned(),
        reason: describe(&error),
        source: std::sync::Arc::new(error),
    }
}

fn describe(error: &reqwest::Error) -> String {
    let host = error
        .url()
        .and_then(|url| Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?)))
        .unwrap_or_default();
    if error.is_connect() && error.is_timeout() {
        return format!("dial tcp {host}: i/o timeout");
    }
    if error.is_timeout() {
        return "i/o timeout".to_owned();
    }
    let mut deepest = None;
    let mut source = error.source();
    while let Some(next) = source {
        if let Some(io) = next.downcast_ref::<io::Error>() {
            match io.kind() {
                io::ErrorKind::ConnectionRefused => {
                    return format!("dial tcp {host}: connect: connection refused");
                }
                io::ErrorKind::HostUnreachable => {
                    return format!("dial tcp {host}: connect: no route to host");
                }
                io::ErrorKind::NetworkUnreachable => {
                    return format!("dial tcp {host}: connect: network is unreachable");
                }
                io::ErrorKind::ConnectionReset => return "connection reset by peer".to_owned(),
                io::ErrorKind::TimedOut => return format!("dial tcp {host}: i/o timeout"),
                _ => {}
            }
        }
        deepest = Some(next.to_string());
        source = next.source();
    }
    let deepest = deepest.unwrap_or_else(|| error.to_string());
    if deepest.contains("lookup address") || deepest.contains("dns error") {
        let name = error.url().and_then(|url| url.host_str()).unwrap_or_default();
        return format!("dial tcp: lookup {name}: no such host");
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The https client is made on demand, with whatever provider the process has or none.
    #[tokio::test]
    async fn https_is_had_without_any_setting_up() {
        let transport = Transport::new(None).unwrap();
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let url = format!("https://{closed}/v2/");
        match transport.for_url(&url) {
            Ok(client) => {
                let error = failed("GET", &url, client.get(&url).send().await.unwrap_err());
                assert!(error.to_string().ends_with("connect: connection refused"), "{error}");
                assert!(error.is_transient());
            }
            // A machine without any trusted roots says so.
            Err(error) => assert!(matches!(error, RequestError::Tls { .. })),
        }
    }
}
