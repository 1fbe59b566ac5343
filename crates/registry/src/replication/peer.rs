//! Pushing to another server: ECR's API for a password, the distribution protocol for the rest.

use std::time::Duration;

use futures_util::TryStreamExt;
use http::{Method, StatusCode, header};
use reqwest::{Body, Client, RequestBuilder, Response};
use wire::{
    Credentials, client,
    ecr::{GetAuthorizationTokenRequest, ops},
};

use super::peers::PeerConfig;
use crate::{Shared, digest::Digest, name::clip, state::entities::RepositoryKey};

/// Marks what is pushed as brought from another registry (its value: which), for Longshore at the other end.
pub(crate) const HEADER: &str = "longshore-replicated-from";

const CONNECT: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(60);

/// Why an image didn't get there.
#[derive(Debug, thiserror::Error)]
pub(super) enum PushError {
    /// It won't by trying again.
    #[error("{code}: {why}")]
    Refused { code: &'static str, why: String },
    #[error("{0}")]
    Passing(String),
}

fn passing(error: impl std::fmt::Display) -> PushError {
    PushError::Passing(error.to_string())
}

/// One repository of a registry on another server.
pub(super) struct Peer<'a> {
    http: Client,
    endpoint: &'a str,
    authorization: String,
    from: &'a RepositoryKey,
}

impl<'a> Peer<'a> {
    pub async fn enter(
        config: &'a PeerConfig,
        from: &'a RepositoryKey,
        now_ms: u64,
    ) -> Result<Self, PushError> {
        let builder = Client::builder().connect_timeout(CONNECT).read_timeout(SILENCE);
        // A proxy can't know the machines that are spoken to unencrypted.
        let builder = if config.endpoint.starts_with("http://") { builder.no_proxy() } else { builder };
        let builder = match &config.ca_file {
            Some(path) => {
                let unread = |error| passing(format!("{}: {error}", path.display()));
                let pem = tokio::fs::read(path).await.map_err(unread)?;
                builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(&pem).map_err(passing)?)
            }
            None => builder,
        };
        let http = builder.build().map_err(passing)?;
        let credentials = Credentials {
            access_key_id: config.access_key_id.clone(),
            secret_access_key: config.secret_access_key.clone(),
            session_token: None,
        };
        let endpoint = config.endpoint.trim_end_matches('/');
        let caller = client::Caller { endpoint, credentials: &credentials, region: &config.region };
        let request = client::build::<ops::GetAuthorizationToken>(
            &GetAuthorizationTokenRequest::default(),
            &caller,
            now_ms,
        );
        let request = request.map_err(|error| refused("InvalidPeer", error))?;
        let mut call = http.post(&request.url).body(request.body);
        for (name, value) in request.headers {
            call = call.header(name, value);
        }
        let answer = call.send().await.map_err(passing)?;
        let status = answer.status().as_u16();
        let body = answer.bytes().await.map_err(passing)?;
        let answer = client::parse::<ops::GetAuthorizationToken>(status, &body).map_err(|error| {
            if error.is_retryable() { passing(error) } else { refused("AccessDenied", error) }
        })?;
        let token =
            answer.authorization_data.into_iter().flatten().next().and_then(|d| d.authorization_token);
        let token = token.ok_or_else(|| passing("it gave no password"))?;
        Ok(Self { http, endpoint, authorization: format!("Basic {token}"), from })
    }

    /// A blob, unless it is there.
    pub async fn blob(&self, shared: &Shared, digest: &Digest, size: u64) -> Result<(), PushError> {
        let there = self.request(Method::HEAD, &format!("blobs/{digest}")).send().await.map_err(passing)?;
        if there.status().is_success() {
            return Ok(());
        }
        let begun = self.request(Method::POST, "blobs/uploads/").send().await.map_err(passing)?;
        let begun = accepted(begun).await?;
        let place = begun.headers().get(header::LOCATION).and_then(|place| place.to_str().ok());
        let place = place.ok_or_else(|| passing("it began no upload"))?;
        let place =
            if place.starts_with('/') { format!("{}{place}", self.endpoint) } else { place.to_owned() };
        let separator = if place.contains('?') { '&' } else { '?' };
        let bytes = shared.blobs.read(digest, None).await.map_err(passing)?;
        let body = Body::wrap_stream(bytes.into_stream());
        let put = self.marked(self.http.put(format!("{place}{separator}digest={digest}")));
        let put =
            put.header(header::CONTENT_LENGTH, size).header(header::CONTENT_TYPE, "application/octet-stream");
        accepted(put.body(body).send().await.map_err(passing)?).await.map(drop)
    }

    /// A manifest under a tag or its digest.
    pub async fn manifest(
        &self,
        reference: &str,
        media_type: &str,
        bytes: bytes::Bytes,
    ) -> Result<(), PushError> {
        let put = self.request(Method::PUT, &format!("manifests/{reference}"));
        let put = put.header(header::CONTENT_TYPE, media_type).body(bytes);
        accepted(put.send().await.map_err(passing)?).await.map(drop)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.marked(self.http.request(method, format!("{}/v2/{}/{path}", self.endpoint, self.from.name)))
    }

    fn marked(&self, request: RequestBuilder) -> RequestBuilder {
        request.header(header::AUTHORIZATION, &self.authorization).header(HEADER, self.from.scope.to_string())
    }
}

fn refused(code: &'static str, why: impl std::fmt::Display) -> PushError {
    PushError::Refused { code, why: why.to_string() }
}

async fn accepted(answer: Response) -> Result<Response, PushError> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let said = answer.text().await.unwrap_or_default();
    let why = format!("{status}: {}", clip(&said));
    Err(match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => refused("AccessDenied", why),
        StatusCode::BAD_REQUEST if said.contains("TAG_INVALID") => {
            refused(crate::state::command::TAG_IMMUTABLE, why)
        }
        StatusCode::NOT_FOUND => refused("RepositoryNotFound", why),
        status if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
            refused("Refused", why)
        }
        _ => passing(why),
    })
}
