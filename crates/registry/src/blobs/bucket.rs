//! Blobs in an S3 bucket: `<prefix>/<algorithm>/<hex>`, the layout of the directory. Bytes come here from the file that
//! an upload was staged in, whole or in parts, after their digest has been verified: what is seen in the bucket is whole.

use std::{
    fs, io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::{
    ClientOptions, ObjectStore, ObjectStoreExt, PutPayload, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    multipart::{MultipartStore, PartId},
    path::Path as ObjectPath,
    prefix::PrefixStore,
};
use tokio::{sync::Semaphore, task::spawn_blocking};
use uuid::Uuid;

use super::{
    claims::{Claim, Claims},
    files::Files,
    location::{BucketConfig, Location, LocationError},
    storage::{BlobError, object_path},
};
use crate::digest::{Algorithm, Digest};

/// A blob up to this size goes in one request, a larger one in parts of it. S3 takes no smaller part than 5 MiB, and a
/// part is held in memory.
const PART: u64 = 8 * 1024 * 1024;
/// S3's limit of parts; a blob for which it is too low goes in larger ones.
const PARTS_MOST: u64 = 10_000;
/// Parts in memory, those of all uploads together.
const PARTS_AT_A_TIME: usize = 4;
/// Removals and reads under way where there are many.
const REQUESTS_AT_A_TIME: usize = 8;
/// A store that says nothing for so long is as good as gone.
const SILENCE: Duration = Duration::from_secs(60);
/// A request that fails for a passing reason is sent again for so long.
const PATIENCE: Duration = Duration::from_secs(20);
const RETRIES: usize = 5;
/// Where a bucket says whose it is.
const MARK: &str = "longshore-registry.json";

type Objects = PrefixStore<AmazonS3>;

#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    config: BucketConfig,
    objects: Arc<Objects>,
    claims: Claims,
    parts: Arc<Semaphore>,
    /// Where it is noted what must be taken back if this process ends in the middle.
    notes: PathBuf,
    removals: mpsc::Sender<Claim>,
}

impl Bucket {
    /// Makes sure that the bucket is this registry's, takes back what a killed process had begun, and starts the thread
    /// that removes. Blocks.
    pub fn open(data_dir: &Path, config: &BucketConfig) -> Result<Self, BlobError> {
        if Files::any(data_dir) {
            let (path, asked) = (data_dir.join("blobs"), config.url.to_string());
            return Err(LocationError::InDirectory { path, asked }.into());
        }
        let notes = data_dir.join("uploads");
        fs::create_dir_all(&notes).map_err(BlobError::file("create", &notes))?;
        let objects = connect(config)?;
        blocking(async {
            own(&objects, data_dir, config).await?;
            take_back(&objects, &notes).await
        })?;
        Self::with(config, notes)
    }

    /// For who only reads.
    pub fn look(data_dir: &Path, config: &BucketConfig) -> Result<Self, BlobError> {
        let asked = config.url.to_string();
        if let Some(has) = Location::read(data_dir)?.map(|noted| noted.url).filter(|has| *has != asked) {
            return Err(LocationError::Elsewhere { has, asked }.into());
        }
        Self::with(config, data_dir.join("uploads"))
    }

    fn with(config: &BucketConfig, notes: PathBuf) -> Result<Self, BlobError> {
        let (removals, claims) = mpsc::channel();
        let remover = connect(config)?;
        thread::Builder::new()
            .name("registry-remover".to_owned())
            .spawn(move || remove_all(&remover, &claims))
            .map_err(BlobError::file("start a thread for", &notes))?;
        Ok(Self {
            config: config.clone(),
            objects: Arc::new(connect(config)?),
            claims: Claims::default(),
            parts: Arc::new(Semaphore::new(PARTS_AT_A_TIME)),
            notes,
            removals,
        })
    }

    pub fn objects(&self) -> Arc<dyn ObjectStore> {
        self.objects.clone()
    }

