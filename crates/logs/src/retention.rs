//! The housekeeping: expired events go once an hour; segments are packed, and the oldest given up, once a
//! minute, or within seconds while much comes.

use std::sync::{Arc, Weak, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::error::LogsError;
use crate::service::Service;

const LOOK: Duration = Duration::from_secs(3);
const TIDY: Duration = Duration::from_secs(60);
const EXPIRE: Duration = Duration::from_secs(60 * 60);
/// So many bytes aren't waited with.
const MUCH: u64 = 32 << 20;

/// A thread that sweeps now and then, until it is dropped.
#[derive(Debug)]
pub(crate) struct Sweeper {
    /// `None` only while it is dropped.
    alive: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeper {
    pub(crate) fn start(service: &Arc<Service>) -> Result<Sweeper, LogsError> {
        let service = Arc::downgrade(service);
        let (alive, ended) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("logs-retention".to_owned())
            .spawn(move || run(&service, &ended))
            .map_err(|source| LogsError::Thread { source })?;
        Ok(Sweeper { alive: Some(alive), thread: Some(thread) })
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.alive = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(service: &Weak<Service>, ended: &mpsc::Receiver<()>) {
    let (mut expired, mut tidied) = (Instant::now(), Instant::now());
    let mut seen_bytes = 0;
    while let Err(mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(LOOK) {
        let Some(service) = service.upgrade() else { return };
        if expired.elapsed() >= EXPIRE {
            expired = Instant::now();
            match service.expire() {
                Ok(0) => {}
                Ok(segments) => tracing::info!(segments, "removed expired log segments"),
                Err(error) => tracing::error!(%error, "expired log events could not be removed"),
            }
        }
        let bytes = service.segments.appended_bytes();
        if tidied.elapsed() >= TIDY || bytes - seen_bytes >= MUCH {
            seen_bytes = bytes;
            if let Err(error) = service.tidy() {
                tracing::error!(%error, "log segments could not be compressed or removed");
            }
            tidied = Instant::now();
        }
    }
}
