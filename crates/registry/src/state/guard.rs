//! Who may do what with a repository or a registry: the policies that were set on them, ready to be asked. Pure.

use std::sync::Arc;

use iam::{Policy, PolicyKind};
use wire::arn;

use super::{
    entities::{PolicyRecord, RepositoryKey, Scope},
    index::Index,
};

/// A policy as it was set, and as it is understood.
#[derive(Clone, Debug)]
pub struct SetPolicy {
    pub text: String,
    pub policy: Arc<Policy>,
}

impl SetPolicy {
    /// Only texts that have been checked are kept. One that another version took and this one can't read denies
    /// everything, until it is set again.
    pub fn read(record: &PolicyRecord, kind: PolicyKind) -> SetPolicy {
        let policy = Policy::parse(&record.text, kind).unwrap_or_else(|_| Policy::unreadable());
        SetPolicy { text: record.text.clone(), policy: Arc::new(policy) }
    }
}

/// What decides about access to a resource.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// The repository's and the registry's.
    pub policies: Vec<Arc<Policy>>,
    /// The repository's tags, as condition keys.
    pub keys: Vec<(String, String)>,
}

impl Index {
    /// `resource`: a repository's ARN, or anything else, with which the registry is meant.
    pub fn guard(&self, scope: &Scope, resource: &str) -> Guard {
        let name = arn::repository(resource).and_then(|name| name.parse().ok());
        let name = name.filter(|_| resource.starts_with("arn:"));
        let key = name.map(|name| RepositoryKey { scope: scope.clone(), name });
        let repository = key.and_then(|key| self.repository(&key));
        let own = repository.and_then(|repository| repository.policy.as_ref());
        let policies = own.into_iter().chain(self.registry_policy(scope));
        let tags = repository.into_iter().flat_map(|repository| &repository.settings.tags);
        let keys = tags.flat_map(|(key, value)| {
            ["aws:ResourceTag", "ecr:ResourceTag"].map(|front| (format!("{front}/{key}"), value.clone()))
        });
        Guard { policies: policies.map(|set| set.policy.clone()).collect(), keys: keys.collect() }
    }
}
