//! Repositories: made, changed, deleted.

use super::{Command, Decision, Refusal, find};
use crate::state::{
    entities::{RepositoryKey, RepositorySettings},
    index::{Change, Index},
};

#[derive(Debug)]
pub struct CreateRepository {
    pub key: RepositoryKey,
    pub settings: RepositorySettings,
}

impl Command for CreateRepository {
    type Outcome = ();

    fn decide(self, index: &Index) -> Result<Decision<()>, Refusal> {
        if index.repository(&self.key).is_some() {
            return Err(Refusal::RepositoryExists(self.key));
        }
        let change = Change::PutRepository(self.key, self.settings);
        Ok(Decision::new(vec![change], ()))
    }
}

/// Replaces settings of a repository that exists; gives the new ones.
pub struct ChangeSettings<F> {
    pub key: RepositoryKey,
    pub edit: F,
}

impl<F> Command for ChangeSettings<F>
where
    F: FnOnce(&mut RepositorySettings) + Send + 'static,
{
    type Outcome = RepositorySettings;

    fn decide(self, index: &Index) -> Result<Decision<RepositorySettings>, Refusal> {
        let mut settings = find(index, &self.key)?.settings.clone();
        (self.edit)(&mut settings);
        let change = Change::PutRepository(self.key, settings.clone());
        Ok(Decision::new(vec![change], settings))
    }
}

#[derive(Debug)]
pub struct DeleteRepository {
    pub key: RepositoryKey,
    /// Delete its images too.
    pub force: bool,
}

impl Command for DeleteRepository {
    type Outcome = RepositorySettings;

    fn decide(self, index: &Index) -> Result<Decision<RepositorySettings>, Refusal> {
        let repository = find(index, &self.key)?;
        if !repository.manifests.is_empty() && !self.force {
            return Err(Refusal::RepositoryNotEmpty(self.key));
        }
        let key = || self.key.clone();
        let tags = repository.tags.keys();
        let manifests = repository.manifests.keys();
        let blobs = repository.blobs.keys();
        let changes = tags
            .map(|t| Change::DeleteTag(key(), t.clone()))
            .chain(manifests.map(|d| Change::DeleteManifest(key(), d.clone())))
            .chain(blobs.map(|d| Change::DeleteBlob(key(), d.clone())))
            .chain(repository.lifecycle.iter().map(|_| Change::DeleteLifecycle(key())))
            .chain(repository.policy.iter().map(|_| Change::DeletePolicy(key())))
            .chain([Change::DeleteRepository(key())])
            .collect();
        Ok(Decision::new(changes, repository.settings.clone()))
    }
}
