//! A client of the OCI distribution specification's pull half.
//!
//! Our own on reqwest rather than oci-client: a pull must resume a broken layer in the middle, send what
//! credentials it has with the first request (our own registry is then one round trip on a kept
//! connection), and say what went wrong in containerd's words, status and URL included. oci-client hides
//! all three.

mod auth;
mod blob;
mod transport;

pub(super) use auth::Authorizer;
pub(super) use transport::Transport;

use super::{
    digest::Digest,
    error::RequestError,
    manifest,
    resolver::{Auth, Target},
};
use auth::Identity;
use reqwest::{Method, StatusCode, header};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Manifests may have 4 MiB (distribution specification, "Pushing manifests"); a configuration is given
/// the same and more, since it carries the whole history.
const MANIFEST_LIMIT: u64 = 4 << 20;
const CONFIG_LIMIT: u64 = 8 << 20;

/// From then on the wait between two attempts grows no more.
const MOST_DOUBLINGS: u32 = 4;

/// Everything that is shared between pulls: connections, tokens.
#[derive(Debug)]
pub(super) struct Client {
    pub transport: Transport,
    pub authorizer: Authorizer,
    /// How often a request that failed for a transient reason is sent in all.
    pub attempts: u32,
    /// The wait before the second attempt; doubled for each further one.
    pub first_backoff: Duration,
    /// How long our own registry may be away.
    pub own_patience: Duration,
}

/// One repository of one registry, with what we authenticate by.
#[derive(Debug, Clone)]
pub(super) struct Repository {
    pub client: Arc<Client>,
    pub target: Target,
    pub auth: Auth,
    /// The name as the user wrote it, in full form, for messages.
    pub shown: String,
}

/// A request that failed, and how often it was tried.
#[derive(Debug, Clone)]
pub(super) struct Failed {
    pub attempts: u32,
    pub error: RequestError,
}

/// A manifest's bytes with their digest, which has been checked where it was asked for by digest.
#[derive(Debug)]
pub(super) struct Manifest {
    pub digest: Digest,
    pub bytes: Vec<u8>,
}

impl Repository {
    /// The digest that `tag` stands for now, by a HEAD request. `None` where the registry doesn't say it
    /// in `Docker-Content-Digest` or doesn't answer HEAD: ask for the manifest then.
    pub async fn head_manifest(&self, tag: &str) -> Result<Option<Digest>, Failed> {
        let url = self.url("manifests", tag);
        let answer = self
            .retrying(|| async {
                match self.send(Method::HEAD, &url, &[(header::ACCEPT, manifest::ACCEPT.to_owned())]).await {
                    Err(RequestError::Status { code: 400 | 405 | 501, .. }) => Ok(None),
                    other => other.map(Some),
                }
            })
            .await?;
        Ok(answer.and_then(|answer| {
            let digest = answer.headers().get("docker-content-digest")?;
            digest.to_str().ok()?.parse().ok()
        }))
    }

    /// The manifest or index under a tag or a digest.
    pub async fn manifest(&self, tag_or_digest: &str) -> Result<Manifest, Failed> {
        let url = self.url("manifests", tag_or_digest);
        let accept = [(header::ACCEPT, manifest::ACCEPT.to_owned())];
        let bytes = self
            .retrying(|| async {
                let answer = self.send(Method::GET, &url, &accept).await?;
                body(answer, &url, MANIFEST_LIMIT).await
            })
            .await?;
        let digest = match tag_or_digest.parse::<Digest>() {
            Ok(asked) => asked.of_same_algorithm(&bytes),
            // By tag we name the content ourselves; a registry's word isn't needed for it.
            Err(_) => Digest::sha256_of(&bytes),
        };
        Ok(Manifest { digest, bytes })
    }

    /// A small blob, whole: an image's configuration.
    pub async fn small_blob(&self, digest: &Digest) -> Result<Vec<u8>, Failed> {
        let url = self.url("blobs", digest.as_str());
        self.retrying(|| async {
            let answer = self.send(Method::GET, &url, &[]).await?;
            body(answer, &url, CONFIG_LIMIT).await
        })
        .await
    }

    fn url(&self, kind: &str, which: &str) -> String {
        format!("{}/v2/{}/{kind}/{which}", self.target.base, self.target.repository)
    }

