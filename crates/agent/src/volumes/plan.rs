//! Which volume is mounted where. Pure.
//!
//! The rules are Docker's, whose words ECS's are (Docker reference, "Volumes" and `--volumes-from`):
//! volumes of other containers first, a mount point of one's own in their place where both name the
//! same path, and an image's VOLUME wherever nothing else is mounted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wire::acs::Task;
use wire::acs::task::DockerVolumeConfiguration;

use super::path::{self, PathError};

/// ECS API reference, Volume.name; this agent names directories by it.
const NAME_LENGTH: usize = 255;

/// Where a volume's content lies, and so how long it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// The task's own, and gone with it: an empty `host`, or a Docker volume with the scope `task`.
    Task { name: String },
    /// An image's VOLUME that nothing else is mounted on; the n-th of its container.
    Anonymous { container: usize, number: usize },
    /// The machine's: a Docker volume with the scope `shared`.
    Shared { name: String },
    /// The user's own directory or file. Nobody removes it.
    Host { path: PathBuf },
}

/// One of a task's volumes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    pub name: String,
    pub place: Place,
    /// Of a shared one: to be made if it isn't there.
    pub autoprovision: bool,
    pub labels: BTreeMap<String, String>,
}

/// A volume at its place in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mounting {
    pub place: Place,
    /// Absolute, in one spelling.
    pub destination: String,
    pub read_only: bool,
    /// What the image has at the destination is copied in while the volume is empty.
    pub fill: bool,
}

/// Why a task's volumes can't be had here, in words for its stopped reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VolumeError {
    #[error("UnsupportedFeature: volume {volume} uses {what}, which this agent does not support yet")]
    Unsupported { volume: String, what: String },
    #[error("volume name {0:?} is not 1 to 255 letters, digits, hyphens and underscores")]
    Name(String),
    #[error("volume name {0} is used twice")]
    Twice(String),
    #[error("volume {0}: task scoped volume could not be autoprovisioned")]
    AutoprovisionedForTask(String),
    #[error("Fargate compatible task definitions do not support {what} (volume {volume})")]
    NotOnFargate { volume: String, what: &'static str },
    #[error("volume {volume}: host.sourcePath {path:?} must be absolute")]
    SourcePath { volume: String, path: String },
    #[error("container {container} mounts volume {volume:?}, which the task does not have")]
    UnknownVolume { container: String, volume: String },
    #[error("container {container} takes volumes from {source_container:?}, which is not in the task")]
    UnknownContainer { container: String, source_container: String },
    #[error("container {container}: {error}")]
    Path {
        container: String,
        #[source]
        error: PathError,
    },
    #[error("container {container} mounts two volumes at {destination:?}")]
    Duplicate { container: String, destination: String },
}

/// Whether the task is under Fargate's rules: those that aren't a machine's of the user's own.
fn is_fargate(task: &Task) -> bool {
    !matches!(task.launch_type.as_deref(), Some("EC2" | "EXTERNAL"))
}

/// The task's volumes, in the payload's order, and a look at every mount of them.
pub fn declared(task: &Task) -> Result<Vec<Volume>, VolumeError> {
    let mut names = BTreeSet::new();
    let mut volumes = Vec::new();
    for volume in &task.volumes {
        if !names.insert(&volume.name) {
            return Err(VolumeError::Twice(volume.name.clone()));
        }
        volumes.push(one(volume, is_fargate(task))?);
    }
    for (container, c) in task.containers.iter().enumerate() {
        for from in &c.volumes_from {
            if !task.containers.iter().any(|other| other.name == from.source_container) {
                return Err(VolumeError::UnknownContainer {
                    container: c.name.clone(),
                    source_container: from.source_container.clone(),
                });
            }
        }
        mountings(task, &volumes, container, &[], |_| Vec::new())?;
    }
    Ok(volumes)
}

