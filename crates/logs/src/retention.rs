//! The hourly removal of expired events.

use std::sync::{Arc, Weak, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::error::LogsError;
use crate::service::Service;

const INTERVAL: Duration = Duration::from_secs(60 * 60);

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
    while let Err(mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(INTERVAL) {
        let Some(service) = service.upgrade() else { return };
        match service.expire() {
            Ok(0) => {}
            Ok(segments) => tracing::info!(segments, "removed expired log segments"),
            Err(error) => tracing::error!(%error, "expired log events could not be removed"),
        }
    }
}
