//! What holds after every step, whatever went before.

mod apart;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, ensure};
use model::command::ServiceStep;
use model::{
    ConstraintKind, ContainerInstance, ControllerType, DesiredStatus, Event, HostPort, InstanceId,
    RolloutState, SchedulingStrategy, Service, ServiceKey, ServiceStatus, Size, Stop, Task, TaskId, World,
};
use plan::reconcile::Counts;

use crate::control::RETENTION_MS;
use crate::daemon;

/// A step of a service's scheduler keeps what the service was promised, in the world that it is applied to: whatever
/// happened since it was planned.
pub fn of_step(before: &World, after: &World, step: &ServiceStep, now_ms: u64) -> anyhow::Result<()> {
    let Some(service) = before.service(&step.service) else { return Ok(()) };
    if service.status != ServiceStatus::Active {
        ensure!(step.starts.is_empty(), "a service that is being deleted starts tasks");
        return Ok(());
    }
    stops_are_wanted(before, step, now_ms)?;
    if service.controller == ControllerType::External {
        return apart::of_sets(before, after, service);
    }
    let beside = apart::of_stages(before, after, service, step, now_ms)?;
    // A daemon's count is found anew with each step, when instances have come or gone.
    let found = after.service(&step.service).map_or(0, |after| after.desired_count);
    let is_daemon = service.scheduling == SchedulingStrategy::Daemon;
    let counts = Counts { desired: service.desired_count.min(found), ..bounds(service) };
    // Nor does a daemon's task count that is where none belongs any more.
    let places: BTreeSet<InstanceId> = daemon::places(after, service).map(|instance| instance.id).collect();
    let counts_as_healthy =
        |task: &Task| task.is_healthy() && (!is_daemon || places.contains(&task.instance));
    let healthy = count(before, service, counts_as_healthy);
    let healthy_after = count(after, service, counts_as_healthy);
    let lower = counts.lower_bound() as usize;
    ensure!(
        healthy_after >= lower.min(healthy),
        "{}: {healthy_after} of {healthy} healthy tasks are left; the lower bound is {lower}",
        service.key
    );
    let (wanted, wanted_after) =
        (count(before, service, Task::is_wanted), count(after, service, Task::is_wanted));
    let upper = counts.upper_bound().max(counts.desired) as usize;
    ensure!(
        is_daemon || beside || wanted_after <= upper.max(wanted),
        "{}: {wanted_after} tasks are wanted instead of {wanted}; the upper bound is {upper}",
        service.key
    );
    ensure!(
        is_daemon || service.desired_count > 0 || step.starts.is_empty(),
        "{} starts tasks and wants none",
        service.key
    );
    Ok(())
}

fn stops_are_wanted(before: &World, step: &ServiceStep, now_ms: u64) -> anyhow::Result<()> {
    for (id, stop) in &step.stops {
        let Some(task) = before.task(*id).filter(|task| task.is_wanted()) else { continue };
        let ill = is_of_the_ill(stop);
        ensure!(ill || !task.is_protected(now_ms), "protected task {id} is stopped: {}", stop.reason);
    }
    Ok(())
}

fn is_of_the_ill(stop: &Stop) -> bool {
    stop.reason.contains("health checks")
}

fn bounds(service: &Service) -> Counts {
    Counts {
        desired: service.desired_count,
        minimum_percent: service.minimum_healthy_percent,
        maximum_percent: service.maximum_percent,
        ..Counts::default()
    }
}

fn count(world: &World, service: &Service, which: impl Fn(&Task) -> bool) -> usize {
    world.live_tasks_of(&service.key).filter(|task| which(task)).count()
}

/// What a commit brings about goes forward only, and no machine is given more than it has.
pub fn of_commit(before: &World, after: &World, events: &[Event], now_ms: u64) -> anyhow::Result<()> {
    let tasks: BTreeSet<TaskId> = events.iter().filter_map(Event::task).collect();
    let mut machines: BTreeSet<InstanceId> = events.iter().filter_map(Event::instance).collect();
    let mut services: BTreeSet<ServiceKey> =
        events.iter().filter_map(|event| event.service().cloned()).collect();
    for id in tasks {
        match (before.task(id), after.task(id)) {
            (Some(old), Some(new)) => goes_forward(old, new).with_context(|| format!("task {id}"))?,
            (None, Some(new)) => {
                machines.insert(new.instance);
                services.extend(new.service_key());
            }
            (Some(old), None) => {
                let over = old.stopped_at_ms.is_some_and(|at_ms| at_ms + RETENTION_MS <= now_ms);
                ensure!(over, "task {id} is forgotten and was {}", old.last_status);
                ensure!(old.retry_at_ms().is_none(), "task {id} is forgotten before its further attempt");
            }
            (None, None) => {}
        }
    }
    for id in machines {
        holds_what_it_has(before, after, id).with_context(|| format!("container instance {id}"))?;
    }
    for key in services {
        is_whole(after, &key).with_context(|| format!("service {key}"))?;
    }
    Ok(())
}

