//! The images that are there: one small file each, `images/<digest>-<os>-<architecture>.json`, all held in
//! memory. A file may be lost or torn by a power cut; then the image is simply pulled again.

use super::{
    digest::Digest,
    manifest::{ImageConfig, Platform},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeSet, HashMap},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// One image for one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ImageRecord {
    /// What the name resolved to: an index's digest where there is one.
    pub digest: Digest,
    pub platform: Platform,
    /// The platform's own manifest.
    pub manifest: Digest,
    pub config: ImageConfig,
    /// Digests of the unpacked archives, the lowest first.
    pub layers: Vec<Digest>,
}

type Key = (Digest, Platform);

#[derive(Debug)]
pub(super) struct Index {
    directory: PathBuf,
    images: Mutex<HashMap<Key, Arc<ImageRecord>>>,
    /// `base/repository` of what has been pulled since the start: worth a HEAD before a GET.
    seen: Mutex<BTreeSet<String>>,
}

impl Index {
    pub fn open(store: &Path) -> io::Result<Self> {
        let directory = store.join("images");
        fs::create_dir_all(&directory)?;
        let mut images = HashMap::new();
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            let record =
                fs::read(&path).ok().and_then(|bytes| serde_json::from_slice::<ImageRecord>(&bytes).ok());
            match record {
                Some(record)
                    if path.file_name() == Some(file_name(&record.digest, &record.platform).as_ref()) =>
                {
                    images.insert((record.digest.clone(), record.platform.clone()), Arc::new(record));
                }
                _ => {
                    tracing::warn!(path = %path.display(), "an image's record can't be read and is removed");
                    fs::remove_file(&path)?;
                }
            }
        }
        Ok(Self { directory, images: Mutex::new(images), seen: Mutex::default() })
    }

    pub fn get(&self, digest: &Digest, platform: &Platform) -> Option<Arc<ImageRecord>> {
        self.lock().get(&(digest.clone(), platform.clone())).cloned()
    }

    pub fn all(&self) -> Vec<Arc<ImageRecord>> {
        self.lock().values().cloned().collect()
    }

    pub fn add(&self, record: ImageRecord) -> io::Result<Arc<ImageRecord>> {
        let path = self.path(&record.digest, &record.platform);
        let bytes = serde_json::to_vec(&record)?;
        let mut images = self.lock();
        let new = path.with_extension("new");
        fs::write(&new, bytes)?;
        fs::rename(&new, &path)?;
        let record = Arc::new(record);
        images.insert((record.digest.clone(), record.platform.clone()), record.clone());
        Ok(record)
    }

    pub fn remove(&self, record: &ImageRecord) -> io::Result<()> {
        let mut images = self.lock();
        images.remove(&(record.digest.clone(), record.platform.clone()));
        match fs::remove_file(self.path(&record.digest, &record.platform)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Notes a name that was asked for; whether it had been before.
    pub fn note(&self, name: &str) -> bool {
        !self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned())
    }

    fn path(&self, digest: &Digest, platform: &Platform) -> PathBuf {
        self.directory.join(file_name(digest, platform))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<ImageRecord>>> {
        self.images.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn file_name(digest: &Digest, platform: &Platform) -> String {
    let clean = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(32).collect()
    };
    format!("{}-{}-{}.json", digest.file_name(), clean(&platform.os), clean(&platform.architecture))
}
