use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use model::command::{ContainerReport, ReportedStatus, TaskReport};
use model::{
    Command, ContainerStatus, DesiredStatus, Home, InstanceId, NetworkMode, Service, ServiceKey, Task,
    TaskId, TaskStatus, World,
};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::ecs::service::tests::{define, describe, key};
use crate::testing::Fixture;

/// Far beyond what anything here takes: what isn't there then never comes.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was seen of the service `web` in any commit.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub fewest_healthy: usize,
    pub most_wanted: usize,
}

/// A running scheduler with one machine of the pool and the definition `web` in two revisions.
pub(super) struct Stage {
    pub fixture: Fixture,
    pub instance: InstanceId,
    stop: watch::Sender<bool>,
    scheduler: JoinHandle<()>,
}

impl Stage {
    pub async fn new() -> Self {
        let fixture = Fixture::new().await;
        define(&fixture, "web", NetworkMode::Awsvpc).await;
        define(&fixture, "web", NetworkMode::Awsvpc).await;
        let instance = fixture.instance(Home::Pool, &[]).await;
        Self::run(fixture, instance)
    }

    /// The same state in a new process, with a new scheduler.
    pub async fn restarted(self) -> Self {
        self.stop.send_replace(true);
        self.scheduler.await.expect("the scheduler ends when it is told to");
        let fixture = self.fixture.restarted();
        fixture.submit(Command::DropSessions).await;
        fixture.submit(Command::SetAgentConnected { id: self.instance, connected: true }).await;
        Self::run(fixture, self.instance)
    }

    fn run(fixture: Fixture, instance: InstanceId) -> Self {
        let (stop, stopped) = watch::channel(false);
        let scheduler = tokio::spawn(super::super::run(fixture.app.clone(), stopped));
        Self { fixture, instance, stop, scheduler }
    }

    pub fn key(&self) -> ServiceKey {
        key(&self.fixture, "web")
    }

    pub fn service(&self) -> Arc<Service> {
        self.fixture.app.world().service(&self.key()).expect("the service is there").clone()
    }

    pub fn tasks(&self) -> Vec<Arc<Task>> {
        self.fixture.app.world().live_tasks_of(&self.key()).cloned().collect()
    }

    pub async fn described(&self) -> Value {
        describe(&self.fixture, "web").await
    }

    /// The service's events, oldest first, with every id in them as `*`.
    pub fn told(&self) -> Vec<String> {
        let masked = |message: &str| {
            let words = message.split(' ').map(|word| {
                let digits = word.trim_matches(|c| "().:,".contains(c));
                let id = digits.parse::<TaskId>().is_ok() || digits.starts_with("ecs-svc/");
                if id { word.replace(digits, "*") } else { word.to_owned() }
            });
            words.collect::<Vec<_>>().join(" ")
        };
        self.service().events.iter().rev().map(|event| masked(&event.message)).collect()
    }

    /// Lets the agent do one thing; whether it had any to do.
    pub async fn play_one(&self, pick: usize) -> bool {
        let world = self.fixture.app.world();
        let open: Vec<&Arc<Task>> = world.live_tasks_on(self.instance).filter(|task| is_open(task)).collect();
        let Some(task) = open.get(pick % open.len().max(1)) else { return false };
        self.report(task).await;
        true
    }

    async fn report(&self, task: &Task) {
        let (status, container) = match task.desired_status {
            DesiredStatus::Running => (ReportedStatus::Running, ContainerStatus::Running),
            DesiredStatus::Stopped => (ReportedStatus::Stopped, ContainerStatus::Stopped),
        };
        let tasks = vec![(task.id, task.desired_status)];
        self.fixture.submit(Command::AcknowledgePayload { instance: self.instance, tasks }).await;
        let exit_code = (container == ContainerStatus::Stopped).then_some(0);
        self.tell(task, status, container, exit_code, None).await;
    }

