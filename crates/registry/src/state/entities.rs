//! What the registry remembers. Each record is one entry of the store, as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    name::{RepositoryName, Tag},
};

/// Whose registry: every key begins with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Scope {
    /// Twelve digits.
    pub account: String,
    pub region: String,
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}

impl Scope {
    /// What [`Self::to_string`] has written.
    pub fn of_place(text: &str) -> Option<Self> {
        let (account, region) = text.split_once('/')?;
        Some(Self { account: account.to_owned(), region: region.to_owned() })
    }
}

/// One repository, wherever it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryKey {
    pub scope: Scope,
    pub name: RepositoryName,
}

/// What `CreateRepository` was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepositorySettings {
    pub created_at_ms: u64,
    pub mutability: Mutability,
    /// Recorded and given back; Longshore scans nothing.
    pub scan_on_push: bool,
    /// `AES256`, `KMS` or `KMS_DSSE`; recorded and given back, the blobs are not encrypted by us.
    pub encryption_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// ECR's `imageTagMutability`. The exclusions are `*` wildcards over tags that turn the rule around.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mutability {
    pub immutable: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclusions: Vec<String>,
}

impl Mutability {
    /// May `tag`, which exists, be moved to another image?
    pub fn may_move(&self, tag: &Tag) -> bool {
        let excluded = self.exclusions.iter().any(|pattern| wire::ecr_host::matches(pattern, tag.as_str()));
        self.immutable == excluded
    }
}

/// A tag of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagRecord {
    pub digest: Digest,
    pub pushed_at_ms: u64,
    /// When it was last found to stand where upstream's does; absent where it was pushed here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked_upstream_ms: Option<u64>,
}

/// A manifest of a repository. Its bytes lie in the blob store under its digest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestRecord {
    pub media_type: String,
    /// Bytes of the manifest itself.
    pub size: u64,
    pub pushed_at_ms: u64,
    /// Of the last `GET`, kept to the day only, as ECR does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulled_at_ms: Option<u64>,
    /// Config, layers, and the manifests of an index: what it needs to be whole.
    pub references: Vec<Digest>,
    /// Bytes of config and layers; 0 for an index, whose size is that of its largest member.
    pub content_size: u64,
    /// `artifactType`, else the config's media type (OCI distribution spec, "Listing Referrers").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Digest>,
    /// Only of manifests with a subject: the referrers API gives them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    pub is_index: bool,
    /// The registries that it is brought to (`account/region`), and what came of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub replicated: BTreeMap<String, Replica>,
    /// Absent where it was never archived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<Archive>,
}

/// An image's way to another registry. It is there where neither is said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// Why it isn't there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// It is on its way, and these tags are to be set there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Vec<Tag>>,
}

/// An image's way into the archive and back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archive {
    pub is_in: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived_at_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activated_at_ms: Option<u64>,
}

/// A blob that a repository may see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobLink {
    pub size: u64,
    /// When it was linked, or when the last manifest that named it went: collection counts from here.
    pub idle_since_ms: u64,
}

/// A repository's lifecycle policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleRecord {
    /// As it was put; it has been checked.
    pub text: String,
    /// Absent until this policy has been applied for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluated_at_ms: Option<u64>,
}

/// What is set for a registry as a whole, the scanning configuration and the policy aside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrySettings {
    /// ECR's account settings, by name, as far as they were put.
    #[serde(default)]
    pub account: BTreeMap<String, String>,
    /// Principals whose pulls aren't recorded, and since when, in milliseconds since the epoch.
    #[serde(default)]
    pub unrecorded: BTreeMap<String, u64>,
    /// Recorded and given back; Longshore signs nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<Vec<SigningRuleRecord>>,
    /// What is brought to other regions when it is pushed.
    #[serde(default)]
    pub replication: Vec<ReplicationRuleRecord>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicationRuleRecord {
    pub destinations: Vec<DestinationRecord>,
    /// Of names of repositories; none: all.
    pub prefixes: Option<Vec<String>>,
    /// Whether the rule says that deletions are not replicated: given back as it was.
    #[serde(default)]
    pub tells_deletes: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningRuleRecord {
    pub profile: String,
    /// Wildcards over names of repositories; none: all.
    pub filters: Option<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DestinationRecord {
    #[serde(flatten)]
    pub scope: Scope,
    /// On another server.
    #[serde(default)]
    pub is_elsewhere: bool,
}

/// A registry's scanning configuration. Recorded and given back; Longshore scans nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanningRecord {
    /// `BASIC` or `ENHANCED`
    pub scan_type: String,
    pub rules: Vec<ScanningRule>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanningRule {
    /// `SCAN_ON_PUSH`, `CONTINUOUS_SCAN` or `MANUAL`
    pub frequency: String,
    /// Wildcards over names of repositories.
    pub filters: Vec<String>,
}

/// What repositories are like that the registry makes by itself (API reference, `RepositoryCreationTemplate`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub encryption_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    pub mutability: Mutability,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_policy: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle_policy: Option<String>,
    /// `CREATE_ON_PUSH` and the like.
    pub applied_for: Vec<String>,
    /// Recorded and given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_role: Option<String>,
    pub created_at_ms: u64,
    pub updated_at_ms: u64,
}

/// Whose images are cached when they are pulled (API reference, `PullThroughCacheRule`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheRuleRecord {
    /// As it was given: `host[:port]`, maybe with a scheme.
    pub upstream_url: String,
    /// `docker-hub` and the like. Recorded and given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// The ARN of a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// Recorded and given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_role: Option<String>,
    /// What stands before the rest of the name upstream; `ROOT`: nothing.
    pub upstream_prefix: String,
    pub created_at_ms: u64,
    pub updated_at_ms: u64,
}

/// The policy of a repository, or of a registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRecord {
    /// As it was set; it has been checked.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exclusions_turn_the_rule_around() {
        let tag: Tag = "dev-1".parse().unwrap();
        let rule = |immutable, exclusions: &[&str]| Mutability {
            immutable,
            exclusions: exclusions.iter().map(|s| s.to_string()).collect(),
        };
        assert!(rule(false, &[]).may_move(&tag));
        assert!(!rule(true, &[]).may_move(&tag));
        assert!(rule(true, &["dev-*"]).may_move(&tag));
        assert!(!rule(false, &["dev-*"]).may_move(&tag));
    }
}
