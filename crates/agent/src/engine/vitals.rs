//! What telemetry tells of the containers' lives: their health and how often they were restarted.
//! State changes are reported; these are looked up whenever somebody publishes them.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::task::{Health, TaskState};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vital {
    /// Of a container with a health check that has been started; with the time it came about, in ms
    /// since the epoch.
    pub health: Option<(Health, u64)>,
    /// Of a container with a restart policy.
    pub restarts: Option<u32>,
}

/// Of each container, in their order.
pub(super) fn of(state: &TaskState) -> Vec<Vital> {
    let of = |c: &crate::task::ContainerState| Vital {
        health: c
            .spec
            .health
            .as_ref()
            .filter(|_| c.was_started)
            .map(|_| (c.checkup.status, c.checkup.since_ms)),
        restarts: c.spec.restart.as_ref().map(|_| c.restarts),
    };
    state.containers.iter().map(of).collect()
}

/// Tasks whose health has changed since somebody last asked.
#[derive(Debug, Default)]
pub struct Changes {
    tasks: Mutex<BTreeSet<String>>,
    bell: Notify,
}

impl Changes {
    pub(super) fn note(&self, arn: &str) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).insert(arn.to_owned());
        self.bell.notify_one();
    }

    /// Returns when there is a change that nobody took.
    pub async fn wait(&self) {
        while self.tasks.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            self.bell.notified().await;
        }
    }

    pub fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
