//! Pulling: what does the name stand for, do we have it, and if not, which layers are missing.

use super::{
    digest::Digest,
    error::PullError,
    index::ImageRecord,
    layers::Pin,
    manifest::{self, ConfigDocument, Descriptor, Document, ImageConfig, Platform},
    reference::Reference,
    registry::{Failed, Manifest, Repository},
    resolver::Auth,
    store::{ImageStore, Inner},
    unpack::{self, BlobDigests, ChunkReader},
};
use futures_util::future::try_join_all;
use std::{fmt, sync::Arc};

/// An index may point to an index; deeper than this is a joke.
const INDEX_DEPTH: usize = 4;
/// The most layers overlayfs stacks (Linux, fs/overlayfs: OVL_MAX_STACK).
const MOST_LAYERS: usize = 500;

/// How a pull is getting on. Of a download that several pulls share, the one that began it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullEvent {
    /// What the name stands for.
    Resolved { digest: String },
    /// Bytes of a layer received so far, of how many (compressed).
    Layer { digest: String, received: u64, size: u64 },
    /// A layer is unpacked and checked.
    Unpacked { digest: String },
}

/// Is told of [`PullEvent`]s; must not block.
pub type Progress = Arc<dyn Fn(PullEvent) + Send + Sync>;

/// An image that is there, unpacked. As long as it is in hand its layers stay.
#[derive(Debug, Clone)]
pub struct PulledImage {
    /// The name in full form.
    pub reference: String,
    /// What the name resolved to: the index's digest where there is one, as ECS reports it in
    /// `imageDigest`.
    pub manifest_digest: String,
    pub platform: Platform,
    pub config: ImageConfig,
    /// Digests of the unpacked layers, the lowest first.
    pub layers: Vec<Digest>,
    _pin: Arc<Pin>,
}

/// An image's record, and the hold on its layers.
#[derive(Debug, Clone)]
pub(super) struct Ready {
    record: Arc<ImageRecord>,
    pin: Arc<Pin>,
}

/// What a name stands for, and its content where the resolving brought it along.
pub(super) type Resolved = (Digest, Option<Arc<Vec<u8>>>);

/// What is to be fetched, by a run that outlives whoever began it.
#[derive(Clone)]
struct Order {
    inner: Arc<Inner>,
    repository: Repository,
    platform: Platform,
    /// What the name resolved to.
    digest: Digest,
    /// Its content, where the resolving brought it along.
    document: Option<Arc<Vec<u8>>>,
    progress: Option<Progress>,
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order").field("repository", &self.repository).field("digest", &self.digest).finish()
    }
}

impl ImageStore {
    /// Brings an image here, unpacked.
    ///
    /// A name with a digest that is here needs no network. A name with a tag is always resolved anew, as
    /// Fargate does it, by one HEAD where the tag has been pulled before; then only what is missing is
    /// fetched. Pulls of the same image or layer at the same time share one download, and dropping the
    /// last of their futures stops it.
    pub async fn pull(
        &self,
        reference: &str,
        auth: Auth,
        platform: &Platform,
        progress: Option<Progress>,
    ) -> Result<PulledImage, PullError> {
        let parsed = Reference::parse(reference).map_err(|source| PullError::Reference {
            reference: reference.chars().take(300).collect(),
            source,
        })?;
        let shown = parsed.to_string();
        let repository = Repository {
            client: self.inner.client.clone(),
            target: self.inner.resolver.resolve(&parsed),
            auth,
            shown: shown.clone(),
        };
        let (digest, document) = match &parsed.digest {
            Some(digest) => (digest.clone(), None),
            None => {
                let tag = parsed.tag.as_deref().unwrap_or("latest");
                let key = (repository.target.clone(), repository.auth.clone(), tag.to_owned());
                self.inner.tags.get(key, async || self.resolve_tag(&repository, tag).await).await?
            }
        };
        if let Some(progress) = &progress {
            progress(PullEvent::Resolved { digest: digest.to_string() });
        }
        let ready = match self.find(&digest, platform) {
            Some(ready) => ready,
            None => {
                let order = Order {
                    inner: self.inner.clone(),
                    repository,
                    platform: platform.clone(),
                    digest: digest.clone(),
                    document,
                    progress,
                };
                let key = (digest, platform.clone());
                let ready = self.inner.image_flights.join(key, || order.clone().run()).await?;
                self.sync_in_background();
                ready
            }
        };
        Ok(PulledImage {
            reference: shown,
            manifest_digest: ready.record.digest.to_string(),
            platform: ready.record.platform.clone(),
            config: ready.record.config.clone(),
            layers: ready.record.layers.clone(),
            _pin: ready.pin,
        })
    }

