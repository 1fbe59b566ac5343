//! A real shim, a real busybox, and containerd's own generated client to talk to it.
#![allow(dead_code, missing_debug_implementations, reason = "each test file uses its own part of it")]

pub mod bundle;
pub mod raw;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use containerd_shim_protos::api::*;
use containerd_shim_protos::protobuf::Message;
use containerd_shim_protos::ttrpc::{self, Code, context};
use containerd_shim_protos::{Client, TaskClient};

pub use bundle::Bundle;

/// The binary under test: cargo's, or the one that `LONGSHORE_SHIM` names (a static release, say).
fn binary() -> std::ffi::OsString {
    std::env::var_os("LONGSHORE_SHIM")
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_containerd-shim-longshore-v1").into())
}

/// Namespace of all tests' ids.
pub const NAMESPACE: &str = "lsshimtest";

/// A directory of its own for one test: bundles, sockets, state.
pub struct Place {
    pub dir: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { dir: tempfile::Builder::new().prefix("lsshim").tempdir().unwrap() }
    }

    pub fn sockets(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    pub fn state(&self) -> PathBuf {
        self.dir.path().join("c")
    }

    /// The shim's command line for `bundle`, as containerd would run it.
    pub fn command(&self, bundle: &Bundle, action: &str) -> Command {
        let mut command = Command::new(binary());
        command
            .args([
                "-namespace",
                NAMESPACE,
                "-id",
                &bundle.id,
                "-address",
                "/nowhere",
                "-publish-binary",
                "/bin/true",
            ])
            .current_dir(&bundle.path)
            .env("LONGSHORE_SHIM_SOCKET_DIR", self.sockets())
            .env("LONGSHORE_SHIM_STATE_DIR", self.state())
            .env_remove("TTRPC_ADDRESS")
            .stdin(Stdio::null());
        if action == "delete" {
            command.arg("-bundle").arg(&bundle.path);
        }
        command.arg(action);
        command
    }

    /// Runs `start` and connects.
    pub fn start(&self, bundle: &Bundle) -> Shim {
        let output = self.command(bundle, "start").output().unwrap();
        assert!(output.status.success(), "start: {}", String::from_utf8_lossy(&output.stderr));
        let address = String::from_utf8(output.stdout).unwrap();
        assert_eq!(std::fs::read_to_string(bundle.path.join("address")).unwrap(), address);
        Shim::connect(&address)
    }

    /// Runs `delete` and returns what it printed.
    pub fn delete(&self, bundle: &Bundle) -> DeleteResponse {
        let output = self.command(bundle, "delete").output().unwrap();
        assert!(output.status.success(), "delete: {}", String::from_utf8_lossy(&output.stderr));
        DeleteResponse::parse_from_bytes(&output.stdout).unwrap()
    }
}

/// A connection to a shim.
pub struct Shim {
    pub address: String,
    pub pid: u32,
    pub client: TaskClient,
}

impl Shim {
    pub fn connect(address: &str) -> Self {
        let client = TaskClient::new(Client::connect(address).unwrap());
        let pid = client.connect(patience(), &ConnectRequest::new()).unwrap().shim_pid;
        Self { address: address.to_owned(), pid, client }
    }

    pub fn socket(&self) -> &Path {
        Path::new(self.address.strip_prefix("unix://").unwrap())
    }

    /// Create with the bundle's own output files.
    pub fn create(&self, bundle: &Bundle) -> ttrpc::Result<u32> {
        self.create_with(bundle, &bundle.stdout(), &bundle.stderr())
    }

    pub fn create_with(&self, bundle: &Bundle, stdout: &str, stderr: &str) -> ttrpc::Result<u32> {
        let mut request = CreateTaskRequest::new();
        request.id = bundle.id.clone();
        request.bundle = bundle.path.to_str().unwrap().to_owned();
        request.stdout = stdout.to_owned();
        request.stderr = stderr.to_owned();
        self.client.create(patience(), &request).map(|response| response.pid)
    }

    pub fn start(&self, id: &str) -> ttrpc::Result<u32> {
        self.start_exec(id, "")
    }

    pub fn start_exec(&self, id: &str, exec_id: &str) -> ttrpc::Result<u32> {
        let mut request = StartRequest::new();
        request.id = id.to_owned();
        request.exec_id = exec_id.to_owned();
        self.client.start(patience(), &request).map(|response| response.pid)
    }

    /// Waits for the end; the exit status.
    pub fn wait(&self, id: &str) -> u32 {
        self.wait_exec(id, "")
    }

    pub fn wait_exec(&self, id: &str, exec_id: &str) -> u32 {
        let mut request = WaitRequest::new();
        request.id = id.to_owned();
        request.exec_id = exec_id.to_owned();
        self.client.wait(patience(), &request).unwrap().exit_status
    }

    pub fn kill(&self, id: &str, signal: i32) -> ttrpc::Result<()> {
        let mut request = KillRequest::new();
        request.id = id.to_owned();
        request.signal = signal as u32;
        self.client.kill(patience(), &request).map(drop)
    }

    pub fn delete(&self, id: &str) -> ttrpc::Result<DeleteResponse> {
        let mut request = DeleteRequest::new();
        request.id = id.to_owned();
        self.client.delete(patience(), &request)
    }

    pub fn state(&self, id: &str) -> StateResponse {
        let mut request = StateRequest::new();
        request.id = id.to_owned();
        self.client.state(patience(), &request).unwrap()
    }

    /// Exec as containerd asks for it; run it with `start_exec`.
    pub fn exec(&self, bundle: &Bundle, exec_id: &str, args: &[&str], stdout: &str) {
        let mut request = ExecProcessRequest::new();
        request.id = bundle.id.clone();
        request.exec_id = exec_id.to_owned();
        request.stdout = stdout.to_owned();
        let mut spec = containerd_shim_protos::protobuf::well_known_types::any::Any::new();
        spec.type_url = "types.containerd.io/opencontainers/runtime-spec/1/Process".into();
        spec.value = serde_json::to_vec(&bundle::process(args)).unwrap();
        request.spec = Some(spec).into();
        self.client.exec(patience(), &request).unwrap();
    }

    /// Runs a container to its end: its exit status.
    pub fn run(&self, bundle: &Bundle) -> u32 {
        self.create(bundle).unwrap();
        self.start(&bundle.id).unwrap();
        self.wait(&bundle.id)
    }

    /// Ends the shim as an agent would, and sees it go.
    pub fn shutdown(&self) {
        self.client.shutdown(patience(), &ShutdownRequest::new()).unwrap();
        eventually("the shim leaves", || !is_alive(self.pid));
        assert!(!self.socket().exists());
    }
}

impl Drop for Shim {
    /// A test that fails leaves no shim behind; one that succeeds has ended its own.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let pid = nix::unistd::Pid::from_raw(self.pid as i32);
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::SIGKILL);
        }
    }
}

/// How long any call may take: far longer than it does.
pub fn patience() -> context::Context {
    context::with_timeout(30_000_000_000)
}

/// The status code and message of a call that must fail.
pub fn refusal<T: std::fmt::Debug>(result: ttrpc::Result<T>) -> (Code, String) {
    match result {
        Err(ttrpc::Error::RpcStatus(status)) => (status.code.enum_value().unwrap(), status.message),
        other => panic!("not refused: {other:?}"),
    }
}

/// Waits for something that comes about by itself.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process is there and is not a zombie.
pub fn is_alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X'])))
}
