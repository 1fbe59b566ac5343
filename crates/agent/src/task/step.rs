//! One step of a task: take the observation in, then do everything that has become possible.

use super::health::Health;
use super::observe::{Action, Found, Observation, Timer};
use super::order::Verdict;
use super::state::{Condition, Desired, Exit, NetworkPhase, Phase, TaskState};

/// Exit code of a container that can never start because of what it depends on (agent protocol §9).
const DEPENDENCY_FAILED: i32 = 143;
const OOM: &str = "OutOfMemoryError: Container killed due to memory usage";

/// Takes one observation in and says what must be done next.
///
/// Total: an observation that does not fit the state (late, repeated, about a container that is
/// not there) changes nothing. Times are ms since the epoch.
pub fn step(state: &TaskState, seen: Observation, now_ms: u64) -> (TaskState, Vec<Action>) {
    let mut next = state.clone();
    let mut actions = Vec::new();
    take_in(&mut next, seen, now_ms, &mut actions);
    // Each round can open the way for another container; phases only move forward, so it ends.
    while advance(&mut next, now_ms, &mut actions) {}
    if let Some(report) = next.take_report() {
        actions.push(Action::Report(report));
    }
    (next, actions)
}

fn take_in(task: &mut TaskState, seen: Observation, now_ms: u64, actions: &mut Vec<Action>) {
    use Observation as O;
    match seen {
        O::Desired(Desired::Running) => {}
        O::Desired(Desired::Stopped) => {
            task.desired = Desired::Stopped;
            begin_stop(task, now_ms);
        }
        O::Refused { reason } => {
            if !task.stopping {
                task.reason = Some(reason);
            }
            begin_stop(task, now_ms);
        }
        O::PortsBound { bindings } => {
            // Not changed afterwards: by then they lead to a container that runs.
            if task.network == NetworkPhase::Attaching {
                for (c, bindings) in task.containers.iter_mut().zip(bindings) {
                    c.bindings = bindings;
                }
            }
        }
        O::NetworkAttached => {
            if task.network == NetworkPhase::Attaching {
                task.network = NetworkPhase::Attached;
            }
        }
        O::NetworkFailed { reason } => {
            if task.network == NetworkPhase::Attaching {
                // Half an attachment may be there: it is detached like a whole one.
                task.network = NetworkPhase::Attached;
                if !task.stopping {
                    task.reason = Some(format!("ResourceInitializationError: {reason}"));
                }
                begin_stop(task, now_ms);
            }
        }
        O::NetworkDetached => {
            if task.network == NetworkPhase::Detaching {
                task.network = NetworkPhase::Detached;
            }
        }
        O::Adopted { found } => adopt(task, found, now_ms, actions),
        O::Due(timer) => due(task, timer, now_ms, actions),
        O::Pulled { container, digest } => {
            if phase(task, container) == Some(Phase::Pulling) {
                let c = &mut task.containers[container];
                c.image_digest = Some(digest);
                c.phase = Phase::Pulled;
                note_pulls_done(task, now_ms);
            }
        }
        O::PullFailed { container, reason } => {
            if phase(task, container) == Some(Phase::Pulling) {
                never_ran(task, container, None, reason);
                note_pulls_done(task, now_ms);
            }
        }
        O::Created { container, runtime_id } => {
            if phase(task, container) == Some(Phase::Creating) {
                task.containers[container].runtime_id = Some(runtime_id);
                task.containers[container].phase = Phase::Created;
            }
        }
        O::CreateFailed { container, reason } => {
            if phase(task, container) == Some(Phase::Creating) {
                ended(task, container, None, Some(reason), now_ms);
            }
        }
        O::Started { container } => {
            if phase(task, container) == Some(Phase::Starting) {
                started(task, container, now_ms, actions);
            }
        }
        O::StartFailed { container, reason } => {
            if phase(task, container) == Some(Phase::Starting) {
                ended(task, container, None, Some(reason), now_ms);
            }
        }
        O::Exited { container, code, oom, reason, at_ms } => {
            exited(task, container, End { code, oom, reason, at_ms }, now_ms, actions);
        }
        O::Restarted { container } => {
            if phase(task, container) == Some(Phase::Restarting) {
                started(task, container, now_ms, actions);
            }
        }
        O::RestartFailed { container, reason } => {
            if phase(task, container) == Some(Phase::Restarting) {
                ended(task, container, None, Some(reason), now_ms);
            }
        }
        O::Checked { container, run, passed } => checked(task, container, run, passed, now_ms, actions),
        O::Deleted { container } => {
            if phase(task, container) == Some(Phase::Deleting) {
                task.containers[container].phase = Phase::Gone;
            }
        }
    }
}

