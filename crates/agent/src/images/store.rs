//! The store itself: opening it, and giving up what nobody needs.

use super::{
    error::RequestError,
    flight::Flights,
    fresh::Fresh,
    index::Index,
    layers::Layers,
    manifest::Platform,
    pull::{Ready, Resolved},
    registry::{Authorizer, Client, Transport},
    resolver::{Auth, EcrCredentials, Resolver, Target},
    rootfs::Rootfs,
    unpack::Limits,
};
use std::{
    collections::HashSet,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

/// How long a killed agent's children may hold its lock.
const COPIES: Duration = Duration::from_secs(2);

/// How the store pulls.
#[derive(Clone)]
pub struct ImagesConfig {
    pub resolver: Resolver,
    /// Where tokens for our own registry come from; without it they are not sent.
    pub ecr: Option<EcrCredentials>,
    /// How our own registry is known, where it speaks TLS.
    pub own_tls: Option<Arc<rustls::ClientConfig>>,
    /// Layers downloaded and unpacked at a time, over all pulls.
    pub parallel_layers: usize,
    /// How often a request that failed for a transient reason is sent in all.
    pub attempts: u32,
    /// The wait before the second attempt; doubled for each further one.
    pub first_backoff: Duration,
    /// How long our own registry may be away before a pull gives up, whatever `attempts` says.
    pub own_patience: Duration,
    /// What one layer may hold.
    pub limits: Limits,
}

impl Default for ImagesConfig {
    fn default() -> Self {
        Self {
            resolver: Resolver::default(),
            ecr: None,
            own_tls: None,
            parallel_layers: 4,
            attempts: 5,
            first_backoff: Duration::from_millis(100),
            own_patience: Duration::ZERO,
            limits: Limits::default(),
        }
    }
}

impl fmt::Debug for ImagesConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImagesConfig")
            .field("resolver", &self.resolver)
            .field("parallel_layers", &self.parallel_layers)
            .field("attempts", &self.attempts)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Why a store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the image store {path} is in use by another process")]
    InUse { path: PathBuf },
    #[error("failed to open the image store {path}: {source}")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("failed to make the registry client: {source}")]
    Client {
        #[source]
        source: RequestError,
    },
}

/// The images and root file systems of one agent. Cheap to clone; all clones are the same store.
#[derive(Debug, Clone)]
pub struct ImageStore {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub resolver: Resolver,
    pub client: Arc<Client>,
    pub limits: Limits,
    pub layers: Arc<Layers>,
    pub index: Index,
    pub rootfs: Rootfs,
    pub downloads: tokio::sync::Semaphore,
    /// What a tag stands for, by registry, repository, credentials and tag.
    pub tags: Fresh<(Target, Auth, String), Result<Resolved, super::PullError>>,
    pub image_flights: Flights<(super::Digest, Platform), Ready>,
    pub layer_flights: Flights<super::Digest, ()>,
    /// Held locked as long as the store is open.
    _lock: nix::fcntl::Flock<fs::File>,
}

/// What [`ImageStore::collect`] removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collected {
    pub images: usize,
    pub layers: usize,
}

impl ImageStore {
    /// Opens the store in `directory`, making it where it isn't there, and clears what a crash left:
    /// half-unpacked layers, and layers that a power cut may have torn. One process at a time may have a
    /// store open. Containers' root file systems stay (see [`ImageStore::list_rootfs`]).
    pub fn open(directory: impl Into<PathBuf>, config: ImagesConfig) -> Result<Self, OpenError> {
        let directory = directory.into();
        let io_error = |source| OpenError::Io { path: directory.clone(), source };
        fs::create_dir_all(&directory).map_err(io_error)?;
        let directory = fs::canonicalize(&directory).map_err(io_error)?;
        let lock = lock(&directory)?;
        let own = config.resolver.endpoint.as_deref().zip(config.own_tls.as_deref());
        let transport = Transport::new(own).map_err(|source| OpenError::Client { source })?;
        let layers = Layers::open(&directory).map_err(io_error)?;
        let inner = Inner {
            resolver: config.resolver,
            client: Arc::new(Client {
                transport,
                authorizer: Authorizer::new(config.ecr),
                attempts: config.attempts.max(1),
                first_backoff: config.first_backoff,
                own_patience: config.own_patience,
            }),
            limits: config.limits,
            layers: Arc::new(layers),
            index: Index::open(&directory).map_err(io_error)?,
            rootfs: Rootfs::open(&directory).map_err(io_error)?,
            downloads: tokio::sync::Semaphore::new(config.parallel_layers.max(1)),
            tags: Fresh::default(),
            image_flights: Flights::default(),
            layer_flights: Flights::default(),
            _lock: lock,
        };
        let store = Self { inner: Arc::new(inner) };
        store.sync_in_background();
        Ok(store)
    }

    /// Removes every image for whose digest (the one that its name resolved to, an index's where there is
    /// one) `keep` says no, then every layer that no kept image, no container's root file system and no
    /// [`super::PulledImage`] still in hand needs. Blocks while files are removed.
    pub fn collect(&self, keep: &dyn Fn(&str) -> bool) -> io::Result<Collected> {
        let mut images = 0;
        for record in self.inner.index.all() {
            if !keep(record.digest.as_str()) {
                self.inner.index.remove(&record)?;
                images += 1;
            }
        }
        let layers = self.inner.layers.collect(|| {
            let mut in_use: HashSet<_> = self.inner.rootfs.layers_in_use();
            in_use.extend(self.inner.index.all().iter().flat_map(|record| record.layers.clone()));
            in_use
        })?;
        Ok(Collected { images, layers })
    }

    /// The digests of the images that are there.
    pub fn images(&self) -> Vec<String> {
        self.inner.index.all().iter().map(|record| record.digest.to_string()).collect()
    }

    /// Makes the layers durable without anybody waiting for it (see `layers.rs`).
    pub(super) fn sync_in_background(&self) {
        let layers = self.inner.layers.clone();
        let sync = move || {
            if let Err(error) = layers.sync() {
                tracing::warn!(%error, "the image layers could not be made durable; it will be tried again");
            }
        };
        // A thread of its own: the store may be opened outside a runtime, and a runtime that shuts down
        // must not wait for the disk.
        if let Err(error) = std::thread::Builder::new().name("image-sync".to_owned()).spawn(sync) {
            tracing::warn!(%error, "no thread for making image layers durable");
        }
    }
}

/// A child of a killed agent has a copy of its descriptors until it executes its program, and the lock
/// lives as long as any copy is open: it is asked for a while.
fn lock(directory: &Path) -> Result<nix::fcntl::Flock<fs::File>, OpenError> {
    use nix::fcntl::{Flock, FlockArg};
    let path = directory.join("lock");
    let io = |source| OpenError::Io { path: path.clone(), source };
    let mut file = fs::OpenOptions::new().create(true).append(true).open(&path).map_err(io)?;
    let until = Instant::now() + COPIES;
    loop {
        file = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((file, nix::errno::Errno::EWOULDBLOCK)) if Instant::now() < until => file,
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
                return Err(OpenError::InUse { path: directory.to_owned() });
            }
            Err((_, errno)) => return Err(io(errno.into())),
        };
        std::thread::sleep(Duration::from_millis(10));
    }
}
