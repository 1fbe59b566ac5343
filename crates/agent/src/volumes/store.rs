//! The volumes' directory.
//!
//! ```text
//! tasks/<id>/named/<volume>/data    gone with the task
//!           /image/<c>-<n>/data     an image's VOLUME
//!           /<c>.json               what container c mounts, for those that take volumes from it
//! shared/<volume>/data, volume.json kept
//! ```
//!
//! A name appears when what it stands for is whole. What a killed agent left is swept by the next one.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, mkdirat};
use serde::Serialize;

use super::fill::{self, DATA};
use super::path::{RESERVED, is_below_devices, reserved};
use super::plan::{Mounting, Place, Volume};
use super::tree::open_directory;
use crate::images::open_in_root;
use crate::remove::remove_tree;

/// Shared volumes that aren't whole yet. No volume's name begins with a dot.
const NEW: &str = ".new-";

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The ECS agent's words.
    #[error("volume detection failed, volume '{0}' does not exist and autoprovision is set to false")]
    Missing(String),
    #[error(
        "{destination:?} cannot be mounted because the image's links lead it inside {inside}, which is the runtime's"
    )]
    Reserved { destination: String, inside: &'static str },
    #[error("{0:?} cannot be mounted because the image's links lead it to where nothing is")]
    Dangling(String),
    #[error("{what} {path}: {source}")]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { what, path, source }
}

/// A mount as the runtime is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounted {
    pub source: PathBuf,
    pub destination: String,
    pub read_only: bool,
    /// The user's own path: what is mounted below it is seen too.
    pub of_host: bool,
}

/// What is told of a shared volume.
#[derive(Debug, Serialize)]
struct Description<'a> {
    driver: &'static str,
    labels: &'a BTreeMap<String, String>,
}

/// All volumes of an agent.
#[derive(Clone, Debug)]
pub struct Volumes {
    root: PathBuf,
}

