//! The Task service's calls over one ttrpc connection.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use containerd_shim_protos::api::{self, Empty};
use containerd_shim_protos::protobuf::Message;
use containerd_shim_protos::ttrpc;
use ttrpc::asynchronous::Client;

use super::RuntimeError;

const V3: &str = "containerd.task.v3.Task";
const V2: &str = "containerd.task.v2.Task";
/// How containerd names the type of an added process's specification.
const PROCESS: &str = "types.containerd.io/opencontainers/runtime-spec/1/Process";
/// gRPC's UNIMPLEMENTED: the shim speaks the other spelling of the service.
const UNIMPLEMENTED: i32 = 12;
/// Longer than any call but Wait takes on a machine that is still alive.
const PATIENCE: Duration = Duration::from_secs(60);

/// Status of a container's init process, as the shim sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Created,
    Running,
    Stopped,
    Other,
}

/// An ended process. `at_ms` since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// 128 + signal for a process that a signal ended.
    pub code: u32,
    pub at_ms: u64,
}

/// A connection to a shim; clones share it.
#[derive(Clone)]
pub struct Shim {
    client: Client,
    address: Arc<str>,
    old_spelling: Arc<AtomicBool>,
}

impl std::fmt::Debug for Shim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shim").finish_non_exhaustive()
    }
}

impl Shim {
    /// `address` is `unix://` and a path.
    pub async fn connect(address: &str) -> Result<Self, RuntimeError> {
        let client = Client::connect(address)
            .await
            .map_err(|e| RuntimeError::Connect { address: address.to_owned(), said: e.to_string() })?;
        Ok(Shim { client, address: address.into(), old_spelling: Arc::new(AtomicBool::new(false)) })
    }

    /// Where it listens, as it was given to [`Shim::connect`].
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Creates the container from its bundle; its init process then waits for [`Shim::start`].
    /// `stdout` and `stderr` are FIFOs, or empty for `/dev/null`. Returns init's pid.
    pub async fn create(
        &self,
        id: &str,
        bundle: &Path,
        stdout: &str,
        stderr: &str,
    ) -> Result<u32, RuntimeError> {
        let request = api::CreateTaskRequest {
            id: id.to_owned(),
            bundle: bundle.display().to_string(),
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
            ..Default::default()
        };
        let answer: api::CreateTaskResponse = self.call("Create", &request, PATIENCE).await?;
        Ok(answer.pid)
    }

    pub async fn start(&self, id: &str) -> Result<(), RuntimeError> {
        let request = api::StartRequest { id: id.to_owned(), ..Default::default() };
        self.call::<_, api::StartResponse>("Start", &request, PATIENCE).await.map(drop)
    }

    /// Answers when the init process has ended; waits for ever.
    pub async fn wait(&self, id: &str) -> Result<Ended, RuntimeError> {
        self.wait_for(api::WaitRequest { id: id.to_owned(), ..Default::default() }).await
    }

    async fn wait_for(&self, request: api::WaitRequest) -> Result<Ended, RuntimeError> {
        let answer: api::WaitResponse = self.call("Wait", &request, Duration::ZERO).await?;
        Ok(Ended { code: answer.exit_status, at_ms: answer.exited_at.as_ref().map_or(0, milliseconds) })
    }

    /// Adds a process to a running container; [`Shim::start_exec`] runs it. `process` is the JSON of
    /// an OCI `process`. What it writes is discarded.
    pub async fn exec(&self, id: &str, exec_id: &str, process: Vec<u8>) -> Result<(), RuntimeError> {
        let mut spec = containerd_shim_protos::protobuf::well_known_types::any::Any::new();
        spec.type_url = PROCESS.to_owned();
        spec.value = process;
        let request = api::ExecProcessRequest {
            id: id.to_owned(),
            exec_id: exec_id.to_owned(),
            spec: Some(spec).into(),
            ..Default::default()
        };
        self.call::<_, Empty>("Exec", &request, PATIENCE).await.map(drop)
    }

    pub async fn start_exec(&self, id: &str, exec_id: &str) -> Result<(), RuntimeError> {
        let request =
            api::StartRequest { id: id.to_owned(), exec_id: exec_id.to_owned(), ..Default::default() };
        self.call::<_, api::StartResponse>("Start", &request, PATIENCE).await.map(drop)
    }

    /// Answers when the added process has ended; waits for ever.
    pub async fn wait_exec(&self, id: &str, exec_id: &str) -> Result<Ended, RuntimeError> {
        let request =
            api::WaitRequest { id: id.to_owned(), exec_id: exec_id.to_owned(), ..Default::default() };
        self.wait_for(request).await
    }

    /// SIGKILL to an added process, and with our shim to what it has started.
    pub async fn kill_exec(&self, id: &str, exec_id: &str) -> Result<(), RuntimeError> {
        let request = api::KillRequest {
            id: id.to_owned(),
            exec_id: exec_id.to_owned(),
            signal: 9,
            ..Default::default()
        };
        self.call::<_, Empty>("Kill", &request, PATIENCE).await.map(drop)
    }

    /// Forgets an added process that has ended or was never started.
    pub async fn delete_exec(&self, id: &str, exec_id: &str) -> Result<(), RuntimeError> {
        let request =
            api::DeleteRequest { id: id.to_owned(), exec_id: exec_id.to_owned(), ..Default::default() };
        self.call::<_, api::DeleteResponse>("Delete", &request, PATIENCE).await.map(drop)
    }

