//! What a story is told from: answers of the API, and the time. [`super::gather`] asks for them.

use wire::ecs;

use crate::environment::quoted;
use crate::ps;

/// Of one task.
#[derive(Clone, Debug, Default)]
pub struct TaskFacts {
    pub now_ms: u64,
    /// How the person calls this program, flags of the site included.
    pub program: String,
    pub task: ecs::Task,
    pub definition: Option<ecs::TaskDefinition>,
    /// The service that it belongs to, if that is still known.
    pub service: Option<ecs::Service>,
    /// Where it runs, if the person may see that.
    pub instance: Option<ecs::ContainerInstance>,
    pub logs: Vec<Tail>,
    /// For the images of this registry that could not be pulled.
    pub repositories: Vec<(String, Repository)>,
}

/// The end of a container's log.
#[derive(Clone, Debug)]
pub struct Tail {
    pub container: String,
    pub lines: Vec<String>,
}

/// What the registry has under an image's name.
#[derive(Clone, Debug)]
pub enum Repository {
    Missing { name: String },
    Empty { name: String },
    Has { name: String, tags: Vec<String> },
}

/// Of one service.
#[derive(Clone, Debug, Default)]
pub struct ServiceFacts {
    pub now_ms: u64,
    pub program: String,
    pub service: ecs::Service,
    /// Its stopped tasks that are still known, the newest first.
    pub stopped: Vec<ecs::Task>,
    /// The newest of them that failed, for its advice.
    pub failed: Option<TaskFacts>,
}

impl TaskFacts {
    pub fn definitions(&self) -> impl Iterator<Item = &ecs::ContainerDefinition> {
        self.definition.iter().flat_map(|definition| definition.container_definitions.iter().flatten())
    }

    /// As the definition says; essential where it says nothing (ECS API reference, ContainerDefinition).
    pub fn is_essential(&self, container: &ecs::Container) -> bool {
        let named = self.definitions().find(|definition| definition.name == container.name);
        named.and_then(|definition| definition.essential).unwrap_or(true)
    }

    /// Whether the container was asked to stop, rather than the one that ended the task.
    pub fn was_asked(&self, container: &ecs::Container) -> bool {
        match self.task.stop_code {
            Some(ecs::TaskStopCode::EssentialContainerExited) => {
                !self.is_essential(container) && self.task.stopping_at.is_some()
                    || self.culprit().is_some_and(|culprit| culprit.name != container.name)
            }
            Some(ecs::TaskStopCode::TaskFailedToStart) | None => false,
            Some(_) => true,
        }
    }

    /// The container that tells most about the task's end: one that could not be started, else an
    /// essential one that failed, else an essential one that ended.
    pub fn culprit(&self) -> Option<&ecs::Container> {
        let all = || self.task.containers.iter().flatten();
        let essential = || all().filter(|container| self.is_essential(container));
        let failed = |container: &&ecs::Container| {
            // Those that were asked to stop end by these.
            container.exit_code.is_some_and(|code| !matches!(code, 0 | 137 | 143))
                || container.reason.is_some()
        };
        let refused = |container: &&ecs::Container| {
            container.reason.as_deref().is_some_and(|reason| reason.starts_with("Cannot"))
        };
        all()
            .find(refused)
            .or_else(|| essential().find(failed))
            .or_else(|| essential().find(|container| container.exit_code == Some(0)))
            .or_else(|| essential().find(|container| container.exit_code.is_some()))
    }

    pub fn failed_its_health_check(&self) -> bool {
        self.task.stopped_reason.as_deref().is_some_and(|reason| reason.contains("health check"))
    }

    /// Another command about this task: `longshore logs 3f2a0c11d0e4 -f`.
    pub fn call(&self, command: &str, flags: &str) -> String {
        let id = self.task.task_arn.as_deref().map(ps::short).unwrap_or_default();
        format!("{} {command} {id}{}{}", self.program, self.cluster(), spaced(flags))
    }

    /// Another command about the task's cluster.
    pub fn command(&self, command: &str) -> String {
        format!("{} {command}{}", self.program, self.cluster())
    }

    fn cluster(&self) -> String {
        cluster_flag(self.task.cluster_arn.as_deref())
    }
}

/// ` --cluster web`, where it isn't the one that is meant anyway.
pub fn cluster_flag(arn: Option<&str>) -> String {
    match arn.map(ps::id) {
        None | Some("default") => String::new(),
        Some(cluster) => format!(" --cluster {}", quoted(cluster)),
    }
}

fn spaced(flags: &str) -> String {
    if flags.is_empty() { String::new() } else { format!(" {flags}") }
}
