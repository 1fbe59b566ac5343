//! What placements rest on, so that whoever remembers how things stood learns what has changed since.

use super::{Usage, World};
use crate::{entity::*, ids::*};
use imbl::{OrdMap, OrdSet, ordmap::DiffItem};
use std::sync::Arc;

/// As of one moment. It keeps nothing else of the world alive, and cloning is O(1).
#[derive(Debug, Clone)]
pub struct Grounds {
    instances: OrdMap<InstanceId, Arc<ContainerInstance>>,
    usage: OrdMap<InstanceId, Usage>,
    /// Those of the home.
    daemons: Vec<Daemon>,
}

/// With its live tasks.
#[derive(Debug, Clone)]
struct Daemon {
    service: Arc<Service>,
    tasks: OrdSet<TaskId>,
}

impl World {
    pub fn grounds(&self, home: &Home) -> Grounds {
        let daemons = match home {
            Home::Cluster(cluster) => self.daemons(cluster).map(|service| self.with_tasks(service)).collect(),
            Home::Pool => Vec::new(),
        };
        Grounds { instances: self.instances.clone(), usage: self.usage.clone(), daemons }
    }

    fn with_tasks(&self, service: &Arc<Service>) -> Daemon {
        let tasks = self.tasks_of_service.set(&(service.key.clone(), true));
        Daemon { service: service.clone(), tasks: tasks.cloned().unwrap_or_default() }
    }
}

impl Grounds {
    /// Whether the same daemons have the same tasks, on the same instances.
    pub fn same_daemons(&self, other: &Grounds) -> bool {
        let same = |(one, other): (&Daemon, &Daemon)| {
            Arc::ptr_eq(&one.service, &other.service)
                && (one.tasks.ptr_eq(&other.tasks) || one.tasks.is_empty() && other.tasks.is_empty())
        };
        self.daemons.len() == other.daemons.len()
            && self.daemons.iter().zip(&other.daemons).all(same)
            && (self.daemons.is_empty() || self.instances.ptr_eq(&other.instances))
    }

    /// The instances that are not as they were, or hold something else; what both share costs nothing.
    pub fn differing<'a>(&'a self, other: &'a Grounds) -> impl Iterator<Item = InstanceId> + use<'a> {
        let instances = self.instances.diff(&other.instances).map(|item| *key(&item));
        instances.chain(self.usage.diff(&other.usage).map(|item| *key(&item)))
    }
}

fn key<'a, V>(item: &DiffItem<'a, 'a, InstanceId, V>) -> &'a InstanceId {
    match item {
        DiffItem::Add(id, _) | DiffItem::Remove(id, _) | DiffItem::Update { new: (id, _), .. } => id,
    }
}
