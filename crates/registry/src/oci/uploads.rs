//! Pushing blobs: in one request, in two, in chunks, or by mounting (OCI distribution spec, "Pushing blobs").

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};
use uuid::Uuid;

use super::{Asked, OciError, created, header_value};
use crate::{
    Shared,
    blobs::upload::{Expected, UploadError},
    digest::{Algorithm, Digest},
    name::RepositoryName,
    range::ChunkRange,
    state::{
        command::{LinkBlob, MountBlob, Refusal},
        entities::RepositoryKey,
        writer::WriteError,
    },
};

pub(super) async fn begin(asked: Asked, name: RepositoryName, body: Body) -> Result<Response, OciError> {
    let key = asked.key(name);
    asked.repository_to_push(&key).await?;
    if let Some(digest) = asked.parameter("mount") {
        let digest: Digest = digest.parse()?;
        if let Some(response) = mount(&asked, &key, digest).await? {
            return Ok(response);
        }
    } else if let Some(digest) = asked.parameter("digest") {
        let digest: Digest = digest.parse()?;
        let id = asked.shared.uploads.begin(&key, digest.algorithm()).await?;
        let taken = take(&asked, &key, id, body).await;
        // A client that sends all at once has no use for what is left of it.
        if let Err(error) = taken {
            let _ = asked.shared.uploads.cancel(&key, id).await;
            return Err(error);
        }
        return commit(&asked, key, id, digest).await;
    }
    let algorithm = match asked.parameter("digest-algorithm") {
        Some(name) => name.parse()?,
        None => Algorithm::Sha256,
    };
    let id = asked.shared.uploads.begin(&key, algorithm).await?;
    progress(StatusCode::ACCEPTED, &key, id, 0)
}

/// None when there is nothing to mount: then an upload begins.
async fn mount(asked: &Asked, key: &RepositoryKey, digest: Digest) -> Result<Option<Response>, OciError> {
    if !crate::ecr::mounts(&asked.shared, &key.scope) {
        return Ok(None);
    }
    let from = match asked.parameter("from") {
        // A source that can't exist has nothing to mount, nor has one that the sender may not pull from.
        Some(name) => match name.parse() {
            Ok(name) if asked.may_pull(&name) => asked.key(name),
            _ => return Ok(None),
        },
        None => match somewhere(asked, &digest) {
            Some(key) => key,
            None => return Ok(None),
        },
    };
    let command = MountBlob { key: key.clone(), from, digest: digest.clone(), now_ms: asked.shared.now_ms() };
    match asked.shared.writer.submit(command).await {
        Ok(()) => Ok(Some(created(blob_url(key, &digest), &digest))),
        Err(WriteError::Refused(Refusal::BlobUnknown(_))) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A repository that has the blob and that the sender may pull from.
fn somewhere(asked: &Asked, digest: &Digest) -> Option<RepositoryKey> {
    let index = asked.shared.writer.index();
    let having =
        index.repositories_of(asked.sender.scope(), None).filter(|(_, r)| r.blobs.contains_key(digest));
    having.map(|(name, _)| name).find(|name| asked.may_pull(name)).map(|name| asked.key(name.clone()))
}

pub(super) async fn status(asked: &Asked, name: RepositoryName, id: Uuid) -> Result<Response, OciError> {
    let key = asked.key(name);
    let offset = asked.shared.uploads.offset(&key, id).await?;
    progress(StatusCode::NO_CONTENT, &key, id, offset)
}

pub(super) async fn append(
    asked: &Asked,
    name: RepositoryName,
    id: Uuid,
    body: Body,
) -> Result<Response, OciError> {
    let key = asked.key(name);
    let offset = take(asked, &key, id, body).await?;
    progress(StatusCode::ACCEPTED, &key, id, offset)
}

pub(super) async fn finish(
    asked: &Asked,
    name: RepositoryName,
    id: Uuid,
    body: Body,
) -> Result<Response, OciError> {
    let key = asked.key(name);
    let digest = asked.parameter("digest").unwrap_or_default().parse()?;
    take(asked, &key, id, body).await?;
    commit(asked, key, id, digest).await
}

pub(super) async fn cancel(asked: &Asked, name: RepositoryName, id: Uuid) -> Result<Response, OciError> {
    asked.shared.uploads.cancel(&asked.key(name), id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Appends a request's body to the upload.
async fn take(asked: &Asked, key: &RepositoryKey, id: Uuid, body: Body) -> Result<u64, OciError> {
    let length = asked.header(header::CONTENT_LENGTH).and_then(|l| l.parse::<u64>().ok());
    let range = match asked.header(header::CONTENT_RANGE) {
        Some(text) => Some(ChunkRange::parse(text).ok_or_else(|| {
            let message = format!("the range '{text}' is not '<first>-<last>'");
            OciError::new(StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID", message)
        })?),
        None => None,
    };
    if let (Some(range), Some(came)) = (range, length)
        && range.length() != came
    {
        let said = range.length();
        return Err(UploadError::WrongLength { said, came }.into());
    }
    let expected =
        Expected { first: range.map(|r| r.first), length: range.map(ChunkRange::length).or(length) };
    let body = body.into_data_stream();
    match asked.shared.uploads.append(key, id, body, expected).await {
        Err(error @ UploadError::OutOfOrder { offset, .. }) => {
            // Tells the client where to go on.
            let mut error = OciError::from(error);
            *error.headers = progress_headers(key, id, offset)?;
            Err(error)
        }
        other => Ok(other?),
    }
}

/// Ends the upload and links its blob. Goes on when the client leaves: what it sent is all here.
async fn commit(asked: &Asked, key: RepositoryKey, id: Uuid, digest: Digest) -> Result<Response, OciError> {
    let location = blob_url(&key, &digest);
    let response = created(location, &digest);
    let shared = asked.shared.clone();
    let task = tokio::spawn(async move { link(&shared, key, id, digest).await });
    task.await.map_err(UploadError::from)??;
    Ok(response)
}

async fn link(shared: &Shared, key: RepositoryKey, id: Uuid, digest: Digest) -> Result<(), OciError> {
    let (staged, size) = shared.uploads.finish(&key, id, digest.clone()).await?;
    let command = LinkBlob { key, digest, size, now_ms: shared.now_ms() };
    Ok(shared.submit_staged(command, staged).await?)
}

fn progress(status: StatusCode, key: &RepositoryKey, id: Uuid, offset: u64) -> Result<Response, OciError> {
    Ok((status, progress_headers(key, id, offset)?).into_response())
}

fn progress_headers(key: &RepositoryKey, id: Uuid, offset: u64) -> Result<HeaderMap, OciError> {
    let mut headers = HeaderMap::new();
    let location = format!("/v2/{}/blobs/uploads/{id}", key.name);
    headers.insert(header::LOCATION, header_value(location)?);
    // Inclusive, so an empty upload can't be told from one of a byte; docker's registry says `0-0` too.
    let range = format!("0-{}", offset.saturating_sub(1));
    headers.insert(header::RANGE, header_value(range)?);
    headers.insert("docker-upload-uuid", header_value(id.to_string())?);
    Ok(headers)
}

fn blob_url(key: &RepositoryKey, digest: &Digest) -> String {
    format!("/v2/{}/blobs/{digest}", key.name)
}
