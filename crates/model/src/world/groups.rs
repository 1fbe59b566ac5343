//! Where the tasks of a task group are that are to run: what is spread, and what is kept apart.

use crate::{entity::*, ids::*, key::*};
use imbl::{OrdMap, ordmap::DiffItem};

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Groups(OrdMap<(ClusterKey, Group), GroupTasks>);

impl Groups {
    pub fn count(&mut self, task: &Task, group: &Group, enters: bool) {
        let key = (task.cluster.clone(), group.clone());
        let tasks = &mut self.0.entry(key.clone()).or_default().0;
        let place = (task.instance, task.deployment.clone());
        let before = tasks.get(&place).copied().unwrap_or(0);
        match if enters { before + 1 } else { before.saturating_sub(1) } {
            0 => drop(tasks.remove(&place)),
            count => drop(tasks.insert(place, count)),
        }
        if tasks.is_empty() {
            self.0.remove(&key);
        }
    }

    pub fn of(&self, cluster: &ClusterKey, group: &Group) -> Option<&GroupTasks> {
        self.0.get(&(cluster.clone(), group.clone()))
    }
}

/// How many tasks of one group each instance has, by what deployed them. Cloning is O(1).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GroupTasks(OrdMap<(InstanceId, Option<DeploymentId>), u32>);

impl GroupTasks {
    /// Of one instance: those of each deployment.
    pub fn on(&self, id: InstanceId) -> impl Iterator<Item = (Option<&DeploymentId>, usize)> {
        let of_it = self.0.range((id, None)..).take_while(move |((instance, _), _)| *instance == id);
        of_it.map(|((_, deployment), count)| (deployment.as_ref(), *count as usize))
    }

    pub fn instances(&self) -> impl Iterator<Item = InstanceId> {
        self.0.keys().map(|(id, _)| *id)
    }

    /// The instances of which the two don't say the same; what both share costs nothing.
    pub fn differing<'a>(&'a self, other: &'a GroupTasks) -> impl Iterator<Item = InstanceId> + use<'a> {
        self.0.diff(&other.0).map(|item| match item {
            DiffItem::Add((id, _), _)
            | DiffItem::Remove((id, _), _)
            | DiffItem::Update { new: ((id, _), _), .. } => *id,
        })
    }
}
