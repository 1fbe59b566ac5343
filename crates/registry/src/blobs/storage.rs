//! Blobs at rest, as files or in a bucket. Reading goes through `object_store`; how bytes get there and go is each one's
//! own matter (`files.rs`, `bucket.rs`).

use std::{
    fs,
    io::{self, Read, Seek},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::{
    Stream, StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use object_store::{
    GetOptions, GetRange, GetResultPayload, ObjectStore, ObjectStoreExt, local::LocalFileSystem,
    path::Path as ObjectPath,
};

use super::{
    bucket::Bucket,
    claims::Claim,
    files::Files,
    location::{BucketConfig, Location, LocationError},
    upload::Held,
};
use crate::digest::{Algorithm, Digest, Hasher};

/// How much of a blob is read at a time. Bounds a pull's memory.
const READ_CHUNK: usize = 256 * 1024;

/// The blob store can't do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    #[error("the blob '{digest}' can't be read")]
    Read {
        digest: Digest,
        #[source]
        source: object_store::Error,
    },
    #[error("can't {doing} '{}'", path.display())]
    File {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the blob directory '{}' can't be opened", path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: object_store::Error,
    },
    /// `what`: a blob, or the bucket.
    #[error("can't {doing} '{what}' at the S3 endpoint")]
    Bucket {
        doing: &'static str,
        what: String,
        #[source]
        source: object_store::Error,
    },
    #[error(transparent)]
    Location(#[from] LocationError),
}

/// What S3-compatible stores say when there is no room (MinIO, Ceph), and the status that says so.
const FULL: [&str; 3] = ["XMinioStorageFull", "QuotaExceeded", "507 Insufficient Storage"];

impl BlobError {
    pub(crate) fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { doing, path, source }
    }

    pub(crate) fn store(doing: &'static str, digest: &Digest) -> impl FnOnce(object_store::Error) -> Self {
        let what = digest.to_string();
        move |source| Self::Bucket { doing, what, source }
    }

    pub(super) fn bucket(
        doing: &'static str,
        config: &BucketConfig,
    ) -> impl FnOnce(object_store::Error) -> Self {
        let what = config.url.to_string();
        move |source| Self::Bucket { doing, what, source }
    }

    /// Whether it is for want of room on the disk, or of the owner's quota.
    pub fn is_full(&self) -> bool {
        let full = |kind| matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        match self {
            Self::File { source, .. } => full(source.kind()),
            Self::Bucket { source, .. } => {
                let said = source.to_string();
                FULL.iter().any(|word| said.contains(word))
            }
            _ => false,
        }
    }

    /// Whether a store elsewhere failed, which may be well again in a moment.
    pub fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Bucket { .. })
    }

    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Read { source, .. } | Self::Bucket { source, .. } => {
                matches!(source, object_store::Error::NotFound { .. })
            }
            Self::File { source, .. } => source.kind() == io::ErrorKind::NotFound,
            Self::Open { .. } | Self::Location(_) => false,
        }
    }
}

/// A file with verified, synced bytes that waits to become a blob. Dropped, it is removed.
#[derive(Debug)]
pub struct Staged {
    path: PathBuf,
    digest: Digest,
    /// It lies where it was uploaded to.
    held: Option<Held>,
    /// It has been brought to a bucket: until the record is there, too, nobody may take it away.
    claim: Option<Claim>,
}

impl Staged {
    /// `path` must hold exactly the bytes of `digest`, and be synced.
    pub(super) fn new(path: PathBuf, digest: Digest) -> Self {
        Self { path, digest, held: None, claim: None }
    }

