//! ECR's way of deleting images (API reference, `BatchDeleteImage`): by tag only the tag goes, and with the
//! last tag the image; by digest the image goes with all its tags.

use super::{Command, Decision, Refusal, manifests::remove_manifest};
use crate::{
    digest::Digest,
    name::Tag,
    state::{
        entities::RepositoryKey,
        index::{Change, Index},
    },
};

/// What a client calls an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageId {
    pub digest: Option<Digest>,
    pub tag: Option<Tag>,
}

/// Why one image was not deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeleteFailure {
    NotFound,
    TagDoesNotMatchDigest,
    NoTagNorDigest,
    /// The indexes that hold it.
    Referenced(Vec<Digest>),
}

/// Deletes some images of a repository.
#[derive(Debug)]
pub struct DeleteImages {
    pub key: RepositoryKey,
    pub ids: Vec<ImageId>,
    pub now_ms: u64,
}

#[derive(Debug, Default)]
pub struct DeletedImages {
    /// One for each tag that went, or one without a tag.
    pub deleted: Vec<ImageId>,
    pub failures: Vec<(ImageId, DeleteFailure)>,
}

impl Command for DeleteImages {
    type Outcome = DeletedImages;

    fn decide(self, index: &Index) -> Result<Decision<DeletedImages>, Refusal> {
        if index.repository(&self.key).is_none() {
            return Err(Refusal::RepositoryUnknown(self.key));
        }
        // Each deletion is judged by what the ones before it left.
        let mut index = index.clone();
        let mut changes = Vec::new();
        let mut outcome = DeletedImages::default();
        let mut rest = self.ids;
        loop {
            let before = rest.len();
            let mut referenced = Vec::new();
            for id in rest {
                match delete(&index, &self.key, &id, self.now_ms) {
                    Ok((made, deleted)) => {
                        made.iter().for_each(|c| index.apply(c));
                        changes.extend(made);
                        outcome.deleted.extend(deleted);
                    }
                    Err(failure @ DeleteFailure::Referenced(_)) => referenced.push((id, failure)),
                    Err(failure) => outcome.failures.push((id, failure)),
                }
            }
            // An index further back in the list may have gone meanwhile.
            if referenced.is_empty() || referenced.len() == before {
                outcome.failures.extend(referenced);
                break;
            }
            rest = referenced.into_iter().map(|(id, _)| id).collect();
        }
        Ok(Decision { changes, outcome })
    }
}

fn delete(
    index: &Index,
    key: &RepositoryKey,
    id: &ImageId,
    now_ms: u64,
) -> Result<(Vec<Change>, Vec<ImageId>), DeleteFailure> {
    let repository = index.repository(key).ok_or(DeleteFailure::NotFound)?;
    let tagged = match &id.tag {
        Some(tag) => Some(repository.tags.get(tag).ok_or(DeleteFailure::NotFound)?.digest.clone()),
        None => None,
    };
    let digest = match (&id.digest, tagged) {
        (None, None) => return Err(DeleteFailure::NoTagNorDigest),
        (Some(said), Some(actual)) if *said != actual => {
            return Err(DeleteFailure::TagDoesNotMatchDigest);
        }
        (_, Some(digest)) => digest,
        (Some(digest), None) => digest.clone(),
    };
    if !repository.manifests.contains_key(&digest) {
        return Err(DeleteFailure::NotFound);
    }
    let tags = repository.tags_of(&digest);
    let named = |tag: Option<Tag>| ImageId { digest: Some(digest.clone()), tag };
    if let Some(tag) = &id.tag
        && tags.len() > 1
    {
        return Ok((vec![Change::DeleteTag(key.clone(), tag.clone())], vec![named(Some(tag.clone()))]));
    }
    let indexes: Vec<Digest> = repository.indexes_with(&digest).cloned().collect();
    if !indexes.is_empty() {
        return Err(DeleteFailure::Referenced(indexes));
    }
    let changes = remove_manifest(key, repository, &digest, now_ms);
    let deleted = if tags.is_empty() {
        vec![named(None)]
    } else {
        tags.into_iter().map(|tag| named(Some(tag))).collect()
    };
    Ok((changes, deleted))
}
