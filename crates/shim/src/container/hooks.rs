//! Hooks: programs of the machine's that are run at points of a container's life, with its state on their standard
//! input (OCI runtime specification 1.0.2, "POSIX-platform Hooks" and "Lifecycle").
//!
//! `prestart` and `createRuntime` run beside the shim, `createContainer` in the container's namespaces; all of them when
//! its root has its mounts and devices and isn't entered yet. `startContainer` runs in the container, as its user, right
//! before the program. One of these that fails ends the container. `poststart` and `poststop` run beside the shim; of one
//! that fails the shim's log tells.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};
use oci_spec::runtime::{Hook, Hooks, Spec};
use serde::Serialize;

/// What is kept of what a hook says.
const MOST_WORDS: u64 = 2048;

/// The container's state as hooks are told it (OCI runtime specification, "State").
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    oci_version: String,
    id: String,
    status: &'static str,
    #[serde(skip_serializing_if = "is_unknown")]
    pid: i32,
    bundle: PathBuf,
    #[serde(skip_serializing_if = "HashMap::is_empty")]
    annotations: HashMap<String, String>,
}

fn is_unknown(pid: &i32) -> bool {
    *pid == 0
}

impl State {
    pub fn of(id: &str, bundle: &Path, spec: &Spec) -> Self {
        State {
            oci_version: spec.version().clone(),
            id: id.to_owned(),
            status: "creating",
            pid: 0,
            bundle: std::fs::canonicalize(bundle).unwrap_or_else(|_| bundle.to_owned()),
            annotations: spec.annotations().clone().unwrap_or_default(),
        }
    }

    fn at(&self, status: &'static str, pid: i32) -> Self {
        State { status, pid, ..self.clone() }
    }
}

/// The hooks of one container; most have none.
#[derive(Debug, Clone)]
pub struct All {
    hooks: Hooks,
    state: State,
}

impl All {
    pub fn of(id: &str, bundle: &Path, spec: &Spec) -> Option<Self> {
        let hooks = spec.hooks().clone().filter(|hooks| *hooks != Hooks::default())?;
        Some(All { hooks, state: State::of(id, bundle, spec) })
    }

    /// Whether something is to be run beside the shim while the container is made.
    pub fn has_runtime(&self) -> bool {
        !list(prestart(&self.hooks)).is_empty() || !list(self.hooks.create_runtime()).is_empty()
    }

    /// `prestart` and `createRuntime`. `pid`: of the container's first process.
    pub fn runtime(&self, pid: i32) -> Result<(), String> {
        let state = self.state.at("creating", pid);
        run("prestart", prestart(&self.hooks), &state, Some(&self.state.bundle))?;
        run("createRuntime", self.hooks.create_runtime(), &state, Some(&self.state.bundle))
    }

    /// In the container's namespaces. `root`: where its root is, and where the hooks are run.
    pub fn create_container(&self, root: &Path) -> Result<(), String> {
        let state = self.state.at("creating", own_pid());
        run("createContainer", self.hooks.create_container(), &state, Some(root))
    }

    /// In the container.
    pub fn start_container(&self) -> Result<(), String> {
        run("startContainer", self.hooks.start_container(), &self.state.at("created", own_pid()), None)
    }

    /// All that fail, in words.
    pub fn poststart(&self, pid: i32) -> Vec<String> {
        self.each("poststart", self.hooks.poststart(), &self.state.at("running", pid))
    }

    /// The same, of a container that is gone.
    pub fn poststop(&self) -> Vec<String> {
        self.each("poststop", self.hooks.poststop(), &self.state.at("stopped", 0))
    }

    fn each(&self, name: &str, hooks: &Option<Vec<Hook>>, state: &State) -> Vec<String> {
        let failed = |hook: &Hook| one(name, hook, state, Some(&self.state.bundle)).err();
        list(hooks).iter().filter_map(failed).collect()
    }
}

