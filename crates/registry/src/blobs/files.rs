//! Blobs as files: `blobs/<algorithm>/<hex>`, the layout of an OCI image directory. Placing is a rename from `uploads/`
//! on the same file system.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use super::storage::{BlobError, digest_of_name};
use crate::digest::{Algorithm, Digest};

#[derive(Clone, Debug)]
pub(super) struct Files {
    pub root: PathBuf,
}

impl Files {
    /// Opens `<data_dir>/blobs`, making it where it is missing.
    pub fn open(data_dir: &Path) -> Result<Self, BlobError> {
        let root = data_dir.join("blobs");
        for algorithm in Algorithm::ALL {
            let dir = root.join(algorithm.as_str());
            fs::create_dir_all(&dir).map_err(BlobError::file("create", &dir))?;
            sync_dir(&dir)?;
        }
        sync_dir(&root)?;
        Ok(Self { root })
    }

    /// Whether a registry's directory has blobs as files.
    pub fn any(data_dir: &Path) -> bool {
        let root = data_dir.join("blobs");
        let mut dirs = Algorithm::ALL.iter().map(|algorithm| root.join(algorithm.as_str()));
        dirs.any(|dir| fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()))
    }

    pub fn place(&self, staged: &Path, digest: &Digest) -> Result<(), BlobError> {
        let target = self.file(digest);
        // The same bytes under the same name: replacing them changes nothing.
        fs::rename(staged, &target).map_err(BlobError::file("place", &target))
    }

    /// A rename is durable only when its directory is (`fsync(2)`).
    pub fn sync(&self, algorithm: Algorithm) -> Result<(), BlobError> {
        sync_dir(&self.root.join(algorithm.as_str()))
    }

    /// Readers that have it open read on.
    pub fn remove(&self, digest: &Digest) -> Result<(), BlobError> {
        let path = self.file(digest);
        match fs::remove_file(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(BlobError::file("remove", &path)),
        }
    }

    pub fn sweep(&self, is_used: impl Fn(&Digest) -> bool) -> Result<usize, BlobError> {
        let mut removed = 0;
        for algorithm in Algorithm::ALL {
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

    fn file(&self, digest: &Digest) -> PathBuf {
        self.root.join(digest.algorithm().as_str()).join(digest.hex())
    }
}

fn sync_dir(dir: &Path) -> Result<(), BlobError> {
    fs::File::open(dir).and_then(|d| d.sync_all()).map_err(BlobError::file("sync", dir))
}
