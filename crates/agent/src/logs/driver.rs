//! One container's logs: its FIFOs, its spool and the two loops between them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::spool::Spool;
use super::{AwsLogs, LogSink, SinkError, reader, sender};

/// Bytes read but not sent at which a blocking container waits.
const BACKLOG_BYTES: u64 = 64 << 20;
/// How long a batch on its way is waited for when the driver stops before all is sent.
const ON_ITS_WAY: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Worded as on Fargate; the container does not start.
    #[error("failed to validate logger args: failed to create Cloudwatch log stream: {source}")]
    Stream {
        #[source]
        source: SinkError,
    },
    #[error("{what} {path}: {source}")]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// What reader and sender share.
pub(super) struct Shared {
    pub spool: Spool,
    pub fifos: [PathBuf; 2],
    /// The container doesn't write into the FIFOs itself.
    pub copied: AtomicBool,
    /// Length of the spool and how far it is sent, both in bytes.
    pub marks: Mutex<(u64, u64)>,
    pub grown: Notify,
    pub shrunk: Notify,
    /// The container has exited: read what is left and stop.
    pub exited: AtomicBool,
    pub exit_seen: Notify,
    /// The reader has read everything.
    pub ended: AtomicBool,
    /// The sender is to stop where what is noted and what is sent agree.
    pub halted: AtomicBool,
    pub backlog: u64,
    pub blocking: bool,
}

impl Shared {
    /// Whether `more` bytes would be too many.
    pub fn is_full(&self, marks: (u64, u64), more: u64) -> bool {
        is_full(marks, more, self.backlog)
    }

    pub fn marks(&self) -> std::sync::MutexGuard<'_, (u64, u64)> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running driver of one container. Dropped, it stops where it is and goes on from there when
/// it is started again.
#[derive(Debug)]
pub struct ContainerLogs {
    shared: Arc<Shared>,
    reader: JoinHandle<()>,
    sender: JoinHandle<()>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("marks", &self.marks).finish_non_exhaustive()
    }
}

impl ContainerLogs {
    /// Makes the log stream (and its group, if asked to). Only a definite refusal is an error: when
    /// nobody answers, the sender tries again later.
    pub async fn prepare(target: &AwsLogs, sink: &dyn LogSink) -> Result<(), LogError> {
        match sender::make_stream(target, sink).await {
            Ok(()) | Err(SinkError::Later { .. }) => Ok(()),
            Err(source) => Err(LogError::Stream { source }),
        }
    }

    /// The FIFOs of a container whose bundle is `dir`: stdout and stderr.
    pub fn fifos(dir: &Path) -> [PathBuf; 2] {
        [dir.join("stdout"), dir.join("stderr")]
    }

    /// Whether nothing in the spool at `path` waits to be sent. Asked when no driver runs.
    pub fn is_all_sent(path: &Path) -> bool {
        match Spool::open(path) {
            Ok((_, length, sent)) => length == sent.offset && sent.partial.iter().all(Vec::is_empty),
            Err(_) => true,
        }
    }

    /// Makes the FIFOs, if they are not there, and begins to read them. To be called before the
    /// container is created, and again after a restart of the agent.
    pub fn start(dir: &Path, target: AwsLogs, sink: Arc<dyn LogSink>) -> Result<Self, LogError> {
        let path = dir.join("log.spool");
        let (spool, length, sent) = Spool::open(&path).map_err(|source| LogError::Io {
            what: "cannot open the log spool",
            path,
            source,
        })?;
        let paths = Self::fifos(dir);
        let fifos = [open_fifo(&paths[0])?, open_fifo(&paths[1])?];
        let (blocking, backlog) = match target.mode {
            super::Mode::Blocking => (true, BACKLOG_BYTES),
            super::Mode::NonBlocking { max_buffer } => (false, max_buffer),
        };
        let shared = Arc::new(Shared {
            spool,
            fifos: paths,
            copied: AtomicBool::new(false),
            marks: Mutex::new((length, sent.offset)),
            grown: Notify::new(),
            shrunk: Notify::new(),
            exited: AtomicBool::new(false),
            exit_seen: Notify::new(),
            ended: AtomicBool::new(false),
            halted: AtomicBool::new(false),
            backlog,
            blocking,
        });
        let reader = tokio::spawn(reader::run(shared.clone(), fifos));
        let sender = tokio::spawn(sender::run(shared.clone(), target, sink, sent));
        Ok(ContainerLogs { shared, reader, sender })
    }

    /// The runtime copies what the container writes, and may not be done when the container has exited: the end is where
    /// the runtime closes the FIFOs.
    pub fn expect_copies(&self) {
        self.shared.copied.store(true, Ordering::Release);
    }

    /// The container has exited: reads to the end, sends what is left. Returns whether everything
    /// was sent within `patience`; if not, the spool still has it.
    pub async fn finish(mut self, patience: Duration) -> bool {
        self.shared.exited.store(true, Ordering::Release);
        self.shared.exit_seen.notify_one();
        self.shared.shrunk.notify_one();
        if tokio::time::timeout(patience, &mut self.sender).await.is_ok() {
            return true;
        }
        // A batch on its way, cut off, may have been taken and would be sent once more.
        self.shared.halted.store(true, Ordering::Release);
        self.shared.grown.notify_one();
        let _ = tokio::time::timeout(ON_ITS_WAY, &mut self.sender).await;
        false
    }

    /// The container has exited: reads to the end and sends nothing more; the spool has it.
    pub async fn keep(mut self) {
        self.shared.halted.store(true, Ordering::Release);
        self.shared.exited.store(true, Ordering::Release);
        self.shared.exit_seen.notify_one();
        self.shared.shrunk.notify_one();
        let _ = tokio::time::timeout(ON_ITS_WAY, &mut self.reader).await;
    }
}

impl Drop for ContainerLogs {
    fn drop(&mut self) {
        self.reader.abort();
        self.sender.abort();
    }
}

/// Whether more would wait than may, or the file grow too long: what is sent leaves it only when all is, and
/// one that writes without end may never let it come to that.
pub(super) fn is_full((length, sent): (u64, u64), more: u64, backlog: u64) -> bool {
    let longest = backlog.max(super::spool::KEEP_BYTES).saturating_mul(2);
    length - sent + more > backlog || length + more > longest
}

pub(super) fn open_to_read(path: &Path) -> std::io::Result<tokio::net::unix::pipe::Receiver> {
    tokio::net::unix::pipe::OpenOptions::new().open_receiver(path)
}

fn open_fifo(path: &Path) -> Result<tokio::net::unix::pipe::Receiver, LogError> {
    let io = |source| LogError::Io { what: "cannot open", path: path.to_owned(), source };
    match nix::unistd::mkfifo(path, nix::sys::stat::Mode::from_bits_truncate(0o600)) {
        Ok(()) | Err(nix::errno::Errno::EEXIST) => {}
        Err(e) => return Err(io(e.into())),
    }
    // Open for writing too: no end of file is seen before the shim has opened its side or after a
    // shim's death; the container's exit is what ends the reading.
    tokio::net::unix::pipe::OpenOptions::new().read_write(true).open_receiver(path).map_err(io)
}