fn goes_forward(old: &Task, new: &Task) -> anyhow::Result<()> {
    ensure!(old.last_status <= new.last_status, "{} after {}", new.last_status, old.last_status);
    ensure!(old.desired_status <= new.desired_status, "it is wanted again");
    ensure!(
        old.stop.is_none() || old.stop == new.stop,
        "why it stops changes: {:?} to {:?}",
        old.stop,
        new.stop
    );
    ensure!(old.instance == new.instance && old.definition == new.definition, "it has become another");
    ensure!(old.acknowledged <= new.acknowledged, "the agent has forgotten it");
    let kept = |old: Option<u64>, new: Option<u64>| old.is_none() || old == new;
    ensure!(kept(old.started_at_ms, new.started_at_ms), "it starts a second time");
    ensure!(kept(old.stopped_at_ms, new.stopped_at_ms), "it stops a second time");
    for (old, new) in old.containers.iter().zip(&new.containers) {
        ensure!(old.exit_code.is_none() || old.exit_code == new.exit_code, "its exit code is lost");
    }
    if new.last_status == model::TaskStatus::Stopped {
        ensure!(
            new.stop.is_some() && new.stopped_at_ms.is_some(),
            "it has stopped and nobody knows why or when"
        );
    }
    Ok(())
}

/// What its tasks hold, counted anew, is what is known to be held; new tasks fit in, and share no port, GPU or address.
fn holds_what_it_has(before: &World, after: &World, id: InstanceId) -> anyhow::Result<()> {
    let Some(instance) = after.instance(id) else { return Ok(()) };
    let mut held = Size::default();
    let (mut ports, mut gpus, mut addresses) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for task in after.live_tasks_on(id) {
        held += task.size;
        for port in &task.host_ports {
            let other = ports.insert(*port, task.id);
            ensure!(other.is_none(), "tasks {} and {other:?} have one port", task.id);
        }
        for gpu in task.gpus() {
            let other = gpus.insert(gpu.clone(), task.id);
            ensure!(other.is_none(), "tasks {} and {other:?} have one GPU", task.id);
        }
        if let Some(eni) = &task.eni {
            let other = addresses.insert(eni.address, task.id);
            ensure!(other.is_none(), "tasks {} and {other:?} have one address", task.id);
        }
    }
    let known = after.usage(id).map(|usage| usage.size).unwrap_or_default();
    ensure!(held == known, "{held:?} are held, {known:?} are known to be");
    let same = before.instance(id).is_none_or(|old| old.total == instance.total);
    ensure!(!same || held.fits_in(instance.total), "{held:?} are held of {:?}", instance.total);
    Ok(())
}

/// One deployment is the PRIMARY one, and the newest record tells how it stands.
fn is_whole(world: &World, key: &ServiceKey) -> anyhow::Result<()> {
    let Some(service) = world.service(key).filter(|service| service.status == ServiceStatus::Active) else {
        return Ok(());
    };
    let primaries =
        service.deployments.iter().filter(|d| d.status == model::DeploymentStatus::Primary).count();
    let external = service.controller == ControllerType::External;
    ensure!(primaries == 1 || external && primaries == 0, "{primaries} deployments are PRIMARY");
    ensure!(service.events.len() <= model::EVENTS_KEPT, "{} events are kept", service.events.len());
    let open = service.primary().is_some_and(|primary| primary.is_rolling_out());
    let newest = world.newest_service_deployment(service);
    let told = newest.is_some_and(|record| !record.status.is_over());
    ensure!(open == told, "the deployment is rolling out: {open}; its record says {newest:?}");
    let mut places = BTreeSet::new();
    for task in world.live_tasks_of(key) {
        let twice = task.is_wanted() && !places.insert(task.instance);
        let is_daemon = service.scheduling == SchedulingStrategy::Daemon;
        ensure!(!is_daemon || !twice, "container instance {} has two tasks of a daemon", task.instance);
        let known = task.deployment.as_ref().is_some_and(|id| service.deployment(id).is_some());
        // One that was given up with its machine may outlive its deployment.
        ensure!(known || !task.is_wanted(), "task {} is of a deployment that isn't there", task.id);
    }
    Ok(())
}

