//! Policies of repositories and registries.

use super::{Command, Decision, Refusal, find};
use crate::state::{
    entities::{PolicyRecord, RepositoryKey, Scope},
    index::{Change, Index},
};

/// Gives a repository another policy, whose text has been checked.
#[derive(Debug)]
pub struct SetRepositoryPolicy {
    pub key: RepositoryKey,
    pub text: String,
}

impl Command for SetRepositoryPolicy {
    type Outcome = ();

    fn decide(self, index: &Index) -> Result<Decision<()>, Refusal> {
        find(index, &self.key)?;
        Ok(Decision::new(vec![Change::PutPolicy(self.key, PolicyRecord { text: self.text })], ()))
    }
}

/// Takes a repository's policy away; gives its text.
#[derive(Debug)]
pub struct DeleteRepositoryPolicy {
    pub key: RepositoryKey,
}

impl Command for DeleteRepositoryPolicy {
    type Outcome = String;

    fn decide(self, index: &Index) -> Result<Decision<String>, Refusal> {
        let set = find(index, &self.key)?.policy.as_ref();
        let text = set.map(|set| set.text.clone());
        let text = text.ok_or_else(|| Refusal::PolicyUnknown(self.key.clone()))?;
        Ok(Decision::new(vec![Change::DeletePolicy(self.key)], text))
    }
}

/// Gives a registry another policy, whose text has been checked.
#[derive(Debug)]
pub struct PutRegistryPolicy {
    pub scope: Scope,
    pub text: String,
}

impl Command for PutRegistryPolicy {
    type Outcome = ();

    fn decide(self, _: &Index) -> Result<Decision<()>, Refusal> {
        Ok(Decision::new(vec![Change::PutRegistryPolicy(self.scope, PolicyRecord { text: self.text })], ()))
    }
}

/// Takes a registry's policy away; gives its text.
#[derive(Debug)]
pub struct DeleteRegistryPolicy {
    pub scope: Scope,
}

impl Command for DeleteRegistryPolicy {
    type Outcome = String;

    fn decide(self, index: &Index) -> Result<Decision<String>, Refusal> {
        let text = index.registry_policy(&self.scope).map(|set| set.text.clone());
        let text = text.ok_or_else(|| Refusal::RegistryPolicyUnknown(self.scope.clone()))?;
        Ok(Decision::new(vec![Change::DeleteRegistryPolicy(self.scope)], text))
    }
}
