//! In which order tasks go where some have to: the service's placement strategy the other way round (ECS developer guide,
//! "Amazon ECS task placement strategies"). What is spread is taken from where most are; what is packed, from the instance
//! that has most left when its task has gone, which so is emptied first.

use crate::schedule::{Field, Resource, Strategy};
use model::{Task, World};
use std::{cmp::Reverse, collections::BTreeMap, sync::Arc};

/// What is as good as any other is spread over the instances.
static LAST: Strategy = Strategy::Spread(Field::Instance);

/// The first to go first: those that aren't healthy; then by the strategies; then from the instance that has most of them; of
/// these the newest. `staying`: tasks that count where tasks are spread, and can't go.
pub(super) fn order<'t>(
    world: &World,
    going: Vec<&'t Task>,
    staying: &[&'t Task],
    strategies: &[Strategy],
) -> Vec<&'t Task> {
    let (healthy, idle): (Vec<&Task>, Vec<&Task>) = going.into_iter().partition(|task| task.is_healthy());
    let beside_idle: Vec<&Task> = healthy.iter().chain(staying).copied().collect();
    let strategies: Vec<&Strategy> = strategies.iter().chain([&LAST]).collect();
    let mut order = by(world, idle, &beside_idle, &strategies);
    order.extend(by(world, healthy, staying, &strategies));
    order
}

fn by<'t>(
    world: &World,
    going: Vec<&'t Task>,
    staying: &[&'t Task],
    strategies: &[&Strategy],
) -> Vec<&'t Task> {
    match strategies {
        [] => newest(going),
        // All are as good, so what is left of them may be spread.
        [Strategy::Random, ..] => by(world, going, staying, &[&LAST]),
        [Strategy::Spread(field), rest @ ..] => spread(world, going, staying, field, rest),
        [Strategy::Binpack(resource), rest @ ..] => packed(world, going, staying, *resource, rest),
    }
}

fn newest(mut tasks: Vec<&Task>) -> Vec<&Task> {
    tasks.sort_by_key(|task| (Reverse(task.created_at_ms), task.id));
    tasks
}

/// Each place's tasks are numbered in their own order, the first to go with the place's whole number: so the highest numbers are
/// where most are, and each that goes leaves its place one fewer.
fn spread<'t>(
    world: &World,
    going: Vec<&'t Task>,
    staying: &[&'t Task],
    field: &Field,
    rest: &[&Strategy],
) -> Vec<&'t Task> {
    let mut staying = group(staying.iter().copied(), |task| place(world, field, task));
    let mut numbered: Vec<(usize, &Task)> = Vec::new();
    for (place, going) in group(going, |task| place(world, field, task)) {
        let staying = staying.remove(&place).unwrap_or_default();
        let all = going.len() + staying.len();
        let order = by(world, going, &staying, rest);
        numbered.extend(order.into_iter().enumerate().map(|(gone, task)| (all - gone, task)));
    }
    numbered.sort_by_key(|(number, task)| (Reverse(*number), Reverse(task.created_at_ms), task.id));
    numbered.into_iter().map(|(_, task)| task).collect()
}

fn packed<'t>(
    world: &World,
    going: Vec<&'t Task>,
    staying: &[&'t Task],
    resource: Resource,
    rest: &[&Strategy],
) -> Vec<&'t Task> {
    let left_without = |task: &Task| {
        let left =
            world.instance(task.instance).map(|instance| world.remaining(instance)).unwrap_or_default();
        match resource {
            Resource::Cpu => left.cpu + task.size.cpu,
            Resource::Memory => left.memory_mib + task.size.memory_mib,
        }
    };
    let mut staying = group(staying.iter().copied(), |task| task.instance);
    let instances = group(going, |task| task.instance).into_iter().map(|(id, going)| {
        let order = by(world, going, &staying.remove(&id).unwrap_or_default(), rest);
        (order.first().map(|first| left_without(first)), order)
    });
    let mut instances: Vec<_> = instances.collect();
    instances.sort_by_key(|(left, _)| Reverse(*left));
    instances.into_iter().flat_map(|(_, order)| order).collect()
}

/// What tasks in one place have in common.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Instance(model::InstanceId),
    /// Instances without the attribute are one place.
    Value(Option<Arc<str>>),
}

fn place(world: &World, field: &Field, task: &Task) -> Place {
    match field {
        Field::Instance => Place::Instance(task.instance),
        Field::Attribute(name) => {
            let attribute = world.instance(task.instance).and_then(|instance| instance.attribute(name));
            Place::Value(attribute.map(|attribute| attribute.value.clone().unwrap_or_default()))
        }
    }
}

fn group<'t, K: Ord>(
    tasks: impl IntoIterator<Item = &'t Task>,
    key: impl Fn(&Task) -> K,
) -> BTreeMap<K, Vec<&'t Task>> {
    let mut groups: BTreeMap<K, Vec<&Task>> = BTreeMap::new();
    tasks.into_iter().for_each(|task| groups.entry(key(task)).or_default().push(task));
    groups
}
