//! Storage classes: an image that is archived is kept and told of, but not pulled.

use super::{Command, Decision, Refusal, find};
use crate::{
    digest::Digest,
    state::{
        entities::{Archive, ManifestRecord, RepositoryKey},
        index::{Change, Index},
    },
};

/// Archives an image or brings it back; gives what it has become.
#[derive(Debug)]
pub struct SetArchived {
    pub key: RepositoryKey,
    pub digest: Digest,
    pub archived: bool,
    pub now_ms: u64,
}

impl Command for SetArchived {
    type Outcome = ();

    fn decide(self, index: &Index) -> Result<Decision<()>, Refusal> {
        let repository = find(index, &self.key)?;
        let unknown = || Refusal::ManifestUnknown(self.digest.to_string());
        let record = repository.manifests.get(&self.digest).ok_or_else(unknown)?;
        if record.is_archived() == self.archived {
            return Ok(Decision::new(Vec::new(), ()));
        }
        let is_active = |holder: &Digest| repository.manifests.get(holder).is_some_and(|m| !m.is_archived());
        let is_held = repository.indexes_with(&self.digest).any(is_active);
        // An index that can be pulled must be whole.
        if self.archived && is_held {
            return Err(Refusal::HeldByIndex(self.digest));
        }
        let record = match self.archived {
            true => record.archived(self.now_ms),
            false => record.activated(self.now_ms),
        };
        Ok(Decision::new(vec![Change::PutManifest(self.key, self.digest, record)], ()))
    }
}

impl ManifestRecord {
    pub fn is_archived(&self) -> bool {
        self.archive.as_ref().is_some_and(|archive| archive.is_in)
    }

    pub fn archived(&self, now_ms: u64) -> Self {
        let before = self.archive.clone().unwrap_or_default();
        let archive = Archive { is_in: true, archived_at_ms: Some(now_ms), ..before };
        Self { archive: Some(archive), ..self.clone() }
    }

    pub fn activated(&self, now_ms: u64) -> Self {
        let before = self.archive.clone().unwrap_or_default();
        let archive = Archive { is_in: false, activated_at_ms: Some(now_ms), ..before };
        Self { archive: Some(archive), ..self.clone() }
    }
}
