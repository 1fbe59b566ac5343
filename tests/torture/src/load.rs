//! The load: what people do all day, chosen by the seed. Every call is repeated until it has a definite
//! answer, as a careful client does it, and only then written into the ledger.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use wire::{ecs, logs};

use crate::client::Client;
use crate::dice::Dice;
use crate::image::{Base, Repository};
use crate::ledger::{Aim, Course, Ledger, Promise};

pub const CLUSTER: &str = "torture";
pub const LOG_GROUP: &str = "/torture";
pub const SERVICES: [&str; 2] = ["red", "blue"];
/// Marks the tasks that we asked for by RunTask.
pub const STARTED_BY: &str = "torture";
/// Tasks that stay, at most: what the machine has memory for.
const STAYING: usize = 6;
const NOISE: u64 = 256 << 10;
/// RunTask calls from one blow to the next, at most: a slow machine is asked for no more than a fast one, and has no
/// heap of tasks to work off at the end of a round.
const RUNS_A_BLOW: u64 = 8;

/// What a kill can be timed by.
#[derive(Debug)]
pub struct Moments {
    pub acknowledged: watch::Sender<u64>,
    pub run: watch::Sender<u64>,
    pub pushing: watch::Sender<u64>,
}

/// What all workers share.
#[derive(Clone, Debug)]
pub struct Load {
    pub client: Client,
    pub repository: Repository,
    base: Arc<Base>,
    ledger: Arc<Mutex<Ledger>>,
    ending: Arc<AtomicBool>,
    /// RunTask calls that may still be made before the next blow.
    runs_left: Arc<AtomicU64>,
    pub moments: Arc<Moments>,
    definition: String,
}

impl Load {
    /// Makes what the load needs: a cluster, a repository, a definition, two services.
    pub async fn prepare(client: Client, dice: &mut Dice) -> anyhow::Result<Load> {
        let repository = Repository::create(&client, "torture").await?;
        let mut load = Load {
            client,
            repository,
            base: Arc::new(Base::build()?),
            ledger: Arc::default(),
            ending: Arc::default(),
            runs_left: Arc::default(),
            moments: Arc::new(Moments {
                acknowledged: watch::Sender::new(0),
                run: watch::Sender::new(0),
                pushing: watch::Sender::new(0),
            }),
            definition: String::new(),
        };
        load.client.call::<ecs::ops::CreateCluster>(&json!({"clusterName": CLUSTER})).await?;
        load.client.call::<logs::ops::CreateLogGroup>(&json!({"logGroupName": LOG_GROUP})).await?;
        load.push("base", dice).await?;
        load.definition = load.register("base", &script(Course::Stays { code: 40 }, 0)).await?;
        for service in SERVICES {
            let input = json!({
                "cluster": CLUSTER, "serviceName": service, "taskDefinition": load.definition, "desiredCount": 1,
                "launchType": "FARGATE", "networkConfiguration": network(),
                // Only the load says which definition a service is to have: it doesn't follow the pushes.
                "tags": [{"key": "longshore:deploy-on-push", "value": ""}],
            });
            load.client.call::<ecs::ops::CreateService>(&input).await?;
            let aim = Aim { desired: 1, definition: load.definition.clone() };
            load.acknowledge(|ledger| ledger.services.insert(service.to_owned(), aim));
        }
        Ok(load)
    }

    /// Starts the workers of one round.
    pub fn begin(&self, seed: u64, round: u32) -> JoinSet<anyhow::Result<()>> {
        self.ending.store(false, Ordering::SeqCst);
        self.go_on();
        let mut workers = JoinSet::new();
        for worker in 0..2 {
            let (load, dice) = (self.clone(), Dice::of(seed, round, worker));
            workers.spawn(async move { load.run_and_forget(dice, format!("{seed}-{round}-{worker}")).await });
        }
        let (load, dice) = (self.clone(), Dice::of(seed, round, 10));
        workers.spawn(async move { load.run_and_stop(dice, format!("{seed}-{round}-stay")).await });
        for (n, service) in (20..).zip(SERVICES) {
            let (load, dice) = (self.clone(), Dice::of(seed, round, n));
            workers.spawn(async move { load.update(dice, service).await });
        }
        let (load, dice) = (self.clone(), Dice::of(seed, round, 30));
        workers.spawn(async move { load.push_and_run(dice, format!("{seed}-{round}-push")).await });
        workers
    }