/// Does one round of what is possible; true when something moved.
fn advance(task: &mut TaskState, now_ms: u64, actions: &mut Vec<Action>) -> bool {
    let moved =
        if task.stopping { wind_down(task, now_ms, actions) } else { bring_up(task, now_ms, actions) };
    moved | clear_away(task, actions)
}

fn bring_up(task: &mut TaskState, now_ms: u64, actions: &mut Vec<Action>) -> bool {
    let mut moved = false;
    if task.network == NetworkPhase::Absent {
        task.network = NetworkPhase::Attaching;
        actions.push(Action::AttachNetwork);
        moved = true;
    }
    for container in 0..task.containers.len() {
        match task.containers[container].phase {
            Phase::New => {
                task.pull_started_ms.get_or_insert(now_ms);
                task.containers[container].phase = Phase::Pulling;
                actions.push(Action::Pull { container });
                moved = true;
            }
            Phase::Pulled => match task.may_start(container) {
                Verdict::NotYet => {}
                Verdict::Met if task.network != NetworkPhase::Attached => {}
                Verdict::Met => {
                    task.containers[container].phase = Phase::Creating;
                    actions.push(Action::Create { container });
                    moved = true;
                }
                Verdict::Never(why) => {
                    let reason = format!("CannotStartContainerError: {why}");
                    never_ran(task, container, Some(DEPENDENCY_FAILED), reason);
                    moved = true;
                }
            },
            Phase::Created => {
                task.containers[container].phase = Phase::Starting;
                actions.push(Action::Start { container });
                moved = true;
            }
            _ => {}
        }
    }
    // An essential container's end is the task's end; so is the end of all the others.
    let over = task.containers.iter().any(|c| c.spec.essential && c.is_stopped())
        || task.containers.iter().all(|c| c.is_stopped());
    if over {
        begin_stop(task, now_ms);
        moved = true;
    }
    moved
}

fn wind_down(task: &mut TaskState, now_ms: u64, actions: &mut Vec<Action>) -> bool {
    let mut moved = false;
    for container in 0..task.containers.len() {
        match task.containers[container].phase {
            Phase::New | Phase::Pulling | Phase::Pulled => {
                task.containers[container].phase = Phase::Gone;
                moved = true;
            }
            Phase::Created => {
                ended(task, container, None, None, now_ms);
                moved = true;
            }
            Phase::Running
                if task.containers[container].kill_due_ms.is_none()
                    && !task.has_live_dependants(container) =>
            {
                let c = &mut task.containers[container];
                let due_ms = now_ms.saturating_add(c.spec.stop_timeout_ms);
                c.kill_due_ms = Some(due_ms);
                actions.push(Action::Stop { container });
                actions.push(Action::SetTimer { timer: Timer::Kill { container }, due_ms });
                moved = true;
            }
            _ => {}
        }
    }
    if task.network == NetworkPhase::Attached && task.containers.iter().all(|c| c.phase == Phase::Gone) {
        task.network = NetworkPhase::Detaching;
        actions.push(Action::DetachNetwork);
        moved = true;
    }
    moved
}

/// What has ended is removed at once: its memory and disk are another container's.
fn clear_away(task: &mut TaskState, actions: &mut Vec<Action>) -> bool {
    let mut moved = false;
    for (container, c) in task.containers.iter_mut().enumerate() {
        if c.phase == Phase::Exited {
            c.phase = Phase::Deleting;
            actions.push(Action::Delete { container });
            moved = true;
        }
    }
    moved
}

fn begin_stop(task: &mut TaskState, now_ms: u64) {
    if !task.stopping {
        task.stopping = true;
        task.execution_stopped_ms.get_or_insert(now_ms);
    }
}

