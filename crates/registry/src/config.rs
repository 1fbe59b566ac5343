//! How a registry is set up.

use std::{path::PathBuf, sync::Arc, time::Duration};

use crate::{
    announce::{Nobody, SharedAudience},
    auth::principals::{OnlyRoot, Principals},
    blobs::location::BucketConfig,
    clock::{self, Clock},
    lifecycle::in_use::{Nothing, SharedUse},
};

/// Where a registry keeps its things and how it calls itself.
#[derive(Clone)]
pub struct RegistryConfig {
    /// Its own directory: `blobs/`, `uploads/` and `token.key` are made in it.
    pub data_dir: PathBuf,
    /// Where the blobs are; none: in `data_dir`.
    pub bucket: Option<BucketConfig>,
    /// The file with what upstream registries want to be told: `{"ecr-pullthroughcache/NAME": {"username", "accessToken"}}`.
    pub upstream_secrets: PathBuf,
    /// The file with the registries that are on other servers: `[{"registryId", "region", "endpoint", "accessKeyId",
    /// "secretAccessKey"}]`.
    pub peers: PathBuf,
    /// `host:port` under which clients reach `/v2/`; the front of every `repositoryUri`.
    pub advertised_host: String,
    /// Whether that is in `repositoryUri` whatever host a client spoke to.
    pub one_host: bool,
    /// Make a missing repository when somebody pushes to it. ECR refuses instead.
    pub create_on_push: bool,
    /// Uploads under way at a time; further ones are refused until some end.
    pub most_uploads: usize,
    /// From one application of a lifecycle policy to the next; a new policy is applied at once. ECR promises a day.
    pub expire_every: Duration,
    /// Images that lifecycle policies spare.
    pub in_use: SharedUse,
    /// Whose keys there are.
    pub principals: Arc<dyn Principals>,
    /// Who is told of pushes and deletions, by the registry's outbox.
    pub audience: SharedAudience,
    /// How long a blob is kept that no manifest names: longer than any push takes.
    pub idle_blobs_kept: Duration,
    /// What time it is.
    pub clock: Clock,
}

impl RegistryConfig {
    /// Plain HTTP, the system's clock, missing repositories refused, no image in use, lifecycle policies applied hourly, and
    /// every key the root user's.
    pub fn new(data_dir: impl Into<PathBuf>, advertised_host: impl Into<String>) -> Self {
        let data_dir = data_dir.into();
        Self {
            peers: data_dir.join("peers.json"),
            upstream_secrets: data_dir.join("upstream-secrets.json"),
            data_dir,
            bucket: None,
            advertised_host: advertised_host.into(),
            one_host: false,
            create_on_push: false,
            most_uploads: 4096,
            expire_every: Duration::from_secs(3600),
            in_use: Arc::new(Nothing),
            principals: Arc::new(OnlyRoot),
            audience: Arc::new(Nobody),
            idle_blobs_kept: Duration::from_secs(24 * 3600),
            clock: clock::system(),
        }
    }
}

impl std::fmt::Debug for RegistryConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegistryConfig")
            .field("data_dir", &self.data_dir)
            .field("bucket", &self.bucket)
            .field("advertised_host", &self.advertised_host)
            .field("one_host", &self.one_host)
            .field("create_on_push", &self.create_on_push)
            .field("most_uploads", &self.most_uploads)
            .field("expire_every", &self.expire_every)
            .field("idle_blobs_kept", &self.idle_blobs_kept)
            .finish_non_exhaustive()
    }
}
