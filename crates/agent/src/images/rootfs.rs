//! A container's root file system: the image's layers below, a directory of its own above.
//!
//! What a container leaves is a pair of nearly empty directories, and the next one takes them over: making
//! directories is slow on a disk where many were just deleted.

use super::{
    digest::Digest,
    layers::boot_id,
    overlay::{MountError, Overlay, unmount},
    pull::PulledImage,
    store::ImageStore,
    sys,
};
use crate::remove::remove_tree;
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, HashSet},
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Spare directory pairs kept for the next containers.
const SPARES: usize = 64;
const RECORD: &str = "record.json";
/// Where the root file system is mounted, one line.
const TARGET: &str = "target";

/// Why a root file system can't be made or removed.
#[derive(Debug, thiserror::Error)]
pub enum RootfsError {
    #[error(
        "'{0}' can't be a container's key: 1 to 128 letters, digits, '-', '_' and '.' are, without a leading '.'"
    )]
    Key(String),
    #[error("there is a root file system for '{0}' already")]
    Exists(String),
    #[error("the root file system of '{0}' was written before the machine restarted and can't be used again")]
    EarlierBoot(String),
    #[error("failed to {action} {path}: {source}")]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Mount(#[from] MountError),
}

/// The directories of one container's root file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootfsMounts {
    pub container_key: String,
    /// The layers' trees, the topmost first.
    pub lower: Vec<PathBuf>,
    pub upper: PathBuf,
    pub work: PathBuf,
    /// The container may not write. The mount itself stays writable, because the runtime must still make
    /// mount points in it (an image needn't have a `/proc`): hand this on as the bundle's
    /// `root.readonly`, which the runtime applies last.
    pub readonly: bool,
    directory: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    layers: Vec<Digest>,
    readonly: bool,
    boot: String,
}

/// All root file systems of a store.
#[derive(Debug)]
pub(super) struct Rootfs {
    directory: PathBuf,
    empty: PathBuf,
    in_use: Mutex<HashMap<String, Vec<Digest>>>,
    spares: Mutex<Vec<PathBuf>>,
    next: AtomicU64,
}