fn started(task: &mut TaskState, container: usize, now_ms: u64, actions: &mut Vec<Action>) {
    let waited_for = task.has_waiting_dependants(container);
    let c = &mut task.containers[container];
    c.phase = Phase::Running;
    c.was_started = true;
    c.started_ms = Some(now_ms);
    c.restarted_after_ms = None;
    if let Some(check) = &c.spec.health {
        let due_ms = c.checkup.begin(check, now_ms);
        actions.push(Action::SetTimer { timer: Timer::Check { container }, due_ms });
    }
    // Whoever waits, waits from the first start: a restart is no second chance.
    if let Some(timeout_ms) = c.spec.start_timeout_ms.filter(|_| c.start_due_ms.is_none()) {
        let due_ms = now_ms.saturating_add(timeout_ms);
        c.start_due_ms = Some(due_ms);
        if waited_for {
            actions.push(Action::SetTimer { timer: Timer::Start { container }, due_ms });
        }
    }
}

/// How a container's process ended.
struct End {
    code: Option<i32>,
    oom: bool,
    reason: Option<String>,
    at_ms: u64,
}

fn exited(task: &mut TaskState, container: usize, end: End, now_ms: u64, actions: &mut Vec<Action>) {
    // A container that ends between its start and our hearing of it has been started.
    match phase(task, container) {
        Some(Phase::Starting | Phase::Running) => task.containers[container].was_started = true,
        Some(Phase::Creating | Phase::Created) => {}
        _ => return,
    }
    // The agent may have been away when it happened.
    let ended_ms = if end.at_ms > 0 { end.at_ms.min(now_ms) } else { now_ms };
    let c = &mut task.containers[container];
    if !task.stopping && c.kill_due_ms.is_none() && c.may_restart(end.code, ended_ms) {
        c.phase = Phase::Restarting;
        c.restarts = c.restarts.saturating_add(1);
        c.restarted_after_ms = Some(end.at_ms);
        actions.push(Action::Restart { container });
        return;
    }
    let reason = if end.oom { Some(OOM.to_owned()) } else { end.reason };
    ended(task, container, end.code, reason, now_ms);
}

fn checked(
    task: &mut TaskState,
    container: usize,
    run: u64,
    passed: bool,
    now_ms: u64,
    actions: &mut Vec<Action>,
) {
    let stopping = task.stopping;
    let Some(c) = task.containers.get_mut(container).filter(|c| c.phase == Phase::Running && !stopping)
    else {
        return;
    };
    let Some(check) = &c.spec.health else { return };
    if let Some(due_ms) = c.checkup.take_result(check, run, passed, now_ms) {
        actions.push(Action::SetTimer { timer: Timer::Check { container }, due_ms });
    }
}

fn ended(task: &mut TaskState, container: usize, code: Option<i32>, reason: Option<String>, now_ms: u64) {
    let c = &mut task.containers[container];
    c.phase = Phase::Exited;
    c.exit = Some(Exit { code, reason });
    if c.spec.essential {
        begin_stop(task, now_ms);
    }
}

fn never_ran(task: &mut TaskState, container: usize, code: Option<i32>, reason: String) {
    let c = &mut task.containers[container];
    c.phase = Phase::Gone;
    c.exit = Some(Exit { code, reason: Some(reason) });
}

fn note_pulls_done(task: &mut TaskState, now_ms: u64) {
    if task.containers.iter().all(|c| c.phase > Phase::Pulling) {
        task.pull_stopped_ms.get_or_insert(now_ms);
    }
}

fn due(task: &mut TaskState, timer: Timer, now_ms: u64, actions: &mut Vec<Action>) {
    match timer {
        Timer::Check { container } => {
            let stopping = task.stopping;
            let Some(c) = task.containers.get_mut(container) else { return };
            let (true, Some(check)) = (c.phase == Phase::Running && !stopping, &c.spec.health) else {
                return;
            };
            let timeout_ms = check.timeout_ms;
            match c.checkup.take_turn(now_ms) {
                Some(run) => actions.push(Action::Check { container, run, timeout_ms }),
                // The clock was set back, or it is the timer of a run before a restart.
                None => {
                    let due_ms = c.checkup.due();
                    actions.extend(due_ms.map(|due_ms| Action::SetTimer { timer, due_ms }));
                }
            }
        }
        Timer::Kill { container } => {
            let Some(c) = task.containers.get(container) else { return };
            if c.phase == Phase::Running && c.kill_due_ms.is_some_and(|due| due <= now_ms) {
                actions.push(Action::Kill { container });
            }
        }
        Timer::Start { container } => {
            let Some(c) = task.containers.get(container) else { return };
            let late = c.is_up() && c.start_due_ms.is_some_and(|due| due <= now_ms);
            if task.stopping || !late {
                return;
            }
            let healthy = c.checkup.status == Health::Healthy;
            let why = format!(
                "CannotStartContainerError: dependency container {} did not reach its condition within its startTimeout",
                c.spec.name
            );
            for dependant in 0..task.containers.len() {
                let d = &task.containers[dependant];
                let waits = d.phase <= Phase::Pulled
                    && d.spec.depends_on.iter().any(|x| {
                        x.on == container
                            && match x.condition {
                                Condition::Create | Condition::Start => false,
                                Condition::Healthy => !healthy,
                                Condition::Complete | Condition::Success => true,
                            }
                    });
                if waits {
                    never_ran(task, dependant, Some(DEPENDENCY_FAILED), why.clone());
                }
            }
        }
    }
}

