//! Pulling, pushing and deleting manifests and tags.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{Asked, CONTENT_DIGEST, OciError, created, header_value, pull_through, target};
use crate::{
    digest::Digest,
    manifest::{MANIFEST_MAX, Manifest},
    name::{Reference, RepositoryName, Tag},
    state::command::{DeleteReference, Origin, RecordPull},
};

/// The spec asks for 10 at least.
const TAGS_MAX: usize = 100;

/// How much of a body that is too large is read and thrown away, so that the client sees the answer.
const DRAIN_MAX: usize = 64 * 1024 * 1024;

pub(super) async fn get(
    asked: &Asked,
    name: RepositoryName,
    reference: &Reference,
    head: bool,
) -> Result<Response, OciError> {
    let key = asked.key(name);
    let found = asked.repository(&key);
    if found
        .as_ref()
        .is_ok_and(|repository| pull_through::is_due(repository, reference, asked.shared.now_ms()))
        && let Some(manifest) = pull_through::news(asked, &key, reference).await
    {
        return pull_through::answer(asked, &manifest, head);
    }
    if found.as_ref().map_or(true, |repository| repository.resolve(reference).is_none())
        && let Some(source) = pull_through::source(asked, &key)?
    {
        let manifest = pull_through::manifest(asked, &key, &source, reference).await?;
        return pull_through::answer(asked, &manifest, head);
    }
    let repository = found?;
    let unknown = || OciError::manifest_unknown(&reference.to_string());
    let found = repository.resolve(reference).filter(|(_, record)| !record.is_archived());
    let (digest, record) = found.ok_or_else(unknown)?;

    let mut headers = HeaderMap::new();
    let etag = format!("\"{digest}\"");
    headers.insert(CONTENT_DIGEST, header_value(digest.to_string())?);
    headers.insert(header::ETAG, header_value(etag.clone())?);
    if asked.has_already(&etag) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    headers.insert(header::CONTENT_TYPE, header_value(record.media_type.clone())?);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(record.size));
    if head {
        return Ok((headers, Body::empty()).into_response());
    }
    let bytes = asked.shared.blobs.read_all(digest).await;
    let bytes = bytes.map_err(|e| if e.is_not_found() { unknown() } else { e.into() })?;
    let now_ms = asked.shared.now_ms();
    if record.pull_is_news(now_ms) && asked.pull_is_recorded() {
        let writer = asked.shared.writer.clone();
        let digest = digest.clone();
        // The pull doesn't wait for its own note, and a note that fails is no loss.
        tokio::spawn(async move {
            let note = RecordPull { key, digest, now_ms };
            let _ = writer.submit(note).await;
        });
    }
    Ok((headers, bytes).into_response())
}

pub(super) async fn put(
    asked: &Asked,
    name: RepositoryName,
    reference: Reference,
    body: Body,
) -> Result<Response, OciError> {
    let key = asked.key(name);
    asked.repository_to_push(&key).await?;
    let bytes = read_manifest(body).await?;
    let (digest, tags) = match reference {
        Reference::Tag(tag) => (Digest::of(&bytes), vec![tag]),
        Reference::Digest(said) => {
            let actual = Digest::with(said.algorithm(), &bytes);
            if actual != said {
                return Err(OciError::digest_mismatch(said.as_str(), actual.as_str()));
            }
            (actual, tags_of_query(&asked.query)?)
        }
    };
    let by_digest = tags_given(&asked.query);
    let manifest = Manifest::parse(&bytes, asked.header(header::CONTENT_TYPE))?;
    let subject = manifest.subject.clone();
    let location = format!("/v2/{}/manifests/{digest}", key.name);
    let mut response = created(location, &digest);
    if let Some(subject) = subject {
        let name = HeaderName::from_static("oci-subject");
        response.headers_mut().insert(name, header_value(subject.to_string())?);
    }
    for tag in tags.iter().filter(|_| by_digest) {
        let name = HeaderName::from_static("oci-tag");
        response.headers_mut().append(name, header_value(tag.to_string())?);
    }
    let origin = match asked.is_replication() {
        true => asked.may_replicate(&key.name).map(|()| Origin::Replicated)?,
        false => Origin::Pushed,
    };
    let push = asked.shared.clone();
    // Goes on when the client leaves: all of the manifest is here.
    tokio::spawn(async move { push.put_manifest_from(key, manifest, digest, bytes, tags, origin).await })
        .await
        .map_err(|e| OciError::internal(&e))?
        .map_err(OciError::from)?;
    Ok(response)
}

pub(super) async fn delete(
    asked: &Asked,
    name: RepositoryName,
    reference: Reference,
) -> Result<Response, OciError> {
    let command = DeleteReference { key: asked.key(name), reference, now_ms: asked.shared.now_ms() };
    asked.shared.writer.submit(command).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}

fn tags_given(query: &[(String, String)]) -> bool {
    target::first(query, "tag").is_some()
}

/// The tags of a push by digest (`?tag=1&tag=2`).
fn tags_of_query(query: &[(String, String)]) -> Result<Vec<Tag>, OciError> {
    let tags = query.iter().filter(|(k, _)| k == "tag");
    let tags: Vec<Tag> = tags.map(|(_, v)| v.parse()).collect::<Result<_, _>>()?;
    if tags.len() > TAGS_MAX {
        let message = format!("at most {TAGS_MAX} tags go with one manifest");
        return Err(OciError::new(StatusCode::URI_TOO_LONG, "TAG_INVALID", message));
    }
    Ok(tags)
}

/// The whole body, unless it is larger than a manifest may be.
async fn read_manifest(body: Body) -> Result<Bytes, OciError> {
    let mut frames = body.into_data_stream();
    let mut bytes = BytesMut::new();
    let mut came = 0;
    while let Some(frame) = frames.next().await {
        let frame = frame.map_err(|_| {
            let message = "the manifest's body ended early";
            OciError::new(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", message)
        })?;
        came += frame.len();
        if came <= MANIFEST_MAX {
            bytes.extend_from_slice(&frame);
        } else if came > DRAIN_MAX {
            break;
        }
    }
    if came > MANIFEST_MAX {
        let message = format!("a manifest has at most {MANIFEST_MAX} bytes");
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        return Err(OciError::new(status, "MANIFEST_INVALID", message));
    }
    Ok(bytes.freeze())
}
