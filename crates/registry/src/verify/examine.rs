//! What is wrong, from the records and from what the files hold. Pure.

use std::collections::BTreeMap;

use store::Entry;

use super::{
    files::Files,
    finding::{Finding, Image, Place, User},
};
use crate::{
    digest::Digest,
    state::{
        entities::RepositoryKey,
        index::{Index, Repository},
    },
};

/// The records that read, and what is wrong with the others.
pub(super) struct Records {
    index: Index,
    unreadable: Vec<Finding>,
}

impl Records {
    pub fn read(entries: &[Entry]) -> Self {
        let (mut good, mut unreadable) = (Vec::new(), Vec::new());
        for entry in entries {
            let pair = (entry.key.as_str(), entry.value.as_slice());
            // One at a time, so that a bad one doesn't hide the rest.
            match Index::load([pair]) {
                Ok(_) => good.push(pair),
                Err(error) => {
                    let error =
                        std::error::Error::source(&error).map_or(error.to_string(), ToString::to_string);
                    unreadable.push(Finding::UnreadableRecord { key: entry.key.clone(), error });
                }
            }
        }
        let index = Index::load(good).unwrap_or_default();
        Self { index, unreadable }
    }

    /// How many repositories and manifests there are.
    pub fn counts(&self) -> (usize, usize) {
        self.index.all().fold((0, 0), |(n, manifests), (_, r)| (n + 1, manifests + r.manifests.len()))
    }

    /// Every blob that something stands on, with the sizes that the records say.
    fn needed(&self) -> BTreeMap<&Digest, Vec<u64>> {
        let mut needed: BTreeMap<&Digest, Vec<u64>> = BTreeMap::new();
        for (_, repository) in self.index.all() {
            let manifests = repository.manifests.iter().map(|(digest, m)| (digest, m.size));
            let blobs = repository.blobs.iter().map(|(digest, link)| (digest, link.size));
            for (digest, size) in manifests.chain(blobs) {
                needed.entry(digest).or_default().push(size);
            }
        }
        needed
    }

    fn users(&self, digest: &Digest) -> Vec<User> {
        let uses = |r: &Repository| r.manifests.contains_key(digest) || r.blobs.contains_key(digest);
        self.index.all().filter(|(_, r)| uses(r)).map(|(key, r)| user(key, r, digest)).collect()
    }
}

pub(super) fn examine(records: &Records, files: &Files) -> Vec<Finding> {
    let mut findings = records.unreadable.clone();
    let needed = records.needed();
    for (digest, sizes) in &needed {
        let digest = (*digest).clone();
        let users = || records.users(&digest);
        let Some(content) = files.blobs.get(&digest) else {
            findings.push(Finding::MissingBlob { users: users(), digest });
            continue;
        };
        let path = content.path.clone();
        match &content.read {
            Err(error) => {
                let error = error.clone();
                findings.push(Finding::UnreadableBlob { users: users(), digest, error, path });
            }
            Ok((actual, _)) if *actual != digest => {
                let actual = actual.clone();
                findings.push(Finding::DamagedBlob { users: users(), digest, actual, path });
            }
            Ok((_, actual)) => {
                if let Some(said) = sizes.iter().find(|said| *said != actual) {
                    let (said, actual) = (*said, *actual);
                    findings.push(Finding::WrongSize { users: users(), digest, said, actual });
                }
            }
        }
    }
    for (key, repository) in records.index.all() {
        findings.extend(incomplete(key, repository));
        findings.extend(dangling(key, repository));
    }
    let unused = files.blobs.iter().filter(|(digest, _)| !needed.contains_key(digest));
    let left_over = unused.map(|(_, content)| &content.path).chain(&files.strays);
    findings.extend(left_over.map(|path| Finding::LeftOver { path: path.clone() }));
    findings
}

fn incomplete(key: &RepositoryKey, repository: &Repository) -> impl Iterator<Item = Finding> {
    repository.manifests.iter().filter_map(|(digest, manifest)| {
        let has = |d: &Digest| match manifest.is_index {
            true => repository.manifests.contains_key(d),
            false => repository.blobs.contains_key(d),
        };
        let missing: Vec<Digest> = manifest.references.iter().filter(|d| !has(d)).cloned().collect();
        let image = || User { repository: Place(key.clone()), images: vec![image(repository, digest)] };
        (!missing.is_empty()).then(|| Finding::IncompleteManifest { image: image(), missing })
    })
}

fn dangling(key: &RepositoryKey, repository: &Repository) -> impl Iterator<Item = Finding> {
    let gone = repository.tags.iter().filter(|(_, at)| !repository.manifests.contains_key(&at.digest));
    gone.map(|(tag, at)| Finding::DanglingTag {
        repository: Place(key.clone()),
        tag: tag.clone(),
        digest: at.digest.clone(),
    })
}

/// The images of a repository that can't be pulled without this blob.
fn user(key: &RepositoryKey, repository: &Repository, blob: &Digest) -> User {
    let needs = repository.manifests.iter().filter(|(d, m)| *d == blob || m.references.contains(blob));
    User { repository: Place(key.clone()), images: needs.map(|(d, _)| image(repository, d)).collect() }
}

fn image(repository: &Repository, digest: &Digest) -> Image {
    Image { digest: digest.clone(), tags: repository.tags_of(digest) }
}