    /// Signals the init process, or every process of the container.
    pub async fn kill(&self, id: &str, signal: i32, all: bool) -> Result<(), RuntimeError> {
        let request = api::KillRequest {
            id: id.to_owned(),
            signal: u32::try_from(signal).unwrap_or(15),
            all,
            ..Default::default()
        };
        self.call::<_, Empty>("Kill", &request, PATIENCE).await.map(drop)
    }

    /// How its init process had ended.
    pub async fn delete(&self, id: &str) -> Result<Ended, RuntimeError> {
        let request = api::DeleteRequest { id: id.to_owned(), ..Default::default() };
        let answer: api::DeleteResponse = self.call("Delete", &request, PATIENCE).await?;
        Ok(Ended { code: answer.exit_status, at_ms: answer.exited_at.as_ref().map_or(0, milliseconds) })
    }

    /// The init process's status and, of one that has stopped, how and when it ended.
    pub async fn state(&self, id: &str) -> Result<(Status, Ended), RuntimeError> {
        let request = api::StateRequest { id: id.to_owned(), ..Default::default() };
        let answer: api::StateResponse = self.call("State", &request, PATIENCE).await?;
        // containerd.v1.types.Status
        let status = match answer.status.value() {
            1 => Status::Created,
            2 | 4 | 5 => Status::Running,
            3 => Status::Stopped,
            _ => Status::Other,
        };
        let at_ms = answer.exited_at.as_ref().map_or(0, milliseconds);
        Ok((status, Ended { code: answer.exit_status, at_ms }))
    }

    /// Asks the shim to end if it has no container left.
    pub async fn shutdown(&self, id: &str) -> Result<(), RuntimeError> {
        let request = api::ShutdownRequest { id: id.to_owned(), now: false, ..Default::default() };
        match self.call::<_, Empty>("Shutdown", &request, PATIENCE).await {
            // Some shims end before they answer.
            Err(RuntimeError::Gone { .. }) => Ok(()),
            other => other.map(drop),
        }
    }

    async fn call<Q: Message, A: Message>(
        &self,
        method: &'static str,
        request: &Q,
        patience: Duration,
    ) -> Result<A, RuntimeError> {
        let payload = request.write_to_bytes().map_err(|e| RuntimeError::Call {
            method,
            code: 3,
            said: e.to_string(),
        })?;
        let old = self.old_spelling.load(Ordering::Relaxed);
        let answer = match self.once(method, if old { V2 } else { V3 }, &payload, patience).await {
            Err(RuntimeError::Call { code: UNIMPLEMENTED, .. }) if !old => {
                let answer = self.once(method, V2, &payload, patience).await;
                if !matches!(answer, Err(RuntimeError::Call { code: UNIMPLEMENTED, .. })) {
                    self.old_spelling.store(true, Ordering::Relaxed);
                }
                answer
            }
            other => other,
        }?;
        A::parse_from_bytes(&answer).map_err(|e| RuntimeError::Call {
            method,
            code: 13,
            said: format!("answer could not be read: {e}"),
        })
    }

    async fn once(
        &self,
        method: &'static str,
        service: &str,
        payload: &[u8],
        patience: Duration,
    ) -> Result<Vec<u8>, RuntimeError> {
        let request = ttrpc::proto::Request {
            service: service.to_owned(),
            method: method.to_owned(),
            payload: payload.to_owned(),
            timeout_nano: i64::try_from(patience.as_nanos()).unwrap_or(0),
            ..Default::default()
        };
        match self.client.request(request).await {
            Ok(answer) => Ok(answer.payload),
            Err(ttrpc::Error::RpcStatus(status)) => {
                Err(RuntimeError::Call { method, code: status.code.value(), said: status.message })
            }
            Err(other) => Err(RuntimeError::Gone { method, said: other.to_string() }),
        }
    }
}

fn milliseconds(t: &containerd_shim_protos::protobuf::well_known_types::timestamp::Timestamp) -> u64 {
    let ms = t.seconds.saturating_mul(1000).saturating_add(i64::from(t.nanos) / 1_000_000);
    u64::try_from(ms).unwrap_or(0)
}

/// Reads the log of a shim that another process has started, if it has one: it serves nobody before its log has a
/// reader, and the one who started it may have been killed before that.
pub(crate) fn drain_found_log(bundle: &Path) {
    if bundle.join("log").exists()
        && let Err(error) = drain_log_fifo(bundle)
    {
        tracing::debug!(%error, "the log of a shim isn't read");
    }
}

/// Makes the `log` FIFO that containerd gives its shims and reads it away, so that a shim that
/// opens it neither fails nor blocks.
pub(super) fn drain_log_fifo(bundle: &Path) -> Result<(), RuntimeError> {
    let path = bundle.join("log");
    let io = |source| RuntimeError::Io { what: "cannot open", path: path.clone(), source };
    match nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o600)) {
        Ok(()) | Err(nix::errno::Errno::EEXIST) => {}
        Err(e) => return Err(io(e.into())),
    }
    let mut reader =
        tokio::net::unix::pipe::OpenOptions::new().read_write(true).open_receiver(&path).map_err(io)?;
    let bundle = bundle.to_owned();
    tokio::spawn(async move {
        use tokio::io::AsyncReadExt;
        let mut buffer = [0u8; 1024];
        // The reader holds the FIFO open for writing too, so no end of file comes: the bundle's
        // removal ends it.
        while bundle.exists() {
            match tokio::time::timeout(Duration::from_secs(30), reader.read(&mut buffer)).await {
                Ok(Ok(n)) => {
                    tracing::debug!(shim = %String::from_utf8_lossy(&buffer[..n]), "shim log");
                }
                Ok(Err(_)) => break,
                Err(_) => {}
            }
        }
    });
    Ok(())
}
