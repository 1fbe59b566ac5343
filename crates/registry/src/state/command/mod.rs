//! The commands: each looks at the state and answers with the changes it wants, or refuses. Pure; the
//! writer runs them one after another, so what a command saw is still so when its changes are made.

mod archive;
mod blobs;
mod cache_rules;
mod delete_images;
mod lifecycle;
mod manifests;
mod policies;
mod pulls;
mod pushes;
mod registries;
mod replication;
mod repositories;
mod scanning;
mod templates;

pub use archive::SetArchived;
pub use blobs::{CollectBlobs, LinkBlob, MountBlob, UnlinkBlob};
pub use cache_rules::{CheckedUpstream, CreateCacheRule, DeleteCacheRule, UpdateCacheRule};
pub use delete_images::{DeleteFailure, DeleteImages, ImageId};
pub use lifecycle::{ApplyLifecyclePolicy, DeleteLifecyclePolicy, PutLifecyclePolicy};
pub use manifests::{DeleteReference, ManifestPut, Needed, Origin, PutManifest};
pub use policies::{DeleteRegistryPolicy, DeleteRepositoryPolicy, PutRegistryPolicy, SetRepositoryPolicy};
pub use pulls::RecordPull;
pub use pushes::ForgetPushes;
pub use registries::ChangeRegistry;
pub use replication::{REPLICATION, Replicated, TAG_IMMUTABLE};
pub use repositories::{ChangeSettings, CreateRepository, DeleteRepository};
pub use scanning::PutScanning;
pub use templates::{
    CREATE_ON_PUSH, CreateFor, CreateTemplate, DeleteTemplate, PULL_THROUGH_CACHE, UpdateTemplate,
    template_for,
};

use super::{
    entities::{RepositoryKey, Scope},
    index::{Change, Index, Repository},
};
use crate::{digest::Digest, name::Tag};

/// What a command decided.
#[derive(Debug)]
pub struct Decision<T> {
    pub changes: Vec<Change>,
    pub outcome: T,
}

impl<T> Decision<T> {
    fn new(changes: Vec<Change>, outcome: T) -> Self {
        Self { changes, outcome }
    }
}

/// A change somebody asks for.
pub trait Command: Send + 'static {
    type Outcome: Send + 'static;

    fn decide(self, index: &Index) -> Result<Decision<Self::Outcome>, Refusal>;
}

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    // ECR's wording, which docker shows to its user.
    #[error("The repository with name '{}' does not exist in the registry with id '{}'", .0.name, .0.scope.account)]
    RepositoryUnknown(RepositoryKey),
    #[error("The repository with name '{}' already exists in the registry with id '{}'", .0.name, .0.scope.account)]
    RepositoryExists(RepositoryKey),
    #[error("The repository with name '{}' in registry with id '{}' cannot be deleted because it still contains images", .0.name, .0.scope.account)]
    RepositoryNotEmpty(RepositoryKey),
    #[error("The image tag '{tag}' already exists in the '{}' repository and cannot be overwritten because the repository is immutable.", repository.name)]
    TagImmutable { repository: RepositoryKey, tag: Tag },
    #[error("Lifecycle policy does not exist for the repository with name '{}' in the registry with id '{}'", .0.name, .0.scope.account)]
    LifecycleUnknown(RepositoryKey),
    #[error("Repository policy does not exist for the repository with name '{}' in the registry with id '{}'", .0.name, .0.scope.account)]
    PolicyUnknown(RepositoryKey),
    #[error("Registry policy does not exist in the registry with id '{}'", .0.account)]
    RegistryPolicyUnknown(Scope),
    #[error("The repository creation template with prefix '{prefix}' already exists in the registry with id '{}'", scope.account)]
    TemplateExists { scope: Scope, prefix: String },
    #[error("The repository creation template with prefix '{prefix}' does not exist in the registry with id '{}'", scope.account)]
    TemplateUnknown { scope: Scope, prefix: String },
    #[error("A pull through cache rule with the prefix '{prefix}' already exists in the registry with id '{}'", scope.account)]
    CacheRuleExists { scope: Scope, prefix: String },
    #[error("The pull through cache rule with the prefix '{prefix}' does not exist in the registry with id '{}'", scope.account)]
    CacheRuleUnknown { scope: Scope, prefix: String },
    #[error("A registry has at most {0} pull through cache rules")]
    TooManyCacheRules(usize),
    #[error("The pull time update exclusion for the principal '{0}' already exists")]
    ExclusionExists(String),
    #[error("The pull time update exclusion for the principal '{0}' does not exist")]
    ExclusionUnknown(String),
    #[error("Signing configuration does not exist in the registry with id '{}'", .0.account)]
    SigningUnknown(Scope),
    #[error("The image '{0}' can't be archived: an index that is not archived holds it")]
    HeldByIndex(Digest),
    #[error("The blob '{0}' is not in the repository")]
    BlobUnknown(Digest),
    #[error("The manifest '{0}' is not in the repository")]
    ManifestUnknown(String),
    #[error("The manifest references what the repository does not have: {}", list(.0))]
    ReferencesUnknown(Vec<MissingReference>),
    #[error("The manifest says that '{digest}' has {said} bytes, but it has {actual}")]
    SizeMismatch { digest: Digest, said: u64, actual: u64 },
}

/// A manifest's descriptor that points at nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingReference {
    pub digest: Digest,
    pub is_manifest: bool,
}

fn list(missing: &[MissingReference]) -> String {
    let digests: Vec<&str> = missing.iter().map(|m| m.digest.as_str()).collect();
    digests.join(", ")
}

fn find<'a>(index: &'a Index, key: &RepositoryKey) -> Result<&'a Repository, Refusal> {
    index.repository(key).ok_or_else(|| Refusal::RepositoryUnknown(key.clone()))
}
