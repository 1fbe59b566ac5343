//! The shim's command line: `start` makes the process that serves a task, `delete` clears away what
//! a dead one left.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use tokio::process::Command;

use super::choice::locate;
use super::seal::Sealed;
use super::{RuntimeChoice, RuntimeError, Shim};
use crate::whole;

/// A shim program and the places it may use.
#[derive(Clone, Debug)]
pub struct Runtime {
    program: PathBuf,
    /// Our own shim's. Others look for themselves by the path of their program.
    sealed: Option<Arc<Sealed>>,
    namespace: String,
    socket_dir: PathBuf,
    state_dir: PathBuf,
    foreign: bool,
}

impl Runtime {
    /// `namespace` separates the containers of several agents on one machine. `socket_dir` must
    /// be short: a unix socket's path has at most 107 bytes.
    pub fn new(
        choice: &RuntimeChoice,
        shim_path: Option<&Path>,
        namespace: &str,
        socket_dir: &Path,
        state_dir: &Path,
    ) -> Result<Self, RuntimeError> {
        let binary = match shim_path {
            Some(path) => path.to_owned(),
            None => choice.binary()?,
        };
        let beside = std::env::current_exe().ok().and_then(|p| p.parent().map(Path::to_owned));
        let search_path = std::env::var("PATH").unwrap_or_default();
        let program = locate(&binary, beside.as_deref(), &search_path)
            .ok_or_else(|| RuntimeError::NotFound { binary: binary.display().to_string() })?;
        for dir in [socket_dir, state_dir] {
            std::fs::create_dir_all(dir).map_err(|source| RuntimeError::Io {
                what: "cannot create",
                path: dir.to_owned(),
                source,
            })?;
        }
        let sealed = match choice {
            RuntimeChoice::Longshore => {
                let sealed = Sealed::of(&program).map_err(|source| RuntimeError::Io {
                    what: "cannot make a read-only mount of",
                    path: program.clone(),
                    source,
                })?;
                Some(Arc::new(sealed))
            }
            RuntimeChoice::Named(_) => None,
        };
        Ok(Runtime {
            program,
            sealed,
            namespace: namespace.to_owned(),
            socket_dir: socket_dir.to_owned(),
            state_dir: state_dir.to_owned(),
            foreign: *choice != RuntimeChoice::Longshore,
        })
    }

    /// The shim's program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Whether the shim is another's. Such a one moves containers into their cgroups and copies what they write into
    /// their FIFOs, which it closes when that is done, and its own log goes to a FIFO that must have a reader. Our own
    /// one's containers enter and write by themselves.
    pub fn is_foreign(&self) -> bool {
        self.foreign
    }

    /// Starts the process that serves the bundle's group (or finds it, if it runs already), and
    /// connects. The bundle's `config.json` must be there with its group annotation; its resolved
    /// content is not read before Create.
    pub async fn start_shim(&self, bundle: &Path, id: &str) -> Result<Shim, RuntimeError> {
        if self.foreign {
            super::shim::drain_log_fifo(bundle)?;
        }
        let output = self
            .command(bundle, id)
            .arg("start")
            .output()
            .await
            .map_err(|source| RuntimeError::Spawn { program: self.program.clone(), source })?;
        if !output.status.success() {
            let mut said = String::from_utf8_lossy(&output.stderr).into_owned();
            said.push_str(&String::from_utf8_lossy(&output.stdout));
            let said = if said.trim().is_empty() { output.status.to_string() } else { said };
            return Err(RuntimeError::Refused { verb: "start", said: said.trim().to_owned() });
        }
        let address = parse_address(&String::from_utf8_lossy(&output.stdout))?;
        let path = bundle.join("address");
        // Most shims write it themselves.
        if std::fs::read(&path).is_ok_and(|there| there == address.as_bytes()) {
            return Shim::connect(&address).await;
        }
        whole::write(&path, address.as_bytes()).map_err(|source| RuntimeError::Io {
            what: "cannot write",
            path,
            source,
        })?;
        Shim::connect(&address).await
    }

    /// Clears away what a dead shim left of a container. Idempotent.
    pub async fn delete_left_over(&self, bundle: &Path, id: &str) -> Result<(), RuntimeError> {
        let output = self
            .command(bundle, id)
            .arg("-bundle")
            .arg(bundle)
            .arg("delete")
            .stderr(Stdio::piped())
            .output()
            .await
            .map_err(|source| RuntimeError::Spawn { program: self.program.clone(), source })?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(RuntimeError::Refused { verb: "delete", said })
    }

    fn command(&self, bundle: &Path, id: &str) -> Command {
        let program = self.sealed.as_ref().map_or_else(|| self.program.clone(), |sealed| sealed.path());
        let mut command = Command::new(program);
        command
            .arg0(&self.program)
            .args(["-namespace", &self.namespace, "-id", id])
            // Nobody listens for events: the agent learns of an exit by Wait.
            .args(["-address", "/run/longshore/none", "-publish-binary", "/bin/true"])
            .current_dir(bundle)
            .env("LONGSHORE_SHIM_SOCKET_DIR", &self.socket_dir)
            .env("LONGSHORE_SHIM_STATE_DIR", &self.state_dir)
            .env_remove("TTRPC_ADDRESS")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(false);
        command
    }
}

/// `start` prints the address alone or, since containerd 1.7, a JSON object that holds it.
fn parse_address(printed: &str) -> Result<String, RuntimeError> {
    let printed = printed.trim();
    let address = if printed.starts_with('{') {
        serde_json::from_str::<serde_json::Value>(printed)
            .ok()
            .and_then(|v| v.get("address")?.as_str().map(str::to_owned))
    } else {
        Some(printed.to_owned())
    };
    match address {
        Some(address) if address.starts_with("unix://") => Ok(address),
        _ => Err(RuntimeError::Address { said: printed.chars().take(200).collect() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_shim_that_does_not_start_says_why() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let shim = dir.path().join("shim");
        std::fs::write(&shim, "#!/bin/sh\necho 'no such group' >&2\nexit 1\n").unwrap();
        std::fs::set_permissions(&shim, std::fs::Permissions::from_mode(0o755)).unwrap();
        // A script: an interpreter can't open the program of our own shim, which is sealed.
        let choice = RuntimeChoice::Named(shim.display().to_string());
        let runtime = Runtime::new(&choice, Some(&shim), "test", dir.path(), dir.path()).unwrap();
        let error = runtime.start_shim(dir.path(), "one").await.unwrap_err();
        assert_eq!(error.to_string(), "shim start failed: no such group");
    }

    #[test]
    fn both_forms_of_an_address() {
        assert_eq!(parse_address("unix:///run/x\n").unwrap(), "unix:///run/x");
        let json = r#"{"version":3,"address":"unix:///run/y","protocol":"ttrpc"}"#;
        assert_eq!(parse_address(json).unwrap(), "unix:///run/y");
        assert!(parse_address("").is_err());
        assert!(parse_address("{").is_err());
    }
}
