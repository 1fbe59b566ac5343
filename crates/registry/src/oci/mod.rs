//! The OCI distribution API, version 1.1: `/v2/…`. Start at [`routes`]; `target.rs` says what a path means.

mod authorize;
mod blobs;
mod error;
mod listing;
mod manifests;
mod pull_through;
mod target;
mod token;
mod uploads;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request, State},
    response::{IntoResponse, Response},
    routing::any,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use wire::Scheme;

use crate::{
    Shared,
    auth::{
        access::Right,
        request::{Denied, challenges},
    },
    digest::Digest,
    name::RepositoryName,
    replication::HEADER,
    state::{
        command::{REPLICATION, Refusal},
        entities::RepositoryKey,
        index::Repository,
    },
};
use authorize::{Refused, Sender};
pub(crate) use error::OciError;
use target::Target;

const CONTENT_DIGEST: &str = "docker-content-digest";

/// What every handler gets to know of a request, beside its body.
struct Asked {
    shared: Arc<Shared>,
    sender: Sender,
    headers: HeaderMap,
    query: Vec<(String, String)>,
}

pub(crate) fn routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v2", any(answer))
        .route("/v2/", any(answer))
        .route("/v2/{*rest}", any(answer))
        .with_state(shared)
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let mut response = match dispatch(shared, request).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    };
    let version = HeaderValue::from_static("registry/2.0");
    let headers = response.headers_mut();
    headers.insert("docker-distribution-api-version", version);
    response
}

async fn dispatch(shared: Arc<Shared>, request: Request) -> Result<Response, OciError> {
    let (parts, body) = request.into_parts();
    let now_ms = shared.now_ms();
    let scheme = parts.extensions.get::<Scheme>().copied().unwrap_or_default();
    if parts.uri.path() == "/v2/token" {
        return token::exchange(&shared, &parts, scheme, now_ms);
    }
    let query = target::query(parts.uri.query());
    let target = Target::parse(parts.uri.path());
    let wanted = target.as_ref().ok().and_then(|target| authorize::wanted(&parts.method, target));
    let refuse = |denied| refuse(&shared, &parts.headers, scheme, denied, wanted);
    let visitor = match target::first(&query, "ticket") {
        Some(ticket) if parts.method == Method::GET => {
            shared.authority.admit(ticket, parts.uri.path(), now_ms)
        }
        _ => shared.authority.authenticate(&parts.headers, now_ms),
    };
    let visitor = visitor.map_err(refuse)?;
    let source = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let sender =
        Sender::of(&shared, visitor, source, scheme, agent).ok_or_else(|| refuse(Denied::Unauthorized))?;
    let target = target?;
    let asked = Asked { shared, sender, query, headers: parts.headers };
    match authorize::check(&asked, &parts.method, &target) {
        Ok(()) => route(asked, parts.method, target, body).await,
        Err(Refused::Denied(denial)) => Err(OciError::denied(&denial)),
        Err(Refused::TooNarrow) => {
            let wanted = authorize::wanted(&parts.method, &target);
            Err(self::refuse(&asked.shared, &asked.headers, scheme, Denied::BearerTooNarrow, wanted))
        }
    }
}

async fn route(asked: Asked, method: Method, target: Target, body: Body) -> Result<Response, OciError> {
    let methods = target.methods();
    // What has no length of its own is answered to HEAD as to GET: the connection leaves the body out.
    match (method.as_str(), target) {
        ("GET" | "HEAD", Target::Base) => {
            Ok(([(header::CONTENT_TYPE, "application/json")], "{}").into_response())
        }
        ("GET" | "HEAD", Target::Catalog) => listing::catalog(&asked),
        ("GET" | "HEAD", Target::Tags(name)) => listing::tags(&asked, name),
        ("GET" | "HEAD", Target::Referrers(name, digest)) => listing::referrers(&asked, name, &digest),
        ("GET", Target::Blob(name, digest)) => blobs::get(&asked, name, &digest, false).await,
        ("HEAD", Target::Blob(name, digest)) => blobs::get(&asked, name, &digest, true).await,
        ("DELETE", Target::Blob(name, digest)) => blobs::delete(&asked, name, digest).await,
        ("POST", Target::Uploads(name)) => uploads::begin(asked, name, body).await,
        ("GET" | "HEAD", Target::Upload(name, id)) => uploads::status(&asked, name, id).await,
        ("PATCH", Target::Upload(name, id)) => uploads::append(&asked, name, id, body).await,
        ("PUT", Target::Upload(name, id)) => uploads::finish(&asked, name, id, body).await,
        ("DELETE", Target::Upload(name, id)) => uploads::cancel(&asked, name, id).await,
        ("GET", Target::Manifest(name, reference)) => manifests::get(&asked, name, &reference, false).await,
        ("HEAD", Target::Manifest(name, reference)) => manifests::get(&asked, name, &reference, true).await,
        ("PUT", Target::Manifest(name, reference)) => manifests::put(&asked, name, reference, body).await,
        ("DELETE", Target::Manifest(name, reference)) => manifests::delete(&asked, name, reference).await,
        _ => Err(OciError::not_allowed(methods)),
    }
}

