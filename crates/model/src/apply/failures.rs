//! Which tasks of a deployment have failed: how fast the next one is tried follows from it, and whether the
//! deployment is given up.

use super::{Draft, FAILURES_FORGOTTEN_MS, QUICK_EXIT_MS};
use crate::{entity::*, ids::TaskId};

/// From when on a task that runs and is healthy holds: one without a health check must have run for some time.
pub fn holds_from_ms(task: &Task) -> Option<u64> {
    task.started_at_ms.map(|at_ms| if task.is_checked() { at_ms } else { at_ms + QUICK_EXIT_MS })
}

impl Draft {
    /// A task has come to its end.
    pub(super) fn count_end(&mut self, id: TaskId) {
        let now_ms = self.now_ms;
        let Some(task) = self.world.task(id).cloned() else { return };
        let by_itself = task.stop.as_ref().is_some_and(|stop| {
            matches!(stop.code, StopCode::TaskFailedToStart | StopCode::EssentialContainerExited)
        });
        if !by_itself {
            return;
        }
        let lived_ms = task.started_at_ms.map(|at_ms| now_ms.saturating_sub(at_ms));
        let held_at_ms = self.held_at_ms(&task);
        self.change_deployment_of(id, |deployment| {
            fail(deployment, 1, held_at_ms, now_ms);
            match lived_ms {
                Some(lived_ms) if lived_ms >= QUICK_EXIT_MS => deployment.throttle = Throttle::default(),
                _ => {
                    let throttle = &mut deployment.throttle;
                    if now_ms.saturating_sub(throttle.last_failure_at_ms) > FAILURES_FORGOTTEN_MS {
                        throttle.failures = 0;
                    }
                    throttle.failures += 1;
                    throttle.last_failure_at_ms = now_ms;
                }
            }
        });
    }

    /// The health check of a task has found it healthy.
    pub(super) fn count_healthy(&mut self, id: TaskId) {
        let Some(task) = self.world.task(id).cloned() else { return };
        if self.resets(&task) {
            self.change_deployment_of(id, |deployment| deployment.failed_tasks = 0);
        }
    }

    /// When last a task of the same deployment as `failed` came to hold, if it has no health check: no event says so,
    /// it is seen afterwards. `None` also where it makes no difference to the count.
    fn held_at_ms(&self, failed: &Task) -> Option<u64> {
        let key = failed.service_key().filter(|_| self.resets(failed))?;
        let of_it = self.world.live_tasks_of(&key).filter(|task| task.deployment == failed.deployment);
        let unchecked = of_it.map(|task| &**task).chain([failed]).filter(|task| !task.is_checked());
        unchecked.filter_map(holds_from_ms).filter(|at_ms| *at_ms <= self.now_ms).max()
    }

    fn resets(&self, task: &Task) -> bool {
        let service = task.service_key().and_then(|key| self.world.service(&key));
        service.is_some_and(|service| service.breaker.reset_on_healthy)
    }

    fn change_deployment_of(&mut self, id: TaskId, change: impl FnOnce(&mut Deployment)) {
        let Some(task) = self.world.task(id) else { return };
        let Some((key, wanted)) = task.service_key().zip(task.deployment.clone()) else { return };
        self.change_service(&key, |service| {
            if let Some(deployment) = service.deployments.iter_mut().find(|d| d.id == wanted) {
                change(deployment);
            }
        });
    }
}

/// Counts tasks that failed while the deployment is under way; `held_at_ms` is when last one held.
pub(super) fn fail(deployment: &mut Deployment, tasks: u32, held_at_ms: Option<u64>, now_ms: u64) {
    if deployment.rollout_state != RolloutState::InProgress {
        return;
    }
    if held_at_ms.is_some_and(|at_ms| at_ms > deployment.failed_at_ms) {
        deployment.failed_tasks = 0;
    }
    deployment.failed_tasks += tasks;
    deployment.failed_at_ms = now_ms;
}
