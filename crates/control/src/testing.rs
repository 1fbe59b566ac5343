//! A whole [`App`] without a disk, a network or a real clock, for the tests of operations.
//!
//! Calls go through the same table that the server dispatches by, so that the wire's own checks (required
//! members, enums, ranges) are part of what is tested.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use model::command::{Registration, Resource};
use model::{Attribute, ClusterKey, Command, Home, InstanceId, Size, Tags};
use serde_json::Value;
use store::{MemoryStore, Store};
use wire::dispatch::Router;
use wire::operation::Operation;
use wire::{Context, Error};

use crate::access::Nothing;
use crate::announce::{Nobody, SharedAudience};
use crate::app::{App, Config};
use crate::clock::Clock;
use crate::keyring::{FixedKeys, NoRoles};
use crate::metrics::Metrics;
use crate::sessions::Hub;
use crate::task_keys::TaskKeys;
use crate::usage::Usages;
use crate::writer::{Committed, Writer};

pub(crate) const ACCOUNT: &str = "000000000000";
pub(crate) const REGION: &str = "us-east-1";
/// 2026-01-01T00:00:00Z: where a fixture's time begins.
pub(crate) const START_MS: u64 = 1_767_225_600_000;

/// A clock that stands until it is set.
#[derive(Debug)]
pub(crate) struct SettableClock(AtomicU64);

impl SettableClock {
    pub(crate) fn set_ms(&self, now_ms: u64) {
        self.0.store(now_ms, Ordering::SeqCst);
    }