/// Older than `createRuntime`, and deprecated in its favour.
#[allow(deprecated)]
fn prestart(hooks: &Hooks) -> &Option<Vec<Hook>> {
    hooks.prestart()
}

fn list(hooks: &Option<Vec<Hook>>) -> &[Hook] {
    hooks.as_deref().unwrap_or_default()
}

/// What can't be run is refused before anything is made.
pub fn check(hooks: &Hooks) -> Result<(), String> {
    let all = [
        prestart(hooks),
        hooks.create_runtime(),
        hooks.create_container(),
        hooks.start_container(),
        hooks.poststart(),
        hooks.poststop(),
    ];
    for hook in all.into_iter().flat_map(list) {
        if !hook.path().is_absolute() {
            return Err(format!("the path of the hook {:?} is not absolute", hook.path()));
        }
        if hook.timeout().is_some_and(|seconds| seconds <= 0) {
            return Err(format!("the timeout of the hook {:?} is not greater than zero", hook.path()));
        }
    }
    Ok(())
}

fn own_pid() -> i32 {
    nix::unistd::getpid().as_raw()
}

/// In their order; the first that fails is the last.
fn run(name: &str, hooks: &Option<Vec<Hook>>, state: &State, cwd: Option<&Path>) -> Result<(), String> {
    list(hooks).iter().try_for_each(|hook| one(name, hook, state, cwd))
}

fn one(name: &str, hook: &Hook, state: &State, cwd: Option<&Path>) -> Result<(), String> {
    let failed = |why: String| format!("{name} hook {}: {why}", hook.path().display());
    let (status, words) = execute(hook, state, cwd).map_err(|error| failed(error.to_string()))?;
    let words = words.trim();
    let said = if words.is_empty() { String::new() } else { format!(": {words}") };
    match status {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(failed(format!("{status}{said}"))),
        None => Err(failed(format!("it was not done within {} s{said}", hook.timeout().unwrap_or_default()))),
    }
}

/// How it ended, if it did in time, and what it said.
fn execute(hook: &Hook, state: &State, cwd: Option<&Path>) -> io::Result<(Option<ExitStatus>, String)> {
    // Files of memory on both sides: no hook can be held up by what nobody reads, or break a pipe that it doesn't read.
    let mut told = memory("state")?;
    told.write_all(&serde_json::to_vec(state)?)?;
    told.seek(SeekFrom::Start(0))?;
    let mut words = memory("words")?;
    let args = hook.args().as_deref().unwrap_or_default();
    let mut command = Command::new(hook.path());
    if let Some((own, rest)) = args.split_first() {
        command.arg0(own).args(rest);
    }
    let env = hook.env().as_deref().unwrap_or_default();
    command.env_clear().envs(env.iter().filter_map(|pair| pair.split_once('=')));
    if let Some(cwd) = cwd {
        command.current_dir(cwd);
    }
    let mut child = command.stdin(told).stdout(words.try_clone()?).stderr(words.try_clone()?).spawn()?;
    let timeout = hook.timeout().and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
    let status = end(&mut child, timeout)?;
    words.seek(SeekFrom::Start(0))?;
    let mut text = Vec::new();
    words.take(MOST_WORDS).read_to_end(&mut text)?;
    Ok((status, String::from_utf8_lossy(&text).into_owned()))
}

fn memory(name: &str) -> io::Result<File> {
    Ok(memfd_create(name, MFdFlags::MFD_CLOEXEC)?.into())
}

/// Waits for its end; `None`: it took too long, and was killed.
fn end(child: &mut Child, timeout: Option<Duration>) -> io::Result<Option<ExitStatus>> {
    let Some(timeout) = timeout else { return child.wait().map(Some) };
    let until = Instant::now() + timeout;
    let ended = pidfd(child).and_then(|fd| {
        loop {
            let left = until.saturating_duration_since(Instant::now()).as_millis();
            let left = PollTimeout::try_from(left.min(i32::MAX as u128)).unwrap_or(PollTimeout::MAX);
            match poll(&mut [PollFd::new(fd.as_fd(), PollFlags::POLLIN)], left) {
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
                Ok(0) if Instant::now() < until => {}
                Ok(ready) => return Ok(ready > 0),
            }
        }
    });
    match ended {
        Ok(true) => child.wait().map(Some),
        late => {
            let _ = child.kill();
            let _ = child.wait();
            late.map(|_| None)
        }
    }
}

