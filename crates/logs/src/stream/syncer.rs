//! Group commit: a few threads that make appended frames durable.
//!
//! While one sync of a stream is under way, all puts that arrive for it pile up and share the next.
//! Several threads, so that syncs of different files overlap and the file system's journal can
//! commit them together.

use std::io;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use super::files::Files;
use super::log::{StreamLog, Unsynced};
use crate::error::LogsError;

const THREADS: usize = 4;

#[derive(Debug)]
pub(super) struct Syncer {
    /// `None` only while it is dropped.
    queue: Option<mpsc::Sender<Arc<StreamLog>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Syncer {
    pub(super) fn start(files: &Arc<Files>) -> Result<Syncer, LogsError> {
        let (sender, receiver) = mpsc::channel();
        let receiver = Arc::new(Mutex::new(receiver));
        let mut threads = Vec::new();
        for number in 0..THREADS {
            let (files, receiver) = (Arc::clone(files), Arc::clone(&receiver));
            let thread = thread::Builder::new()
                .name(format!("logs-sync-{number}"))
                .spawn(move || run(&files, &receiver))
                .map_err(|source| LogsError::Thread { source })?;
            threads.push(thread);
        }
        Ok(Syncer { queue: Some(sender), threads })
    }

    /// Has the stream synced soon.
    pub(super) fn queue(&self, log: Arc<StreamLog>) {
        if let Some(queue) = &self.queue {
            // The threads end only after the queue was dropped.
            let _ = queue.send(log);
        }
    }
}

impl Drop for Syncer {
    /// Syncs what is queued, then ends.
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn run(files: &Files, receiver: &Mutex<mpsc::Receiver<Arc<StreamLog>>>) {
    loop {
        let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(log) = next else { return };
        while let Some(work) = log.take_unsynced() {
            let outcome = sync(files, &log, &work);
            if let Err(error) = &outcome {
                tracing::error!(%error, stream = log.id().stream, "log events could not be made durable");
            }
            log.synced(work, &outcome);
            log.save_indexes(files);
        }
    }
}

fn sync(files: &Files, log: &StreamLog, work: &Unsynced) -> io::Result<()> {
    for part in &work.parts {
        part.file.sync_data()?;
    }
    if work.names { files.sync_names(log.id().group) } else { Ok(()) }
}