    /// Sends a request with our authorization, answers one challenge, and turns every status that isn't
    /// success into an error.
    async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(header::HeaderName, String)],
    ) -> Result<reqwest::Response, RequestError> {
        let identity = Identity { target: &self.target, auth: &self.auth };
        let authorizer = &self.client.authorizer;
        let mut authorization = authorizer.known(&identity).await?;
        let mut challenged = false;
        loop {
            let mut request = self.client.transport.for_url(url)?.request(method.clone(), url);
            for (name, value) in headers {
                request = request.header(name, value);
            }
            if let Some(authorization) = &authorization {
                request = request.header(header::AUTHORIZATION, authorization);
            }
            let answer = request.send().await.map_err(|e| transport::failed(method.as_str(), url, e))?;
            if answer.status() == StatusCode::UNAUTHORIZED && !challenged {
                challenged = true;
                let next = authorizer
                    .answer(&self.client.transport, &identity, answer.headers(), authorization.is_some())
                    .await?;
                if next.is_some() {
                    authorization = next;
                    continue;
                }
            }
            return self.judge(&method, url, answer).await;
        }
    }

    async fn judge(
        &self,
        method: &Method,
        url: &str,
        answer: reqwest::Response,
    ) -> Result<reqwest::Response, RequestError> {
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let (method, url) = (method.to_string(), url.to_owned());
        let message = first_message(answer).await;
        Err(match status {
            StatusCode::NOT_FOUND => RequestError::NotFound { what: self.shown.clone() },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => RequestError::Denied {
                method,
                url,
                status: status.to_string(),
                message: message.unwrap_or_else(|| "authorization failed".to_owned()),
            },
            _ => RequestError::Status {
                method,
                url,
                code: status.as_u16(),
                status: status.to_string(),
                message: message.map(|m| format!(": {m}")).unwrap_or_default(),
            },
        })
    }

    /// Runs `attempt` until it succeeds, fails for good, or has had its number of attempts.
    async fn retrying<T, F: Future<Output = Result<T, RequestError>>>(
        &self,
        attempt: impl Fn() -> F,
    ) -> Result<T, Failed> {
        let mut attempts = 1;
        let began = Instant::now();
        loop {
            match attempt().await {
                Ok(value) => return Ok(value),
                Err(error) if !error.is_transient() || self.is_enough(attempts, began) => {
                    return Err(Failed { attempts, error });
                }
                Err(error) => {
                    tracing::debug!(image = self.shown, attempts, %error, "a registry request will be sent again");
                    tokio::time::sleep(self.client.backoff(attempts)).await;
                    attempts += 1;
                }
            }
        }
    }
}

impl Repository {
    /// Whether a request that has failed so often, first at `began`, is given up. Our own registry is one
    /// process with the control plane, and a task that was acknowledged must not fail because that was
    /// restarted: it is waited for.
    fn is_enough(&self, attempts: u32, began: Instant) -> bool {
        let waits = self.target.ecr.is_some() && began.elapsed() < self.client.own_patience;
        attempts >= self.client.attempts && !waits
    }
}

impl Client {
    /// The wait after the `attempts`th failure: doubled each time, with up to half of it more at random so
    /// that many agents don't come back together.
    fn backoff(&self, attempts: u32) -> Duration {
        let base = self.first_backoff * 2u32.saturating_pow(attempts.saturating_sub(1).min(MOST_DOUBLINGS));
        base.mul_f64(1.0 + rand::random::<f64>() / 2.0)
    }
}

/// A whole body of at most `limit` bytes.
async fn body(mut answer: reqwest::Response, url: &str, limit: u64) -> Result<Vec<u8>, RequestError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|e| transport::failed("GET", url, e))? {
        if bytes.len() as u64 + chunk.len() as u64 > limit {
            return Err(RequestError::TooLarge { url: url.to_owned(), limit });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The first message of an error body (`{"errors":[{"code","message"}]}`), cut to a readable length.
async fn first_message(answer: reqwest::Response) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Errors {
        errors: Vec<Entry>,
    }
    #[derive(serde::Deserialize)]
    struct Entry {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let url = answer.url().to_string();
    let bytes = body(answer, &url, 64 << 10).await.ok()?;
    let entry = serde_json::from_slice::<Errors>(&bytes).ok()?.errors.into_iter().next()?;
    let text = if entry.message.is_empty() { entry.code } else { entry.message };
    let text: String = text.chars().filter(|c| !c.is_control()).take(300).collect();
    (!text.is_empty()).then_some(text)
}
