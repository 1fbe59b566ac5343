//! Ephemeral storage: a task that has written more than its share is stopped.
//!
//! Fargate gives a task a disk of that size, where a write beyond it fails. Here all tasks write on the
//! machine's file system, which can't bound a directory unless it was made and mounted with project
//! quotas; so what they take is measured (decision 13).

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Host;
use crate::engine::Engine;
use crate::engine::plan::Work;
use crate::volumes::{Measure, measure};

/// Between two measurements, where they are quick.
const EVERY: Duration = Duration::from_secs(5);
/// A measurement takes one part of so many of the time, at most.
const SHARE: u32 = 20;
const MIB: u64 = 1 << 20;

/// Watches what the tasks take.
#[derive(Debug)]
pub struct Storage {
    host: Arc<Host>,
    engine: Engine,
}

impl Storage {
    pub fn new(host: Arc<Host>, engine: Engine) -> Self {
        Storage { host, engine }
    }

    /// Measures, for ever.
    pub async fn run(self: Arc<Self>) {
        let mut pause = EVERY;
        loop {
            tokio::time::sleep(pause).await;
            let began = Instant::now();
            let storage = self.clone();
            super::blocking(move || storage.look()).await;
            pause = EVERY.max(began.elapsed() * SHARE);
        }
    }

    fn look(&self) {
        for work in self.engine.works() {
            let Some(limit) = work.task.ephemeral_storage_mib else { continue };
            match self.host.disk_use(&work) {
                Ok(found) => {
                    if let Some(reason) = exceeds(found, limit) {
                        tracing::warn!(task = work.id, reason, "a task is stopped");
                        self.engine.stop_because(&work.task.arn, reason);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, task = work.id, "a task's storage could not be measured")
                }
            }
        }
    }
}

impl Host {
    /// What the task's containers and its own volumes have written. Its images are shared, and shared
    /// volumes not its own.
    fn disk_use(&self, work: &Work) -> std::io::Result<Measure> {
        let written = work.containers.iter().filter_map(|c| self.config.images.find_rootfs(&c.runtime_id));
        let mut roots: Vec<_> = written.map(|rootfs| rootfs.upper).collect();
        roots.push(self.config.volumes.directory_of(&work.id));
        measure(&roots)
    }
}

fn exceeds(found: Measure, limit_mib: u64) -> Option<String> {
    let gib = |bytes: u64| format!("{:.2} GiB", bytes as f64 / (1u64 << 30) as f64);
    let limit = limit_mib.saturating_mul(MIB);
    match found {
        Measure::Bytes(bytes) if bytes <= limit => None,
        Measure::Bytes(bytes) => Some(format!(
            "OutOfEphemeralStorageError: the task's containers and volumes take {} of disk, and its ephemeralStorage is {}",
            gib(bytes),
            gib(limit)
        )),
        Measure::TooDeep => Some(
            "OutOfEphemeralStorageError: the task's directories are branched too deep to be measured"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_may_be_reached_and_not_passed() {
        assert_eq!(exceeds(Measure::Bytes(20 << 30), 20 << 10), None);
        let reason = exceeds(Measure::Bytes((20 << 30) + 1), 20 << 10).unwrap();
        assert!(reason.contains("take 20.00 GiB of disk, and its ephemeralStorage is 20.00 GiB"), "{reason}");
        assert!(exceeds(Measure::TooDeep, u64::MAX).is_some());
    }
}