    async fn resolve_tag(&self, repository: &Repository, tag: &str) -> Result<Resolved, PullError> {
        let name = format!("{}/{}:{tag}", repository.target.base, repository.target.repository);
        if self.inner.index.note(&name)
            && let Some(digest) =
                repository.head_manifest(tag).await.map_err(|f| unresolved(repository, f))?
        {
            return Ok((digest, None));
        }
        let Manifest { digest, bytes } =
            repository.manifest(tag).await.map_err(|f| unresolved(repository, f))?;
        Ok((digest, Some(Arc::new(bytes))))
    }

    /// An image that is here with all its layers. They are pinned before they are looked for, so that a
    /// collection in between is noticed.
    fn find(&self, digest: &Digest, platform: &Platform) -> Option<Ready> {
        let record = self.inner.index.get(digest, platform)?;
        let pin = Arc::new(self.inner.layers.pin(&record.layers));
        record.layers.iter().all(|layer| self.inner.layers.contains(layer)).then_some(Ready { record, pin })
    }
}

fn unresolved(repository: &Repository, failed: Failed) -> PullError {
    PullError::Resolve {
        reference: repository.shown.clone(),
        attempts: failed.attempts,
        source: Box::new(failed.error),
    }
}

impl Order {
    async fn run(self) -> Result<Ready, PullError> {
        let (manifest, config, layers) = self.manifest().await?;
        let config = self.config(&config).await?;
        if layers.len() != config.diff_ids.len() {
            return Err(self.malformed("mismatched image rootfs and manifest layers"));
        }
        if layers.len() > MOST_LAYERS {
            return Err(self.malformed("the image has more than 500 layers"));
        }
        let pin = Arc::new(self.inner.layers.pin(&config.diff_ids));
        try_join_all(layers.iter().zip(&config.diff_ids).map(|(layer, diff_id)| self.layer(layer, diff_id)))
            .await?;
        let record = ImageRecord {
            digest: self.digest.clone(),
            platform: self.platform.clone(),
            manifest,
            config: config.config,
            layers: config.diff_ids,
        };
        let record = self.inner.index.add(record).map_err(PullError::store("write", "images"))?;
        Ok(Ready { record, pin })
    }

    /// From what the name resolved to down to the platform's own manifest.
    async fn manifest(&self) -> Result<(Digest, Descriptor, Vec<Descriptor>), PullError> {
        let mut wanted = self.digest.clone();
        let mut document = self.document.clone();
        for _ in 0..INDEX_DEPTH {
            let bytes = match document.take() {
                Some(bytes) => bytes,
                None => {
                    let answer = self.repository.manifest(wanted.as_str()).await;
                    Arc::new(answer.map_err(|failed| unresolved(&self.repository, failed))?.bytes)
                }
            };
            check("manifest", &wanted, &bytes)?;
            match Document::parse(&bytes).map_err(|reason| self.malformed(&reason))? {
                Document::Image { config, layers } => return Ok((wanted, config, layers)),
                Document::Index(manifests) => {
                    let chosen =
                        manifest::choose(&manifests, &self.platform).ok_or_else(|| self.other_platform())?;
                    wanted = chosen.digest.clone();
                }
            }
        }
        Err(self.malformed("indexes are nested too deeply"))
    }

    async fn config(&self, descriptor: &Descriptor) -> Result<ConfigDocument, PullError> {
        let bytes = self.repository.small_blob(&descriptor.digest).await;
        let bytes = bytes.map_err(|failed| unresolved(&self.repository, failed))?;
        check("config", &descriptor.digest, &bytes)?;
        let config = ConfigDocument::parse(&bytes).map_err(|reason| self.malformed(&reason))?;
        let fits = |said: &str, wanted: &str| said.is_empty() || said == wanted;
        if !fits(&config.os, &self.platform.os) || !fits(&config.architecture, &self.platform.architecture) {
            return Err(self.other_platform());
        }
        Ok(config)
    }

