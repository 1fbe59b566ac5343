//! Tasks that run to their end: which deadlines have come, and which further attempts are due.

use crate::{Ids, Rules, Want, reconcile::PLACE_AGAIN_MS, schedule::Memory};
use model::{Command, DesiredStatus, InstanceId, StopCode, Tag, Task, TaskId, World, command::NewTask};

/// Most commands of one plan; their commit wakes the next.
const AT_ONCE: usize = 100;

/// The resource tags of a further attempt: its number, and the task that it is another attempt of.
pub const ATTEMPT: &str = "longshore:attempt";
pub const RETRY_OF: &str = "longshore:retry-of";

/// What is due now, and when to look again (milliseconds since the epoch) if no commit says so before.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Runs {
    pub commands: Vec<Command>,
    pub wake_at_ms: Option<u64>,
}

pub fn runs(world: &World, now_ms: u64, seed: u128) -> Runs {
    let mut ids = Ids::new(seed);
    let mut runs = Runs::default();
    for (at_ms, task) in world.deadlines().take(AT_ONCE) {
        if at_ms > now_ms {
            runs.wake(at_ms);
            break;
        }
        runs.commands.push(Command::TimeOut { task });
    }
    let mut due = Vec::new();
    for (at_ms, id) in world.retries().take(AT_ONCE) {
        if at_ms > now_ms {
            runs.wake(at_ms);
            break;
        }
        let Some(task) = world.task(id) else { continue };
        match world.active_cluster(&task.cluster) {
            Some(_) => due.push(task),
            // Nobody would find the attempt there.
            None => runs.commands.push(Command::StopTask {
                cluster: task.cluster.clone(),
                task: id,
                code: StopCode::UserInitiated,
                reason: "The cluster was deleted".into(),
            }),
        }
    }
    // Each by its own rules. Where two would take one place, the second is refused and looked at again.
    let mut memory = Memory::default();
    for old in due {
        let rules = rules(old);
        let placement = memory.place(world, &[want(old)], &rules, seed);
        match placement.placed.first() {
            Some(placed) => {
                let task = NewTask {
                    distinct_instance: rules.distinct_instance,
                    ..again(old, ids.task(), placed.instance)
                };
                runs.commands.push(Command::Retry { of: old.id, task: task.into() });
            }
            None => runs.wake(now_ms + PLACE_AGAIN_MS),
        }
    }
    runs
}

impl Runs {
    fn wake(&mut self, at_ms: u64) {
        self.wake_at_ms = self.wake_at_ms.into_iter().chain([at_ms]).min();
    }
}

fn rules(task: &Task) -> Rules {
    let run = task.run.as_deref().cloned().unwrap_or_default();
    let group = task.group.clone().map(|group| (task.cluster.clone(), group));
    Rules { group, ..Rules::of(&run.constraints, &run.strategy) }
}

fn want(task: &Task) -> Want {
    Want {
        cluster: task.cluster.clone(),
        definition: task.definition.clone(),
        launch_type: task.launch_type,
        size: Some(task.size),
        gpus: Some(task.gpus().count()),
        capacity_provider: task.capacity_provider.clone(),
    }
}

/// The same task once more, wherever there is room. Only its tags say which attempt it is.
fn again(old: &Task, id: TaskId, instance: InstanceId) -> NewTask {
    debug_assert_eq!(old.desired_status, DesiredStatus::Stopped);
    let run = old.run.as_deref().map(model::Run::again);
    let tag = |key: &str, value: String| Tag { key: key.into(), value: Some(value.into()) };
    let attempt = run.as_ref().map_or(1, |run| run.attempt);
    NewTask {
        id,
        cluster: old.cluster.clone(),
        definition: old.definition.clone(),
        instance,
        launch_type: old.launch_type,
        capacity_provider: old.capacity_provider.clone(),
        platform_version: old.platform_version.clone(),
        platform_family: old.platform_family.clone(),
        group: old.group.clone(),
        distinct_instance: false,
        started_by: old.started_by.clone(),
        service: None,
        deployment: None,
        size: Some(old.size),
        gpus: Some(old.containers.iter().map(|container| container.gpus.len() as u32).collect()),
        overrides: old.overrides.clone(),
        network: old.network.clone(),
        subnet: old.eni.as_ref().and_then(|eni| eni.subnet.clone()),
        tags: old.tags.with([tag(ATTEMPT, attempt.to_string()), tag(RETRY_OF, old.id.to_string())]),
        enable_execute_command: old.enable_execute_command,
        ephemeral_storage_gib: old.ephemeral_storage_gib,
        run,
        document: old.document.clone(),
    }
}
