//! From how a task ended to an exit status and what there is to say of it.

use wire::ecs;

/// As docker's and the shells': could not be run, could not be executed, not found.
const CANNOT_RUN: u8 = 125;
const CANNOT_EXECUTE: u8 = 126;
const NOT_FOUND: u8 = 127;

/// The exit status of a stopped task of one container, and what is worth telling.
pub fn of(task: &ecs::Task) -> (u8, Option<String>) {
    let container = task.containers.iter().flatten().next();
    let reason = container.and_then(|c| c.reason.clone());
    let said = || reason.clone().or_else(|| task.stopped_reason.clone());
    let never_ran = task.stop_code == Some(ecs::TaskStopCode::TaskFailedToStart);
    if never_ran || container.is_none_or(|c| c.exit_code.is_none()) {
        return (status_of_reason(reason.as_deref().unwrap_or_default()), said());
    }
    let code = container.and_then(|c| c.exit_code).unwrap_or_default();
    let code = u8::try_from(code.rem_euclid(256)).unwrap_or(CANNOT_RUN);
    // An ordinary end needs no words beside its code.
    (code, reason)
}

fn status_of_reason(reason: &str) -> u8 {
    let has = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if !reason.starts_with("CannotStartContainerError") && !reason.starts_with("CannotCreateContainerError") {
        CANNOT_RUN
    } else if has(&["not found in $PATH", "no such file or directory", "No such file or directory"]) {
        NOT_FOUND
    } else if has(&[
        "permission denied",
        "Permission denied",
        "exec format error",
        "Exec format error",
        "is a directory",
    ]) {
        CANNOT_EXECUTE
    } else {
        CANNOT_RUN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(exit_code: Option<i32>, reason: Option<&str>, code: ecs::TaskStopCode) -> ecs::Task {
        ecs::Task {
            stop_code: Some(code),
            stopped_reason: Some("why".to_owned()),
            containers: Some(vec![ecs::Container {
                exit_code,
                reason: reason.map(ToOwned::to_owned),
                ..Default::default()
            }]),
            ..Default::default()
        }
    }

    #[test]
    fn the_containers_code_is_ours() {
        let exited = ecs::TaskStopCode::EssentialContainerExited;
        assert_eq!(of(&task(Some(0), None, exited)), (0, None));
        assert_eq!(of(&task(Some(3), None, exited)), (3, None));
        let killed = of(&task(Some(137), Some("OutOfMemoryError: killed"), exited));
        assert_eq!(killed, (137, Some("OutOfMemoryError: killed".to_owned())));
    }

    #[test]
    fn what_never_ran_ends_as_with_docker() {
        let end = |reason| of(&task(None, reason, ecs::TaskStopCode::TaskFailedToStart)).0;
        assert_eq!(end(Some("CannotPullContainerError: no such file or directory")), 125);
        assert_eq!(
            end(Some("CannotStartContainerError: exec: \"x\": executable file not found in $PATH")),
            127
        );
        assert_eq!(end(Some("CannotStartContainerError: exec: \"/etc\": permission denied")), 126);
        assert_eq!(end(Some("CannotStartContainerError: something else")), 125);
        let without = of(&task(None, None, ecs::TaskStopCode::UserInitiated));
        assert_eq!(without, (125, Some("why".to_owned())));
    }
}
