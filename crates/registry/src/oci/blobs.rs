//! Pulling and deleting blobs.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{Asked, CONTENT_DIGEST, OciError, header_value, pull_through};
use crate::{
    digest::Digest,
    name::RepositoryName,
    range::{Wanted, wanted},
    state::command::UnlinkBlob,
};

pub(super) async fn get(
    asked: &Asked,
    name: RepositoryName,
    digest: &Digest,
    head: bool,
) -> Result<Response, OciError> {
    let found = asked.repository(&asked.key(name.clone()));
    let unknown = || OciError::blob_unknown(digest.as_str());
    let link = found.as_ref().ok().and_then(|repository| repository.blobs.get(digest));
    let Some(size) = link.map(|link| link.size) else {
        // A repository that isn't here has no manifest from upstream either, which would have named the blob.
        found?;
        return pull_through::blob(asked, name, digest, head).await?.ok_or_else(unknown);
    };
    // A client that is told of a blob doesn't push it. So what the disk lost is mended by the next push.
    if head && asked.shared.blobs.size(digest).await? != Some(size) {
        return Err(unknown());
    }

    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_DIGEST, header_value(digest.to_string())?);
    let etag = format!("\"{digest}\"");
    headers.insert(header::ETAG, header_value(etag.clone())?);
    if asked.has_already(&etag) {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let octets = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, octets);

    let range = asked.range(&etag).filter(|_| !head);
    let (status, part, length) = match wanted(range, size) {
        Wanted::Whole => (StatusCode::OK, None, size),
        Wanted::Part(part) => {
            let range = format!("bytes {}-{}/{size}", part.start, part.end - 1);
            headers.insert(header::CONTENT_RANGE, header_value(range)?);
            let length = part.end - part.start;
            (StatusCode::PARTIAL_CONTENT, Some(part), length)
        }
        Wanted::Unsatisfiable => {
            headers.insert(header::CONTENT_RANGE, header_value(format!("bytes */{size}"))?);
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response());
        }
    };
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    let body = if head || length == 0 {
        Body::empty()
    } else {
        let bytes = asked.shared.blobs.read(digest, part).await;
        // Deleted between the look at the index and the opening of the file.
        let bytes = bytes.map_err(|e| if e.is_not_found() { unknown() } else { e.into() })?;
        Body::from_stream(bytes)
    };
    Ok((status, headers, body).into_response())
}

pub(super) async fn delete(
    asked: &Asked,
    name: RepositoryName,
    digest: Digest,
) -> Result<Response, OciError> {
    let key = asked.key(name);
    asked.shared.writer.submit(UnlinkBlob { key, digest }).await?;
    Ok(StatusCode::ACCEPTED.into_response())
}