/// With nothing in its way, a service comes to its desired count, all healthy, of one deployment that is over.
pub fn at_rest(world: &World, service: &Service) -> anyhow::Result<()> {
    if service.status != ServiceStatus::Active {
        ensure!(count(world, service, |task| !world.is_given_up(task)) == 0, "it is deleted and has tasks");
        return Ok(());
    }
    if !has_places(world, service) {
        return Ok(());
    }
    if service.controller == ControllerType::External {
        return apart::sets_at_rest(world, service);
    }
    let counts = bounds(service);
    let is_daemon = service.scheduling == SchedulingStrategy::Daemon;
    if is_daemon && !daemon::has_room(world, service) {
        return Ok(());
    }
    let left = |task: &Task| world.is_given_up(task) || is_daemon && daemon::leaves_last(world, task);
    let live = count(world, service, |task| !left(task));
    let healthy = count(world, service, |task| task.is_healthy() && !left(task));
    let desired =
        if is_daemon { daemon::places(world, service).count() } else { service.desired_count as usize };
    // Where the bounds are one number, ECS makes no step either.
    let drains = |task: &Task| {
        world.instance(task.instance).is_some_and(|i| i.status == model::InstanceStatus::Draining)
    };
    let replaces = service.deployments.len() > 1 || count(world, service, drains) > 0;
    if counts.lower_bound() == counts.upper_bound() && counts.desired > 0 && replaces {
        return Ok(());
    }
    ensure!(
        healthy == desired && live == desired,
        "{live} tasks, {healthy} of them healthy; {desired} are desired"
    );
    ensure!(service.steady, "all {desired} are healthy, and it isn't steady");
    // An older one is there as long as a task of it is: the last to leave an instance that drains.
    let has_tasks = |of: &model::Deployment| {
        count(world, service, |task| task.deployment.as_ref() == Some(&of.id) && left(task)) > 0
    };
    let older = service.deployments.iter().skip(1).filter(|deployment| !has_tasks(deployment)).count();
    ensure!(older == 0, "{older} older deployments are left");
    let state = service.deployments[0].rollout_state;
    ensure!(state == RolloutState::Completed, "its deployment is {state}");
    Ok(())
}

/// Where no instance may have two of its tasks, be it for a port that they want, there must be one for each, also while
/// they are replaced; and so there must be GPUs. Instances whose port is another's, as a daemon's is on all of them, are none.
fn has_places(world: &World, service: &Service) -> bool {
    let scope = &service.key.cluster.scope;
    let keys = service.deployments.iter().map(|one| one.definition.in_scope(scope));
    let definitions: Vec<_> = keys.filter_map(|key| world.definition(&key)).collect();
    let ports: BTreeSet<HostPort> =
        definitions.iter().flat_map(|definition| definition.host_ports()).collect();
    let gpus = definitions.iter().map(|definition| model::gpus_of(&definition.gpus())).max().unwrap_or(0);
    let others = |on: &ContainerInstance| {
        world.live_tasks_on(on.id).filter(|task| task.service != Some(service.key.name.clone()))
    };
    let is_free = |instance: &ContainerInstance| {
        others(instance).flat_map(|task| &task.host_ports).all(|port| !ports.contains(port))
    };
    let free_gpus = |instance: &ContainerInstance| {
        let held = others(instance).map(|task| task.gpus().count()).sum::<usize>();
        instance.gpus.len().saturating_sub(held)
    };
    let apart =
        service.placement_constraints.iter().any(|rule| rule.kind == ConstraintKind::DistinctInstance);
    let sets = service.deployments.iter().filter(|one| one.task_set.is_some());
    let most = sets.map(|set| set.desired_count).sum::<u32>().max(2 * service.desired_count);
    let places = daemon::places(world, service).filter(|instance| is_free(instance)).count();
    let is_daemon = service.scheduling == SchedulingStrategy::Daemon;
    let with_gpus = daemon::places(world, service).map(|instance| free_gpus(instance)).sum::<usize>();
    let enough = gpus == 0 || with_gpus >= gpus * most as usize;
    is_daemon || enough && (!apart && ports.is_empty() || places >= most as usize)
}

/// Nobody is about to stop, and what is wanted runs; but what a lost machine does nobody knows.
pub fn tasks_at_rest(world: &World) -> anyhow::Result<()> {
    for task in world.all_tasks().filter(|task| task.is_live()) {
        let settled =
            task.desired_status == DesiredStatus::Running && task.last_status == model::TaskStatus::Running;
        let lost = world.instance(task.instance).is_some_and(|instance| instance.lost);
        let settled = settled || lost && (task.service.is_none() || !task.is_wanted());
        ensure!(settled, "task {} is {} and is to be {}", task.id, task.last_status, task.desired_status);
    }
    Ok(())
}
