//! What every operation works with: the world, the writer, the clock, and fresh ids.

use std::sync::Arc;

use model::{Command, InstanceId, Scope, TaskId, Uuid, World};

use crate::access::ResourcePolicies;
use crate::clock::Clock;
use crate::keyring::{KeyRecord, Keyring};
use crate::metrics::Metrics;
use crate::placements::Placements;
use crate::sessions::Hub;
use crate::task_keys::TaskKeys;
use crate::usage::Usages;
use crate::writer::{Committed, SubmitError, Writer};

/// What a server is told when it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// `http://host:port` as clients and agents reach it: in answers that hold an address of ours, and to calls
    /// that don't say how they came.
    pub endpoint: String,
    /// Further `host:port` by which we are reached: names of our registry.
    pub hosts: Vec<String>,
    /// The account and region of the person who runs it; the cluster `default` is made there.
    pub account: String,
    pub region: String,
    /// How long a stopped task stays describable, in milliseconds.
    pub stopped_task_retention_ms: u64,
    /// How long a machine may be away before services replace its tasks, in milliseconds.
    pub lost_after_ms: u64,
}

impl Config {
    pub fn home(&self) -> Scope {
        Scope::new(self.account.as_str(), self.region.as_str())
    }
}

/// Shared by all operations, sessions and drivers.
#[derive(Debug)]
pub struct App {
    pub config: Config,
    pub writer: Writer,
    pub clock: Arc<dyn Clock>,
    pub keyring: Arc<dyn Keyring>,
    pub task_keys: TaskKeys,
    pub policies: Arc<dyn ResourcePolicies>,
    pub metrics: Arc<Metrics>,
    pub usage: Usages,
    pub hub: Arc<Hub>,
    /// What placements of calls remember of each other.
    pub placements: Arc<Placements>,
}

impl App {
    /// Whose an access key is: a person's, an agent's or a task's.
    pub fn key(&self, access_key_id: &str) -> Option<KeyRecord> {
        let of_task = || self.task_keys.find(&self.world(), access_key_id);
        self.keyring.find(access_key_id).or_else(of_task)
    }

    /// The world of the newest commit.
    pub fn world(&self) -> Arc<World> {
        self.writer.world()
    }

    /// Carries a command out; returns once it is durable.
    pub async fn submit(&self, command: Command) -> Result<Committed, SubmitError> {
        self.writer.submit(command).await
    }

    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// For planners: the same seed gives the same plan.
    pub fn seed(&self) -> u128 {
        rand::random()
    }

    pub fn task_id(&self) -> TaskId {
        TaskId(rand::random())
    }

    pub fn instance_id(&self) -> InstanceId {
        InstanceId(rand::random())
    }

    pub fn uuid(&self) -> Uuid {
        Uuid(uuid::Uuid::new_v4().as_u128())
    }
}
