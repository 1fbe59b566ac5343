use model::{ClusterStatus, DefinitionStatus, InstanceStatus, ServiceStatus, World, command::Forgettable};

/// How many things one plan forgets: the writer shouldn't be held up by a backlog.
const AT_ONCE: usize = 1000;

/// What is over, and has been for `retention_ms`: stopped tasks; INACTIVE services, clusters and
/// container instances; deleted definitions that nothing refers to. Tokens go when they expire.
/// At most a thousand at once; ask again after a full answer.
pub fn reap(world: &World, now_ms: u64, retention_ms: u64) -> Vec<Forgettable> {
    let until_ms = now_ms.saturating_sub(retention_ms);
    let due = |at_ms: Option<u64>| at_ms.is_some_and(|at_ms| at_ms <= until_ms);
    // Before any of it can be that old, nothing is due: a world may begin at time zero.
    let tasks = (now_ms >= retention_ms).then(|| world.tasks_stopped_until(until_ms)).into_iter().flatten();
    // What another attempt is to be made of is not over.
    let tasks = tasks.filter(|id| world.task(*id).is_none_or(|task| task.retry_at_ms().is_none()));
    let services = world
        .all_services()
        .filter(|service| service.status == ServiceStatus::Inactive && due(service.inactive_at_ms))
        .map(|service| Forgettable::Service(service.key.clone()));
    let clusters = world
        .all_clusters()
        .filter(|cluster| cluster.status == ClusterStatus::Inactive && due(cluster.inactive_at_ms))
        .map(|cluster| Forgettable::Cluster(cluster.key.clone()));
    let instances = world
        .all_instances()
        .filter(|instance| instance.status == InstanceStatus::Inactive && due(instance.inactive_at_ms))
        .map(|instance| Forgettable::Instance(instance.id));
    let definitions = world
        .all_definitions()
        .filter(|definition| definition.status == DefinitionStatus::DeleteInProgress)
        .filter(|definition| !world.is_definition_used(&definition.key))
        .map(|definition| Forgettable::Definition(definition.key.clone()));
    let tokens = world.tokens_expired(now_ms).cloned().map(Forgettable::Token);
    tasks
        .map(Forgettable::Task)
        .chain(services)
        .chain(clusters)
        .chain(instances)
        .chain(definitions)
        .chain(tokens)
        .take(AT_ONCE)
        .collect()
}
