//! Lists of tasks that may be long: a page costs what is on it, wherever in the list it begins.

use super::World;
use crate::{entity::*, ids::*, key::*};
use imbl::OrdSet;
use std::{ops::Bound, sync::Arc};

/// Which tasks a list is of: those that match all that is given.
#[derive(Debug, Clone)]
pub struct TaskFilter {
    pub cluster: ClusterKey,
    pub desired_status: DesiredStatus,
    pub instance: Option<InstanceId>,
    pub family: Option<Family>,
    pub service: Option<ServiceKey>,
    pub started_by: Option<StartedBy>,
}

impl TaskFilter {
    fn matches(&self, task: &Task) -> bool {
        task.cluster == self.cluster
            && task.desired_status == self.desired_status
            && self.instance.is_none_or(|id| task.instance == id)
            && self.family.as_ref().is_none_or(|family| task.definition.family == *family)
            && self.service.as_ref().is_none_or(|key| task.service.as_ref() == Some(&key.name))
            && self.started_by.as_ref().is_none_or(|by| task.started_by.as_ref() == Some(by))
    }
}

impl World {
    /// In the order of their ids, those behind `after`.
    pub fn tasks_matching<'w>(
        &'w self,
        filter: &'w TaskFilter,
        after: Option<TaskId>,
    ) -> impl Iterator<Item = &'w Arc<Task>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = move |set: &'w OrdSet<TaskId>| set.range((from, Bound::Unbounded)).peekable();
        let mut sets: Vec<_> = self.narrowest(filter).into_iter().map(behind).collect();
        // The sets have no task in common.
        let ids = std::iter::from_fn(move || {
            let heads = sets.iter_mut().enumerate();
            let heads = heads.filter_map(|(number, set)| set.peek().map(|id| (**id, number)));
            let (_, number) = heads.min()?;
            sets[number].next()
        });
        ids.filter_map(|id| self.tasks.get(id)).filter(|task| filter.matches(task))
    }

    /// Of all indexes that hold whatever matches, the one with the fewest tasks.
    fn narrowest(&self, filter: &TaskFilter) -> Vec<&OrdSet<TaskId>> {
        let cluster = || filter.cluster.clone();
        let mut indexes = vec![vec![self.tasks_in.set(&(cluster(), filter.desired_status))]];
        indexes.extend(filter.instance.map(|id| vec![self.tasks_on.set(&id)]));
        indexes
            .extend(filter.family.clone().map(|family| vec![self.tasks_of_family.set(&(cluster(), family))]));
        indexes.extend(filter.started_by.clone().map(|by| vec![self.tasks_started_by.set(&(cluster(), by))]));
        indexes.extend(
            filter.service.clone().map(|key| {
                [true, false].map(|live| self.tasks_of_service.set(&(key.clone(), live))).to_vec()
            }),
        );
        let sets = indexes.into_iter().map(|sets| sets.into_iter().flatten().collect());
        sets.min_by_key(|sets: &Vec<&OrdSet<TaskId>>| sets.iter().map(|set| set.len()).sum::<usize>())
            .unwrap_or_default()
    }
}
