//! What becomes of the tasks on a machine that nobody hears of any more.

use model::{Command, InstanceStatus, StopCode, World};

/// Most commands of one plan; the next look takes the rest.
const AT_ONCE: usize = 1000;

/// Which tasks of services to give up: those on instances whose agents have been away for `after_ms`. They are asked
/// to stop, as far as anybody can ask them, so that others take their place.
///
/// What a lost machine really does is not known: it may be off, or only out of reach with everything on it running.
/// So its tasks are STOPPING, and keep what they hold of the instance, until it comes back and stops what isn't
/// wanted, or until somebody deregisters it. Tasks of no service have nothing to take their place; they go on when
/// the machine is back.
pub fn lost(world: &World, now_ms: u64, after_ms: u64) -> Vec<Command> {
    let is_lost = |since_ms: u64| now_ms.saturating_sub(since_ms) >= after_ms;
    let instances = world.all_instances().filter(|instance| {
        instance.status != InstanceStatus::Inactive && instance.disconnected_at_ms.is_some_and(is_lost)
    });
    let tasks = instances.flat_map(|instance| {
        world
            .live_tasks_on(instance.id)
            .map(move |task| (task, instance.disconnected_at_ms.unwrap_or(now_ms)))
    });
    let wanted = tasks.filter(|(task, _)| task.service.is_some() && task.is_wanted());
    let give_up = wanted.map(|(task, since_ms)| Command::StopTask {
        cluster: task.cluster.clone(),
        task: task.id,
        code: StopCode::ServiceSchedulerInitiated,
        reason: format!(
            "Host unavailable: the agent of container instance {} has not been connected for {} s",
            task.instance,
            now_ms.saturating_sub(since_ms) / 1000
        )
        .into(),
    });
    give_up.take(AT_ONCE).collect()
}
