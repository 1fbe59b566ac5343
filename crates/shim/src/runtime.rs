//! The only place that calls libcontainer.
//!
//! Its traps, and what is done about each:
//! - it forks with a bare clone3 and changes directory meanwhile: the shim has one thread and makes one call at a time;
//! - it writes the container's OOM score into its own process: put back after Create;
//! - it leaves a state directory behind when it fails early: removed here;
//! - it loads no seccomp filter for a process that joins: our executor does;
//! - it lets every container open the host's console and tun, whatever the bundle says: taken back on cgroup v1;
//! - `Container::kill` marks a container stopped that may go on: signals are sent without it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use libcgroups::common::{CgroupConfig, CgroupManager, ControllerOpt, create_cgroup_manager};
use libcontainer::container::Container;
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::oci_spec::runtime::LinuxResources;
use libcontainer::syscall::syscall::SyscallType;

use crate::bundle::{self, Config};
use crate::cgroup::Cgroup;
use crate::executor::{EXEC, ShimExecutor};
use crate::fault::chain;
use crate::report::{self, Report};
use crate::stdio::Given;

const OOM_SCORE: &str = "/proc/self/oom_score_adj";
/// Character devices that libcontainer adds to what the bundle allows: the host's console, tun.
const ADDED_DEVICES: [(i64, i64); 2] = [(5, 1), (10, 200)];
/// Longest wait for the processes of a cgroup to die.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// The runtime refused, in one line for a person.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The container or process can't be made as its configuration wants it.
    #[error("{0}")]
    Refused(String),
    #[error("{what}")]
    Libcontainer {
        what: &'static str,
        #[source]
        source: Box<libcontainer::error::LibcontainerError>,
    },
    #[error("{what}")]
    Io {
        what: &'static str,
        #[source]
        source: std::io::Error,
    },
}

/// A container that libcontainer has made.
#[derive(Debug)]
pub struct Handle {
    container: Container,
    cgroup_path: PathBuf,
    report: Option<Report>,
}

/// Makes a container: its first process waits, in its namespaces and under its limits, for [`Handle::start`].
pub fn create(
    id: &str,
    bundle: &Path,
    state_root: &Path,
    config: &Config,
    given: Given,
) -> Result<(Handle, i32), RuntimeError> {
    let state = state_root.join(id);
    if state.exists() {
        return Err(RuntimeError::Refused(format!(
            "container {id:?} already has state in {}",
            state.display()
        )));
    }
    std::fs::create_dir_all(state_root)
        .map_err(|source| RuntimeError::Io { what: "create state directory", source })?;
    let oom_score = config.sets_oom_score().then(|| std::fs::read(OOM_SCORE).ok()).flatten();
    let (mut report, write) =
        report::open().map_err(|source| RuntimeError::Io { what: "open the report pipe", source })?;
    let result = builder(id, state_root, given, ShimExecutor::new(&write, None))
        .and_then(|builder| builder.as_init(bundle).with_systemd(false).with_detach(true).build());
    let traced = report.written(write);
    if let Some(score) = oom_score {
        let _ = std::fs::write(OOM_SCORE, score);
    }
    let cgroup_path = config.cgroup(id);
    let container = match result {
        Ok(container) => container,
        Err(error) => {
            sweep(&state, &Cgroup::new(&cgroup_path), &cgroup_path);
            let text = explain(&chain(&error), &traced, config, bundle);
            return Err(RuntimeError::Refused(text));
        }
    };
    let cgroup = Cgroup::new(&cgroup_path);
    for (major, minor) in ADDED_DEVICES.into_iter().filter(|(major, minor)| config.withholds(*major, *minor))
    {
        cgroup.withhold(major, minor);
    }
    let mut handle = Handle { container, cgroup_path, report: Some(report) };
    let pid = handle.container.pid().map_or(0, |pid| pid.as_raw());
    if config.has_seccomp() && !seccomp_filters(pid) {
        handle.kill_all();
        handle.delete()?;
        let text = "the bundle's seccomp profile was not applied: /proc/PID/status lacks \"Seccomp: 2\"; the container was killed";
        return Err(RuntimeError::Refused(text.into()));
    }
    Ok((handle, pid))
}

impl Handle {
    /// Lets the first process go on to the user's program. An error says why it isn't executed.
    pub fn start(&mut self) -> Result<(), RuntimeError> {
        let mut report = self.report.take();
        self.container.start().map_err(|source| wrapped("start the container", source))?;
        report.as_mut().map_or(Ok(()), Report::executed).map_err(RuntimeError::Refused)
    }

