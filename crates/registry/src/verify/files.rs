//! What lies on the disk, and which digest it really has. The only I/O of verifying.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError, atomic::AtomicU64, atomic::Ordering::Relaxed},
    thread,
};

use crate::{
    blobs::storage::{digest_of_name, hash_file},
    digest::{Algorithm, Digest},
};

/// A stored blob, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub path: PathBuf,
    /// Digest (by the algorithm of its name) and length, or why the disk doesn't give it.
    pub read: Result<(Digest, u64), String>,
}

/// Everything in `blobs/` and what a push left in `uploads/`.
#[derive(Debug, Default)]
pub(super) struct Files {
    root: PathBuf,
    pub blobs: BTreeMap<Digest, Content>,
    /// Files that have no place there.
    pub strays: BTreeSet<PathBuf>,
}

impl Files {
    /// Lists and reads all. As many files at a time as there are processors.
    pub fn read(data_dir: &Path, progress: &(impl Fn(u64) + Sync)) -> io::Result<Self> {
        let (root, uploads) = (data_dir.join("blobs"), data_dir.join("uploads"));
        let mut files = Self { root, ..Self::default() };
        let mut digests = Vec::new();
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            for path in list(&files.root.join(algorithm.as_str()))? {
                match digest_of_name(algorithm, &path).filter(|_| path.is_file()) {
                    Some(digest) => digests.push(digest),
                    None => drop(files.strays.insert(path)),
                }
            }
        }
        // An upload is a directory that may be gone on with; a file is a push that was cut off before its record.
        files.strays.extend(list(&uploads)?.into_iter().filter(|path| path.is_file()));
        files.blobs = files.hash(digests, progress);
        Ok(files)
    }

    /// Looks again at some blobs, and at whether the left-over files are still there.
    pub fn read_again<'a>(&mut self, digests: impl Iterator<Item = &'a Digest>) -> io::Result<()> {
        let digests: BTreeSet<Digest> = digests.cloned().collect();
        let (there, gone): (Vec<_>, Vec<_>) = digests.into_iter().partition(|d| self.path(d).is_file());
        gone.iter().for_each(|digest| drop(self.blobs.remove(digest)));
        let again = self.hash(there, &|_| ());
        self.blobs.extend(again);
        self.blobs.retain(|_, content| content.path.exists());
        self.strays.retain(|path| path.exists());
        Ok(())
    }

    /// How many blobs there are, and how many bytes were read of them.
    pub fn totals(&self) -> (usize, u64) {
        let bytes = self.blobs.values().filter_map(|c| c.read.as_ref().ok()).map(|(_, size)| size);
        (self.blobs.len(), bytes.sum())
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.root.join(digest.algorithm().as_str()).join(digest.hex())
    }

    fn hash(&self, digests: Vec<Digest>, progress: &(impl Fn(u64) + Sync)) -> BTreeMap<Digest, Content> {
        let workers = thread::available_parallelism().map_or(1, usize::from).min(digests.len());
        let queue = Mutex::new(digests.into_iter());
        let bytes = AtomicU64::new(0);
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = || {
            let mut done = Vec::new();
            while let Some(digest) = next() {
                let path = self.path(&digest);
                let read = hash_file(&path, digest.algorithm());
                // Deleted since the listing: then it is not there.
                if matches!(&read, Err(error) if error.is_not_found()) {
                    continue;
                }
                if let Ok((_, size)) = &read {
                    progress(bytes.fetch_add(*size, Relaxed) + size);
                }
                let read =
                    read.map_err(|e| std::error::Error::source(&e).map_or(e.to_string(), |s| s.to_string()));
                done.push((digest, Content { path, read }));
            }
            done
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            // A worker can't panic but by a bug of ours, which then shows.
            threads.into_iter().flat_map(|t| t.join().expect("a reader of blobs panicked")).collect()
        })
    }
}

/// The paths in a directory; none where it is missing.
fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(dir) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
