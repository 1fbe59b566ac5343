//! A container of the kernel's parts: namespaces, mounts, a cgroup, limits, a seccomp filter.
//!
//! [`create`] makes the cgroup with its limits and clones the first process into its namespaces. That process makes
//! everything it will see ([`init`]), enters its cgroup, says that it is ready, and waits; [`Handle::start`] lets it
//! become the user's program. [`Handle::exec`] sends one more process into the container ([`join`]).
//!
//! Everything that takes time or memory happens in the child: the shim stays as small as it is. What a specification asks for and isn't done here
//! is refused by name ([`wishes`]), never left out.
//!
//! Must never: fork with more than one thread, run in a container's mount namespace with a descriptor of the host's
//! open that the container has no need of, or follow a link out of the container's root.

mod capabilities;
mod clone;
mod devices;
mod fd;
mod hide;
mod hooks;
mod identity;
mod init;
mod join;
mod mounts;
mod namespaces;
mod program;
mod report;
mod seal;
mod seccomp;
mod state;
mod target;
mod wishes;

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use oci_spec::runtime::{LinuxResources, Process, Spec};

use crate::cgroup::{Cgroup, CgroupError};
use crate::stdio::Given;
use report::{Gate, Report};

pub use seal::seal;
pub use state::cgroup_of;

/// Longest wait for the processes of a cgroup to die.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// The container can't be had, in one line for a person.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    #[error("{what}")]
    Io {
        what: &'static str,
        #[source]
        source: std::io::Error,
    },
}

impl ContainerError {
    fn io<E: Into<std::io::Error>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |error| ContainerError::Io { what, source: error.into() }
    }
}

/// A container that has been made.
#[derive(Debug)]
pub struct Handle {
    bundle: PathBuf,
    state: PathBuf,
    cgroup: Cgroup,
    pid: i32,
    /// Held shut until Start.
    gate: Option<Gate>,
    report: Option<Report>,
    hooks: Option<Box<hooks::All>>,
}

/// Makes a container: its first process waits, in its namespaces and under its limits, for [`Handle::start`].
pub fn create(
    id: &str,
    bundle: &Path,
    state_root: &Path,
    spec: &Spec,
    cgroup: Cgroup,
    given: Given,
) -> Result<(Handle, i32), ContainerError> {
    wishes::check(spec).map_err(ContainerError::Refused)?;
    let state = state_root.join(id);
    if state.exists() {
        let text = format!("container {id:?} already has state in {}", state.display());
        return Err(ContainerError::Refused(text));
    }
    state::write(&state, cgroup.path(), 0).map_err(ContainerError::io("write the state"))?;
    let hooks = hooks::All::of(id, bundle, spec).map(Box::new);
    let mut handle =
        Handle { bundle: bundle.to_owned(), state, cgroup, pid: 0, gate: None, report: None, hooks };
    match handle.make(spec, given) {
        Ok(()) => {
            let pid = handle.pid;
            Ok((handle, pid))
        }
        Err(error) => {
            handle.abandon();
            handle.after_end();
            Err(error)
        }
    }
}

impl Handle {
    fn make(&mut self, spec: &Spec, given: Given) -> Result<(), ContainerError> {
        let resources = spec.linux().as_ref().and_then(|linux| linux.resources().as_ref());
        self.cgroup.make(resources)?;
        let (mut report, told) = report::report().map_err(ContainerError::io("open the report pipe"))?;
        let (gate, opened) = report::gate().map_err(ContainerError::io("open the gate"))?;
        let namespaces = namespaces::Namespaces::of(spec).map_err(ContainerError::Refused)?;
        let child = init::Child {
            spec,
            bundle: &self.bundle,
            cgroup: &self.cgroup,
            namespaces: &namespaces,
            hooks: self.hooks.as_deref(),
            seccomp_cache: self.state.parent().map(|root| root.join(seccomp::CACHE)),
        };
        let born_in = self.cgroup.birthplace()?;
        let into = born_in.as_ref().map(AsFd::as_fd);
        let process = namespaces.in_pid_namespace(|| clone::clone(namespaces.new_flags(), into));
        match process.map_err(ContainerError::io("clone the first process"))? {
            clone::Side::Child => child.run(given, told, opened),
            clone::Side::Parent(pid) => self.pid = pid,
        }
        drop((told, opened, given));
        if let Some(hooks) = self.hooks.as_deref().filter(|hooks| hooks.has_runtime()) {
            report.waits_for_hooks().map_err(ContainerError::Refused)?;
            hooks.runtime(self.pid).map_err(ContainerError::Refused)?;
            gate.hooked();
        }
        self.gate = Some(gate);
        report.ready().map_err(ContainerError::Refused)?;
        self.report = Some(report);
        // For whoever must clean up after a shim that was killed.
        state::write(&self.state, self.cgroup.path(), self.pid).map_err(ContainerError::io("write the state"))
    }

