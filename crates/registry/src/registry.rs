//! The front door.

use std::{fs, io, path::PathBuf, sync::Arc, time::Duration};

use store::{Outbox, Store};
use tokio::sync::{Notify, watch};

use crate::{
    Shared,
    auth::{key, request::Authority},
    blobs::{
        storage::{BlobError, BlobStorage},
        upload::{UploadError, Uploads},
    },
    config::RegistryConfig,
    ecr,
    expiry::{Previews, Timetable, expire_due, keep_expiring},
    oci,
    push::Push,
    replication::{Peers, keep_replicating},
    scan::Reports,
    state::{
        command::{CollectBlobs, ForgetPushes},
        entities::Scope,
        guard::Guard,
        writer::{self, Announcing, OpenError, WriteError, Writer},
    },
    upstream::{Cache, Secrets},
};

/// Why a registry can't be opened, or can't clean up.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("the registry's directory '{}' can't be made", path.display())]
    Directory {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the registry's blobs can't be opened")]
    Blobs(#[from] BlobError),
    #[error("the registry's state can't be opened")]
    State(#[from] OpenError),
    #[error("the registry's writer can't be started")]
    Thread(#[source] io::Error),
    #[error("an upload can't be removed")]
    Upload(#[from] UploadError),
    #[error("the registry's state can't be changed")]
    Write(#[from] WriteError),
}

/// One open registry. Clones are the same registry.
#[derive(Clone)]
pub struct Registry {
    shared: Arc<Shared>,
    idle_blobs_kept: Duration,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry")
            .field("advertised_host", &self.shared.advertised_host)
            .finish_non_exhaustive()
    }
}

impl Registry {
    /// Opens a registry over its directory and its store; nothing else may write to either. Reads the whole
    /// state, removes what a crash left behind, and starts the writer. Blocks.
    pub fn open(config: RegistryConfig, store: Arc<dyn Store>) -> Result<Self, RegistryError> {
        let dir = &config.data_dir;
        fs::create_dir_all(dir).map_err(|source| RegistryError::Directory { path: dir.clone(), source })?;
        let authority = Authority::new(key::load_or_create(dir)?);
        let blobs = BlobStorage::open(dir, config.bucket.as_ref())?;
        let uploads = Uploads::open(dir, config.most_uploads, blobs.takes_long())?;
        let outbox = Arc::new(Outbox::new());
        let (index, revision) = writer::load(&*store, &outbox)?;
        let swept = blobs.sweep(|digest| index.is_used(digest))?;
        if swept > 0 {
            tracing::info!(blobs = swept, "removed blobs that nothing refers to");
        }
        let announcing = Announcing { audience: config.audience, clock: config.clock.clone(), outbox };
        let writer = Writer::start(store, blobs.clone(), index, revision, announcing);
        let writer = writer.map_err(RegistryError::Thread)?;
        Ok(Self {
            idle_blobs_kept: config.idle_blobs_kept,
            shared: Arc::new(Shared {
                writer,
                blobs,
                uploads,
                authority,
                clock: config.clock,
                advertised_host: config.advertised_host,
                one_host: config.one_host,
                create_on_push: config.create_on_push,
                in_use: config.in_use,
                principals: config.principals,
                timetable: Timetable::new(config.expire_every),
                previews: Previews::default(),
                reports: Reports::default(),
                peers: Peers::new(config.peers),
                replicating: Notify::new(),
                cache: Cache::new(Secrets::new(config.upstream_secrets)),
            }),
        })
    }

    /// ECR's operations. They need a tokio runtime to be called in.
    pub fn operations(&self) -> wire::dispatch::Router {
        ecr::operations(&self.shared)
    }

    /// `/v2/…` with its token endpoint. It authenticates by itself: SigV4 doesn't apply to it.
    pub fn routes(&self) -> axum::Router {
        oci::routes(self.shared.clone())
    }

    /// What decides about access to a resource of ECR: the policies of the repository that an ARN names and of its
    /// registry, and the repository's tags as condition keys.
    pub fn guard(&self, account: &str, region: &str, resource: &str) -> Guard {
        let scope = Scope { account: account.to_owned(), region: region.to_owned() };
        self.shared.writer.index().guard(&scope, resource)
    }

    /// The pushes after a number, oldest first, as far as they haven't been forgotten.
    pub fn pushes_after(&self, number: u64) -> Vec<(u64, Push)> {
        self.shared.writer.index().pushes_after(number).map(|(n, push)| (n, push.clone())).collect()
    }

    /// The number of the newest push: it changes after the push is durable.
    pub fn newest_push(&self) -> watch::Receiver<u64> {
        self.shared.writer.newest_push()
    }

    /// Drops the pushes up to a number, which have been acted on. The newest is kept.
    pub async fn forget_pushes(&self, through: u64) -> Result<(), RegistryError> {
        Ok(self.shared.writer.submit(ForgetPushes { through }).await?)
    }

    /// What the audience is told, from the commits of the changes until it is taken over.
    pub fn outbox(&self) -> &Arc<Outbox> {
        self.shared.writer.outbox()
    }

    /// Applies the lifecycle policies that are due; gives how many images expired.
    pub async fn expire(&self) -> usize {
        expire_due(&self.shared).await.images
    }

    /// Applies each lifecycle policy when it is due, for ever.
    pub async fn keep_expiring(&self) {
        keep_expiring(&self.shared).await;
    }

    /// Brings images to registries on other servers, as the replication rules say, for ever.
    pub async fn keep_replicating(&self) {
        keep_replicating(&self.shared).await;
    }

    /// Removes the uploads that nobody has touched for a day, and the blobs that no manifest has named for
    /// as long as the configuration keeps them; gives how many blobs were unlinked. For a timer.
    pub async fn collect(&self) -> Result<usize, RegistryError> {
        let uploads = self.shared.uploads.expire().await?;
        if uploads > 0 {
            tracing::info!(uploads, "removed uploads that nobody went on with");
        }
        let grace_ms = u64::try_from(self.idle_blobs_kept.as_millis()).unwrap_or(u64::MAX);
        let command = CollectBlobs { now_ms: self.shared.now_ms(), grace_ms };
        Ok(self.shared.writer.submit(command).await?)
    }
}
