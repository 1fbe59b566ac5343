use super::{census, daemon};
use model::{
    ControllerType, DesiredStatus, Event, Home, LaunchType, Service, ServiceKey, ServiceStatus, TaskStatus,
    World,
};
use std::collections::BTreeSet;

/// The services to look at after `events` have been taken into `world`: those that were changed,
/// those whose tasks were, and, where an instance came, went or changed, those that might have tasks there.
/// Daemons wait on an instance that drains until others have left it.
pub fn concerned(world: &World, events: &[Event]) -> BTreeSet<ServiceKey> {
    let mut keys = BTreeSet::new();
    for event in events {
        keys.extend(event.service().cloned());
        keys.extend(event.task().and_then(|id| world.task(id)).and_then(|task| task.service_key()));
        if let Event::TaskMoved { task, status: TaskStatus::Stopped, .. } = event
            && let Some(task) = world.task(*task).filter(|task| census::is_on_draining(world, task))
        {
            keys.extend(world.live_tasks_on(task.instance).filter_map(|task| task.service_key()));
        }
        if let Event::InstanceRegistered(instance) | Event::InstanceUpdated(instance) = event {
            let short = |service: &&std::sync::Arc<Service>| {
                service.status == ServiceStatus::Active
                    && lives_at(service, &instance.home)
                    && (daemon::is_daemon(service) || is_short(world, service))
            };
            keys.extend(world.all_services().filter(short).map(|service| service.key.clone()));
            // It may drain now, or no longer.
            keys.extend(world.live_tasks_on(instance.id).filter_map(|task| task.service_key()));
        }
    }
    keys
}

fn lives_at(service: &Service, home: &Home) -> bool {
    match (home, service.primary().map(|deployment| deployment.launch_type)) {
        (Home::Pool, launch_type) => launch_type == Some(LaunchType::Fargate),
        (Home::Cluster(cluster), launch_type) => {
            service.key.cluster == *cluster && launch_type != Some(LaunchType::Fargate)
        }
    }
}

fn is_short(world: &World, service: &Service) -> bool {
    // Its tasks are of no deployment that would have to be told apart.
    if service.controller == ControllerType::External {
        return true;
    }
    let wanted = |desired| desired == DesiredStatus::Running;
    let there = world.live_tasks_of(&service.key).filter(|task| wanted(task.desired_status));
    let primary = service.primary().map(|deployment| &deployment.id);
    there.filter(|task| task.deployment.as_ref() == primary).count() < service.desired_count as usize
}