impl Volumes {
    /// Opens the directory, making it if need be. Only root may look in: a program in a volume that
    /// sets its user would otherwise do so for the machine's users too.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let volumes = Volumes { root: root.to_owned() };
        for path in [root.to_owned(), volumes.tasks(), volumes.shared()] {
            fs::create_dir_all(&path).map_err(failed("cannot create", &path))?;
        }
        fs::set_permissions(root, fs::Permissions::from_mode(0o700))
            .map_err(failed("cannot change", root))?;
        Ok(volumes)
    }

    fn tasks(&self) -> PathBuf {
        self.root.join("tasks")
    }

    fn shared(&self) -> PathBuf {
        self.root.join("shared")
    }

    fn task(&self, id: &str) -> PathBuf {
        self.tasks().join(id)
    }

    /// The directory that holds a volume's `data`.
    fn directory(&self, task: &str, place: &Place) -> Option<PathBuf> {
        match place {
            Place::Task { name } => Some(self.task(task).join("named").join(name)),
            Place::Anonymous { container, number } => {
                Some(self.task(task).join("image").join(format!("{container}-{number}")))
            }
            Place::Shared { name } => Some(self.shared().join(name)),
            Place::Host { .. } => None,
        }
    }

    /// Removes what tasks other than these had: their agent was killed before it could. Returns how many.
    pub fn sweep(&self, keep: &HashSet<String>) -> Result<usize, StoreError> {
        let mut swept = 0;
        for (folder, is_left) in [
            (self.tasks(), &(|name: &str| !keep.contains(name)) as &dyn Fn(&str) -> bool),
            (self.shared(), &|name: &str| name.starts_with(NEW)),
        ] {
            let entries = match fs::read_dir(&folder) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(failed("cannot read", &folder))?,
            };
            for entry in entries {
                let entry = entry.map_err(failed("cannot read", &folder))?;
                if entry.file_name().to_str().is_none_or(is_left) {
                    remove_tree(&entry.path()).map_err(failed("cannot remove", &entry.path()))?;
                    swept += 1;
                }
            }
        }
        Ok(swept)
    }

    /// Sees to it that the shared ones are there. Blocks.
    pub fn provision(&self, volumes: &[Volume]) -> Result<(), StoreError> {
        for volume in volumes {
            let Place::Shared { name } = &volume.place else { continue };
            let path = self.shared().join(name);
            if path.join(DATA).is_dir() {
                continue;
            }
            if !volume.autoprovision {
                return Err(StoreError::Missing(name.clone()));
            }
            self.make_shared(&path, &volume.labels)?;
        }
        Ok(())
    }

    fn make_shared(&self, path: &Path, labels: &BTreeMap<String, String>) -> Result<(), StoreError> {
        let new = self.shared().join(format!("{NEW}{}", uuid::Uuid::new_v4()));
        make_data(&new)?;
        let text = serde_json::to_vec(&Description { driver: "local", labels })
            .map_err(io::Error::other)
            .and_then(|text| fs::write(new.join("volume.json"), text));
        text.map_err(failed("cannot write", &new))?;
        match fs::rename(&new, path) {
            // Another task was faster.
            Err(e) if matches!(e.raw_os_error(), Some(libc::EEXIST | libc::ENOTEMPTY)) => {
                remove_tree(&new).map_err(failed("cannot remove", &new))
            }
            other => other.map_err(failed("cannot create", path)),
        }
    }

    /// Makes what a container mounts, and fills what is new from the image, whose root file system is
    /// mounted at `rootfs` and in which nothing runs yet. Blocks. May be done again.
    pub fn prepare(
        &self,
        task: &str,
        container: usize,
        mountings: &[Mounting],
        rootfs: &Path,
    ) -> Result<Vec<Mounted>, StoreError> {
        if mountings.is_empty() {
            return Ok(Vec::new());
        }
        let root = open_directory(rootfs).map_err(|errno| failed("cannot open", rootfs)(errno.into()))?;
        // The runtime would make them; there from now on, links to them show.
        for kernels in RESERVED {
            match mkdirat(&root, &kernels[1..], Mode::from_bits_truncate(0o755)) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(errno) => return Err(failed("cannot create", Path::new(kernels))(errno.into())),
            }
        }
        let mut mounted = Vec::with_capacity(mountings.len());
        for mounting in mountings {
            if !is_below_devices(&mounting.destination) {
                check_links(&root, &mounting.destination)
                    .map_err(failed("cannot look at", Path::new(&mounting.destination)))?
                    .map_or(Ok(()), Err)?;
            }
            let source = self.source(task, mounting, &root)?;
            mounted.push(Mounted {
                source,
                destination: mounting.destination.clone(),
                read_only: mounting.read_only,
                of_host: matches!(mounting.place, Place::Host { .. }),
            });
        }
        let note = self.note(task, container);
        let text = serde_json::to_vec(mountings).map_err(io::Error::other);
        text.and_then(|text| {
            fs::create_dir_all(self.task(task))?;
            let new = note.with_extension("new");
            fs::write(&new, text)?;
            fs::rename(new, &note)
        })
        .map_err(failed("cannot write", &note))?;
        Ok(mounted)
    }

    fn source(&self, task: &str, mounting: &Mounting, root: &OwnedFd) -> Result<PathBuf, StoreError> {
        let Some(volume) = self.directory(task, &mounting.place) else {
            let Place::Host { path } = &mounting.place else { return Ok(PathBuf::new()) };
            // "If the sourcePath value doesn't exist [...], the Docker daemon creates it" (ECS API
            // reference, HostVolumeProperties).
            if !path.exists() {
                fs::create_dir_all(path).map_err(failed("cannot create", path))?;
            }
            return Ok(path.clone());
        };
        match &mounting.place {
            Place::Shared { name } if !volume.join(DATA).is_dir() => {
                return Err(StoreError::Missing(name.clone()));
            }
            Place::Shared { .. } => {}
            _ => make_data(&volume)?,
        }
        if mounting.fill {
            let directory = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NONBLOCK;
            let from = open_in_root(root, Path::new(&mounting.destination), directory);
            match from {
                Ok(from) => fill::fill(&volume, &from)
                    .map_err(failed("cannot copy the image's content to", &volume))?,
                Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => {}
                Err(errno) => {
                    return Err(failed("cannot read the image's", Path::new(&mounting.destination))(
                        errno.into(),
                    ));
                }
            }
        }
        Ok(volume.join(DATA))
    }

    /// Makes a container's working directory where it lies in a volume: there the runtime doesn't.
    pub fn make_working_directory(
        &self,
        task: &str,
        mountings: &[Mounting],
        directory: &str,
    ) -> Result<(), StoreError> {
        // The last is the deepest.
        let inner = mountings.iter().rev().find_map(|mounting| {
            let below = Path::new(directory).strip_prefix(&mounting.destination).ok()?;
            Some((mounting, below.to_owned()))
        });
        let Some((mounting, below)) = inner else { return Ok(()) };
        let plain = below.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        match self.directory(task, &mounting.place) {
            Some(volume) if plain => fill::make_directories(&volume, &below)
                .map_err(failed("cannot make a working directory in", &volume)),
            _ => Ok(()),
        }
    }

    fn note(&self, task: &str, container: usize) -> PathBuf {
        self.task(task).join(format!("{container}.json"))
    }

    /// What a container of the task was prepared with.
    pub fn mountings_of(&self, task: &str, container: usize) -> Vec<Mounting> {
        let text = fs::read(self.note(task, container)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Where everything lies that the task writes in volumes of its own.
    pub fn directory_of(&self, task: &str) -> PathBuf {
        self.task(task)
    }

    /// Removes the task's own volumes. Blocks.
    pub fn remove_task(&self, task: &str) -> Result<(), StoreError> {
        let path = self.task(task);
        remove_tree(&path).map_err(failed("cannot remove", &path))
    }
}

/// A volume's directory, root's and 0755 as Docker's and Fargate's (ECS developer guide, "Use bind
/// mounts") until the image says otherwise.
fn make_data(volume: &Path) -> Result<(), StoreError> {
    let data = volume.join(DATA);
    if data.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(&data)
        .and_then(|()| fs::set_permissions(&data, fs::Permissions::from_mode(0o755)))
        .map_err(failed("cannot create", &data))
}

/// Where the runtime will find the destination, by the image's links: as far as it is there already.
fn check_links(root: &OwnedFd, destination: &str) -> io::Result<Option<StoreError>> {
    let place = |fd: &OwnedFd| fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()));
    let base = place(root)?;
    for ancestor in Path::new(destination).ancestors() {
        match open_in_root(root, ancestor, OFlag::O_PATH) {
            Ok(found) => {
                let found = place(&found)?;
                let inside =
                    found.strip_prefix(&base).ok().and_then(|below| reserved(&Path::new("/").join(below)));
                return Ok(
                    inside.map(|inside| StoreError::Reserved { destination: destination.to_owned(), inside })
                );
            }
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => {
                if open_in_root(root, ancestor, OFlag::O_PATH | OFlag::O_NOFOLLOW).is_ok() {
                    return Ok(Some(StoreError::Dangling(destination.to_owned())));
                }
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(None)
}