    /// Takes back what a failed attempt made.
    fn abandon(&self) {
        if self.pid != 0 {
            let pid = Pid::from_raw(self.pid);
            let _ = kill(pid, Signal::SIGKILL);
            let _ = waitpid(pid, None);
        }
        self.cgroup.kill_all(KILL_PATIENCE);
        let _ = self.cgroup.remove();
        let _ = std::fs::remove_dir_all(&self.state);
    }

    /// Whether the first process has not been let go on to the user's program.
    pub fn waits(&self) -> bool {
        self.gate.is_some()
    }

    /// Lets the first process go on to the user's program. An error says why it isn't executed.
    pub fn start(&mut self) -> Result<(), ContainerError> {
        if let Some(gate) = self.gate.take() {
            gate.open();
        }
        self.report.take().map_or(Ok(()), |mut report| report.executed()).map_err(ContainerError::Refused)
    }

    /// Runs what is to be run once the program runs. What fails of it, in words.
    pub fn after_start(&self) -> Vec<String> {
        self.hooks.as_ref().map(|hooks| hooks.poststart(self.pid)).unwrap_or_default()
    }

    /// Runs what is to be run once the container is gone. What fails of it, in words.
    pub fn after_end(&self) -> Vec<String> {
        self.hooks.as_ref().map(|hooks| hooks.poststop()).unwrap_or_default()
    }

    /// Runs one more process in the container, from the JSON of an OCI `process`. Returns its pid.
    pub fn exec(&self, process: &[u8], given: Given) -> Result<i32, ContainerError> {
        let process: Process = serde_json::from_slice(process)
            .map_err(|error| ContainerError::Refused(format!("the process's specification: {error}")))?;
        wishes::check_process(&process).map_err(ContainerError::Refused)?;
        let profile = crate::bundle::seccomp(&self.bundle)
            .map_err(|error| ContainerError::Refused(crate::fault::chain(&error)))?;
        let child = join::Child {
            process: &process,
            profile: profile.as_ref(),
            container: self.pid,
            cache: self.state.parent().map(|root| root.join(seccomp::CACHE)),
        };
        child.start(&self.cgroup, given)
    }

    pub fn pause(&self) -> Result<(), ContainerError> {
        Ok(self.cgroup.freeze(true)?)
    }

    pub fn resume(&self) -> Result<(), ContainerError> {
        Ok(self.cgroup.freeze(false)?)
    }

    /// Sets new limits.
    pub fn update(&self, resources: &LinuxResources) -> Result<(), ContainerError> {
        Ok(self.cgroup.change(resources)?)
    }

    /// Kills everything in the container's cgroup and waits until it is gone.
    pub fn kill_all(&self) {
        self.cgroup.kill_all(KILL_PATIENCE);
    }

    /// Removes the cgroup and the state. Nothing may run in the container any more.
    pub fn delete(&self) -> Result<(), ContainerError> {
        self.cgroup.remove()?;
        std::fs::remove_dir_all(&self.state).map_err(ContainerError::io("remove the state"))
    }
}

/// Kills and removes what a dead shim left of container `id`. Returns its first process's pid, 0 if unknown.
pub fn remove_remains(state_root: &Path, id: &str, cgroup: &Cgroup) -> i32 {
    let state = state_root.join(id);
    let pid = state::pid_of(&state);
    // A frozen process doesn't die on v1.
    let _ = cgroup.freeze(false);
    cgroup.kill_all(KILL_PATIENCE);
    let _ = cgroup.remove();
    let _ = std::fs::remove_dir_all(&state);
    pid
}

/// The standard streams of a process that is about to be made, as descriptors that survive the clone.
fn streams(given: &Given) -> [&OwnedFd; 3] {
    [&given.stdin, &given.stdout, &given.stderr]
}
