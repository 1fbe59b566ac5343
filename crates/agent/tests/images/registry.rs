//! A small registry that serves what a test puts into it, notes every request, and misbehaves on order.

use agent::images::Digest;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

/// How the registry wants to be asked.
#[derive(Default, Clone)]
pub enum Door {
    #[default]
    Open,
    /// `Authorization` must be this.
    Basic(String),
    /// A token from `/token`, which wants this `Authorization`.
    Bearer(String),
}

#[derive(Default)]
pub struct Content {
    /// By `repository/tag-or-digest`.
    pub manifests: HashMap<String, Vec<u8>>,
    pub blobs: HashMap<String, Bytes>,
    pub requests: Vec<String>,
    pub door: Door,
    /// Answer the next requests with these statuses.
    pub failures: Vec<StatusCode>,
    /// Break the connection of the next blob answers that are longer after so many bytes.
    pub breaks: Vec<usize>,
    /// Pretend to know nothing of ranges.
    pub no_ranges: bool,
}

pub struct Registry {
    pub host: String,
    content: Arc<Mutex<Content>>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Registry {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let content = Arc::new(Mutex::new(Content::default()));
        let app = Router::new().fallback(serve).with_state((content.clone(), host.clone()));
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { host, content, server }
    }

    pub fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap()
    }

    pub fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.host)
    }

    /// The requests since the last call.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.content().requests)
    }

    pub fn add_blob(&self, bytes: Vec<u8>) -> (Digest, u64) {
        let digest = Digest::sha256_of(&bytes);
        let size = bytes.len() as u64;
        self.content().blobs.insert(digest.to_string(), bytes.into());
        (digest, size)
    }

    /// Puts a document under its digest and a tag.
    pub fn add_manifest(&self, repository: &str, tag: &str, json: &serde_json::Value) -> Digest {
        let bytes = serde_json::to_vec(json).unwrap();
        let digest = Digest::sha256_of(&bytes);
        let mut content = self.content();
        content.manifests.insert(format!("{repository}/{tag}"), bytes.clone());
        content.manifests.insert(format!("{repository}/{digest}"), bytes);
        digest
    }
}

async fn serve(State((content, host)): State<(Arc<Mutex<Content>>, String)>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let authorization = request.headers().get(header::AUTHORIZATION).map(|v| v.to_str().unwrap().to_owned());
    let range = request.headers().get(header::RANGE).map(|v| v.to_str().unwrap().to_owned());
    let mut content = content.lock().unwrap();
    let shown = format!("{} {}", request.method(), request.uri());
    content.requests.push(match &range {
        Some(range) => format!("{shown} {range}"),
        None => shown,
    });
    if !content.failures.is_empty() {
        return content.failures.remove(0).into_response();
    }
    let challenge = match &content.door {
        Door::Bearer(wanted) if path == "/token" => {
            return match authorization.as_ref() == Some(wanted) {
                true => r#"{"token":"t0k3n","expires_in":300}"#.into_response(),
                false => StatusCode::UNAUTHORIZED.into_response(),
            };
        }
        Door::Bearer(_) if authorization.as_deref() != Some("Bearer t0k3n") => {
            Some(format!(r#"Bearer realm="http://{host}/token",service="test",scope="repository:x:pull""#))
        }
        Door::Basic(wanted) if authorization.as_ref() != Some(wanted) => {
            Some(r#"Basic realm="test""#.to_owned())
        }
        _ => None,
    };
    if let Some(challenge) = challenge {
        let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)], body).into_response();
    }
    let rest = path.strip_prefix("/v2/").unwrap_or_default();
    if let Some((repository, reference)) = rest.split_once("/manifests/") {
        let Some(bytes) = content.manifests.get(&format!("{repository}/{reference}")) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let digest = Digest::sha256_of(bytes).to_string();
        let body = if request.method() == Method::HEAD { Vec::new() } else { bytes.clone() };
        return ([("docker-content-digest", digest)], body).into_response();
    }
    let blob = rest.split_once("/blobs/").and_then(|(_, digest)| content.blobs.get(digest).cloned());
    let Some(blob) = blob else { return StatusCode::NOT_FOUND.into_response() };
    let from = range
        .filter(|_| !content.no_ranges)
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let (status, from) = match from {
        Some(from) if from >= blob.len() => return StatusCode::RANGE_NOT_SATISFIABLE.into_response(),
        Some(from) => (StatusCode::PARTIAL_CONTENT, from),
        None => (StatusCode::OK, 0),
    };
    let rest = blob.slice(from..);
    let content_range = [(header::CONTENT_RANGE, format!("bytes {from}-{}/{}", blob.len() - 1, blob.len()))];
    if content.breaks.first().is_none_or(|&until| until >= rest.len()) {
        return (status, content_range, rest).into_response();
    }
    let until = content.breaks.remove(0);
    let first = futures_util::stream::iter([Ok(rest.slice(..until))]);
    // The server writes what it has while the stream makes it wait, and only then sees the error.
    let then = futures_util::stream::once(async {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        Err(std::io::Error::other("the connection breaks here"))
    });
    (status, content_range, Body::from_stream(first.chain(then))).into_response()
}