fn one(volume: &wire::acs::task::Volume, fargate: bool) -> Result<Volume, VolumeError> {
    let name = &volume.name;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !(1..=NAME_LENGTH).contains(&name.len()) || !name.bytes().all(allowed) {
        return Err(VolumeError::Name(name.clone()));
    }
    let own = |place| Volume { name: name.clone(), place, autoprovision: false, labels: BTreeMap::new() };
    match volume.r#type.as_deref().unwrap_or("host") {
        "host" => {
            let source = volume.host.as_ref().and_then(|host| host.source_path.as_deref());
            match source.filter(|path| !path.is_empty()) {
                None => Ok(own(Place::Task { name: name.clone() })),
                Some(_) if fargate => {
                    Err(VolumeError::NotOnFargate { volume: name.clone(), what: "sourcePath" })
                }
                Some(path) if !path.starts_with('/') || path.contains('\0') => {
                    Err(VolumeError::SourcePath { volume: name.clone(), path: path.to_owned() })
                }
                Some(path) => Ok(own(Place::Host { path: Path::new(path).to_owned() })),
            }
        }
        "docker" if fargate => {
            Err(VolumeError::NotOnFargate { volume: name.clone(), what: "dockerVolumeConfiguration" })
        }
        "docker" => docker(name, &volume.docker_volume_configuration.clone().unwrap_or_default()),
        "efs" => unsupported(name, "efsVolumeConfiguration"),
        "fsxWindowsFileServer" => unsupported(name, "fsxWindowsFileServerVolumeConfiguration"),
        other => unsupported(name, other),
    }
}

fn unsupported<T>(volume: &str, what: impl Into<String>) -> Result<T, VolumeError> {
    Err(VolumeError::Unsupported { volume: volume.to_owned(), what: what.into() })
}

fn docker(name: &str, docker: &DockerVolumeConfiguration) -> Result<Volume, VolumeError> {
    let autoprovision = docker.autoprovision == Some(true);
    if let Some(driver) = docker.driver.as_deref().filter(|driver| !matches!(*driver, "" | "local")) {
        return unsupported(name, format!("the volume driver {driver}"));
    }
    if let Some(option) = docker.driver_opts.keys().next() {
        return unsupported(name, format!("the driver option {option}"));
    }
    let place = match docker.scope.as_deref() {
        None | Some("" | "task") if autoprovision => {
            return Err(VolumeError::AutoprovisionedForTask(name.to_owned()));
        }
        None | Some("" | "task") => Place::Task { name: name.to_owned() },
        Some("shared") => Place::Shared { name: name.to_owned() },
        Some(other) => return unsupported(name, format!("the scope {other}")),
    };
    Ok(Volume { name: name.to_owned(), place, autoprovision, labels: docker.labels.clone() })
}

/// The mounts of a container, parents before what lies in them.
///
/// `image`: the VOLUMEs of its image. `of`: the mounts of a container that was created before, by its
/// index.
///
/// On Fargate an image's content is copied into a volume only where a VOLUME of the image is the mount
/// point itself (ECS developer guide, "Use bind mounts"); Docker copies it into every volume that is
/// empty.
pub fn mountings(
    task: &Task,
    volumes: &[Volume],
    container: usize,
    image: &[String],
    of: impl Fn(usize) -> Vec<Mounting>,
) -> Result<Vec<Mounting>, VolumeError> {
    let c = &task.containers[container];
    let clean = |text: &str| {
        path::destination(text).map_err(|error| VolumeError::Path { container: c.name.clone(), error })
    };
    let image = image.iter().map(|text| clean(text)).collect::<Result<BTreeSet<String>, _>>()?;
    let mut all: BTreeMap<String, Mounting> = BTreeMap::new();
    for from in &c.volumes_from {
        let source = task.containers.iter().position(|other| other.name == from.source_container);
        for mut theirs in source.into_iter().flat_map(&of) {
            theirs.read_only |= from.read_only;
            theirs.fill = false;
            all.insert(theirs.destination.clone(), theirs);
        }
    }
    let mut own = BTreeSet::new();
    for mount in &c.mount_points {
        let destination = clean(&mount.container_path)?;
        let volume = volumes.iter().find(|volume| volume.name == mount.source_volume).ok_or_else(|| {
            VolumeError::UnknownVolume { container: c.name.clone(), volume: mount.source_volume.clone() }
        })?;
        if !own.insert(destination.clone()) {
            return Err(VolumeError::Duplicate { container: c.name.clone(), destination });
        }
        let fill = match volume.place {
            Place::Host { .. } => false,
            _ => !is_fargate(task) || image.contains(&destination),
        };
        let place = volume.place.clone();
        all.insert(destination.clone(), Mounting { place, destination, read_only: mount.read_only, fill });
    }
    for (number, destination) in image.into_iter().enumerate() {
        all.entry(destination.clone()).or_insert(Mounting {
            place: Place::Anonymous { container, number },
            destination,
            read_only: false,
            fill: true,
        });
    }
    let mut all: Vec<Mounting> = all.into_values().collect();
    // Stable: by name within the same depth.
    all.sort_by_key(|mounting| path::depth(&mounting.destination));
    Ok(all)
}
