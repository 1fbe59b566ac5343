//! Services that run several deployments side by side: task sets, and deployments that go through stages.

use anyhow::ensure;
use model::command::{DeploymentChange, ServiceStep};
use model::{
    Deployment, DeploymentId, DeploymentStatus, DeploymentStrategy, InstanceStatus, Lifecycle, Service, Task,
    World,
};
use plan::reconcile::Counts;

use super::{bounds, is_of_the_ill};

/// The tasks of one deployment that are so.
fn count(world: &World, service: &Service, of: &DeploymentId, which: impl Fn(&Task) -> bool) -> usize {
    let its = |task: &&std::sync::Arc<Task>| task.deployment.as_ref() == Some(of) && which(task);
    world.live_tasks_of(&service.key).filter(its).count()
}

/// A step keeps the deployment to its bounds as if the service had no other.
fn of_one(
    before: &World,
    after: &World,
    service: &Service,
    of: &DeploymentId,
    desired: u32,
) -> anyhow::Result<()> {
    let counts = Counts { desired, ..bounds(service) };
    let counted =
        |which: fn(&Task) -> bool| (count(before, service, of, which), count(after, service, of, which));
    let (healthy, healthy_after) = counted(Task::is_healthy);
    let lower = counts.lower_bound() as usize;
    ensure!(
        healthy_after >= lower.min(healthy),
        "{of} has {healthy_after} of {healthy} healthy tasks; the lower bound is {lower}"
    );
    let (wanted, wanted_after) = counted(Task::is_wanted);
    let upper = counts.upper_bound().max(desired) as usize;
    ensure!(
        wanted_after <= upper.max(wanted),
        "of {of} {wanted_after} tasks are wanted instead of {wanted}; the upper bound is {upper}"
    );
    Ok(())
}

/// Each task set by itself.
pub fn of_sets(before: &World, after: &World, service: &Service) -> anyhow::Result<()> {
    service.deployments.iter().try_for_each(|set| of_one(before, after, service, &set.id, set.desired_count))
}

/// With nothing in its way, each task set has its count, all healthy, and a deleted one is gone.
pub fn sets_at_rest(world: &World, service: &Service) -> anyhow::Result<()> {
    let drains = |task: &Task| {
        world.instance(task.instance).is_some_and(|instance| instance.status == InstanceStatus::Draining)
    };
    for set in &service.deployments {
        let desired = set.desired_count as usize;
        let there = |task: &Task| !world.is_given_up(task);
        let counts = Counts { desired: set.desired_count, ..bounds(service) };
        // Where the bounds are one number, ECS makes no step either.
        let stuck = counts.lower_bound() == counts.upper_bound();
        if stuck && count(world, service, &set.id, drains) > 0 {
            return Ok(());
        }
        ensure!(set.status != DeploymentStatus::Draining, "{} still drains", set.id);
        let (live, healthy) =
            (count(world, service, &set.id, there), count(world, service, &set.id, Task::is_healthy));
        ensure!(
            healthy == desired && live == desired,
            "{live} tasks of {}, {healthy} of them healthy; {desired} are desired",
            set.id
        );
        let stable = set.task_set.as_ref().is_some_and(|own| own.stable);
        ensure!(stable, "all of {} are healthy, and it isn't steady", set.id);
    }
    ensure!(service.steady != service.deployments.is_empty(), "steady: {}", service.steady);
    Ok(())
}

/// Of a service whose deployment goes through stages: the old revision isn't touched before the new one has the traffic for
/// good, each keeps to its own bounds and nothing else is started, stages go forward, and none is left before its hooks have
/// come to their end. Whether that is so of the service now.
pub fn of_stages(
    before: &World,
    after: &World,
    service: &Service,
    step: &ServiceStep,
    now_ms: u64,
) -> anyhow::Result<bool> {
    let Some((primary, lifecycle)) = staged(service) else { return Ok(false) };
    for change in step.deployments.iter().filter(|change| change.id == primary.id) {
        if let DeploymentChange::Stage(next) = &change.change {
            goes_on(lifecycle, next, now_ms)?;
        }
    }
    if !lifecycle.keeps_old() {
        return Ok(false);
    }
    let desired = service.desired_count;
    of_one(before, after, service, &primary.id, desired)?;
    if let Some(other) = &lifecycle.from {
        of_one(before, after, service, other, desired)?;
        other_is_left_alone(before, service, lifecycle, other, step)?;
    }
    let known = [Some(&primary.id), lifecycle.from.as_ref()];
    let stray = step.starts.iter().find(|task| !known.contains(&task.deployment.as_ref()));
    ensure!(stray.is_none(), "a task of another deployment is started: {stray:?}");
    let rolls = lifecycle.stages.strategy == DeploymentStrategy::Rolling;
    ensure!(
        !rolls || step.starts.iter().all(|task| task.deployment != Some(primary.id.clone())),
        "a rolling update begins at {}",
        lifecycle.stage
    );
    Ok(!rolls)
}

/// Under way, or given up with nowhere to go back to: then both stay as they are.
fn staged(service: &Service) -> Option<(&Deployment, &Lifecycle)> {
    let primary = service.primary()?;
    Some((primary, primary.lifecycle.as_deref()?))
}

fn goes_on(old: &Lifecycle, new: &Lifecycle, now_ms: u64) -> anyhow::Result<()> {
    ensure!(old.back_from == new.back_from && old.from == new.from, "it has become another deployment");
    if (old.stage, old.step) == (new.stage, new.step) {
        return Ok(());
    }
    let open = old.runs.iter().find(|run| run.is_open(now_ms));
    ensure!(open.is_none(), "{} is left, and {open:?} is waited for", old.stage);
    let hooked = old.stages.hooks.iter().any(|hook| hook.stages.contains(&old.stage));
    ensure!(!hooked || !old.runs.is_empty(), "{} is left, and nobody asked its hooks", old.stage);
    let forward = new.step > old.step || new.stage > old.stage || new.back_from.is_some();
    ensure!(forward, "{} step {} after {} step {}", new.stage, new.step, old.stage, old.step);
    Ok(())
}

/// On the way forward a task of the old revision goes only if it is one too many, is ill, or its machine drains; on the way
/// back none of the one that is given up.
fn other_is_left_alone(
    before: &World,
    service: &Service,
    lifecycle: &Lifecycle,
    other: &DeploymentId,
    step: &ServiceStep,
) -> anyhow::Result<()> {
    let stays = |task: &Task| {
        let instance = before.instance(task.instance);
        task.is_wanted() && instance.is_some_and(|instance| instance.status != InstanceStatus::Draining)
    };
    let stopped =
        step.stops.iter().filter(|(_, stop)| !is_of_the_ill(stop)).filter_map(|(id, _)| before.task(*id));
    let stopped = stopped.filter(|task| task.deployment.as_ref() == Some(other) && stays(task)).count();
    let there = count(before, service, other, stays);
    let kept = match lifecycle.back_from {
        Some(_) => there,
        None => there.min(service.desired_count as usize),
    };
    ensure!(
        there - stopped >= kept,
        "{stopped} of {there} tasks of {other} are stopped at {}",
        lifecycle.stage
    );
    Ok(())
}