    /// As people see it.
    pub fn shown(&self, digest: &Digest) -> String {
        format!("{}/{}", self.config.url, object_path(digest))
    }

    /// Brings verified bytes here. Whoever gets the claim keeps it until the record is committed.
    pub(super) async fn store(&self, file: &Path, digest: &Digest) -> Result<Claim, BlobError> {
        let claim = self.claims.claim(digest).await;
        let size = tokio::fs::metadata(file).await.map_err(BlobError::file("look at", file))?.len();
        if size <= PART {
            let _permit = self.permit().await;
            let bytes = read_part(file, 0, size).await?;
            let put = self.objects.put(&object_path(digest), PutPayload::from(bytes)).await;
            put.map_err(BlobError::store("store", digest))?;
        } else {
            self.store_in_parts(file, digest, size).await?;
        }
        Ok(claim)
    }

    async fn store_in_parts(&self, file: &Path, digest: &Digest, size: u64) -> Result<(), BlobError> {
        let failed = || BlobError::store("store", digest);
        let path = object_path(digest);
        let id = self.objects.create_multipart(&path).await.map_err(failed())?;
        let note = Note::write(&self.notes, &path, &id)?;
        let length = part_size(size);
        let outcome = async {
            let parts: Vec<PartId> = stream::iter(0..size.div_ceil(length))
                .map(|n| self.part(file, digest, &id, n, length.min(size - n * length), length))
                .buffered(PARTS_AT_A_TIME)
                .try_collect()
                .await?;
            self.objects.complete_multipart(&path, &id, parts).await.map_err(failed())
        }
        .await;
        let is_over = match &outcome {
            Ok(_) => true,
            // Where this fails too, the note stays, and the next start does it.
            Err(_) => self.objects.abort_multipart(&path, &id).await.is_ok(),
        };
        if is_over {
            note.remove();
        }
        outcome.map(|_| ())
    }

    async fn part(
        &self,
        file: &Path,
        digest: &Digest,
        id: &String,
        n: u64,
        length: u64,
        part_size: u64,
    ) -> Result<PartId, BlobError> {
        let _permit = self.permit().await;
        let bytes = read_part(file, n * part_size, length).await?;
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        let put = self.objects.put_part(&object_path(digest), id, n, PutPayload::from(bytes)).await;
        put.map_err(BlobError::store("store", digest))
    }

    async fn permit(&self) -> tokio::sync::SemaphorePermit<'_> {
        self.parts.acquire().await.expect("the semaphore is never closed")
    }

    /// Lets a blob be removed that nothing stands on, unless somebody is about to store it anew.
    pub fn remove(&self, digest: &Digest) {
        if let Some(claim) = self.claims.try_claim(digest) {
            self.remove_claimed(claim);
        }
    }

    /// The same by who has stored it in vain.
    pub(super) fn remove_claimed(&self, claim: Claim) {
        // The thread lives as long as this; without it the next start sweeps.
        let _ = self.removals.send(claim);
    }

    /// Removes every stored blob for which `is_used` says no. Only before the writer runs; blocks.
    pub fn sweep(&self, is_used: impl Fn(&Digest) -> bool + Sync) -> Result<usize, BlobError> {
        let objects = connect(&self.config)?;
        blocking(async {
            let (digests, _) = list(&objects, &self.config).await?;
            let unused: Vec<Digest> = digests.into_iter().filter(|digest| !is_used(digest)).collect();
            let count = unused.len();
            let removals = stream::iter(unused).map(|digest| {
                let objects = &objects;
                async move { remove(objects, &digest).await }
            });
            removals.buffer_unordered(REQUESTS_AT_A_TIME).try_collect::<Vec<()>>().await?;
            Ok(count)
        })
    }

    /// The blobs, and what else lies there. Blocks.
    pub fn list(&self) -> Result<(Vec<Digest>, Vec<String>), BlobError> {
        let objects = connect(&self.config)?;
        blocking(list(&objects, &self.config))
    }

    /// Runs `read` over the bytes of each blob, some at a time. Blocks.
    pub fn read_each<T: Send>(
        &self,
        digests: &[Digest],
        read: impl AsyncFn(&Digest, Arc<dyn ObjectStore>) -> T + Sync,
    ) -> Result<Vec<T>, BlobError> {
        let objects: Arc<dyn ObjectStore> = Arc::new(connect(&self.config)?);
        thread::scope(|scope| {
            let run = scope.spawn(|| {
                let reads = digests.iter().map(|digest| read(digest, objects.clone()));
                runtime().block_on(stream::iter(reads).buffered(REQUESTS_AT_A_TIME).collect::<Vec<T>>())
            });
            Ok(run.join().expect("a reader of blobs panicked"))
        })
    }
}

