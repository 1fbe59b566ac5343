//! `dependsOn`: which container may go on, which never will, which must be stopped first.
//! ECS API reference, ContainerDependency.

use super::health::Health;
use super::state::{Condition, ContainerState, Dependency, Phase, TaskState};

/// Whether one dependency lets its dependant start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Met,
    NotYet,
    /// It can never be met any more; why.
    Never(String),
}

impl TaskState {
    /// The verdict over all dependencies of a container: one that can never be met decides.
    pub(super) fn may_start(&self, container: usize) -> Verdict {
        let mut verdict = Verdict::Met;
        for dependency in &self.containers[container].spec.depends_on {
            match self.containers.get(dependency.on) {
                Some(on) => match judge(on, dependency) {
                    Verdict::Met => {}
                    Verdict::NotYet => verdict = Verdict::NotYet,
                    never => return never,
                },
                None => return Verdict::Never("dependency on a container that is not there".into()),
            }
        }
        verdict
    }

    /// Containers that wait for this one to do more than start.
    pub(super) fn has_waiting_dependants(&self, container: usize) -> bool {
        self.containers.iter().any(|c| {
            c.phase <= Phase::Pulled
                && c.spec.depends_on.iter().any(|d| d.on == container && d.condition != Condition::Start)
        })
    }

    /// Something that depends on this container is still alive: it is stopped first ("for
    /// container shutdown the dependency order is reversed", ECS API reference).
    pub(super) fn has_live_dependants(&self, container: usize) -> bool {
        self.containers.iter().any(|c| c.is_alive() && c.spec.depends_on.iter().any(|d| d.on == container))
    }
}

fn judge(on: &ContainerState, dependency: &Dependency) -> Verdict {
    let name = &on.spec.name;
    match dependency.condition {
        Condition::Create if on.was_created() => Verdict::Met,
        Condition::Create if on.is_stopped() => {
            Verdict::Never(format!("dependency container {name} could not be created"))
        }
        Condition::Create => Verdict::NotYet,
        Condition::Start if on.was_started => Verdict::Met,
        Condition::Start if on.is_stopped() => {
            Verdict::Never(format!("dependency container {name} could not be started"))
        }
        Condition::Start => Verdict::NotYet,
        Condition::Healthy if on.is_stopped() => {
            Verdict::Never(format!("dependency container {name} ended before it was healthy"))
        }
        // It may have been healthy before it was restarted, or become unhealthy since.
        Condition::Healthy if on.checkup.status == Health::Healthy => Verdict::Met,
        Condition::Healthy => Verdict::NotYet,
        Condition::Complete | Condition::Success if !on.is_stopped() => Verdict::NotYet,
        Condition::Complete if on.was_started => Verdict::Met,
        Condition::Success if on.was_started && on.exit.as_ref().and_then(|e| e.code) == Some(0) => {
            Verdict::Met
        }
        Condition::Complete => Verdict::Never(format!("dependency container {name} did not run")),
        Condition::Success => match on.exit.as_ref().and_then(|e| e.code) {
            Some(code) => Verdict::Never(format!(
                "dependency container {name} did not exit successfully (exit code {code})"
            )),
            None => Verdict::Never(format!("dependency container {name} did not run to its end")),
        },
    }
}
