//! A client of the public API, signed like any other.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
    credentials: Credentials,
    pub account: String,
    pub region: String,
}

impl Client {
    pub fn new(endpoint: String, credentials: Credentials, account: String, region: String) -> Client {
        let http = reqwest::Client::builder().no_proxy().connect_timeout(Duration::from_secs(5)).build();
        let http = http.expect("a client without certificates of its own can be made");
        Client { http, endpoint, credentials, account, region }
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
        let host = self.endpoint.trim_start_matches("http://").trim_end_matches('/').to_owned();
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
            true => CallError::Unreachable { endpoint: endpoint(), source },
            false => CallError::Transport { endpoint: endpoint(), source },
        })?;
        let status = answer.status();
        let body =
            answer.bytes().await.map_err(|source| CallError::Transport { endpoint: endpoint(), source })?;
        Ok((status, body.into()))
    }
}

/// Milliseconds since the epoch.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