/// The parts that a blob of this size is stored in: each of this many bytes, but for the last.
fn part_size(size: u64) -> u64 {
    const MIB: u64 = 1024 * 1024;
    PART.max(size.div_ceil(PARTS_MOST).next_multiple_of(MIB))
}

async fn read_part(file: &Path, at: u64, length: u64) -> Result<Bytes, BlobError> {
    let path = file.to_owned();
    let read = move || {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        fs::File::open(&path)?.read_exact_at(&mut bytes, at)?;
        Ok(Bytes::from(bytes))
    };
    let read = spawn_blocking(read).await.map_err(io::Error::other).flatten();
    read.map_err(BlobError::file("read", file))
}

fn connect(config: &BucketConfig) -> Result<Objects, BlobError> {
    let options = ClientOptions::new()
        .with_allow_http(true)
        // A large blob takes as long as its reader does.
        .with_timeout_disabled()
        .with_read_timeout(SILENCE);
    let retry = RetryConfig { max_retries: RETRIES, retry_timeout: PATIENCE, ..RetryConfig::default() };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&config.url.bucket)
        .with_region(&config.region)
        .with_virtual_hosted_style_request(false)
        .with_client_options(options)
        .with_retry(retry);
    if let Some(endpoint) = &config.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    if let Some((id, secret)) = &config.key {
        builder = builder.with_access_key_id(id).with_secret_access_key(secret);
    }
    let s3 = builder.build().map_err(BlobError::bucket("speak to", config))?;
    Ok(PrefixStore::new(s3, ObjectPath::from(config.url.prefix.as_str())))
}

/// Claims the bucket at the first start, and finds its mark at every other.
async fn own(objects: &Objects, data_dir: &Path, config: &BucketConfig) -> Result<(), BlobError> {
    let asked = config.url.to_string();
    let noted = Location::read(data_dir)?;
    if let Some(has) = noted.as_ref().filter(|noted| noted.url != asked) {
        return Err(LocationError::Elsewhere { has: has.url.clone(), asked }.into());
    }
    let mut noted = noted.unwrap_or_else(|| Location {
        url: asked.clone(),
        id: Uuid::new_v4().to_string(),
        marked: false,
    });
    let path = ObjectPath::from(MARK);
    match objects.get(&path).await {
        Ok(mark) => {
            let mark = mark.bytes().await.map_err(BlobError::bucket("read", config))?;
            if serde_json::from_slice(&mark).ok().as_ref() != Some(&noted.id) {
                return Err(LocationError::Foreign(asked).into());
            }
        }
        Err(object_store::Error::NotFound { .. }) if noted.marked => {
            return Err(LocationError::Unmarked(asked).into());
        }
        Err(object_store::Error::NotFound { .. }) => {
            // The id first, so that a mark that was set is always known to be ours.
            noted.write(data_dir)?;
            let mark = format!("\"{}\"\n", noted.id);
            objects.put(&path, PutPayload::from(mark)).await.map_err(BlobError::bucket("mark", config))?;
        }
        Err(source) => return Err(BlobError::bucket("read", config)(source)),
    }
    if noted.marked {
        return Ok(());
    }
    noted.marked = true;
    noted.write(data_dir)
}

