//! A client of the public API, signed like any other.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use reqwest::StatusCode;
use wire::client::{BuildError, Caller, ServiceError};
use wire::operation::Operation;
use wire::sigv4::{self, Signer};
use wire::{Credentials, client};

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("{operation} was refused: {}: {}", refusal.code, refusal.message)]
    Service { operation: &'static str, refusal: ServiceError },
    #[error(
        "no Longshore answers at {endpoint}; `longshore up` starts one, --listen and --data-dir name another"
    )]
    Unreachable {
        endpoint: String,
        #[source]
        source: reqwest::Error,
    },
    #[error(
        "{endpoint} proves itself by no certificate authority that is trusted here; name its own with --ca FILE \
         (`longshore ca` prints it where the server runs)"
    )]
    Untrusted {
        endpoint: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("{endpoint} gave no usable answer")]
    Transport {
        endpoint: String,
        #[source]
        source: reqwest::Error,
    },
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error("{path} answered {status}: {body}")]
    Own { path: String, status: u16, body: String },
}

impl CallError {
    /// AWS's code of a refusal.
    pub fn code(&self) -> Option<&str> {
        match self {
            CallError::Service { refusal, .. } => Some(&refusal.code),
            _ => None,
        }
    }
}

/// Clones share connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    endpoint: String,
    ca: Option<PathBuf>,
    credentials: Credentials,
    pub account: String,
    pub region: String,
}

impl Client {
    /// `ca`: the file with the authorities whose word counts that it is this server; those of the machine if absent.
    /// An endpoint without TLS needs none.
    pub fn new(
        endpoint: String,
        ca: Option<&Path>,
        credentials: Credentials,
        account: String,
        region: String,
    ) -> Result<Client> {
        let ca = ca.filter(|_| endpoint.starts_with("https://"));
        let http =
            http(ca)?.connect_timeout(Duration::from_secs(5)).build().context("make an HTTP client")?;
        Ok(Client { http, endpoint, ca: ca.map(Path::to_owned), credentials, account, region })
    }

    /// The file with the server's certificate authority, where TLS is spoken.
    pub fn ca(&self) -> Option<&Path> {
        self.ca.as_deref()
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The same client for another region.
    pub fn in_region(&self, region: &str) -> Client {
        Client { region: region.to_owned(), ..self.clone() }
    }

    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Carries out one operation.
    pub async fn call<O: Operation>(&self, input: &O::Input) -> Result<O::Output, CallError> {
        let caller =
            Caller { endpoint: &self.endpoint, credentials: &self.credentials, region: &self.region };
        let request = client::build::<O>(input, &caller, now_ms())?;
        let (status, body) = self.send(&request.url, request.headers, request.body, PATIENCE).await?;
        client::parse::<O>(status.as_u16(), &body)
            .map_err(|refusal| CallError::Service { operation: O::INFO.name, refusal })
    }

    /// Calls a route of Longshore's own, signed for the service `longshore`; gives the answer's body.
    pub async fn own(&self, path: &str, body: Vec<u8>, patience: Duration) -> Result<Vec<u8>, CallError> {
        let host = wire::endpoint::authority(&self.endpoint).to_owned();
        let mut headers = vec![("Host".to_owned(), host)];
        let signed: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let request = sigv4::Request { method: "POST", path, query: "", headers: &signed, body: &body };
        let signer = Signer {
            credentials: &self.credentials,
            region: &self.region,
            service: "longshore",
            now_ms: now_ms(),
        };
        let signature = sigv4::sign(&request, &signer);
        headers.extend(signature);
        let url = format!("{}{path}", self.endpoint.trim_end_matches('/'));
        let (status, body) = self.send(&url, headers, body, patience).await?;
        if status == StatusCode::OK {
            return Ok(body);
        }
        let body = String::from_utf8_lossy(&body).trim().to_owned();
        Err(CallError::Own { path: path.to_owned(), status: status.as_u16(), body })
    }

    async fn send(
        &self,
        url: &str,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
        patience: Duration,
    ) -> Result<(StatusCode, Vec<u8>), CallError> {
        let mut request = self.http.post(url).timeout(patience).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let endpoint = || self.endpoint.clone();
        let answer = request.send().await.map_err(|source| match source.is_connect() {
            _ if is_distrust(&source) => CallError::Untrusted { endpoint: endpoint(), source },
            true => CallError::Unreachable { endpoint: endpoint(), source },
            false => CallError::Transport { endpoint: endpoint(), source },
        })?;
        let status = answer.status();
        let body =
            answer.bytes().await.map_err(|source| CallError::Transport { endpoint: endpoint(), source })?;
        Ok((status, body.into()))
    }
}

/// Whether somebody is there whose certificate isn't taken.
fn is_distrust(error: &(dyn std::error::Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref() {
        return matches!(error, rustls::Error::InvalidCertificate(_));
    }
    // What an I/O error holds is not among its sources.
    let held = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    held.is_some_and(|held| is_distrust(held)) || error.source().is_some_and(is_distrust)
}

/// What an HTTP client of ours is made from: no proxy between it and the server, and whom it trusts.
pub fn http(ca: Option<&Path>) -> Result<reqwest::ClientBuilder> {
    let builder = reqwest::Client::builder().no_proxy();
    let Some(path) = ca else { return Ok(builder) };
    let named = || format!("the certificate authority {}", path.display());
    let pem = std::fs::read(path).with_context(named)?;
    Ok(builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(&pem).with_context(named)?))
}

/// Milliseconds since the epoch.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