    /// Runs one more process in the container, from the JSON of an OCI `process`. Returns its pid.
    pub fn exec(&self, exec_id: &str, process: &[u8], given: Given) -> Result<i32, RuntimeError> {
        let seccomp =
            bundle::seccomp(self.container.bundle()).map_err(|error| RuntimeError::Refused(chain(&error)))?;
        let file = self.container.root.join(format!("exec-{exec_id}.json"));
        std::fs::write(&file, process)
            .map_err(|source| RuntimeError::Io { what: "write process.json", source })?;
        let root = self.container.root.parent().unwrap_or(Path::new("/"));
        let (mut report, write) =
            report::open().map_err(|source| RuntimeError::Io { what: "open the report pipe", source })?;
        let oom_score = std::fs::read(OOM_SCORE).ok();
        let result = builder(self.container.id(), root, given, ShimExecutor::new(&write, seccomp))
            .and_then(|builder| builder.as_tenant().with_process(Some(&file)).with_detach(true).build());
        let traced = report.written(write);
        if let Some(score) = oom_score {
            let _ = std::fs::write(OOM_SCORE, score);
        }
        let _ = std::fs::remove_file(&file);
        match result {
            Ok(pid) => Ok(pid.as_raw()),
            Err(error) => Err(RuntimeError::Refused(pick(&chain(&error), &traced))),
        }
    }

    pub fn pause(&mut self) -> Result<(), RuntimeError> {
        self.container.pause().map_err(|source| wrapped("pause the container", source))
    }

    pub fn resume(&mut self) -> Result<(), RuntimeError> {
        self.container.resume().map_err(|source| wrapped("resume the container", source))
    }

    /// Sets new limits.
    pub fn update(&self, resources: &LinuxResources) -> Result<(), RuntimeError> {
        let refused = |error: &dyn std::error::Error| RuntimeError::Refused(chain(error));
        let cgroups = manager(&self.cgroup_path, self.container.id()).map_err(|error| refused(&error))?;
        let options =
            ControllerOpt { resources, disable_oom_killer: false, oom_score_adj: None, freezer_state: None };
        cgroups.apply(&options).map_err(|error| refused(&error))
    }

    /// Kills everything in the container's cgroup and waits until it is gone.
    pub fn kill_all(&self) {
        Cgroup::new(&self.cgroup_path).kill_all(KILL_PATIENCE);
    }

    /// Removes the cgroup and the state. Nothing may run in the container any more.
    pub fn delete(&mut self) -> Result<(), RuntimeError> {
        self.container.delete(true).map_err(|source| wrapped("delete the container", source))
    }
}

/// Kills and removes what a dead shim left of container `id`. Returns its first process's pid, 0 if unknown.
pub fn remove_remains(state_root: &Path, id: &str, cgroup_path: &Path) -> i32 {
    let state = state_root.join(id);
    let pid = libcontainer::container::State::load(&state).ok().and_then(|state| state.pid).unwrap_or(0);
    let cgroup = Cgroup::new(cgroup_path);
    // A frozen process doesn't die on v1.
    if let Ok(mut container) = Container::load(state.clone()) {
        let _ = container.resume();
    }
    cgroup.kill_all(KILL_PATIENCE);
    sweep(&state, &cgroup, cgroup_path);
    pid
}

/// Removes the state directory and the cgroup, whatever there is of them.
fn sweep(state: &Path, cgroup: &Cgroup, cgroup_path: &Path) {
    cgroup.kill_all(KILL_PATIENCE);
    if let Ok(cgroups) = manager(cgroup_path, "") {
        let _ = cgroups.remove();
    }
    let _ = std::fs::remove_dir_all(state);
}

fn manager(
    path: &Path,
    id: &str,
) -> Result<libcgroups::common::AnyCgroupManager, libcgroups::common::CreateCgroupSetupError> {
    create_cgroup_manager(CgroupConfig {
        cgroup_path: path.to_owned(),
        systemd_cgroup: false,
        container_name: id.to_owned(),
    })
}

fn builder(
    id: &str,
    state_root: &Path,
    given: Given,
    executor: ShimExecutor,
) -> Result<ContainerBuilder, libcontainer::error::LibcontainerError> {
    Ok(ContainerBuilder::new(id.to_owned(), SyscallType::default())
        .with_root_path(state_root)?
        .with_executor(executor)
        .with_stdin(given.stdin)
        .with_stdout(given.stdout)
        .with_stderr(given.stderr))
}

fn wrapped(what: &'static str, source: libcontainer::error::LibcontainerError) -> RuntimeError {
    RuntimeError::Libcontainer { what, source: Box::new(source) }
}

/// The line that says most: our executor's own words, else libcontainer's error with the innermost traced cause.
fn pick(error: &str, traced: &[String]) -> String {
    for text in traced.iter().map(String::as_str).chain([error]) {
        if let Some(at) = text.find(EXEC) {
            return text[at..].trim_matches(['\0', '"', '\n']).to_owned();
        }
    }
    match traced.first() {
        Some(cause) if !error.contains(cause.as_str()) => format!("{error}: {cause}"),
        _ => error.to_owned(),
    }
}

/// [`pick`], and a hint where libcontainer says nothing of the path: a working directory that isn't there.
fn explain(error: &str, traced: &[String], config: &Config, bundle: &Path) -> String {
    let text = pick(error, traced);
    let chdir = traced.iter().any(|line| line.contains("failed to chdir"));
    match config.cwd().filter(|_| chdir) {
        Some(cwd) => format!("working directory {cwd:?} of {}: {text}", bundle.display()),
        None => text,
    }
}

fn seccomp_filters(pid: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.strip_prefix("Seccomp:").is_some_and(|mode| mode.trim() == "2"))
}
