//! Signed calls of the control plane's AWS API, and the log driver's sink over it.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use wire::operation::Operation;
use wire::sigv4::{Request, Signer, sign};
use wire::{Credentials, ecr, logs};

use super::trust::{TrustError, distrust, trust};
use crate::images::{Basic, EcrToken};
use crate::logs::{LogEvent, LogSink, SinkError, SinkFuture};

/// Longer than any answer takes; a control plane that is slower is tried again.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The service's own answer.
    #[error("{operation}: {code}: {message}")]
    Service { operation: &'static str, code: String, message: String, status: u16 },
    /// The signature's time is not the server's.
    #[error(
        "{operation}: the clock of this machine is not the control plane's, which says: {message} Set this \
         machine's clock (`timedatectl set-ntp true`), or the control plane's if that is wrong"
    )]
    Clock { operation: &'static str, message: String },
    /// Somebody answers, who proves to be nobody that is trusted.
    #[error(
        "{operation}: the control plane's certificate isn't taken: {said}. Name its certificate authority with --ca \
         (`longshore ca` prints it where the server runs)"
    )]
    Untrusted { operation: &'static str, said: String },
    /// No answer, or none that can be read.
    #[error("{operation}: no answer: {said}")]
    Transport { operation: &'static str, said: String },
    /// An answer that doesn't hold what it should.
    #[error("{operation}: {said}")]
    Unusable { operation: &'static str, said: &'static str },
    #[error("endpoint {endpoint:?} is no http or https URL")]
    Endpoint { endpoint: String },
    #[error(transparent)]
    Trust(#[from] TrustError),
}

impl ApiError {
    /// The error code of the service's answer.
    pub fn code(&self) -> Option<&str> {
        match self {
            ApiError::Service { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether the same call may succeed when the control plane is back.
    pub fn is_transient(&self) -> bool {
        match self {
            ApiError::Service { status, .. } => *status >= 500 || *status == 429,
            ApiError::Transport { .. } | ApiError::Untrusted { .. } | ApiError::Clock { .. } => true,
            ApiError::Unusable { .. } | ApiError::Endpoint { .. } | ApiError::Trust(_) => false,
        }
    }
}

/// A client of one endpoint. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Api {
    http: reqwest::Client,
    /// Where TLS is spoken.
    tls: Option<Arc<ClientConfig>>,
    endpoint: String,
    host: String,
    credentials: Credentials,
    region: String,
}

impl Api {
    /// `endpoint`: `http://127.0.0.1:4580`. `ca`: whose word counts that it is the control plane ([`trust`]).
    pub fn new(
        endpoint: &str,
        ca: Option<&[u8]>,
        credentials: Credentials,
        region: &str,
    ) -> Result<Self, ApiError> {
        let bad = || ApiError::Endpoint { endpoint: endpoint.to_owned() };
        let trimmed = endpoint.trim_end_matches('/');
        let host = trimmed.strip_prefix("http://").or(trimmed.strip_prefix("https://"));
        let host = host.filter(|h| !h.is_empty() && !h.contains('/')).ok_or_else(bad)?.to_owned();
        let tls = trust(trimmed, ca)?;
        let http = reqwest::Client::builder()
            .timeout(PATIENCE)
            .pool_idle_timeout(Duration::from_secs(300))
            .no_proxy()
            // Without TLS no authority is needed: an air-gapped machine may have none.
            .tls_backend_preconfigured(match &tls {
                Some(tls) => ClientConfig::clone(tls),
                None => super::trust::config(RootCertStore::empty())?,
            })
            .build()
            .map_err(|_| bad())?;
        let region = region.to_owned();
        Ok(Api { http, tls, endpoint: trimmed.to_owned(), host, credentials, region })
    }

    /// What TLS to the control plane is spoken with.
    pub fn tls(&self) -> Option<&Arc<ClientConfig>> {
        self.tls.as_ref()
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn region(&self) -> &str {
        &self.region
    }

    /// The same client for another region.
    pub fn in_region(&self, region: &str) -> Api {
        Api { region: region.to_owned(), ..self.clone() }
    }

    /// Credentials for our own registry (`ecr:GetAuthorizationToken`).
    pub async fn registry_token(&self) -> Result<EcrToken, ApiError> {
        let input = ecr::GetAuthorizationTokenRequest::default();
        let answer = self.call::<ecr::ops::GetAuthorizationToken>(&input).await?;
        let wrong = |said| ApiError::Unusable { operation: "GetAuthorizationToken", said };
        let data = answer.authorization_data.unwrap_or_default().into_iter().next();
        let (token, expires_at) = data
            .and_then(|d| Some((d.authorization_token?, d.expires_at)))
            .ok_or_else(|| wrong("no token in the answer"))?;
        let decoded = base64::engine::general_purpose::STANDARD.decode(token).ok();
        let text = decoded.and_then(|b| String::from_utf8(b).ok());
        let (username, password) = text
            .as_deref()
            .and_then(|t| t.split_once(':'))
            .ok_or_else(|| wrong("the token is not of the form user:password"))?;
        Ok(EcrToken {
            credentials: Basic { username: username.to_owned(), password: password.to_owned() },
            // Twelve hours, as ECR says, where the answer doesn't.
            expires_at_ms: expires_at.map_or(crate::engine::now_ms() + 12 * 3_600_000, |t| t.ms()),
        })
    }

    /// Signs a request of this client's at `now_ms`; returns the headers to add.
    pub fn sign(&self, request: &Request<'_>, service: &str, now_ms: u64) -> Vec<(String, String)> {
        let signer = Signer { credentials: &self.credentials, region: &self.region, service, now_ms };
        sign(request, &signer)
    }

    pub async fn call<O: Operation>(&self, input: &O::Input) -> Result<O::Output, ApiError> {
        let operation = O::INFO.name;
        let lost = |said: String| ApiError::Transport { operation, said };
        let body = serde_json::to_vec(input).map_err(|e| lost(e.to_string()))?;
        let target = format!("{}.{operation}", O::INFO.service.target_prefix);
        let headers = [
            ("host", self.host.as_str()),
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target.as_str()),
        ];
        let request = Request { method: "POST", path: "/", query: "", headers: &headers, body: &body };
        let signed = self.sign(&request, O::INFO.service.signing_name, crate::engine::now_ms());
        let mut post = self.http.post(format!("{}/", self.endpoint));
        for (name, value) in headers.iter().skip(1) {
            post = post.header(*name, *value);
        }
        for (name, value) in &signed {
            post = post.header(name, value);
        }
        let answer = post.body(body).send().await.map_err(|error| match distrust(&error) {
            Some(why) => ApiError::Untrusted { operation, said: why.to_string() },
            None => lost(chain(&error)),
        })?;
        let status = answer.status().as_u16();
        let body = answer.bytes().await.map_err(|e| lost(chain(&e)))?;
        if status == 200 {
            let body: &[u8] = if body.is_empty() { b"{}" } else { &body };
            return serde_json::from_slice(body).map_err(|e| lost(e.to_string()));
        }
        Err(service_error(operation, status, &body))
    }
}

/// `{"__type": "…#Name", "message": "…"}`, the key of the message in either case.
fn service_error(operation: &'static str, status: u16, body: &[u8]) -> ApiError {
    #[derive(Deserialize)]
    struct Body {
        #[serde(rename = "__type")]
        code: String,
        #[serde(alias = "Message", default)]
        message: String,
    }
    match serde_json::from_slice::<Body>(body) {
        Ok(Body { code, message }) => {
            let code = code.rsplit('#').next().unwrap_or_default().to_owned();
            // AWS has no code of its own for it.
            if message.starts_with("Signature expired") || message.starts_with("Signature not yet current") {
                return ApiError::Clock { operation, message };
            }
            ApiError::Service { operation, code, message, status }
        }
        Err(_) => {
            let text = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
            ApiError::Transport { operation, said: format!("status {status}: {text}") }
        }
    }
}

/// An error with its causes: reqwest's own text leaves out what happened.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

impl LogSink for Api {
    fn put<'a>(&'a self, group: &'a str, stream: &'a str, events: Vec<LogEvent>) -> SinkFuture<'a> {
        Box::pin(async move {
            let log_events = events.into_iter().map(|e| logs::InputLogEvent {
                message: e.message,
                timestamp: i64::try_from(e.at_ms).unwrap_or(i64::MAX),
            });
            let input = logs::PutLogEventsRequest {
                log_group_name: group.to_owned(),
                log_stream_name: stream.to_owned(),
                log_events: log_events.collect(),
                ..Default::default()
            };
            self.call::<logs::ops::PutLogEvents>(&input).await.map(drop).map_err(sink_error)
        })
    }

    fn create_stream<'a>(&'a self, group: &'a str, stream: &'a str) -> SinkFuture<'a> {
        Box::pin(async move {
            let input = logs::CreateLogStreamRequest {
                log_group_name: group.to_owned(),
                log_stream_name: stream.to_owned(),
            };
            self.call::<logs::ops::CreateLogStream>(&input).await.map(drop).map_err(sink_error)
        })
    }

    fn create_group<'a>(&'a self, group: &'a str) -> SinkFuture<'a> {
        Box::pin(async move {
            let input =
                logs::CreateLogGroupRequest { log_group_name: group.to_owned(), ..Default::default() };
            self.call::<logs::ops::CreateLogGroup>(&input).await.map(drop).map_err(sink_error)
        })
    }
}

fn sink_error(error: ApiError) -> SinkError {
    match error {
        ApiError::Service { code, message, status, .. } => match code.as_str() {
            "ResourceNotFoundException" => SinkError::NotFound { message },
            "ResourceAlreadyExistsException" => SinkError::Exists { message },
            // What the request holds is wrong; what it is allowed to do may change.
            "InvalidParameterException" | "SerializationException" | "ValidationException" => {
                SinkError::Refused { code, message }
            }
            _ => SinkError::Later { message: format!("{status} {code}: {message}") },
        },
        other => SinkError::Later { message: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::service_error;

    #[test]
    fn a_wrong_clock_is_told_with_what_to_do() {
        let body = br#"{"__type":"InvalidSignatureException","message":"Signature expired: 20260101T000000Z is now earlier than 20260101T004500Z (20260101T010000Z - 15 min.)"}"#;
        let told = service_error("Op", 400, body);
        assert!(told.is_transient());
        let told = told.to_string();
        assert!(told.contains("20260101T010000Z") && told.contains("timedatectl"), "{told}");
        let other = service_error("Op", 400, br#"{"__type":"x#ClientException","message":"no"}"#);
        assert_eq!(other.to_string(), "Op: ClientException: no");
    }
}