    async fn layer(&self, descriptor: &Descriptor, diff_id: &Digest) -> Result<(), PullError> {
        if self.inner.layers.contains(diff_id) {
            return Ok(());
        }
        let start = || self.clone().fetch_layer(descriptor.clone(), diff_id.clone());
        self.inner.layer_flights.join(diff_id.clone(), start).await
    }

    /// Downloads and unpacks one layer: the download feeds the unpacking as it comes.
    async fn fetch_layer(self, descriptor: Descriptor, diff_id: Digest) -> Result<(), PullError> {
        let _turn = self.inner.downloads.acquire().await.map_err(|_| PullError::Interrupted)?;
        if self.inner.layers.contains(&diff_id) {
            return Ok(());
        }
        let layer = self.inner.layers.begin()?;
        let expected = BlobDigests { blob: descriptor.digest.clone(), diff_id: diff_id.clone() };
        let (sender, chunks) = tokio::sync::mpsc::channel(32);
        let (limits, size, promised) = (self.inner.limits, descriptor.size, expected.clone());
        // Whatever ends the download (an error, an abort) closes the channel and so ends the unpacking,
        // which owns the temporary directory until then.
        let unpacking = tokio::task::spawn_blocking(move || {
            let source = ChunkReader { chunks, current: bytes::Bytes::new() };
            let unpacked = unpack::unpack_blob(source, size, &promised, &layer.tree(), limits);
            unpacked.map(|(unpacked, digests)| (layer, unpacked, digests))
        });
        let report = |received| {
            if let Some(progress) = &self.progress {
                progress(PullEvent::Layer { digest: descriptor.digest.to_string(), received, size });
            }
        };
        let downloaded = self.repository.stream_blob(&descriptor.digest, size, &sender, &report).await;
        drop(sender);
        let unpacked = unpacking.await.map_err(|_| PullError::Interrupted)?;
        match downloaded {
            // The unpacking gave up first: its error says why.
            Err(Failed { error: super::RequestError::Canceled, .. }) if unpacked.is_err() => {}
            Err(Failed { attempts, error }) => {
                return Err(PullError::Fetch {
                    digest: descriptor.digest,
                    attempts,
                    source: Box::new(error),
                });
            }
            Ok(()) => {}
        }
        let (layer, unpacked, actual) = unpacked.map_err(|error| match error.is_disk_full() {
            true => PullError::DiskFull { diff_id: diff_id.clone(), path: self.inner.layers.tree(&diff_id) },
            false => PullError::Unpack { diff_id: diff_id.clone(), source: Arc::new(error) },
        })?;
        if actual.blob != expected.blob {
            return Err(PullError::Digest { what: "layer", expected: expected.blob, actual: actual.blob });
        }
        if actual.diff_id != expected.diff_id {
            return Err(PullError::Digest {
                what: "diff",
                expected: expected.diff_id,
                actual: actual.diff_id,
            });
        }
        self.inner.layers.publish(layer, &diff_id)?;
        tracing::debug!(%diff_id, entries = unpacked.entries, bytes = unpacked.bytes, "a layer is unpacked");
        if let Some(progress) = &self.progress {
            progress(PullEvent::Unpacked { digest: descriptor.digest.to_string() });
        }
        Ok(())
    }

    fn malformed(&self, reason: &str) -> PullError {
        PullError::Manifest { reference: self.repository.shown.clone(), reason: reason.to_owned() }
    }

    fn other_platform(&self) -> PullError {
        PullError::Platform { reference: self.repository.shown.clone(), platform: self.platform.clone() }
    }
}

fn check(what: &'static str, expected: &Digest, bytes: &[u8]) -> Result<(), PullError> {
    let actual = expected.of_same_algorithm(bytes);
    if actual == *expected {
        return Ok(());
    }
    Err(PullError::Digest { what, expected: expected.clone(), actual })
}
