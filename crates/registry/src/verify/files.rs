//! What lies on the disk or in the bucket, and which digest it really has. The only I/O of verifying.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64, atomic::Ordering::Relaxed},
    thread,
};

use futures_util::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::{
    blobs::{
        bucket::{Bucket, is_note},
        storage::{BlobError, digest_of_name, hash_file, object_path},
    },
    digest::{Algorithm, Digest, Hasher},
};

/// A stored blob, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub path: PathBuf,
    /// Digest (by the algorithm of its name) and length, or why the disk doesn't give it.
    pub read: Result<(Digest, u64), String>,
}

/// Where the blobs are looked for.
#[derive(Debug)]
pub(super) enum Home {
    /// `blobs/`
    Directory(PathBuf),
    Bucket(Bucket),
}

/// Every blob, and what a push left in `uploads/`.
#[derive(Debug)]
pub(super) struct Files {
    home: Home,
    pub blobs: BTreeMap<Digest, Content>,
    /// Files that have no place there.
    pub strays: BTreeSet<PathBuf>,
}

impl Files {
    /// Lists and reads all. As many files at a time as there are processors.
    pub fn read(data_dir: &Path, home: Home, progress: &(impl Fn(u64) + Sync)) -> io::Result<Self> {
        let (digests, strays) = home.list()?;
        let mut files = Self { home, blobs: BTreeMap::new(), strays };
        // An upload is a directory that may be gone on with; a file is a push that was cut off before its record.
        let left = list(&data_dir.join("uploads"))?.into_iter();
        files.strays.extend(left.filter(|path| path.is_file() && !is_note(path)));
        files.blobs = files.home.hash(digests, progress)?;
        Ok(files)
    }

    /// Looks again at some blobs, and at whether the left-over files are still there.
    pub fn read_again<'a>(&mut self, digests: impl Iterator<Item = &'a Digest>) -> io::Result<()> {
        let digests: BTreeSet<Digest> = digests.cloned().collect();
        digests.iter().for_each(|digest| drop(self.blobs.remove(digest)));
        let again = self.home.hash(digests.into_iter().collect(), &|_| ())?;
        self.blobs.extend(again);
        if let Home::Bucket(_) = &self.home {
            let (there, strays) = self.home.list()?;
            let there: BTreeSet<Digest> = there.into_iter().collect();
            self.blobs.retain(|digest, _| there.contains(digest));
            self.strays.retain(|path| path.exists() || strays.contains(path));
            return Ok(());
        }
        self.blobs.retain(|_, content| content.path.exists());
        self.strays.retain(|path| path.exists());
        Ok(())
    }

    /// How many blobs there are, and how many bytes were read of them.
    pub fn totals(&self) -> (usize, u64) {
        let bytes = self.blobs.values().filter_map(|c| c.read.as_ref().ok()).map(|(_, size)| size);
        (self.blobs.len(), bytes.sum())
    }
}

impl Home {
    /// The blobs, and what has no place there.
    fn list(&self) -> io::Result<(Vec<Digest>, BTreeSet<PathBuf>)> {
        let root = match self {
            Self::Directory(root) => root,
            Self::Bucket(bucket) => {
                let (digests, strays) = bucket.list().map_err(io::Error::other)?;
                return Ok((digests, strays.into_iter().map(PathBuf::from).collect()));
            }
        };
        let (mut digests, mut strays) = (Vec::new(), BTreeSet::new());
        for algorithm in Algorithm::ALL {
            for path in list(&root.join(algorithm.as_str()))? {
                match digest_of_name(algorithm, &path).filter(|_| path.is_file()) {
                    Some(digest) => digests.push(digest),
                    None => drop(strays.insert(path)),
                }
            }
        }
        Ok((digests, strays))
    }

    /// Reads blobs; those that are gone are left out.
    fn hash(
        &self,
        digests: Vec<Digest>,
        progress: &(impl Fn(u64) + Sync),
    ) -> io::Result<BTreeMap<Digest, Content>> {
        let bytes = AtomicU64::new(0);
        let content = |digest: &Digest, path: PathBuf, read: Result<(Digest, u64), BlobError>| {
            // Deleted since the listing: then it is not there.
            if matches!(&read, Err(error) if error.is_not_found()) {
                return None;
            }
            if let Ok((_, size)) = &read {
                progress(bytes.fetch_add(*size, Relaxed) + size);
            }
            let read =
                read.map_err(|e| std::error::Error::source(&e).map_or(e.to_string(), |s| s.to_string()));
            Some((digest.clone(), Content { path, read }))
        };
        let read: Vec<_> = match self {
            Self::Directory(root) => in_parallel(digests, |digest| {
                let path = root.join(digest.algorithm().as_str()).join(digest.hex());
                let is_file = path.is_file();
                let read = hash_file(&path, digest.algorithm());
                content(digest, path, read).filter(|_| is_file)
            }),
            Self::Bucket(bucket) => {
                let read = async |digest: &Digest, objects: Arc<dyn ObjectStore>| {
                    let read = hash_object(&*objects, digest).await;
                    content(digest, PathBuf::from(bucket.shown(digest)), read)
                };
                bucket.read_each(&digests, read).map_err(io::Error::other)?
            }
        };
        Ok(read.into_iter().flatten().collect())
    }
}

/// As many at a time as there are processors.
fn in_parallel<T: Send>(digests: Vec<Digest>, read: impl Fn(&Digest) -> T + Sync) -> Vec<T> {
    let workers = thread::available_parallelism().map_or(1, usize::from).min(digests.len());
    let queue = Mutex::new(digests.into_iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || std::iter::from_fn(next).map(|digest| read(&digest)).collect::<Vec<T>>();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        // A worker can't panic but by a bug of ours, which then shows.
        threads.into_iter().flat_map(|t| t.join().expect("a reader of blobs panicked")).collect()
    })
}

async fn hash_object(objects: &dyn ObjectStore, digest: &Digest) -> Result<(Digest, u64), BlobError> {
    let failed = || BlobError::store("read", digest);
    let got = objects.get(&object_path(digest)).await.map_err(failed())?;
    let (mut bytes, mut hasher, mut length) = (got.into_stream(), Hasher::new(digest.algorithm()), 0);
    while let Some(chunk) = bytes.try_next().await.map_err(failed())? {
        hasher.update(&chunk);
        length += chunk.len() as u64;
    }
    Ok((hasher.finish(), length))
}

/// The paths in a directory; none where it is missing.
fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(dir) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
