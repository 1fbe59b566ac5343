//! From an image to the newest report on it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde::Deserialize;

use super::{Report, Unreadable, cyclonedx, sarif};
use crate::{Shared, blobs::storage::BlobError, digest::Digest, state::index::Repository};

/// A larger report isn't read. Trivy's on an image with thousands of findings has some megabytes.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// Reports that are kept ready, since listings of images tell of each.
const KEPT: usize = 32;

/// What a report's artifact is, once it has been read; `None`: no report.
type Read = Option<Result<Arc<Report>, Unreadable>>;

/// Reports by their manifests' digests, which never change.
#[derive(Debug, Default)]
pub(crate) struct Reports(Mutex<BTreeMap<Digest, Read>>);

impl Reports {
    fn get(&self, digest: &Digest) -> Option<Read> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    fn put(&self, digest: &Digest, read: &Read) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(digest.clone(), read.clone());
    }
}

/// A report on an image, or why the artifact can't be read.
pub(crate) struct Attached {
    /// When, in milliseconds since the epoch.
    pub at_ms: u64,
    pub report: Result<Arc<Report>, Unreadable>,
}

/// The newest report on an image.
pub(crate) async fn newest(
    shared: &Shared,
    repository: &Repository,
    image: &Digest,
) -> Result<Option<Attached>, BlobError> {
    let is_report = |kind: &str| [sarif::MEDIA_TYPE, cyclonedx::MEDIA_TYPE].contains(&kind);
    let of_type = repository.referrers_of(image).filter_map(|(digest, manifest)| {
        let kind = manifest.artifact_type.as_deref().filter(|kind| is_report(kind))?;
        Some((manifest.pushed_at_ms, digest, kind))
    });
    let mut artifacts: Vec<_> = of_type.collect();
    artifacts.sort_unstable_by(|a, b| b.cmp(a));
    for (at_ms, digest, kind) in artifacts {
        let read = match shared.reports.get(digest) {
            Some(read) => read,
            None => {
                let read = read(shared, repository, digest, kind).await?;
                shared.reports.put(digest, &read);
                read
            }
        };
        if let Some(report) = read {
            return Ok(Some(Attached { at_ms, report }));
        }
    }
    Ok(None)
}

#[derive(Deserialize)]
struct Artifact {
    #[serde(default)]
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    media_type: String,
    digest: Digest,
}

async fn read(
    shared: &Shared,
    repository: &Repository,
    digest: &Digest,
    kind: &str,
) -> Result<Read, BlobError> {
    let kind = if kind == sarif::MEDIA_TYPE { sarif::MEDIA_TYPE } else { cyclonedx::MEDIA_TYPE };
    let failed = |why| Ok(Some(Err(why)));
    let manifest = match shared.blobs.read_all(digest).await {
        Ok(manifest) => manifest,
        Err(error) if error.is_not_found() => return failed(Unreadable::Gone),
        Err(error) => return Err(error),
    };
    let artifact: Artifact = match serde_json::from_slice(&manifest) {
        Ok(artifact) => artifact,
        Err(error) => return failed(Unreadable::Json(error.to_string())),
    };
    let Some(layer) = artifact.layers.into_iter().find(|layer| layer.media_type == kind) else {
        return failed(Unreadable::NoLayer(kind));
    };
    // Only what the repository itself has.
    match repository.blobs.get(&layer.digest).map(|link| link.size) {
        None => return failed(Unreadable::Gone),
        Some(size) if size > MAX_BYTES => return failed(Unreadable::TooLarge(MAX_BYTES)),
        Some(_) => {}
    }
    let text = match shared.blobs.read_all(&layer.digest).await {
        Ok(text) => text,
        Err(error) if error.is_not_found() => return failed(Unreadable::Gone),
        Err(error) => return Err(error),
    };
    let report = match kind {
        sarif::MEDIA_TYPE => sarif::read(&text).map(Some),
        _ => cyclonedx::read(&text),
    };
    Ok(match report {
        Ok(report) => report.map(|report| Ok(Arc::new(report))),
        Err(why) => Some(Err(why)),
    })
}