    /// Another blow has fallen.
    pub fn go_on(&self) {
        self.runs_left.store(RUNS_A_BLOW, Ordering::SeqCst);
    }

    /// Waits until one more RunTask may be made; false at the end of the round.
    async fn may_run(&self) -> bool {
        let take = |left: u64| left.checked_sub(1);
        while self.goes_on() {
            if self.runs_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok() {
                return true;
            }
            pause(10).await;
        }
        false
    }

    /// Begins nothing more; what is under way is brought to its answer.
    pub fn end(&self) {
        self.ending.store(true, Ordering::SeqCst);
    }

    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn goes_on(&self) -> bool {
        !self.ending.load(Ordering::SeqCst)
    }

    fn acknowledge<T>(&self, note: impl FnOnce(&mut Ledger) -> T) -> T {
        let noted = {
            let mut ledger = self.ledger();
            ledger.acknowledged += 1;
            note(&mut ledger)
        };
        self.moments.acknowledged.send_modify(|n| *n += 1);
        noted
    }

    async fn run_and_forget(&self, mut dice: Dice, token: String) -> anyhow::Result<()> {
        for n in 0.. {
            if !self.goes_on() {
                break;
            }
            let course = Course::Ends { code: i32::try_from(dice.below(100))? };
            let ms = dice.below(1200);
            self.run(&self.definition, course, ms, 1 + dice.below(2), &format!("{token}-{n}")).await?;
            pause(dice.below(250)).await;
        }
        Ok(())
    }

    async fn run_and_stop(&self, mut dice: Dice, token: String) -> anyhow::Result<()> {
        for n in 0.. {
            if !self.goes_on() {
                break;
            }
            let live: Vec<String> = self.ledger().live().into_iter().cloned().collect();
            if live.len() >= STAYING || (!live.is_empty() && dice.chance(45)) {
                let Some(arn) = dice.pick(&live) else { continue };
                self.stop(arn, &format!("asked for by {token}-{n}")).await?;
            } else {
                let course = Course::Stays { code: i32::try_from(30 + dice.below(30))? };
                self.run(&self.definition, course, 0, 1, &format!("{token}-{n}")).await?;
            }
            pause(dice.below(200)).await;
        }
        Ok(())
    }

    async fn update(&self, mut dice: Dice, service: &str) -> anyhow::Result<()> {
        while self.goes_on() {
            let mut aim = self.ledger().services.get(service).cloned().unwrap_or_default();
            let mut input = json!({"cluster": CLUSTER, "service": service});
            match dice.below(4) {
                0 => input["forceNewDeployment"] = json!(true),
                1 => {
                    let definitions: Vec<String> = self.ledger().definitions.iter().cloned().collect();
                    aim.definition = dice.pick(&definitions).context("a definition")?.clone();
                    input["taskDefinition"] = json!(aim.definition);
                }
                _ => {
                    aim.desired = i64::try_from(dice.below(4))?;
                    input["desiredCount"] = json!(aim.desired);
                }
            }
            self.client.call::<ecs::ops::UpdateService>(&input).await?;
            self.acknowledge(|ledger| ledger.services.insert(service.to_owned(), aim));
            pause(300 + dice.below(900)).await;
        }
        Ok(())
    }

    async fn push_and_run(&self, mut dice: Dice, token: String) -> anyhow::Result<()> {
        for n in 0.. {
            if !self.goes_on() {
                break;
            }
            // Tags are moved as often as made.
            let tag = format!("t{}", dice.below(8));
            self.push(&tag, &mut dice).await?;
            // Definitions of services aren't among those: a tag of theirs must not fail them.
            let definition = self.register(&tag, &script(Course::Stays { code: 40 }, 0)).await?;
            let course = Course::Ends { code: i32::try_from(dice.below(100))? };
            self.run(&definition, course, dice.below(500), 1, &format!("{token}-{n}")).await?;
            pause(dice.below(200)).await;
        }
        Ok(())
    }