/// After a restart: bring the state in line with what was found, and begin again what a crash
/// interrupted.
fn adopt(task: &mut TaskState, found: Vec<Found>, now_ms: u64, actions: &mut Vec<Action>) {
    match task.network {
        NetworkPhase::Attaching => actions.push(Action::AttachNetwork),
        NetworkPhase::Detaching => actions.push(Action::DetachNetwork),
        NetworkPhase::Absent | NetworkPhase::Attached | NetworkPhase::Detached => {}
    }
    for (container, found) in found.into_iter().enumerate() {
        let Some(before) = phase(task, container) else { break };
        match before {
            Phase::New | Phase::Pulled | Phase::Exited | Phase::Gone => {}
            Phase::Pulling => actions.push(Action::Pull { container }),
            Phase::Deleting => actions.push(Action::Delete { container }),
            Phase::Creating | Phase::Created | Phase::Starting | Phase::Running | Phase::Restarting => {
                adopt_process(task, container, before, found, now_ms, actions);
            }
        }
    }
}

fn adopt_process(
    task: &mut TaskState,
    container: usize,
    before: Phase,
    found: Found,
    now_ms: u64,
    actions: &mut Vec<Action>,
) {
    match found {
        Found::Running if before == Phase::Running => {
            let c = &mut task.containers[container];
            // Of one whose state was lost it isn't known.
            c.was_started = true;
            if c.spec.health.is_some() && !task.stopping {
                let due_ms = c.checkup.resume(now_ms);
                actions.push(Action::SetTimer { timer: Timer::Check { container }, due_ms });
            }
            if let Some(due_ms) = c.kill_due_ms {
                // The signal may not have gone out before the crash; a second one does no harm.
                actions.push(Action::Stop { container });
                actions.push(Action::SetTimer { timer: Timer::Kill { container }, due_ms });
            }
            if let Some(due_ms) = c.start_due_ms {
                actions.push(Action::SetTimer { timer: Timer::Start { container }, due_ms });
            }
        }
        Found::Running => started(task, container, now_ms, actions),
        Found::Created | Found::Nothing if before == Phase::Restarting => {
            actions.push(Action::Restart { container });
        }
        Found::Created if before == Phase::Starting => actions.push(Action::Start { container }),
        Found::Created if before < Phase::Starting => task.containers[container].phase = Phase::Created,
        // A container doesn't go back: this one's state was lost. It never ran.
        Found::Created if task.stopping => ended(task, container, None, None, now_ms),
        Found::Created => {}
        // The end that it is being restarted after: the restart hasn't begun.
        Found::Exited { code: Some(_), at_ms, .. }
            if before == Phase::Restarting
                && task.containers[container].restarted_after_ms == Some(at_ms) =>
        {
            actions.push(Action::Restart { container });
        }
        Found::Exited { code, oom, reason, at_ms } => {
            if before == Phase::Restarting {
                // It was restarted, and has ended again, since.
                let c = &mut task.containers[container];
                c.phase = Phase::Running;
                c.started_ms = c.restarted_after_ms.take();
            }
            if before >= Phase::Starting {
                task.containers[container].was_started = true;
            }
            exited(task, container, End { code, oom, reason, at_ms }, now_ms, actions);
        }
        // Nothing had come of it: begin again from the image.
        Found::Nothing if before == Phase::Creating => actions.push(Action::Create { container }),
        Found::Nothing => {
            let reason = "ContainerVanishedError: the container was gone when the agent came back";
            ended(task, container, None, Some(reason.to_owned()), now_ms);
        }
    }
}

fn phase(task: &TaskState, container: usize) -> Option<Phase> {
    task.containers.get(container).map(|c| c.phase)
}
