//! Why a task stopped, in ECS's words. The agent tells what it saw of containers; the stop code and
//! reason are the control plane's to compose.

use crate::entity::{Container, ContainerStatus, Stop, StopCode, Task};

pub const ESSENTIAL_CONTAINER_EXITED: &str = "Essential container in task exited";
pub const STOPPED_BY_USER: &str = "Task stopped by user";
pub const FAILED_TO_START: &str = "Task failed to start";
pub const DEREGISTERED: &str = "Container instance deregistration forced by user";

/// Whether the container's process ever ran. The agent gives an exit code to some that it couldn't
/// start; their reason says so (`CannotStartContainerError`, …).
pub(super) fn ran(container: &Container) -> bool {
    container.last_status == ContainerStatus::Running
        || (container.exit_code.is_some() && !could_not_start(container))
}

fn could_not_start(container: &Container) -> bool {
    container.reason.as_deref().is_some_and(|reason| reason.starts_with("Cannot"))
}

/// For a task that nobody asked to stop. `reason` is the agent's for the task as a whole.
pub(super) fn explain(task: &Task, reason: Option<&str>) -> Stop {
    let essential_exited =
        task.containers.iter().any(|c| c.essential && c.last_status == ContainerStatus::Stopped && ran(c));
    let reason = reason.filter(|reason| !reason.is_empty());
    // Others may have run, and been stopped, because it couldn't start.
    let never_up =
        task.started_at_ms.is_none() && task.containers.iter().any(|c| c.essential && could_not_start(c));
    if (essential_exited && !never_up) || task.started_at_ms.is_some() {
        // The agent gives a reason where it ended the task itself.
        let reason = reason.unwrap_or(ESSENTIAL_CONTAINER_EXITED);
        return Stop { code: StopCode::EssentialContainerExited, reason: reason.into() };
    }
    let said_of = |essential: bool| {
        task.containers.iter().filter(move |c| c.essential == essential).find_map(|c| c.reason.as_deref())
    };
    let reason = reason.or_else(|| said_of(true)).or_else(|| said_of(false)).unwrap_or(FAILED_TO_START);
    Stop { code: StopCode::TaskFailedToStart, reason: reason.into() }
}
