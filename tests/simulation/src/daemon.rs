//! Where the tasks of DAEMON services belong, read slowly: from what the simulation's own machines and services can be.

use std::sync::Arc;

use model::{ContainerInstance, Home, InstanceStatus, Service, Task, World};

/// The ACTIVE instances of its cluster that its constraints are true of.
pub fn places<'w>(
    world: &'w World,
    service: &'w Service,
) -> impl Iterator<Item = &'w Arc<ContainerInstance>> {
    let home = Home::Cluster(service.key.cluster.clone());
    world.all_instances().filter(move |instance| {
        let there = instance.status == InstanceStatus::Active && !instance.lost;
        instance.home == home && there && fits(service, instance)
    })
}

fn fits(service: &Service, instance: &ContainerInstance) -> bool {
    let rack = instance.attribute("rack").and_then(|rack| rack.value.as_deref());
    service.placement_constraints.iter().filter_map(|rule| rule.expression.as_deref()).all(|expression| {
        match expression {
            "attribute:rack == a" => rack == Some("a"),
            "attribute:rack in [a, b]" => rack == Some("a") || rack == Some("b"),
            _ => true,
        }
    })
}

/// Whether nothing but a daemon's own task keeps it from any of its places.
pub fn has_room(world: &World, service: &Service) -> bool {
    let Some(primary) = service.primary() else { return false };
    let key = primary.definition.in_scope(&service.key.cluster.scope);
    let Some(definition) = world.definition(&key) else { return false };
    places(world, service).all(|instance| {
        let own = |task: &&Arc<Task>| task.service_key().as_ref() == Some(&service.key);
        let there = world.live_tasks_on(instance.id).filter(own).count() > 0;
        let usage = world.usage(instance.id).cloned().unwrap_or_default();
        let addressed =
            instance.subnet.is_none_or(|subnet| (usage.addresses.len() as u32) < subnet.capacity());
        there
            || definition.demand().fits_in(world.remaining(instance))
                && definition.host_ports().all(|port| !usage.ports.contains(&port))
                && world.free_gpus(instance).count() >= model::gpus_of(&definition.gpus())
                && addressed
    })
}

/// It stays on an instance that drains while tasks run there that are no daemons'.
pub fn leaves_last(world: &World, task: &Task) -> bool {
    world.instance(task.instance).is_some_and(|instance| instance.status == InstanceStatus::Draining)
}