fn pidfd(child: &Child) -> io::Result<OwnedFd> {
    // SAFETY: plain numbers; the descriptor is new and ours.
    unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, child.id() as i32, 0);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedFd::from_raw_fd(fd as i32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(hooks: serde_json::Value) -> All {
        let spec: Spec = serde_json::from_value(
            serde_json::json!({"ociVersion": "1.0.2", "annotations": {"a": "b"}, "hooks": hooks}),
        )
        .unwrap();
        All::of("id-1", Path::new("/"), &spec).unwrap()
    }

    fn sh(script: &str, timeout: Option<i64>) -> serde_json::Value {
        serde_json::json!({"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["A=1"], "timeout": timeout})
    }

    #[test]
    fn a_hook_is_told_the_state_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("out");
        let script = format!("cat > {0}; echo \" $A $HOME $PWD\" >> {0}", out.display());
        all(serde_json::json!({"prestart": [sh(&script, Some(9))]})).runtime(7).unwrap();
        let text = std::fs::read_to_string(&out).unwrap();
        let (state, rest) = text.rsplit_once('}').unwrap();
        let state: serde_json::Value = serde_json::from_str(&format!("{state}}}")).unwrap();
        let expected = serde_json::json!({
            "ociVersion": "1.0.2", "id": "id-1", "status": "creating", "pid": 7, "bundle": "/", "annotations": {"a": "b"},
        });
        assert_eq!((state, rest), (expected, " 1  /\n"));
    }

    #[test]
    fn the_first_that_fails_is_the_last_and_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let mark = format!("echo > {}/reached", dir.path().display());
        let hooks =
            all(serde_json::json!({"createRuntime": [sh("echo no GPU >&2; exit 3", None), sh(&mark, None)]}));
        assert!(hooks.has_runtime());
        let why = hooks.runtime(1).unwrap_err();
        assert_eq!(why, "createRuntime hook /bin/sh: exit status: 3: no GPU");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        // Of those after the start each is run.
        let hooks = all(serde_json::json!({"poststop": [sh("exit 1", None), sh(&mark, None)]}));
        assert_eq!((hooks.has_runtime(), hooks.poststop().len()), (false, 1));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn one_that_takes_too_long_or_is_not_there() {
        let began = Instant::now();
        let why = all(serde_json::json!({"prestart": [sh("sleep 60", Some(1))]})).runtime(1).unwrap_err();
        assert!(why.contains("not done within 1 s") && began.elapsed() < Duration::from_secs(30), "{why}");
        let gone = serde_json::json!({"prestart": [{"path": "/no/such/tool"}]});
        let why = all(gone).runtime(1).unwrap_err();
        assert!(why.starts_with("prestart hook /no/such/tool: No such file"), "{why}");
        // It reads nothing of what it is told, and says more than a pipe holds.
        let much = sh("yes | head -c 300000", Some(20));
        all(serde_json::json!({"prestart": [much]})).runtime(1).unwrap();
    }

    #[test]
    fn what_cannot_be_run_is_refused_at_once() {
        let hooks = |hook: serde_json::Value| {
            check(&serde_json::from_value(serde_json::json!({"poststop": [hook]})).unwrap())
        };
        assert_eq!(hooks(serde_json::json!({"path": "/x", "timeout": 1})), Ok(()));
        assert!(hooks(serde_json::json!({"path": "x"})).unwrap_err().contains("absolute"));
        assert!(hooks(serde_json::json!({"path": "/x", "timeout": 0})).unwrap_err().contains("timeout"));
    }
}
