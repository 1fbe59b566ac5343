//! What was pushed: the outbox, committed with the manifest and its tag, so that whoever acts on pushes misses
//! none and can tell which it has acted on.

use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    name::{RepositoryName, Tag},
    state::entities::{ManifestRecord, Scope},
};

/// A tag has come to stand at another image than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    pub account: String,
    pub region: String,
    pub repository: RepositoryName,
    pub tag: Tag,
    pub digest: Digest,
    pub pushed_at_ms: u64,
    /// A container can be made of it: it is no signature, chart or other artifact.
    pub is_image: bool,
}

/// The media types of configurations that containers are made by (OCI image specification; Docker's schema 2).
const IMAGE_CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// Whether a manifest is of something that containers are made of.
pub(crate) fn is_image(manifest: &ManifestRecord) -> bool {
    let kind = manifest.artifact_type.as_deref();
    let of_image = kind.map_or(manifest.is_index, |kind| IMAGE_CONFIGS.contains(&kind));
    of_image && manifest.subject.is_none()
}

impl Push {
    pub(crate) fn of(
        scope: &Scope,
        repository: &RepositoryName,
        tag: Tag,
        digest: Digest,
        manifest: &ManifestRecord,
    ) -> Self {
        Self {
            account: scope.account.clone(),
            region: scope.region.clone(),
            repository: repository.clone(),
            tag,
            digest,
            pushed_at_ms: manifest.pushed_at_ms,
            is_image: is_image(manifest),
        }
    }
}
