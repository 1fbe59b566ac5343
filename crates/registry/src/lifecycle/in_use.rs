//! Images that something runs or would start: they don't expire. Which those are is told from outside; the registry
//! knows nothing of tasks.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    digest::Digest,
    name::Tag,
    state::{entities::RepositoryKey, index::Repository},
};

/// An image as whoever uses it names it. The digest counts; where there is none, what the tag stands at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsedImage {
    pub account: String,
    pub region: String,
    pub repository: String,
    pub tag: Option<String>,
    pub digest: Option<String>,
}

/// Whoever runs images.
pub trait ImagesInUse: Send + Sync {
    /// Those in use now. `None`: it isn't known yet, and nothing may expire. Called within the registry's writer, so
    /// it must not wait.
    fn now(&self) -> Option<Vec<UsedImage>>;
}

/// Nothing runs.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl ImagesInUse for Nothing {
    fn now(&self) -> Option<Vec<UsedImage>> {
        Some(Vec::new())
    }
}

pub type SharedUse = Arc<dyn ImagesInUse>;

/// The images of a repository that must stay for what is in use: these, the indexes that hold them, whatever those
/// hold, and what refers to any of them.
pub fn spared(key: &RepositoryKey, repository: &Repository, used: &[UsedImage]) -> BTreeSet<Digest> {
    let (scope, name) = (&key.scope, key.name.as_str());
    let here = |image: &&UsedImage| {
        image.repository == name && image.account == scope.account && image.region == scope.region
    };
    let named = used.iter().filter(here).filter_map(|image| match (&image.digest, &image.tag) {
        (Some(digest), _) => digest.parse::<Digest>().ok(),
        (None, Some(tag)) => Some(repository.tags.get(&tag.parse::<Tag>().ok()?)?.digest.clone()),
        (None, None) => None,
    });
    let mut spared = grow(named.collect(), |digest| repository.indexes_with(digest).cloned().collect());
    if spared.is_empty() {
        return spared;
    }
    // Down only from here: an index that shares a member with one in use is not in use.
    spared = grow(spared, |digest| {
        let index = repository.manifests.get(digest).filter(|m| m.is_index);
        index.map(|m| m.references.clone()).unwrap_or_default()
    });
    let artifacts = repository.manifests.iter().filter(|(_, m)| m.subject.is_some());
    let artifacts: Vec<_> = artifacts.collect();
    grow(spared, |digest| {
        let about = artifacts.iter().filter(|(_, m)| m.subject.as_ref() == Some(digest));
        about.map(|(artifact, _)| (*artifact).clone()).collect()
    })
}

/// The set with everything that `next` leads to from its members.
fn grow(mut set: BTreeSet<Digest>, next: impl Fn(&Digest) -> Vec<Digest>) -> BTreeSet<Digest> {
    let mut rest: Vec<Digest> = set.iter().cloned().collect();
    while let Some(digest) = rest.pop() {
        rest.extend(next(&digest).into_iter().filter(|found| set.insert(found.clone())));
    }
    set
}