/// Gives up the stores in parts that a killed process had begun: nobody sees them, and they take room.
async fn take_back(objects: &Objects, notes: &Path) -> Result<(), BlobError> {
    let entries = fs::read_dir(notes).map_err(BlobError::file("list", notes))?;
    for note in entries.flatten().filter_map(|entry| Note::read(entry.path())) {
        match objects.abort_multipart(&ObjectPath::from(note.path.as_str()), &note.id).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => note.remove(),
            Err(error) => tracing::warn!(%error, "the parts of a broken upload stay in the bucket"),
        }
    }
    Ok(())
}

/// A store in parts that is under way.
struct Note {
    file: PathBuf,
    path: String,
    id: String,
}

impl Note {
    fn write(dir: &Path, path: &ObjectPath, id: &str) -> Result<Self, BlobError> {
        let file = dir.join(format!("{}.parts", Uuid::new_v4()));
        fs::write(&file, format!("{path}\n{id}")).map_err(BlobError::file("write", &file))?;
        Ok(Self { file, path: path.to_string(), id: id.to_owned() })
    }

    fn read(file: PathBuf) -> Option<Self> {
        if !is_note(&file) {
            return None;
        }
        let text = fs::read_to_string(&file).ok()?;
        let (path, id) = text.split_once('\n')?;
        Some(Self { path: path.to_owned(), id: id.to_owned(), file })
    }

    fn remove(&self) {
        // One too many costs a request at the next start.
        let _ = fs::remove_file(&self.file);
    }
}

pub(crate) fn is_note(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "parts")
}

async fn list(objects: &Objects, config: &BucketConfig) -> Result<(Vec<Digest>, Vec<String>), BlobError> {
    let mut listed = objects.list(None);
    let (mut digests, mut strays) = (Vec::new(), Vec::new());
    while let Some(object) = listed.try_next().await.map_err(BlobError::bucket("list", config))? {
        let name = object.location.as_ref();
        match name.split_once('/').and_then(digest_of) {
            Some(digest) => digests.push(digest),
            None if name != MARK => strays.push(format!("{}/{name}", config.url)),
            None => {}
        }
    }
    Ok((digests, strays))
}

fn digest_of((algorithm, hex): (&str, &str)) -> Option<Digest> {
    let algorithm: Algorithm = algorithm.parse().ok()?;
    format!("{}:{hex}", algorithm.as_str()).parse().ok()
}

async fn remove(objects: &Objects, digest: &Digest) -> Result<(), BlobError> {
    match objects.delete(&object_path(digest)).await {
        Err(object_store::Error::NotFound { .. }) => Ok(()),
        other => other.map_err(BlobError::store("remove", digest)),
    }
}

/// Removes what it is handed, until nobody hands it any more.
fn remove_all(objects: &Objects, claims: &mpsc::Receiver<Claim>) {
    let runtime = runtime();
    while let Ok(claim) = claims.recv() {
        let digest = claim.digest();
        if let Err(error) = runtime.block_on(remove(objects, digest)) {
            tracing::warn!(%digest, error = &error as &dyn std::error::Error, "an unused blob stays until the next start");
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.expect("a runtime of one thread needs no more than a few descriptors")
}

/// Runs to its end what can't be awaited: from within a runtime, or outside of any.
fn blocking<T: Send>(work: impl Future<Output = T> + Send) -> T {
    thread::scope(|scope| scope.spawn(|| runtime().block_on(work)).join().expect("it panicked"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_are_as_s3_wants_them(size in 1u64..5 << 40) {
            let part = part_size(size);
            prop_assert!(part >= PART);
            prop_assert!(size.div_ceil(part) <= PARTS_MOST);
        }
    }
}