    pub(super) fn held(path: PathBuf, digest: Digest, held: Held) -> Self {
        Self { path, digest, held: Some(held), claim: None }
    }

    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.held.is_none() {
            // Placed, it is no longer there; otherwise the next start's sweep gets what this misses.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[derive(Clone, Debug)]
pub struct BlobStorage {
    objects: Arc<dyn ObjectStore>,
    home: Home,
}

#[derive(Clone, Debug)]
enum Home {
    Files(Files),
    Bucket(Bucket),
}

impl BlobStorage {
    /// Opens `<data_dir>/blobs`, or the bucket. Blocks.
    pub fn open(data_dir: &Path, bucket: Option<&BucketConfig>) -> Result<Self, BlobError> {
        match bucket {
            Some(config) => {
                let bucket = Bucket::open(data_dir, config)?;
                Ok(Self { objects: bucket.objects(), home: Home::Bucket(bucket) })
            }
            None => {
                Self::in_directory(data_dir)?;
                let files = Files::open(data_dir)?;
                let objects = LocalFileSystem::new_with_prefix(&files.root)
                    .map_err(|source| BlobError::Open { path: files.root.clone(), source })?;
                Ok(Self { objects: Arc::new(objects), home: Home::Files(files) })
            }
        }
    }

    /// Where a registry's directory has the blobs, unless they are in a bucket.
    pub fn in_directory(data_dir: &Path) -> Result<PathBuf, BlobError> {
        match Location::read(data_dir)? {
            Some(noted) => Err(LocationError::InBucket(noted.url).into()),
            None => Ok(data_dir.join("blobs")),
        }
    }

    /// Whether a finished upload stays where it is until its record is there: the way to a bucket is long, and who is
    /// cut off on it may go on.
    pub fn takes_long(&self) -> bool {
        matches!(self.home, Home::Bucket(_))
    }

    /// Brings a staged blob to where the writer only has to name it. What fails leaves an upload to go on with.
    pub async fn store(&self, staged: &mut Staged) -> Result<(), BlobError> {
        let Home::Bucket(bucket) = &self.home else { return Ok(()) };
        match bucket.store(&staged.path, &staged.digest).await {
            Ok(claim) => staged.claim = Some(claim),
            Err(error) => {
                staged.held.iter_mut().for_each(Held::keep);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Moves a staged file into place. [`Self::sync`] makes the move durable. Writer only; blocks.
    pub fn place(&self, staged: &Staged) -> Result<(), BlobError> {
        match &self.home {
            Home::Files(files) => files.place(&staged.path, &staged.digest),
            Home::Bucket(_) => {
                debug_assert!(staged.claim.is_some(), "placed before it was stored");
                Ok(())
            }
        }
    }

    /// Makes the moves so far durable. Writer only; blocks.
    pub fn sync(&self, algorithm: Algorithm) -> Result<(), BlobError> {
        match &self.home {
            Home::Files(files) => files.sync(algorithm),
            Home::Bucket(_) => Ok(()),
        }
    }

    /// Removes a blob that no record names. Writer only; blocks.
    pub fn remove(&self, digest: &Digest) -> Result<(), BlobError> {
        match &self.home {
            Home::Files(files) => files.remove(digest),
            Home::Bucket(bucket) => {
                bucket.remove(digest);
                Ok(())
            }
        }
    }

    /// Takes back what was stored for a command that changed nothing. Writer only.
    pub fn take_back(&self, mut staged: Staged, is_used: bool) {
        if let (Home::Bucket(bucket), Some(claim), false) = (&self.home, staged.claim.take(), is_used) {
            bucket.remove_claimed(claim);
        }
    }

    /// Removes every stored blob for which `is_used` says no. Only before the writer runs; blocks.
    pub fn sweep(&self, is_used: impl Fn(&Digest) -> bool + Sync) -> Result<usize, BlobError> {
        match &self.home {
            Home::Files(files) => files.sweep(is_used),
            Home::Bucket(bucket) => bucket.sweep(is_used),
        }
    }

    fn cant_read(&self, digest: &Digest, source: object_store::Error) -> BlobError {
        match &self.home {
            Home::Files(_) => BlobError::Read { digest: digest.clone(), source },
            Home::Bucket(_) => BlobError::store("read", digest)(source),
        }
    }

    /// The bytes of a blob, or of a part of it, as a stream of bounded chunks.
    pub async fn read(
        &self,
        digest: &Digest,
        part: Option<Range<u64>>,
    ) -> Result<BoxStream<'static, io::Result<Bytes>>, BlobError> {
        let options = GetOptions { range: part.clone().map(GetRange::Bounded), ..GetOptions::default() };
        let result = self
            .objects
            .get_opts(&object_path(digest), options)
            .await
            .map_err(|source| self.cant_read(digest, source))?;
        let Range { start, end } = result.range.clone();
        match result.payload {
            // `object_store` reads files in 8 KiB steps, each a trip to another thread.
            GetResultPayload::File(mut file, path) => {
                if start > 0 {
                    file.seek(io::SeekFrom::Start(start)).map_err(BlobError::file("seek in", &path))?;
                }
                Ok(chunks(file, end - start).boxed())
            }
            GetResultPayload::Stream(stream) => Ok(stream.map_err(io::Error::from).boxed()),
        }
    }

    /// How many bytes a stored blob has; none if it isn't there.
    pub async fn size(&self, digest: &Digest) -> Result<Option<u64>, BlobError> {
        match self.objects.head(&object_path(digest)).await {
            Ok(about) => Ok(Some(about.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(self.cant_read(digest, source)),
        }
    }

    /// All bytes of a small blob.
    pub async fn read_all(&self, digest: &Digest) -> Result<Bytes, BlobError> {
        let read = |source| self.cant_read(digest, source);
        let result = self.objects.get(&object_path(digest)).await.map_err(read)?;
        result.bytes().await.map_err(read)
    }
}

/// The next `left` bytes of a file. Each chunk is read while the one before it is being sent.
fn chunks(file: fs::File, left: u64) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let read = |mut file: fs::File, left: u64| {
        tokio::task::spawn_blocking(move || {
            let length = usize::try_from(left).map_or(READ_CHUNK, |left| left.min(READ_CHUNK));
            let mut chunk = Vec::with_capacity(length);
            (&mut file).take(length as u64).read_to_end(&mut chunk)?;
            Ok::<_, io::Error>((file, chunk))
        })
    };
    let first = (left > 0).then(|| (read(file, left), left));
    stream::unfold(first, move |reading| async move {
        let (reading, left) = reading?;
        match reading.await.unwrap_or_else(|panicked| Err(io::Error::other(panicked))) {
            Ok((file, chunk)) => {
                let left = left - chunk.len() as u64;
                // A file that has become shorter ends early.
                let next = (left > 0 && !chunk.is_empty()).then(|| (read(file, left), left));
                Some((Ok(Bytes::from(chunk)), next))
            }
            Err(error) => Some((Err(error), None)),
        }
    })
}

pub(crate) fn object_path(digest: &Digest) -> ObjectPath {
    ObjectPath::from_iter([digest.algorithm().as_str(), digest.hex()])
}

/// The digest that a file in an algorithm's directory is named by.
pub fn digest_of_name(algorithm: Algorithm, path: &Path) -> Option<Digest> {
    let hex = path.file_name()?.to_str()?;
    format!("{}:{hex}", algorithm.as_str()).parse().ok()
}

/// Reads a file to its end; its digest and its length. Blocks.
pub fn hash_file(path: &Path, algorithm: Algorithm) -> Result<(Digest, u64), BlobError> {
    let mut hasher = Hasher::new(algorithm);
    let mut file = fs::File::open(path).map_err(BlobError::file("open", path))?;
    let mut buffer = vec![0; READ_CHUNK];
    let mut length = 0;
    loop {
        match io::Read::read(&mut file, &mut buffer) {
            Ok(0) => return Ok((hasher.finish(), length)),
            Ok(n) => {
                hasher.update(&buffer[..n]);
                length += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(BlobError::file("read", path)(e)),
        }
    }
}
