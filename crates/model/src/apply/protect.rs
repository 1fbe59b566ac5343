//! Task scale-in protection (ECS developer guide, "Protect your Amazon ECS tasks from being terminated
//! by scale-in events").

use super::Draft;
use crate::{entity::*, event::Event, ids::TaskId, key::ClusterKey, world::World};
use std::collections::BTreeSet;

/// Why a task can't be protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unprotectable {
    /// It is not of the cluster, or forgotten.
    Missing,
    /// It isn't a service's.
    Standalone,
    /// It was asked to stop, or has stopped.
    Ending,
    /// The service would have more protected tasks than it is to have tasks.
    Blocked,
}

/// Why a task's protection can't be changed so; `None` when it can.
pub fn unprotectable(
    world: &World,
    cluster: &ClusterKey,
    id: TaskId,
    enable: bool,
    now_ms: u64,
) -> Option<Unprotectable> {
    let Some(task) = world.task_in(cluster, id) else { return Some(Unprotectable::Missing) };
    let Some(service) = task.service_key().and_then(|key| world.service(&key)) else {
        return Some(Unprotectable::Standalone);
    };
    if task.desired_status == DesiredStatus::Stopped {
        return Some(Unprotectable::Ending);
    }
    let others = world.live_tasks_of(&service.key).filter(|other| other.id != id);
    let protected = others
        .filter(|other| other.desired_status == DesiredStatus::Running && other.is_protected(now_ms))
        .count();
    let blocked = enable && protected + 1 > service.desired_count as usize;
    blocked.then_some(Unprotectable::Blocked)
}

impl Draft {
    pub(super) fn protect_tasks(&mut self, cluster: &ClusterKey, tasks: &[TaskId], until_ms: Option<u64>) {
        let mut services = BTreeSet::new();
        for task in tasks {
            let refused = unprotectable(&self.world, cluster, *task, until_ms.is_some(), self.now_ms);
            let Some(known) = self.world.task(*task) else { continue };
            if refused.is_none() && known.protected_until_ms != until_ms {
                services.extend(known.service_key());
                self.emit(Event::TaskProtected { task: *task, until_ms });
            }
        }
        for key in services {
            // So that no plan made before, which may stop the task, can be applied any more.
            self.change_service(&key, |service| service.version += 1);
        }
    }
}
