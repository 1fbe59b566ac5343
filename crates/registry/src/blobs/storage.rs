//! Blobs at rest: `blobs/<algorithm>/<hex>`, the layout of an OCI image directory. Reading goes
//! through `object_store`; placing is a rename from `uploads/` on the same file system.

use std::{
    collections::BTreeSet,
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    GetOptions, GetRange, GetResultPayload, ObjectStore, ObjectStoreExt, local::LocalFileSystem,
    path::Path as ObjectPath,
};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

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
}

impl BlobError {
    pub(crate) fn file(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { doing, path, source }
    }

    /// Whether it is for want of room on the disk, or of the owner's quota.
    pub fn is_full(&self) -> bool {
        let full = |kind| matches!(kind, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        matches!(self, Self::File { source, .. } if full(source.kind()))
    }

    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Read { source, .. } => matches!(source, object_store::Error::NotFound { .. }),
            Self::File { source, .. } => source.kind() == io::ErrorKind::NotFound,
            Self::Open { .. } => false,
        }
    }
}

/// A file with verified, synced bytes that waits to become a blob. Dropped unplaced, it is removed.
#[derive(Debug)]
pub struct Staged {
    path: PathBuf,
    digest: Digest,
}

impl Staged {
    /// `path` must hold exactly the bytes of `digest`, and be synced.
    pub(super) fn new(path: PathBuf, digest: Digest) -> Self {
        Self { path, digest }
    }

    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Placed, it is no longer there; otherwise the next start's sweep gets what this misses.
        let _ = fs::remove_file(&self.path);
    }
}

#[derive(Clone, Debug)]
pub struct BlobStorage {
    objects: Arc<dyn ObjectStore>,
    root: PathBuf,
}

impl BlobStorage {
    /// Opens `<data_dir>/blobs`, making it where it is missing.
    pub fn open(data_dir: &Path) -> Result<Self, BlobError> {
        let root = data_dir.join("blobs");
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let dir = root.join(algorithm.as_str());
            fs::create_dir_all(&dir).map_err(BlobError::file("create", &dir))?;
            sync_dir(&dir)?;
        }
        sync_dir(&root)?;
        let objects = LocalFileSystem::new_with_prefix(&root)
            .map_err(|source| BlobError::Open { path: root.clone(), source })?;
        Ok(Self { objects: Arc::new(objects), root })
    }

    /// Moves a staged file into place. [`Self::sync`] makes the move durable. Writer only; blocks.
    pub fn place(&self, staged: &Staged) -> Result<(), BlobError> {
        let target = self.file(&staged.digest);
        // The same bytes under the same name: replacing them changes nothing.
        fs::rename(&staged.path, &target).map_err(BlobError::file("place", &target))
    }

    /// Makes the moves so far durable. Writer only; blocks.
    pub fn sync(&self, algorithm: Algorithm) -> Result<(), BlobError> {
        sync_dir(&self.root.join(algorithm.as_str()))
    }

    /// Removes a blob. Writer only; blocks. Readers that have it open read on.
    pub fn remove(&self, digest: &Digest) -> Result<(), BlobError> {
        let path = self.file(digest);
        match fs::remove_file(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(BlobError::file("remove", &path)),
        }
    }

    /// Removes every stored blob for which `is_used` says no. Only before the writer runs; blocks.
    pub fn sweep(&self, is_used: impl Fn(&Digest) -> bool) -> Result<usize, BlobError> {
        let mut removed = 0;
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let dir = self.root.join(algorithm.as_str());
            let read = |e| BlobError::file("list", &dir)(e);
            let names: BTreeSet<_> = fs::read_dir(&dir)
                .map_err(read)?
                .map(|entry| Ok(entry?.file_name()))
                .collect::<io::Result<_>>()
                .map_err(read)?;
            for name in names {
                // A name that is no digest isn't ours: leave it to whoever put it there.
                if let Some(digest) = digest_of_name(algorithm, Path::new(&name))
                    && !is_used(&digest)
                {
                    self.remove(&digest)?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
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
            .map_err(|source| BlobError::Read { digest: digest.clone(), source })?;
        let Range { start, end } = result.range.clone();
        match result.payload {
            // `object_store` reads files in 8 KiB steps, each a trip to another thread.
            GetResultPayload::File(file, path) => {
                let mut file = tokio::fs::File::from_std(file);
                if start > 0 {
                    file.seek(io::SeekFrom::Start(start)).await.map_err(BlobError::file("seek in", &path))?;
                }
                let bytes = file.take(end - start);
                Ok(ReaderStream::with_capacity(bytes, READ_CHUNK).boxed())
            }
            GetResultPayload::Stream(stream) => Ok(stream.map_err(io::Error::from).boxed()),
        }
    }

    /// How many bytes a stored blob has; none if it isn't there.
    pub async fn size(&self, digest: &Digest) -> Result<Option<u64>, BlobError> {
        match self.objects.head(&object_path(digest)).await {
            Ok(about) => Ok(Some(about.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(BlobError::Read { digest: digest.clone(), source }),
        }
    }

    /// All bytes of a small blob.
    pub async fn read_all(&self, digest: &Digest) -> Result<Bytes, BlobError> {
        let read = |source| BlobError::Read { digest: digest.clone(), source };
        let result = self.objects.get(&object_path(digest)).await.map_err(read)?;
        result.bytes().await.map_err(read)
    }

    fn file(&self, digest: &Digest) -> PathBuf {
        self.root.join(digest.algorithm().as_str()).join(digest.hex())
    }
}

fn object_path(digest: &Digest) -> ObjectPath {
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

/// A rename or a new file is durable only when its directory is (`fsync(2)`).
fn sync_dir(dir: &Path) -> Result<(), BlobError> {
    fs::File::open(dir).and_then(|d| d.sync_all()).map_err(BlobError::file("sync", dir))
}
