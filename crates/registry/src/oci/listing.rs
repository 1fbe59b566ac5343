//! Content discovery: tags, referrers, and Docker's catalogue.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{Asked, OciError, header_value};
use crate::{
    digest::Digest,
    manifest::{MANIFEST_MAX, OCI_INDEX},
    name::RepositoryName,
    state::entities::ManifestRecord,
};

/// How large a page of referrers may become: clients read no more than a manifest's limit.
const REFERRERS_PAGE: usize = MANIFEST_MAX - 256 * 1024;

pub(super) fn tags(asked: &Asked, name: RepositoryName) -> Result<Response, OciError> {
    let repository = asked.repository(&asked.key(name.clone()))?;
    let tags = repository.tags.keys().map(|t| t.as_str());
    let page = page(asked, tags)?;
    let path = format!("/v2/{name}/tags/list");
    let body = json!({"name": name, "tags": page.names});
    listed(body, page.next_link(&path))
}

pub(super) fn catalog(asked: &Asked) -> Result<Response, OciError> {
    let index = asked.shared.writer.index();
    let names = index.repositories_of(asked.sender.scope(), None).map(|(name, _)| name);
    let seen = names.filter(|name| asked.may_see(name));
    let page = page(asked, seen.map(|name| name.as_str()))?;
    let body = json!({"repositories": page.names});
    listed(body, page.next_link("/v2/_catalog"))
}

struct Page {
    names: Vec<String>,
    limit: Option<usize>,
    has_more: bool,
}

/// The names after `last`, `n` of them at most. They come in the order of their bytes.
fn page<'a>(asked: &Asked, names: impl Iterator<Item = &'a str>) -> Result<Page, OciError> {
    let limit = match asked.parameter("n") {
        None => None,
        Some(n) => Some(n.parse::<usize>().map_err(|_| {
            let message = format!("'{n}' is no number of results");
            // docker's registry has a code of its own; the spec's list is closed and has none nearer.
            OciError::new(StatusCode::BAD_REQUEST, "UNSUPPORTED", message)
        })?),
    };
    let last = asked.parameter("last").unwrap_or_default();
    let mut rest = names.filter(|name| last.is_empty() || *name > last);
    let names: Vec<String> = match limit {
        Some(limit) => rest.by_ref().take(limit).map(str::to_owned).collect(),
        None => rest.by_ref().map(str::to_owned).collect(),
    };
    Ok(Page { names, limit, has_more: limit != Some(0) && rest.next().is_some() })
}

impl Page {
    fn next_link(&self, path: &str) -> Option<String> {
        let last = self.names.last().filter(|_| self.has_more)?;
        let last = utf8_percent_encode(last, NON_ALPHANUMERIC);
        let limit = self.limit?;
        Some(format!("<{path}?n={limit}&last={last}>; rel=\"next\""))
    }
}

fn listed(body: Value, link: Option<String>) -> Result<Response, OciError> {
    let mut response = Json(body).into_response();
    if let Some(link) = link {
        response.headers_mut().insert(header::LINK, header_value(link)?);
    }
    Ok(response)
}

/// The manifests whose subject is `subject` (OCI distribution spec, "Listing Referrers").
pub(super) fn referrers(asked: &Asked, name: RepositoryName, subject: &Digest) -> Result<Response, OciError> {
    // A registry that has this API must not answer it with 404, so a missing repository has no referrers.
    let repository = asked.repository(&asked.key(name.clone())).ok();
    let filter = asked.parameter("artifactType");
    let last: Option<Digest> = asked.parameter("last").map(str::parse).transpose()?;
    let mut found = repository.iter().flat_map(|r| r.referrers_of(subject)).filter(|(digest, m)| {
        filter.is_none_or(|f| m.artifact_type.as_deref() == Some(f))
            && last.as_ref().is_none_or(|l| *digest > l)
    });
    let mut page = Vec::new();
    let mut size = 0;
    let mut next = None;
    for (digest, manifest) in found.by_ref() {
        let descriptor = descriptor(digest, manifest);
        size += descriptor.to_string().len() + 1;
        if size > REFERRERS_PAGE && !page.is_empty() {
            next = page.last().map(|(last, _): &(Digest, Value)| last.clone());
            break;
        }
        page.push((digest.clone(), descriptor));
    }
    let manifests: Vec<Value> = page.into_iter().map(|(_, d)| d).collect();
    let body = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests});
    let link = next.map(|last| {
        let filter = filter.map_or_else(String::new, |f| {
            format!("&artifactType={}", utf8_percent_encode(f, NON_ALPHANUMERIC))
        });
        format!("</v2/{name}/referrers/{subject}?last={last}{filter}>; rel=\"next\"")
    });
    let mut response = listed(body, link)?;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(OCI_INDEX));
    if filter.is_some() {
        let applied = HeaderValue::from_static("artifactType");
        headers.insert("oci-filters-applied", applied);
    }
    Ok(response)
}

fn descriptor(digest: &Digest, manifest: &ManifestRecord) -> Value {
    let mut descriptor = json!({
        "mediaType": manifest.media_type,
        "digest": digest,
        "size": manifest.size,
    });
    if let Some(artifact_type) = &manifest.artifact_type {
        descriptor["artifactType"] = json!(artifact_type);
    }
    if !manifest.annotations.is_empty() {
        descriptor["annotations"] = json!(manifest.annotations);
    }
    descriptor
}