impl Asked {
    fn key(&self, name: RepositoryName) -> RepositoryKey {
        RepositoryKey { scope: self.sender.scope().clone(), name }
    }

    /// Whether another server's registry brings this.
    fn is_replication(&self) -> bool {
        self.headers.contains_key(HEADER)
    }

    fn parameter(&self, key: &str) -> Option<&str> {
        target::first(&self.query, key)
    }

    fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the client has what `etag` (a strong one) names (RFC 9110, 13.1.2).
    fn has_already(&self, etag: &str) -> bool {
        let condition = self.header(header::IF_NONE_MATCH).unwrap_or_default();
        let mut known = condition.split(',').map(str::trim);
        known.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
    }

    /// The `Range` header, unless it is for another content than `etag` names (RFC 9110, 13.1.5).
    fn range(&self, etag: &str) -> Option<&str> {
        let condition = self.header(header::IF_RANGE);
        self.header(header::RANGE).filter(|_| condition.is_none_or(|tag| tag.trim() == etag))
    }

    /// The repository as it stands. Its maps are shared, so this copies next to nothing.
    fn repository(&self, key: &RepositoryKey) -> Result<Repository, Refusal> {
        let index = self.shared.writer.index();
        let found = index.repository(key).cloned();
        found.ok_or_else(|| Refusal::RepositoryUnknown(key.clone()))
    }

    /// A repository that is to be pushed to: made now, if that is configured and it is missing.
    async fn repository_to_push(&self, key: &RepositoryKey) -> Result<(), OciError> {
        match self.repository(key) {
            Ok(_) => Ok(()),
            Err(_) if self.is_replication() => {
                self.may_replicate(&key.name)?;
                Ok(self.shared.create_for(key, REPLICATION, true).await?)
            }
            Err(_) if self.shared.creates_on_push(key) => {
                self.may_create(&key.name)?;
                Ok(self.shared.create_on_push(key).await?)
            }
            Err(refusal) => Err(refusal.into()),
        }
    }
}

/// The repository that a path names, for the fuzz targets.
pub(crate) fn repository_of_path(path: &str) -> Option<String> {
    Target::parse(path).ok()?.repository().map(ToString::to_string)
}

/// The answer to a request without good credentials.
fn refuse(
    shared: &Shared,
    headers: &HeaderMap,
    scheme: Scheme,
    denied: Denied,
    wanted: Option<(&RepositoryName, Right)>,
) -> OciError {
    if denied == Denied::PasswordExpired {
        // ECR's words.
        let message = "Your authorization token has expired. Reauthenticate and try again.";
        return OciError::new(StatusCode::FORBIDDEN, "DENIED", message);
    }
    let message = "authentication required";
    let mut error = OciError::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message);
    let base = shared.base_for(headers, scheme);
    for challenge in challenges(&base, denied, wanted) {
        error.headers.append(header::WWW_AUTHENTICATE, challenge);
    }
    error
}

/// `Location`, `Docker-Content-Digest`: what an accepted push is answered with.
fn created(location: String, digest: &Digest) -> Response {
    let headers =
        [(header::LOCATION, location), (header::HeaderName::from_static(CONTENT_DIGEST), digest.to_string())];
    (StatusCode::CREATED, headers).into_response()
}

/// Text of ours as a header's value.
fn header_value(text: String) -> Result<HeaderValue, OciError> {
    HeaderValue::try_from(text).map_err(|e| OciError::internal(&e))
}
