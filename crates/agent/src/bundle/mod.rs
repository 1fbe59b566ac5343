//! The OCI bundle of a task's container: its runtime specification and its cgroups.
//!
//! [`spec()`] is pure: a [`ContainerPlan`] in, the text of config.json out, so that what a container
//! may do can be read and tested as text. Only [`cgroup`] touches the machine.
//!
//! Must never: give a container of the `Fargate` profile more than Fargate gives (one added
//! capability, `SYS_PTRACE`), or drop a wish in silence: what can't be had is a [`BundleError`].
//!
//! Start at [`ContainerPlan`]; then [`spec()`], [`seccomp`] (which system calls) and [`cgroup`].

pub mod cgroup;
pub mod seccomp;

mod capabilities;
mod devices;
mod kernel;
mod limits;
mod mounts;
mod process;
mod spec;

pub use devices::{DeviceMount, DeviceNode, Edits, Hook, Hooks};
pub use limits::Ulimit;
pub use spec::spec;

use std::collections::BTreeMap;
use std::path::PathBuf;

/// What a container is to be, after the payload and the image have been read.
#[derive(Debug, Clone)]
pub struct ContainerPlan {
    /// The container's cgroup below the task's: [`cgroup::TaskCgroup::container_path`].
    pub cgroups_path: String,
    pub cgroup_version: cgroup::Version,
    /// [`cgroup::Cgroups::mounts`]: the mounts that are to be read-only in a container.
    pub cgroup_mounts: Vec<PathBuf>,
    /// [`cgroup::Cgroups::limits_swap`]: without it a memory limit leaves swap open.
    pub limit_swap: bool,
    /// The containers of one task name the same group, and share one shim process.
    pub task_id: String,
    pub profile: Profile,
    /// The mounted root file system; absolute, or relative to the bundle.
    pub rootfs: PathBuf,
    pub readonly_rootfs: bool,
    /// The network namespace to join; without one the container is in the machine's.
    pub netns: Option<PathBuf>,
    pub hostname: String,
    pub files: EtcFiles,
    /// Parents before what lies in them.
    pub volumes: Vec<VolumeMount>,
    pub image: ImageDefaults,
    /// `entryPoint` of the container definition; `None` keeps the image's.
    pub entry_point: Option<Vec<String>>,
    /// `command` of the container definition; `None` keeps the image's.
    pub command: Option<Vec<String>>,
    pub environment: BTreeMap<String, String>,
    pub working_directory: Option<String>,
    pub user: User,
    pub cap_add: Vec<String>,
    pub cap_drop: Vec<String>,
    pub ulimits: Vec<Ulimit>,
    /// `systemControls`: kernel parameters of the container's own namespaces.
    pub sysctls: BTreeMap<String, String>,
    /// `linuxParameters.tmpfs`: from the path to the options, with commas between.
    pub tmpfs: BTreeMap<String, String>,
    /// Size of /dev/shm in bytes; 0 is Docker's 64 MiB.
    pub shm_bytes: u64,
    /// `cpu` of the container definition: units, 1,024 to a core. A weight, not a ceiling.
    pub cpu: u64,
    /// Hard limit in bytes; 0 is none of its own (the task's holds).
    pub memory: u64,
    /// Soft limit in bytes; 0 is none.
    pub memory_reservation: u64,
    /// What its GPUs bring with them.
    pub edits: Edits,
}

/// Under whose rules a container runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Hardened; not the user's to loosen.
    Fargate,
    /// The rules of `docker run` without options.
    Instance,
}

/// The image's own wishes, from its OCI configuration.
#[derive(Debug, Clone, Default)]
pub struct ImageDefaults {
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    /// `NAME=value` each.
    pub env: Vec<String>,
    pub working_dir: Option<String>,
}

/// Who the process is, resolved against the image's /etc/passwd and /etc/group.
#[derive(Debug, Clone, Default)]
pub struct User {
    pub uid: u32,
    pub gid: u32,
    pub additional_gids: Vec<u32>,
    /// `HOME`, where neither image nor task sets it.
    pub home: String,
}

/// The files of the host that a container sees in /etc; see [`crate::network::files`].
#[derive(Debug, Clone)]
pub struct EtcFiles {
    pub resolv_conf: PathBuf,
    pub hosts: PathBuf,
    pub hostname: PathBuf,
}

/// A directory or file of the machine in the container.
#[derive(Debug, Clone)]
pub struct VolumeMount {
    pub source: PathBuf,
    /// Absolute, in one spelling.
    pub destination: String,
    pub read_only: bool,
    /// With what is mounted below it on the machine.
    pub recursive: bool,
}

/// A wish that can't be granted.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum BundleError {
    #[error("no command specified: neither the container definition nor the image names one")]
    NoCommand,
    #[error("{name:?} is not a Linux capability")]
    UnknownCapability { name: String },
    #[error("capability {name} cannot be added on Fargate; only SYS_PTRACE can")]
    ForbiddenCapability { name: String },
    #[error("system control {name} cannot be set: it is not one of a container's own namespaces")]
    ForbiddenSysctl { name: String },
    #[error("a tmpfs cannot be mounted at {path:?}")]
    TmpfsPath { path: String },
    #[error("tmpfs {path}: the mount option {option:?} is not supported")]
    TmpfsOption { path: String, option: String },
    #[error("{name:?} is not the name of a ulimit")]
    UnknownUlimit { name: String },
    #[error("ulimit {name}: the soft limit {soft} is above the hard limit {hard}")]
    UlimitOrder { name: String, soft: i64, hard: i64 },
    #[error("ulimit {name} is set twice")]
    UlimitTwice { name: String },
    #[error("environment variable {name:?} cannot be set: a name has no '=' and no NUL, and is not empty")]
    InvalidEnvironment { name: String },
}

#[cfg(test)]
mod tests;
