//! What codes mean, in words. Pure.

use wire::ecs;

/// A container's exit code. `asked`: the container had been asked to stop before it ended.
pub fn exit(code: i32, reason: Option<&str>, asked: bool) -> String {
    let out_of_memory = reason.is_some_and(|reason| reason.starts_with("OutOfMemory"));
    match code {
        0 => "it ended well".to_owned(),
        126 => "its command was found but could not be executed".to_owned(),
        127 => "its command was not found".to_owned(),
        137 if out_of_memory => {
            "SIGKILL: the kernel killed it because it used more memory than its limit".to_owned()
        }
        137 if asked => "SIGKILL: it did not end by itself within its stopTimeout after SIGTERM".to_owned(),
        143 if asked => "SIGTERM: it was asked to stop, and did".to_owned(),
        129..=192 => match signal(code - 128) {
            Some(name) => format!("{name}: a signal ended it"),
            None => format!("signal {} ended it", code - 128),
        },
        _ => "the program's own code for a failure".to_owned(),
    }
}

/// signal(7), "Standard signals", as on x86 and ARM.
fn signal(number: i32) -> Option<&'static str> {
    Some(match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL, an instruction that this processor doesn't know",
        6 => "SIGABRT, the program gave itself up",
        7 => "SIGBUS",
        8 => "SIGFPE, a division by zero for example",
        9 => "SIGKILL",
        11 => "SIGSEGV, a wrong access to memory",
        13 => "SIGPIPE, nobody read what it wrote",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return None,
    })
}

/// What a stop code says of who ended the task (ECS API reference, Task.stopCode).
pub fn stop(code: ecs::TaskStopCode) -> &'static str {
    match code {
        ecs::TaskStopCode::TaskFailedToStart => "it never ran: one of its containers could not be started",
        ecs::TaskStopCode::EssentialContainerExited => {
            "a container that is marked essential ended, and with it the task"
        }
        ecs::TaskStopCode::UserInitiated => "somebody asked for it",
        ecs::TaskStopCode::ServiceSchedulerInitiated => "its service's scheduler stopped it",
        ecs::TaskStopCode::SpotInterruption => "its spot capacity was taken back",
        ecs::TaskStopCode::InfrastructureHealth => "its machine was found unhealthy",
        ecs::TaskStopCode::TerminationNotice => "its machine was about to end",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits() {
        let oom = Some("OutOfMemoryError: Container killed due to memory usage");
        for (code, reason, asked, word) in [
            (0, None, false, "well"),
            (3, None, false, "own code"),
            (126, None, false, "could not be executed"),
            (127, None, false, "not found"),
            (137, oom, false, "more memory"),
            (137, None, true, "stopTimeout"),
            (137, None, false, "SIGKILL: a signal"),
            (139, None, false, "SIGSEGV"),
            (143, None, true, "and did"),
            (143, None, false, "SIGTERM: a signal"),
            (192, None, false, "signal 64"),
            (255, None, false, "own code"),
        ] {
            assert!(exit(code, reason, asked).contains(word), "{code}: {}", exit(code, reason, asked));
        }
    }
}
