//! What is asked for and not here, or not known to be new, where a cache rule says who has it.

use std::sync::Arc;

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{Asked, CONTENT_DIGEST, OciError, header_value};
use crate::{
    digest::Digest,
    manifest::Manifest,
    name::{Reference, RepositoryName},
    state::{entities::RepositoryKey, index::Repository},
    upstream::{
        RemoteManifest, UpstreamError,
        rule::{CHECK_MS, Source, source_of},
    },
};

/// Where a repository's images come from, if the sender may have them brought here.
pub(super) fn source(asked: &Asked, key: &RepositoryKey) -> Result<Option<Source>, OciError> {
    let index = asked.shared.writer.index();
    let Some(source) = source_of(&index, &key.scope, &key.name) else { return Ok(None) };
    asked.may_import(&key.name, index.repository(key).is_none())?;
    Ok(Some(source))
}

/// Whether a tag that is here should be looked up again upstream.
pub(super) fn is_due(repository: &Repository, reference: &Reference, now_ms: u64) -> bool {
    let Reference::Tag(tag) = reference else { return false };
    let checked = repository.tags.get(tag).and_then(|record| record.checked_upstream_ms);
    let is_old = checked.is_some_and(|at| now_ms.saturating_sub(at) >= CHECK_MS);
    // What may not move needs no news.
    is_old && repository.settings.mutability.may_move(tag)
}

/// What is new of a tag that is here; `None` where what is here will do.
pub(super) async fn news(
    asked: &Asked,
    key: &RepositoryKey,
    reference: &Reference,
) -> Option<Arc<RemoteManifest>> {
    // Who may not import, or can't, gets what is here.
    let source = source(asked, key).ok().flatten()?;
    if !asked.shared.cache.may_ask(&source) {
        return None;
    }
    match asked.shared.cache.manifest(&asked.shared, key, &source, reference).await {
        Ok(manifest) => Some(manifest),
        Err(error) => {
            tracing::warn!(repository = %key.name, %reference, %error, "upstream's news can't be had; what is cached is served");
            None
        }
    }
}

pub(super) async fn manifest(
    asked: &Asked,
    key: &RepositoryKey,
    source: &Source,
    reference: &Reference,
) -> Result<Arc<RemoteManifest>, OciError> {
    let found = asked.shared.cache.manifest(&asked.shared, key, source, reference).await;
    found.map_err(|error| match error {
        UpstreamError::NotFound(_) => OciError::manifest_unknown(&reference.to_string()),
        other => other.into(),
    })
}

/// A manifest as it came from upstream.
pub(super) fn answer(asked: &Asked, manifest: &RemoteManifest, head: bool) -> Result<Response, OciError> {
    let parsed = Manifest::parse(&manifest.bytes, manifest.media_type.as_deref())?;
    let mut headers = HeaderMap::new();
    let etag = format!("\"{}\"", manifest.digest);
    headers.insert(CONTENT_DIGEST, header_value(manifest.digest.to_string())?);
    headers.insert(header::ETAG, header_value(etag.clone())?);
    if asked.has_already(&etag) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    headers.insert(header::CONTENT_TYPE, header_value(parsed.media_type)?);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(manifest.bytes.len()));
    let body = if head { Body::empty() } else { Body::from(manifest.bytes.clone()) };
    Ok((headers, body).into_response())
}

/// A blob as it comes from upstream; `None` where no rule is for its repository.
pub(super) async fn blob(
    asked: &Asked,
    name: RepositoryName,
    digest: &Digest,
    head: bool,
) -> Result<Option<Response>, OciError> {
    let key = asked.key(name);
    let Some(source) = source(asked, &key)? else { return Ok(None) };
    let mut flight = asked.shared.cache.blob(&asked.shared, &key, &source, digest);
    let size = match flight.size().await {
        Ok(size) => size,
        Err(UpstreamError::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_DIGEST, header_value(digest.to_string())?);
    headers.insert(header::ETAG, header_value(format!("\"{digest}\""))?);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    if let Some(size) = size {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    }
    let body = if head { Body::empty() } else { Body::from_stream(flight.bytes()) };
    Ok(Some((headers, body).into_response()))
}

impl From<UpstreamError> for OciError {
    fn from(error: UpstreamError) -> Self {
        let message = error.to_string();
        match error {
            UpstreamError::NotFound(_) => Self::new(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", message),
            UpstreamError::Denied { .. } | UpstreamError::Credentials(_) => {
                Self::new(StatusCode::FORBIDDEN, "DENIED", message)
            }
            UpstreamError::TooMany(_) => Self::new(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", message),
            UpstreamError::Unavailable { .. } | UpstreamError::OtherContent { .. } => {
                Self::new(StatusCode::BAD_GATEWAY, "UNKNOWN", message)
            }
            UpstreamError::Storing(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", message),
        }
    }
}