    /// A task's container ends by itself.
    pub async fn exit(&self, task: &Task, code: i32) {
        self.tell(task, ReportedStatus::Stopped, ContainerStatus::Stopped, Some(code), None).await;
    }

    /// A task's container never comes to run.
    pub async fn fail(&self, task: &Task) {
        let reason = Some("CannotPullContainerError: no such image");
        self.tell(task, ReportedStatus::Stopped, ContainerStatus::Stopped, None, reason).await;
    }

    async fn tell(
        &self,
        task: &Task,
        status: ReportedStatus,
        container: ContainerStatus,
        exit_code: Option<i32>,
        reason: Option<&str>,
    ) {
        let container = ContainerReport {
            name: "web".into(),
            status: container,
            runtime_id: None,
            exit_code,
            reason: reason.map(Into::into),
            image_digest: None,
            network_bindings: None,
        };
        let report =
            TaskReport { status: Some(status), containers: vec![container], ..TaskReport::default() };
        let command = Command::ReportTask { cluster: task.cluster.clone(), task: task.id, report };
        self.fixture.submit(command).await;
    }

    /// Plays the agent until `done`.
    pub async fn play_until(&self, what: &str, done: impl Fn(&World) -> bool) {
        let begun = Instant::now();
        for turn in 0.. {
            if done(&self.fixture.app.world()) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{what}: {:#?}", self.told());
            if !self.play_one(turn).await {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Waits without playing the agent.
    pub async fn wait_until(&self, what: &str, done: impl Fn(&World) -> bool) {
        let begun = Instant::now();
        while !done(&self.fixture.app.world()) {
            assert!(begun.elapsed() < PATIENCE, "{what}: {:#?}", self.told());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// What the waiter services-stable waits for, with the scheduler having said so.
    pub async fn play_until_stable(&self) {
        let key = self.key();
        self.play_until("stable", |world| {
            let service = world.service(&key).expect("the service is there");
            let running = world.deployment_counts(&key, None).running;
            service.deployments.len() == 1 && running == service.desired_count && service.steady
        })
        .await;
    }

    /// Looks at every commit from now on, until the answer is asked for.
    pub fn watch(&self) -> Watch {
        let key = self.key();
        let mut changes = self.fixture.app.writer.follow();
        let mut world = World::clone(&self.fixture.app.world());
        let seen = Arc::new(Mutex::new(look(&world, &key)));
        let noted = seen.clone();
        let task = tokio::spawn(async move {
            while let Ok(change) = changes.recv().await {
                change.events.iter().for_each(|event| world.evolve(event));
                let now = look(&world, &key);
                let mut seen = noted.lock().unwrap();
                seen.fewest_healthy = seen.fewest_healthy.min(now.fewest_healthy);
                seen.most_wanted = seen.most_wanted.max(now.most_wanted);
            }
        });
        Watch { seen, task }
    }
}

fn is_open(task: &Task) -> bool {
    task.desired_status == DesiredStatus::Stopped || task.last_status < TaskStatus::Running
}

fn look(world: &World, key: &ServiceKey) -> Seen {
    let wanted: Vec<&Arc<Task>> =
        world.live_tasks_of(key).filter(|task| task.desired_status == DesiredStatus::Running).collect();
    Seen { fewest_healthy: wanted.iter().filter(|task| task.is_healthy()).count(), most_wanted: wanted.len() }
}

/// A look at every commit.
pub(super) struct Watch {
    seen: Arc<Mutex<Seen>>,
    task: tokio::task::JoinHandle<()>,
}

impl Watch {
    pub async fn seen(self) -> Seen {
        // What is on its way to the watcher arrives first.
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.task.abort();
        self.seen.lock().unwrap().clone()
    }
}

/// Creates the service `web` with `members` and lets it come to its desired count.
pub(super) async fn stable(stage: &Stage, members: Value) {
    let mut members = members;
    members["taskDefinition"] = json!("web:1");
    crate::ecs::service::tests::create(&stage.fixture, members).await.unwrap();
    stage.play_until_stable().await;
}
