//! Images as ECR's operations name, filter and describe them.

use wire::{
    Error, Timestamp,
    ecr::{ImageDetail, ImageIdentifier, ImageStatus, ImageStatusFilter, TagStatus},
};

use super::error::image_not_found;
use crate::{
    digest::Digest,
    name::{Reference, Tag},
    state::{
        entities::{ManifestRecord, RepositoryKey},
        index::Repository,
    },
};

/// Which images a listing shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filter {
    pub tag_status: TagStatus,
    pub image_status: ImageStatusFilter,
}

impl Filter {
    pub fn new(tag_status: Option<TagStatus>, image_status: Option<ImageStatusFilter>) -> Self {
        Self {
            tag_status: tag_status.unwrap_or(TagStatus::Any),
            image_status: image_status.unwrap_or(ImageStatusFilter::Active),
        }
    }

    /// As far as its tags say.
    pub fn fits(self, tagged: bool) -> bool {
        match self.tag_status {
            TagStatus::Tagged => tagged,
            TagStatus::Untagged => !tagged,
            TagStatus::Any => true,
        }
    }

    pub fn shows(self, tagged: bool, manifest: &ManifestRecord) -> bool {
        let archived = manifest.is_archived();
        self.fits(tagged)
            && match self.image_status {
                ImageStatusFilter::Active => !archived,
                ImageStatusFilter::Archived => archived,
                // What is brought back is so at once.
                ImageStatusFilter::Activating => false,
                ImageStatusFilter::Any => true,
            }
    }

    /// For a page's token: another filter's token is not valid.
    pub fn name(self) -> String {
        format!("{} {}", self.tag_status, self.image_status)
    }
}

pub(super) fn identifier(digest: &Digest, tag: Option<&Tag>) -> ImageIdentifier {
    ImageIdentifier { image_digest: Some(digest.to_string()), image_tag: tag.map(ToString::to_string) }
}

/// The manifest that an identifier means; with both, tag and digest must agree.
pub(super) fn resolve<'a>(
    key: &RepositoryKey,
    repository: &'a Repository,
    id: &ImageIdentifier,
) -> Result<(&'a Digest, &'a ManifestRecord), Error> {
    let (digest, tag) = (id.image_digest.as_deref(), id.image_tag.as_deref());
    if digest.is_none() && tag.is_none() {
        return Err(super::error::invalid("imageIds", "must have an imageDigest or an imageTag"));
    }
    let unknown = || image_not_found(key, digest, tag);
    let reference = match (tag, digest) {
        (Some(tag), _) => Reference::Tag(tag.parse().map_err(|_| unknown())?),
        (None, digest) => Reference::Digest(digest.unwrap_or_default().parse().map_err(|_| unknown())?),
    };
    repository
        .resolve(&reference)
        .filter(|(found, _)| digest.is_none_or(|said| found.as_str() == said))
        .ok_or_else(unknown)
}

pub(super) fn detail(
    key: &RepositoryKey,
    repository: &Repository,
    (digest, manifest): (&Digest, &ManifestRecord),
    tags: Vec<String>,
) -> ImageDetail {
    let archive = manifest.archive.as_ref();
    ImageDetail {
        registry_id: Some(key.scope.account.clone()),
        repository_name: Some(key.name.to_string()),
        image_digest: Some(digest.to_string()),
        image_tags: (!tags.is_empty()).then_some(tags),
        image_size_in_bytes: i64::try_from(repository.image_size(manifest)).ok(),
        image_pushed_at: Some(Timestamp::from_ms(manifest.pushed_at_ms)),
        image_manifest_media_type: Some(manifest.media_type.clone()),
        artifact_media_type: manifest.artifact_type.clone(),
        last_recorded_pull_time: manifest.pulled_at_ms.map(Timestamp::from_ms),
        subject_manifest_digest: manifest.subject.as_ref().map(ToString::to_string),
        image_status: Some(if manifest.is_archived() { ImageStatus::Archived } else { ImageStatus::Active }),
        last_archived_at: archive.and_then(|a| a.archived_at_ms).map(Timestamp::from_ms),
        last_activated_at: archive.and_then(|a| a.activated_at_ms).map(Timestamp::from_ms),
        ..ImageDetail::default()
    }
}
