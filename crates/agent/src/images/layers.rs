//! The layers on disk: `layers/<algorithm>-<hex>/fs`, one for each unpacked archive, shared by all images.
//!
//! **Durability without waiting.** A layer is published by a rename as soon as it is unpacked, with a file
//! `unsynced` beside it that names this boot of the machine. Later one syncfs makes everything durable and
//! the file goes. A killed agent leaves layers whose bytes the kernel still holds (same boot: good); after
//! a power cut the boot differs, and such a layer is thrown away when the store is opened.

use super::{digest::Digest, error::PullError};
use crate::remove::remove_tree;
use std::{
    collections::{HashMap, HashSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

const MARKER: &str = "unsynced";

/// The layers that are there, and who needs them.
#[derive(Debug)]
pub(super) struct Layers {
    directory: PathBuf,
    temporary: PathBuf,
    state: Mutex<State>,
    next_temporary: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    present: HashSet<Digest>,
    /// Published, but not known to be durable.
    unsynced: HashSet<Digest>,
    pins: HashMap<Digest, usize>,
}

impl Layers {
    /// Reads what is there; throws away temporary directories, and layers of an earlier boot that may be
    /// incomplete.
    pub fn open(store: &Path) -> io::Result<Self> {
        let (directory, temporary) = (store.join("layers"), store.join("tmp"));
        remove_tree(&temporary)?;
        fs::create_dir_all(&directory)?;
        fs::create_dir_all(&temporary)?;
        let boot = boot_id()?;
        let mut state = State::default();
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let digest = entry.file_name().to_str().and_then(Digest::from_file_name);
            let marker = fs::read_to_string(entry.path().join(MARKER));
            match (digest, marker) {
                (Some(digest), Err(e)) if e.kind() == io::ErrorKind::NotFound => {
                    state.present.insert(digest);
                }
                (Some(digest), Ok(marker)) if marker == boot => {
                    state.unsynced.insert(digest.clone());
                    state.present.insert(digest);
                }
                _ => {
                    tracing::warn!(path = %entry.path().display(), "a layer that may be incomplete is removed");
                    remove_tree(&entry.path())?;
                }
            }
        }
        Ok(Self { directory, temporary, state: Mutex::new(state), next_temporary: AtomicU64::new(0) })
    }

    /// The unpacked tree of a layer.
    pub fn tree(&self, diff_id: &Digest) -> PathBuf {
        self.directory.join(diff_id.file_name()).join("fs")
    }

    pub fn contains(&self, diff_id: &Digest) -> bool {
        self.lock().present.contains(diff_id)
    }

    /// Keeps layers, there or still to come, from being collected until the pin is dropped.
    pub fn pin(self: &Arc<Self>, diff_ids: &[Digest]) -> Pin {
        let mut state = self.lock();
        for diff_id in diff_ids {
            *state.pins.entry(diff_id.clone()).or_default() += 1;
        }
        Pin { layers: self.clone(), diff_ids: diff_ids.to_vec() }
    }

    /// A directory to unpack a layer into; removed when dropped without being published.
    pub fn begin(&self) -> Result<NewLayer, PullError> {
        let number = self.next_temporary.fetch_add(1, Ordering::Relaxed);
        let path = self.temporary.join(format!("layer-{number}"));
        fs::create_dir(&path).map_err(PullError::store("create", &path))?;
        let layer = NewLayer { path, published: false };
        let tree = layer.tree();
        fs::create_dir(&tree).map_err(PullError::store("create", &tree))?;
        // An archive without an entry for its root means Docker's default; mkdir obeyed our umask.
        fs::set_permissions(&tree, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .map_err(PullError::store("change", &tree))?;
        Ok(layer)
    }

    /// Makes an unpacked and checked layer visible.
    pub fn publish(&self, mut layer: NewLayer, diff_id: &Digest) -> Result<(), PullError> {
        let marker = layer.path.join(MARKER);
        let boot = boot_id().map_err(PullError::store("read", "/proc/sys/kernel/random/boot_id"))?;
        fs::write(&marker, boot).map_err(PullError::store("write", &marker))?;
        let target = self.directory.join(diff_id.file_name());
        let mut state = self.lock();
        match fs::rename(&layer.path, &target) {
            Ok(()) => layer.published = true,
            // Somebody else was faster with the same content.
            Err(_) if state.present.contains(diff_id) => return Ok(()),
            Err(e) => return Err(PullError::store("publish", target)(e)),
        }
        state.unsynced.insert(diff_id.clone());
        state.present.insert(diff_id.clone());
        Ok(())
    }

    /// Makes every layer published so far durable. Blocks for as long as the disk needs.
    pub fn sync(&self) -> io::Result<()> {
        let unsynced = std::mem::take(&mut self.lock().unsynced);
        if unsynced.is_empty() {
            return Ok(());
        }
        let synced = fs::File::open(&self.directory)
            .and_then(|directory| nix::unistd::syncfs(directory).map_err(io::Error::from));
        if let Err(e) = synced {
            self.lock().unsynced.extend(unsynced);
            return Err(e);
        }
        for diff_id in unsynced {
            match fs::remove_file(self.directory.join(diff_id.file_name()).join(MARKER)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }

    /// Removes the layers that `in_use` doesn't hold and nobody has pinned. The number removed.
    ///
    /// `in_use` is asked while no pin can come or go: whoever drops a pin has written down his use before.
    pub fn collect(&self, in_use: impl FnOnce() -> HashSet<Digest>) -> io::Result<usize> {
        let mut doomed = Vec::new();
        {
            let mut state = self.lock();
            let in_use = in_use();
            let unused: Vec<Digest> = state
                .present
                .iter()
                .filter(|digest| !in_use.contains(*digest) && !state.pins.contains_key(*digest))
                .cloned()
                .collect();
            for digest in unused {
                let number = self.next_temporary.fetch_add(1, Ordering::Relaxed);
                let trash = self.temporary.join(format!("trash-{number}"));
                fs::rename(self.directory.join(digest.file_name()), &trash)?;
                state.present.remove(&digest);
                state.unsynced.remove(&digest);
                doomed.push(trash);
            }
        }
        for trash in &doomed {
            remove_tree(trash)?;
        }
        Ok(doomed.len())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Identifies this boot of the machine (random(4)).
pub(super) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// A layer that is being unpacked.
#[derive(Debug)]
pub(super) struct NewLayer {
    path: PathBuf,
    published: bool,
}

impl NewLayer {
    pub fn tree(&self) -> PathBuf {
        self.path.join("fs")
    }
}

impl Drop for NewLayer {
    fn drop(&mut self) {
        if !self.published
            && let Err(error) = remove_tree(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "a temporary layer can't be removed");
        }
    }
}

/// Layers that somebody needs.
#[derive(Debug)]
pub(super) struct Pin {
    layers: Arc<Layers>,
    diff_ids: Vec<Digest>,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut state = self.layers.lock();
        for diff_id in &self.diff_ids {
            if let Some(count) = state.pins.get_mut(diff_id) {
                *count -= 1;
                if *count == 0 {
                    state.pins.remove(diff_id);
                }
            }
        }
    }
}