    pub(crate) fn advance_ms(&self, by_ms: u64) {
        self.0.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Clock for SettableClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// An app with the cluster `default`, at [`START_MS`], and who calls it.
#[derive(Debug)]
pub(crate) struct Fixture {
    pub(crate) app: Arc<App>,
    pub(crate) clock: Arc<SettableClock>,
    /// The caller of [`Fixture::call`]: the root user of [`ACCOUNT`] in [`REGION`].
    pub(crate) context: Context,
    router: Router,
    store: MemoryStore,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let fixture = Self::over(MemoryStore::new(), START_MS);
        crate::drivers::ensure_default_cluster(&fixture.app).await.expect("the first commit");
        fixture
    }

    /// The same state in a new process: everything that was acknowledged is there again.
    pub(crate) fn restarted(&self) -> Self {
        Self::over(self.store.clone(), self.clock.now_ms())
    }

    fn over(store: MemoryStore, now_ms: u64) -> Self {
        Self::through(store.clone(), store, now_ms)
    }

    /// The state of a memory store, reached through what wraps it.
    pub(crate) fn through(store: MemoryStore, wrapper: impl Store + 'static, now_ms: u64) -> Self {
        Self::heard(store, wrapper, now_ms, Arc::new(Nobody))
    }

    /// The same with somebody who is told of changes.
    pub(crate) fn heard(
        store: MemoryStore,
        wrapper: impl Store + 'static,
        now_ms: u64,
        audience: SharedAudience,
    ) -> Self {
        let clock = Arc::new(SettableClock(AtomicU64::new(now_ms)));
        let metrics = Arc::new(Metrics::default());
        let home = model::Scope::new(ACCOUNT, REGION);
        let writer = Writer::open(Arc::new(wrapper), clock.clone(), metrics.clone(), audience, home);
        let writer = writer.expect("open the store");
        let config = Config {
            endpoint: "http://127.0.0.1:4580".to_owned(),
            hosts: vec!["hub.lan:4580".to_owned()],
            account: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            stopped_task_retention_ms: 24 * 60 * 60 * 1000,
            lost_after_ms: 5 * 60 * 1000,
        };
        let keyring = Arc::new(FixedKeys::default());
        let app = Arc::new(App {
            config,
            writer,
            clock: clock.clone(),
            keyring,
            task_keys: TaskKeys::new(b"a secret", Arc::new(NoRoles)),
            policies: Arc::new(Nothing),
            metrics,
            usage: Usages::default(),
            hub: Arc::new(Hub::default()),
            placements: Arc::default(),
        });
        let router = crate::ecs::operations(&app);
        Self { app, clock, context: context(ACCOUNT, REGION), router, store }
    }

    /// The same app, called by somebody else.
    pub(crate) fn called_from(&self, account: &str, region: &str) -> Self {
        Self {
            app: self.app.clone(),
            clock: self.clock.clone(),
            context: context(account, region),
            router: self.router.clone(),
            store: self.store.clone(),
        }
    }

    /// Calls an operation, by its marker: `call::<wire::ecs::ops::RunTask>(request)`.
    pub(crate) async fn call<O: Operation>(&self, input: O::Input) -> Result<O::Output, Error> {
        let body = serde_json::to_vec(&input).expect("a request is JSON");
        let answer = self.send(O::INFO.name, &body).await?;
        Ok(serde_json::from_slice(&answer).expect("the answer is the operation's output"))
    }

    /// Calls an operation of ECS as a client does: a name and a JSON body.
    pub(crate) async fn json(&self, operation: &str, body: Value) -> Result<Value, Error> {
        let answer = self.send(operation, body.to_string().as_bytes()).await?;
        Ok(serde_json::from_slice(&answer).expect("an answer is JSON"))
    }

    async fn send(&self, operation: &str, body: &[u8]) -> Result<Vec<u8>, Error> {
        self.router.call("ecs", operation, self.context.clone(), body).await
    }

    /// Carries out a command that must succeed.
    pub(crate) async fn submit(&self, command: Command) -> Committed {
        self.app.submit(command).await.expect("the command is carried out")
    }

    /// The cluster of that name in the caller's scope, whether or not it exists.
    pub(crate) fn cluster(&self, name: &str) -> ClusterKey {
        crate::ecs::reference::scope(&self.context).cluster(name)
    }

    /// A connected machine of `home` with 4 vCPU and 8 GiB, with a subnet for `awsvpc` tasks.
    pub(crate) async fn instance(&self, home: Home, attributes: &[(&str, Option<&str>)]) -> InstanceId {
        let id = self.app.instance_id();
        // Subnets must not overlap: number them by how many machines there are.
        let number = self.app.world().all_instances().count();
        let attribute = |(name, value): &(&str, Option<&str>)| Attribute {
            name: (*name).into(),
            value: value.map(Into::into),
        };
        let registration = Registration {
            id,
            home,
            attributes: attributes.iter().map(attribute).collect(),
            total: Size::new(4096, 8192),
            reserved_ports: Vec::new(),
            gpus: Vec::new(),
            subnet: Some(format!("10.{number}.0.0/16").parse().expect("a subnet")),
            version_info: None,
            agent_version: None,
            ec2_instance_id: None,
            tags: Tags::default(),
            document: None,
            token: None,
        };
        self.submit(Command::RegisterInstance(Box::new(registration))).await;
        self.submit(Command::SetAgentConnected { id, connected: true }).await;
        id
    }

    /// The tags of `resource` as the world has them, whatever the API says.
    pub(crate) fn tags_of(&self, resource: &Resource) -> Vec<(String, String)> {
        let world = self.app.world();
        let tags = match resource {
            Resource::Cluster(key) => world.cluster(key).map(|found| found.tags.clone()),
            Resource::Service(key) => world.service(key).map(|found| found.tags.clone()),
            Resource::Task(_, id) => world.task(*id).map(|found| found.tags.clone()),
            Resource::Definition(key) => world.definition(key).map(|found| found.tags.clone()),
            Resource::Instance(_, id) => world.instance(*id).map(|found| found.tags.clone()),
        };
        let text =
            |tag: &model::Tag| (tag.key.to_string(), tag.value.as_deref().unwrap_or_default().to_owned());
        tags.unwrap_or_default().iter().map(text).collect()
    }
}

/// Who calls: the root user of an account, in a region.
pub(crate) fn context(account: &str, region: &str) -> Context {
    Context {
        account: account.to_owned(),
        region: region.to_owned(),
        access_key_id: "AKIATESTTESTTESTTEST".to_owned(),
        principal_arn: format!("arn:aws:iam::{account}:root"),
        request_id: "00000000-0000-4000-8000-000000000000".to_owned(),
        source_host: Some("127.0.0.1:4580".to_owned()),
        scheme: wire::Scheme::Http,
        source_ip: None,
        user_agent: None,
    }
}

mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn what_is_acknowledged_survives_a_restart() {
        let fixture = Fixture::new().await;
        fixture.json("CreateCluster", json!({"clusterName": "blue"})).await.unwrap();
        fixture.clock.advance_ms(1000);
        let restarted = fixture.restarted();
        assert_eq!(restarted.app.now_ms(), START_MS + 1000);
        let listed = restarted.json("ListClusters", json!({})).await.unwrap();
        assert_eq!(listed["clusterArns"].as_array().unwrap().len(), 2);
        restarted.clock.set_ms(START_MS);
        let elsewhere = restarted.called_from(ACCOUNT, "eu-west-1");
        assert_eq!(elsewhere.json("ListClusters", json!({})).await.unwrap(), json!({"clusterArns": []}));
        restarted.instance(Home::Pool, &[("longshore.capacity", Some("serverless"))]).await;
        let none = fixture.call::<wire::ecs::ops::ListClusters>(Default::default()).await.unwrap();
        assert_eq!(none.next_token, None);
        let tags = restarted.tags_of(&Resource::Cluster(restarted.cluster("blue")));
        assert!(tags.is_empty());
    }
}
