//! Why a service is, or isn't, steady. Pure: from what the API told to a story.

use std::collections::BTreeMap;

use wire::ecs;

use super::advice;
use super::facts::{ServiceFacts, cluster_flag};
use super::story::{Section, Story, moment};
use crate::ps;
use crate::talk::{ago, table};

/// Events that are shown.
const EVENTS: usize = 8;

pub fn story(facts: &ServiceFacts) -> Story {
    let service = &facts.service;
    let (steady, why) = state(facts);
    Story {
        title: format!(
            "Service {}: {}, {}",
            service.service_name.as_deref().unwrap_or_default(),
            service.status.as_deref().unwrap_or_default(),
            if steady { "steady" } else { "not steady" }
        ),
        about: about(service),
        steps: vec![],
        why,
        sections: [deployments(service), failures(facts), events(service)].into_iter().flatten().collect(),
        next: next(facts, steady),
    }
}

fn about(service: &ecs::Service) -> Vec<(&'static str, String)> {
    let last = |arn: &Option<String>| arn.as_deref().map(ps::id).unwrap_or_default().to_owned();
    let count = |count: Option<i32>| count.unwrap_or_default();
    vec![
        ("cluster", last(&service.cluster_arn)),
        ("definition", last(&service.task_definition)),
        (
            "tasks",
            format!(
                "{} running, {} pending, {} desired",
                count(service.running_count),
                count(service.pending_count),
                count(service.desired_count)
            ),
        ),
    ]
}

/// Whether it is as it is wanted (as `aws ecs wait services-stable` sees it), and what tells so.
fn state(facts: &ServiceFacts) -> (bool, Vec<String>) {
    let service = &facts.service;
    let status = service.status.as_deref().unwrap_or_default();
    if status != "ACTIVE" {
        return (false, vec![format!("it is {status}: it was deleted, and starts no more tasks")]);
    }
    let deployments = service.deployments.as_deref().unwrap_or_default();
    let (running, desired) =
        (service.running_count.unwrap_or_default(), service.desired_count.unwrap_or_default());
    let mut why = vec![];
    if running < desired {
        why.push(format!("{} of {desired} tasks are missing", desired - running));
    } else if running > desired {
        why.push(format!("{} tasks too many are still running", running - desired));
    }
    if deployments.len() > 1 {
        why.push(format!("{} deployments share it: one is being replaced by the other", deployments.len()));
    }
    if why.is_empty() {
        let what = match desired {
            0 => "no task is wanted, and none runs".to_owned(),
            _ => "all tasks that are wanted run, of one deployment".to_owned(),
        };
        return (true, vec![what]);
    }
    why.extend(deployments.iter().filter_map(|deployment| {
        let reason = deployment.rollout_state_reason.as_deref().filter(|reason| !reason.is_empty())?;
        let state = deployment.rollout_state.map(|state| state.to_string()).unwrap_or_default();
        Some(format!("{} is {state}: {reason}", deployment.id.as_deref().unwrap_or("a deployment")))
    }));
    why.extend(trouble(service).map(ToOwned::to_owned));
    if let Some(failed) = &facts.failed {
        let reason = failed.task.stopped_reason.as_deref().unwrap_or_default();
        why.push(format!("its newest task that failed: {reason}"));
    }
    (false, why)
}

/// The newest event that says what is in the way, unless the service has been steady since.
fn trouble(service: &ecs::Service) -> Option<&str> {
    let events = service.events.iter().flatten().filter_map(|event| event.message.as_deref());
    events
        .take_while(|message| !message.ends_with("has reached a steady state."))
        .find(|message| message.contains(" unable to ") || message.contains("failed container health checks"))
}

fn deployments(service: &ecs::Service) -> Option<Section> {
    let count = |count: Option<i32>| count.unwrap_or_default().to_string();
    let row = |deployment: &ecs::Deployment| {
        vec![
            deployment.id.clone().unwrap_or_default(),
            deployment.status.clone().unwrap_or_default(),
            deployment.task_definition.as_deref().map(ps::id).unwrap_or_default().to_owned(),
            count(deployment.desired_count),
            count(deployment.running_count),
            count(deployment.pending_count),
            count(deployment.failed_tasks),
            deployment.rollout_state.map(|state| state.to_string()).unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = service.deployments.iter().flatten().map(row).collect();
    let head = ["ID", "STATUS", "DEFINITION", "DESIRED", "RUNNING", "PENDING", "FAILED", "ROLLOUT"];
    (!rows.is_empty()).then(|| section("Deployments", table(&head, rows).lines()))
}

/// Its stopped tasks by reason: how often, when last, and one to look at.
fn failures(facts: &ServiceFacts) -> Option<Section> {
    let mut reasons: BTreeMap<String, (usize, &ecs::Task)> = BTreeMap::new();
    for stopped in facts.stopped.iter().filter(|task| is_failure(task)) {
        reasons.entry(ps::ending(stopped)).or_insert((0, stopped)).0 += 1;
    }
    let stopped_ms = |task: &ecs::Task| task.stopped_at.map_or(0, wire::Timestamp::ms);
    let mut rows: Vec<_> = reasons.into_iter().collect();
    rows.sort_by_key(|(_, (_, newest))| std::cmp::Reverse(stopped_ms(newest)));
    let rows: Vec<_> = rows
        .into_iter()
        .map(|(reason, (times, newest))| {
            let id = newest.task_arn.as_deref().map(ps::short).unwrap_or_default().to_owned();
            vec![times.to_string(), ago(stopped_ms(newest), facts.now_ms), id, reason]
        })
        .collect();
    (!rows.is_empty())
        .then(|| section("Tasks that failed", table(&["TIMES", "LAST", "TASK", "WHY"], rows).lines()))
}

/// Ended by itself, or never begun: nobody asked for it.
pub fn is_failure(task: &ecs::Task) -> bool {
    matches!(
        task.stop_code,
        Some(ecs::TaskStopCode::TaskFailedToStart | ecs::TaskStopCode::EssentialContainerExited)
    ) || task.stopped_reason.as_deref().is_some_and(|reason| reason.contains("health check"))
}

fn events(service: &ecs::Service) -> Option<Section> {
    let of = |event: &ecs::ServiceEvent| {
        let (date, time) = moment(event.created_at?.ms());
        Some(format!("{date} {time}  {}", event.message.as_deref()?))
    };
    let lines: Vec<String> = service.events.iter().flatten().take(EVENTS).filter_map(of).collect();
    (!lines.is_empty()).then(|| Section { title: "Events, the newest first (UTC)".to_owned(), lines })
}

fn next(facts: &ServiceFacts, steady: bool) -> Vec<String> {
    if steady {
        return vec![];
    }
    let mut next = vec![];
    if let Some(failed) = &facts.failed {
        next.extend(advice::of(failed));
        next.push(format!("`{}` tells that task's life", failed.call("explain", "")));
    }
    let service = &facts.service;
    if trouble(service).is_some_and(|message| message.contains("unable to place")) {
        let cluster = cluster_flag(service.cluster_arn.as_deref());
        next.push(format!(
            "make room: stop tasks (`{} ps{cluster}`), ask for less cpu or memory, or add a machine with \
             `longshore agent`",
            facts.program
        ));
    }
    if next.is_empty() {
        next.push("it is on its way: look again in a moment".to_owned());
    }
    next
}

fn section<'a>(title: &str, lines: impl Iterator<Item = &'a str>) -> Section {
    Section { title: title.to_owned(), lines: lines.map(ToOwned::to_owned).collect() }
}