    /// A new image under a tag.
    async fn push(&self, tag: &str, dice: &mut Dice) -> anyhow::Result<()> {
        let size = usize::try_from(1024 + dice.below(NOISE))?;
        let image = self.base.with(&dice.bytes(size))?;
        self.moments.pushing.send_modify(|n| *n += 1);
        self.repository.push(&image, tag).await?;
        self.acknowledge(|ledger| ledger.tags.insert(tag.to_owned(), image.manifest.digest));
        Ok(())
    }

    async fn register(&self, tag: &str, script: &str) -> anyhow::Result<String> {
        let input = json!({
            "family": "torture", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
            "cpu": "256", "memory": "512",
            "containerDefinitions": [{
                "name": "app", "image": self.repository.image(tag), "essential": true, "stopTimeout": 2,
                "command": ["sh", "-c", script],
                "logConfiguration": {"logDriver": "awslogs", "options": {
                    "awslogs-group": LOG_GROUP, "awslogs-region": self.client.region,
                    "awslogs-stream-prefix": "t"}},
            }],
        });
        let answer = self.client.call::<ecs::ops::RegisterTaskDefinition>(&input).await?;
        let arn = answer["taskDefinition"]["taskDefinitionArn"].as_str().context("no ARN")?.to_owned();
        self.acknowledge(|ledger| ledger.definitions.insert(arn.clone()));
        Ok(arn)
    }

    async fn run(
        &self,
        definition: &str,
        course: Course,
        ms: u64,
        count: u64,
        token: &str,
    ) -> anyhow::Result<()> {
        if !self.may_run().await {
            return Ok(());
        }
        let command = json!(["sh", "-c", script(course, ms)]);
        let input = json!({
            "cluster": CLUSTER, "taskDefinition": definition, "launchType": "FARGATE", "count": count,
            "clientToken": token, "startedBy": STARTED_BY, "networkConfiguration": network(),
            "overrides": {"containerOverrides": [{"name": "app", "command": command}]},
        });
        let answer = self.client.call::<ecs::ops::RunTask>(&input).await?;
        let arns: Vec<String> = answer["tasks"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|task| task["taskArn"].as_str().map(str::to_owned))
            .collect();
        // No agent is connected, or there is no room: an honest answer, and nothing is promised.
        if arns.is_empty() {
            pause(50).await;
            return Ok(());
        }
        self.acknowledge(|ledger| {
            for arn in arns {
                let promise = Promise { course, stopped: None, stopping: false, settled: None };
                ledger.tasks.insert(arn, promise);
            }
        });
        self.moments.run.send_modify(|n| *n += 1);
        Ok(())
    }

    async fn stop(&self, arn: &str, reason: &str) -> anyhow::Result<()> {
        if let Some(promise) = self.ledger().tasks.get_mut(arn) {
            promise.stopping = true;
        }
        let input = json!({"cluster": CLUSTER, "task": arn, "reason": reason});
        self.client.call::<ecs::ops::StopTask>(&input).await?;
        self.acknowledge(|ledger| {
            if let Some(promise) = ledger.tasks.get_mut(arn) {
                promise.stopped = Some(reason.to_owned());
            }
        });
        Ok(())
    }
}

/// Says, before anything else, that it was started: each start has a word of its own, so that a line that
/// is delivered twice isn't taken for a second start.
fn script(course: Course, ms: u64) -> String {
    const START: &str = "echo start $(cat /proc/sys/kernel/random/uuid)";
    match course {
        Course::Ends { code } => format!("{START}; sleep {}.{:03}; exit {code}", ms / 1000, ms % 1000),
        Course::Stays { code } => {
            format!("trap 'exit {code}' TERM; {START}; while :; do sleep 1000 & wait; done")
        }
    }
}

fn network() -> Value {
    json!({"awsvpcConfiguration": {"subnets": ["subnet-torture"]}})
}

async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
