//! Service events, in the words that users and their tools know from ECS (developer guide,
//! "service event messages").

use crate::{Ids, schedule::Failure};
use model::{Deployment, Service, ServiceEvent, Task, TaskId};

/// An event with the same words isn't told again this long, while its cause lasts.
const SILENCE_MS: u64 = 6 * 60 * 60 * 1000;
/// Most tasks that one event names. A service keeps a hundred events and is written whole with each
/// change, so the events of a service of thousands must not grow with it.
pub(super) const TASKS_NAMED: usize = 10;
const SEE_ALSO: &str =
    "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.";
const STEADY: &str = "has reached a steady state.";

fn event(ids: &mut Ids, at_ms: u64, service: &Service, text: String) -> ServiceEvent {
    let message = format!("(service {}) {text}", service.key.name).into();
    ServiceEvent { id: ids.uuid(), at_ms, message }
}

/// `tasks: ` and which: of many the first alone.
fn list(tasks: impl ExactSizeIterator<Item = TaskId>) -> String {
    let count = tasks.len();
    let named: Vec<String> = tasks.take(TASKS_NAMED).map(|task| format!("(task {task})")).collect();
    let more = match count - named.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("tasks: {}{more}.", named.join(" "))
}

pub(super) fn started(ids: &mut Ids, at_ms: u64, service: &Service, tasks: &[TaskId]) -> ServiceEvent {
    let text = format!("has started {} {}", tasks.len(), list(tasks.iter().copied()));
    event(ids, at_ms, service, text)
}

pub(super) fn stopped(ids: &mut Ids, at_ms: u64, service: &Service, tasks: &[&Task]) -> ServiceEvent {
    let text = format!("has stopped {} running {}", tasks.len(), list(tasks.iter().map(|task| task.id)));
    event(ids, at_ms, service, text)
}

pub(super) fn unhealthy(ids: &mut Ids, at_ms: u64, service: &Service, task: &Task) -> ServiceEvent {
    event(ids, at_ms, service, format!("(task {}) failed container health checks.", task.id))
}

pub(super) fn unplaced(ids: &mut Ids, at_ms: u64, service: &Service, failure: &Failure) -> ServiceEvent {
    use crate::schedule::FailureReason as Reason;
    let lacking = match failure.reason {
        Reason::Agent => "has an agent that is not connected",
        Reason::Attribute => "is missing an attribute required by your task",
        Reason::MemberOf => "encountered error \"MemberOf placement constraint unsatisfied.\"",
        Reason::Distinct => "encountered error \"DistinctInstance placement constraint unsatisfied.\"",
        Reason::Gpu => "encountered error \"RESOURCE:GPU\"",
        Reason::Ports => "is already using a port required by your task",
        Reason::Eni => "encountered error \"RESOURCE:ENI\"",
        Reason::Cpu => "has insufficient CPU units available",
        Reason::Memory => "has insufficient memory available",
        Reason::NoInstances | Reason::Capacity | Reason::Provider | Reason::Missing | Reason::Inactive => "",
    };
    let text = match (failure.reason, failure.closest) {
        (Reason::Capacity, _) => {
            format!("was unable to place a task. Reason: {}. ({})", failure.reason, failure.detail)
        }
        (_, Some(closest)) => format!(
            "was unable to place a task because no container instance met all of its requirements. The closest \
             matching (container-instance {closest}) {lacking}. {SEE_ALSO}"
        ),
        (_, None) => format!(
            "was unable to place a task because no container instance met all of its requirements. Reason: {} \
             {SEE_ALSO}",
            failure.reason
        ),
    };
    event(ids, at_ms, service, text)
}

pub(super) fn inconsistent(ids: &mut Ids, at_ms: u64, service: &Service) -> ServiceEvent {
    event(ids, at_ms, service, format!("is unable to consistently start tasks successfully. {SEE_ALSO}"))
}

pub(super) fn stuck(ids: &mut Ids, at_ms: u64, service: &Service) -> ServiceEvent {
    let text = "was unable to stop or start tasks during a deployment because of the service deployment \
                configuration. Update the minimumHealthyPercent or maximumPercent value and try again.";
    event(ids, at_ms, service, text.to_owned())
}

/// ECS's words for a service whose protected tasks keep it from scaling in or from ending a
/// deployment.
pub(super) fn protected(
    ids: &mut Ids,
    at_ms: u64,
    service: &Service,
    deployment: &Deployment,
) -> ServiceEvent {
    let text = format!(
        "was unable to reach steady state because task set ({}) was unable to scale in. Reason: The number of \
         protected tasks are more than the desired count of tasks.",
        deployment.id
    );
    event(ids, at_ms, service, text)
}

pub(super) fn completed(
    ids: &mut Ids,
    at_ms: u64,
    service: &Service,
    deployment: &Deployment,
) -> ServiceEvent {
    event(ids, at_ms, service, format!("(deployment {}) deployment completed.", deployment.id))
}

pub(super) fn failed(ids: &mut Ids, at_ms: u64, service: &Service, deployment: &Deployment) -> ServiceEvent {
    let text = format!("(deployment {}) deployment failed: tasks failed to start.", deployment.id);
    event(ids, at_ms, service, text)
}

pub(super) fn refused(ids: &mut Ids, at_ms: u64, service: &Service, deployment: &Deployment) -> ServiceEvent {
    let text = format!("(deployment {}) deployment failed: a lifecycle hook failed.", deployment.id);
    event(ids, at_ms, service, text)
}

pub(super) fn given_up(
    ids: &mut Ids,
    at_ms: u64,
    service: &Service,
    deployment: &Deployment,
) -> ServiceEvent {
    let text = format!("(deployment {}) deployment failed: it was stopped by a user.", deployment.id);
    event(ids, at_ms, service, text)
}

pub(super) fn rolling_back(ids: &mut Ids, at_ms: u64, service: &Service, to: &Deployment) -> ServiceEvent {
    event(ids, at_ms, service, format!("rolling back to deployment {}.", to.id))
}

pub(super) fn steady(ids: &mut Ids, at_ms: u64, service: &Service) -> ServiceEvent {
    event(ids, at_ms, service, STEADY.to_owned())
}

/// A message without the figures that change while its cause lasts.
fn cause(message: &str) -> &str {
    message.split(" (of ").next().unwrap_or(message)
}

/// The event, unless it was told within six hours and its cause hasn't ended since: the service was
/// not steady in between, and it isn't being deployed anew.
pub(super) fn once(service: &Service, event: ServiceEvent) -> Option<ServiceEvent> {
    let since_ms = service.primary().map_or(0, |deployment| deployment.created_at_ms);
    let told = service
        .events
        .iter()
        .take_while(|old| !old.message.ends_with(STEADY))
        .take_while(|old| old.at_ms >= since_ms && event.at_ms.saturating_sub(old.at_ms) < SILENCE_MS)
        .any(|old| cause(&old.message) == cause(&event.message));
    (!told).then_some(event)
}