impl Rootfs {
    pub fn open(store: &Path) -> io::Result<Self> {
        let (directory, empty) = (store.join("rootfs"), store.join("empty"));
        fs::create_dir_all(&directory)?;
        fs::create_dir_all(&empty)?;
        crate::spread::spread(&directory);
        let mut in_use = HashMap::new();
        let mut spares = Vec::new();
        let mut next = 0;
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(number) = name.strip_prefix(".spare-") {
                next = next.max(number.parse::<u64>().unwrap_or(0) + 1);
                spares.push(entry.path());
            } else if name.starts_with('.') {
                // A removal that was interrupted.
                remove_tree(&entry.path())?;
            } else {
                let record = fs::read(entry.path().join(RECORD)).ok();
                let record = record.and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok());
                // Without a readable record it was never mounted: the record is written first.
                in_use.insert(name, record.map(|record| record.layers).unwrap_or_default());
            }
        }
        Ok(Self {
            directory,
            empty,
            in_use: Mutex::new(in_use),
            spares: Mutex::new(spares),
            next: AtomicU64::new(next),
        })
    }

    pub fn layers_in_use(&self) -> HashSet<Digest> {
        self.lock().values().flatten().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Digest>>> {
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spares(&self) -> MutexGuard<'_, Vec<PathBuf>> {
        self.spares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RootfsError {
    let path = path.to_owned();
    move |source| RootfsError::Io { action, path, source }
}

fn check_key(key: &str) -> Result<(), RootfsError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    match (1..=128).contains(&key.len()) && !key.starts_with('.') && key.bytes().all(allowed) {
        true => Ok(()),
        false => Err(RootfsError::Key(key.chars().take(200).collect())),
    }
}

impl ImageStore {
    /// Makes a container's root file system from an image, not yet mounted. From now on the image's layers
    /// stay until [`ImageStore::remove_rootfs`]. Blocks for well under a millisecond.
    pub fn prepare(
        &self,
        container_key: &str,
        image: &PulledImage,
        readonly: bool,
    ) -> Result<RootfsMounts, RootfsError> {
        check_key(container_key)?;
        let rootfs = &self.inner.rootfs;
        let directory = rootfs.directory.join(container_key);
        {
            let mut in_use = rootfs.lock();
            if in_use.contains_key(container_key) {
                return Err(RootfsError::Exists(container_key.to_owned()));
            }
            in_use.insert(container_key.to_owned(), image.layers.clone());
        }
        let made = self.make(container_key, &directory, image, readonly);
        if made.is_err() {
            let _ = remove_tree(&directory);
            rootfs.lock().remove(container_key);
        }
        made
    }

    fn make(
        &self,
        container_key: &str,
        directory: &Path,
        image: &PulledImage,
        readonly: bool,
    ) -> Result<RootfsMounts, RootfsError> {
        let rootfs = &self.inner.rootfs;
        let spare = rootfs.spares().pop();
        if spare.is_none_or(|spare| fs::rename(spare, directory).is_err()) {
            fs::create_dir(directory).map_err(failed("create", directory))?;
        }
        let mounts = RootfsMounts {
            container_key: container_key.to_owned(),
            lower: self.lower_directories(&image.layers),
            upper: directory.join("upper"),
            work: directory.join("work"),
            readonly,
            directory: directory.to_owned(),
        };
        for made in [&mounts.upper, &mounts.work] {
            match fs::create_dir(made) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(failed("create", made)(e)),
                _ => {}
            }
        }
        // The container's `/` has the upper directory's owner and mode.
        let root = fs::metadata(&mounts.lower[0]).map_err(failed("read", &mounts.lower[0]))?;
        fs::set_permissions(&mounts.upper, fs::Permissions::from_mode(root.mode() & 0o7777))
            .and_then(|()| std::os::unix::fs::chown(&mounts.upper, Some(root.uid()), Some(root.gid())))
            .map_err(failed("change", &mounts.upper))?;
        let boot = boot_id().map_err(failed("read", Path::new("/proc/sys/kernel/random/boot_id")))?;
        let record = Record { layers: image.layers.clone(), readonly, boot };
        let path = directory.join(RECORD);
        let bytes = serde_json::to_vec(&record).map_err(io::Error::from).map_err(failed("write", &path))?;
        fs::write(&path, bytes).map_err(failed("write", &path))?;
        Ok(mounts)
    }

    /// The layers' trees as overlayfs wants them: the topmost first, each once. A layer that comes again
    /// further down changes nothing, for all it says is said again above; and overlayfs refuses a
    /// directory that it has twice.
    fn lower_directories(&self, layers: &[Digest]) -> Vec<PathBuf> {
        let mut seen = HashSet::new();
        let trees = layers
            .iter()
            .rev()
            .filter(|layer| seen.insert(*layer))
            .map(|layer| self.inner.layers.tree(layer));
        let mut lower: Vec<PathBuf> = trees.collect();
        if lower.is_empty() {
            lower.push(self.inner.rootfs.empty.clone());
        }
        lower
    }

    /// The root file system that was made for a container, after a restart of the agent. `None` where
    /// there is none, or only half of one.
    pub fn find_rootfs(&self, container_key: &str) -> Option<RootfsMounts> {
        check_key(container_key).ok()?;
        let directory = self.inner.rootfs.directory.join(container_key);
        let record: Record = serde_json::from_slice(&fs::read(directory.join(RECORD)).ok()?).ok()?;
        Some(RootfsMounts {
            container_key: container_key.to_owned(),
            lower: self.lower_directories(&record.layers),
            upper: directory.join("upper"),
            work: directory.join("work"),
            readonly: record.readonly,
            directory,
        })
    }

    /// The keys of all root file systems that were made and not removed, by this process or an earlier one.
    pub fn list_rootfs(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.inner.rootfs.lock().keys().cloned().collect();
        keys.sort();
        keys
    }

    /// Unmounts a container's root file system and removes what the container wrote. That there is none is
    /// no error. Blocks while files are removed.
    pub fn remove_rootfs(&self, container_key: &str) -> Result<(), RootfsError> {
        check_key(container_key)?;
        let rootfs = &self.inner.rootfs;
        let directory = rootfs.directory.join(container_key);
        if let Ok(target) = fs::read_to_string(directory.join(TARGET)) {
            unmount(Path::new(&target))?;
        }
        let number = rootfs.next.fetch_add(1, Ordering::Relaxed);
        let old = rootfs.directory.join(format!(".old-{number}"));
        match fs::rename(&directory, &old) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed("remove", &directory)(e)),
            Err(_) => {
                rootfs.lock().remove(container_key);
                return Ok(());
            }
            Ok(()) => rootfs.lock().remove(container_key),
        };
        if rootfs.spares().len() < SPARES && clear(&old).unwrap_or(false) {
            let spare = rootfs.directory.join(format!(".spare-{number}"));
            if fs::rename(&old, &spare).is_ok() {
                rootfs.spares().push(spare);
                return Ok(());
            }
        }
        remove_tree(&old).map_err(failed("remove", &old))
    }
}

/// Empties a pair of directories for the next container; whether it can serve again.
fn clear(directory: &Path) -> io::Result<bool> {
    for file in [RECORD, TARGET] {
        match fs::remove_file(directory.join(file)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    let upper = directory.join("upper");
    // A container may have put attributes of its own on its `/`: then a new directory is simpler.
    if sys::remove_overlay_xattrs(fs::File::open(&upper)?)? {
        empty(&upper)?;
    } else {
        remove_tree(&upper)?;
    }
    empty(&directory.join("work"))?;
    Ok(true)
}

fn empty(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

impl RootfsMounts {
    /// Mounts the root file system at `target`, an existing directory. Blocks for well under a millisecond.
    ///
    /// It may be mounted again after an unmount as long as the machine has not restarted: overlayfs itself
    /// refuses what was mounted `volatile` before, for it can't know that.
    pub fn mount(&self, target: &Path) -> Result<(), RootfsError> {
        let used = self.work.join("work/incompat");
        if used.exists() {
            self.check_boot()?;
            remove_tree(&used).map_err(failed("remove", &used))?;
        }
        let target = fs::canonicalize(target).map_err(failed("find", target))?;
        // Written before the mount is there, so that the removal finds it whenever we are killed.
        let note = self.directory.join(TARGET);
        let text = target.to_str().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput));
        fs::write(&note, text.map_err(failed("use", &target))?).map_err(failed("write", &note))?;
        Overlay { lower: &self.lower, upper: &self.upper, work: &self.work }.mount(&target)?;
        Ok(())
    }

    fn check_boot(&self) -> Result<(), RootfsError> {
        let path = self.directory.join(RECORD);
        let bytes = fs::read(&path).map_err(failed("read", &path))?;
        let record: Record =
            serde_json::from_slice(&bytes).map_err(io::Error::from).map_err(failed("read", &path))?;
        match boot_id() {
            Ok(boot) if boot == record.boot => Ok(()),
            _ => Err(RootfsError::EarlierBoot(self.container_key.clone())),
        }
    }
}
