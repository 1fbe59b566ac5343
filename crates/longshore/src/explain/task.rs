//! The life of a task. Pure: from what the API told to a story.

use wire::ecs;

use super::advice;
use super::facts::TaskFacts;
use super::story::{Section, Step, Story};
use super::words;
use crate::ps;
use crate::talk::span;

pub fn story(facts: &TaskFacts) -> Story {
    let task = &facts.task;
    Story {
        title: title(facts),
        about: about(task),
        steps: steps(facts),
        why: why(facts),
        sections: std::iter::once(containers(facts)).chain(logs(facts)).collect(),
        next: advice::of(facts),
    }
}

fn title(facts: &TaskFacts) -> String {
    let task = &facts.task;
    let status = task.last_status.as_deref().unwrap_or("of unknown status");
    let since = |at: Option<wire::Timestamp>| at.map(|at| span(facts.now_ms.saturating_sub(at.ms())));
    let age = match status {
        "STOPPED" => since(task.stopped_at).map(|span| format!(" since {span}")),
        "RUNNING" => since(task.started_at).map(|span| format!(" for {span}")),
        _ => since(task.created_at).map(|span| format!(", created {span} ago")),
    };
    let health = match task.health_status {
        Some(ecs::HealthStatus::Healthy) => ", healthy",
        Some(ecs::HealthStatus::Unhealthy) => ", unhealthy",
        _ => "",
    };
    let id = task.task_arn.as_deref().map(ps::id).unwrap_or_default();
    format!("Task {id}: {status}{}{health}", age.unwrap_or_default())
}

fn about(task: &ecs::Task) -> Vec<(&'static str, String)> {
    let last = |arn: &Option<String>| arn.as_deref().map(ps::id).unwrap_or_default().to_owned();
    let launch = task.launch_type.map(|launch| launch.to_string());
    let kind = task.capacity_provider_name.clone().or(launch).unwrap_or_default();
    let size = match (task.cpu.as_deref(), task.memory.as_deref()) {
        (Some(cpu), Some(memory)) if cpu != "0" => format!(": {cpu} cpu units, {memory} MiB"),
        (_, Some(memory)) if memory != "0" => format!(": {memory} MiB"),
        _ => String::new(),
    };
    let mut about = vec![
        ("cluster", last(&task.cluster_arn)),
        ("definition", last(&task.task_definition_arn)),
        ("capacity", format!("{kind}{size}")),
    ];
    about.extend(ps::address(task).map(|address| ("address", address.to_owned())));
    about
}

/// Everything that has a time, in the order in which it happened.
fn steps(facts: &TaskFacts) -> Vec<Step> {
    let task = &facts.task;
    let mut steps = vec![];
    let mut step = |at: Option<wire::Timestamp>, what: &str, details: Vec<String>| {
        steps.extend(at.map(|at| Step { at_ms: at.ms(), what: what.to_owned(), details }));
    };
    step(task.created_at, "created and placed (PROVISIONING)", [asked(facts), placed(facts)].concat());
    step(task.connectivity_at, "its network is connected", vec![]);
    step(task.pull_started_at, "the images are being pulled", vec![]);
    let pulled = match task.containers.iter().flatten().all(|container| container.image_digest.is_some()) {
        true => "the images are there",
        false => "pulling is over",
    };
    step(task.pull_stopped_at, pulled, images(task));
    let running = match task.containers.as_deref().unwrap_or_default() {
        [_] => "its container has started (RUNNING)",
        _ => "its containers have started (RUNNING)",
    };
    step(task.started_at, running, vec![]);
    // Of one that failed to start the reason is its container's, which is told with its end.
    let reason = task.stopped_reason.as_deref();
    let reason = reason.filter(|_| task.stop_code != Some(ecs::TaskStopCode::TaskFailedToStart));
    step(
        task.stopping_at,
        "it is to stop",
        reason.map(|reason| format!("reason: {reason}")).into_iter().collect(),
    );
    step(task.execution_stopped_at, "its containers have ended", ends(facts));
    step(task.stopped_at, "everything is released (STOPPED)", vec![]);
    // Stable: what happened in one millisecond keeps the order of a life.
    steps.sort_by_key(|step| step.at_ms);
    steps
}

/// Who asked for it.
fn asked(facts: &TaskFacts) -> Vec<String> {
    let task = &facts.task;
    let by = task.started_by.as_deref();
    let Some(service) = task.group.as_deref().and_then(|group| group.strip_prefix("service:")) else {
        let mark = by.map_or_else(|| " without a startedBy".to_owned(), |by| format!(", startedBy \"{by}\""));
        return vec![format!("asked for by RunTask or StartTask{mark}")];
    };
    let mut lines = vec![match by {
        Some(deployment) => format!("asked for by the service {service}, for its deployment {deployment}"),
        None => format!("asked for by the service {service}"),
    }];
    let id = task.task_arn.as_deref().map(ps::id).unwrap_or_default();
    let events = facts.service.iter().flat_map(|service| service.events.iter().flatten());
    let told = events
        .filter_map(|event| event.message.as_deref())
        .find(|message| message.contains(" has started ") && message.contains(&format!("(task {id})")));
    lines.extend(told.map(|message| format!("event: {message}")));
    lines
}

/// Where it went, and what was asked of the place.
fn placed(facts: &TaskFacts) -> Vec<String> {
    let task = &facts.task;
    let cpu = task.cpu.as_deref().filter(|cpu| *cpu != "0");
    let memory = task.memory.as_deref().filter(|memory| *memory != "0");
    let needs: Vec<String> = [
        cpu.map(|cpu| format!("{cpu} cpu units")),
        memory.map(|memory| format!("{memory} MiB of memory")),
        ps::address(task).map(|_| "an address".to_owned()),
    ]
    .into_iter()
    .flatten()
    .collect();
    let needs = if needs.is_empty() { "room".to_owned() } else { needs.join(", ") };
    let Some(arn) = task.container_instance_arn.as_deref() else {
        return vec![format!("placed in the serverless pool, on a machine that had {needs} to give")];
    };
    let instance = facts.instance.as_ref();
    let machine = instance.and_then(|instance| instance.ec2_instance_id.as_deref());
    let machine = machine.map(|id| format!(" ({id})")).unwrap_or_default();
    let mut lines =
        vec![format!("placed on the container instance {}{machine}, which had {needs} to give", ps::id(arn))];
    let service = facts.service.as_ref();
    let strategy = service.and_then(|service| service.placement_strategy.as_deref()).unwrap_or_default();
    lines.extend(strategy.iter().map(|strategy| {
        let kind = strategy.r#type.map(|kind| kind.to_string()).unwrap_or_default();
        format!("by the strategy {kind} {}", strategy.field.as_deref().unwrap_or_default())
            .trim_end()
            .to_owned()
    }));
    let constraints =
        service.and_then(|service| service.placement_constraints.as_deref()).unwrap_or_default();
    lines.extend(constraints.iter().map(|constraint| {
        let kind = constraint.r#type.map(|kind| kind.to_string()).unwrap_or_default();
        let rule = constraint.expression.as_deref().unwrap_or_default();
        format!("within the constraint {kind} {rule}").trim_end().to_owned()
    }));
    lines
}

fn images(task: &ecs::Task) -> Vec<String> {
    let of = |container: &ecs::Container| {
        let image = container.image.as_deref()?;
        let name = container.name.as_deref().unwrap_or_default();
        Some(match container.image_digest.as_deref() {
            Some(digest) => format!("{name}: {image} is {digest}"),
            None => format!("{name}: {image} was not had"),
        })
    };
    task.containers.iter().flatten().filter_map(of).collect()
}

fn ends(facts: &TaskFacts) -> Vec<String> {
    let of = |container: &ecs::Container| {
        Some(format!("{}: {}", container.name.as_deref().unwrap_or_default(), ended(facts, container)?))
    };
    facts.task.containers.iter().flatten().filter_map(of).collect()
}

/// How a container ended, if it has.
fn ended(facts: &TaskFacts, container: &ecs::Container) -> Option<String> {
    let reason = container.reason.as_deref();
    // A code that a container has without ever having run says nothing.
    if let Some(reason) = reason.filter(|reason| reason.starts_with("Cannot")) {
        return Some(format!("never ran: {reason}"));
    }
    match container.exit_code {
        Some(code) => {
            let meaning = words::exit(code, reason, facts.was_asked(container));
            let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            Some(format!("exit code {code}: {meaning}{reason}"))
        }
        None => reason.map(|reason| format!("no exit code: {reason}")),
    }
}

fn why(facts: &TaskFacts) -> Vec<String> {
    let task = &facts.task;
    let Some(code) = task.stop_code else { return vec![] };
    let reason = task.stopped_reason.as_deref().unwrap_or("no reason was given");
    let mut why = vec![reason.to_owned(), format!("{code}: {}", words::stop(code))];
    let first = facts
        .culprit()
        .and_then(|container| Some(format!("{}: {}", container.name.as_deref()?, ended(facts, container)?)));
    why.extend(first.filter(|first| !said(task, first)));
    why
}

/// Whether a container's words are the task's, which are told already.
fn said(task: &ecs::Task, end: &str) -> bool {
    task.stopped_reason.as_deref().is_some_and(|reason| end.ends_with(reason))
}

fn containers(facts: &TaskFacts) -> Section {
    let of = |container: &ecs::Container| {
        let name = container.name.as_deref().unwrap_or_default();
        let essential = if facts.is_essential(container) { "essential" } else { "not essential" };
        let health = match container.health_status {
            Some(ecs::HealthStatus::Healthy) => ", healthy",
            Some(ecs::HealthStatus::Unhealthy) => ", unhealthy",
            _ => "",
        };
        let end = ended(facts, container).map(|end| match said(&facts.task, &end) {
            true => "; never ran, for the reason above".to_owned(),
            false => format!("; {end}"),
        });
        let end = end.unwrap_or_default();
        let status = container.last_status.as_deref().unwrap_or_default();
        format!("{name}  {status}{health}, {essential}{end}")
    };
    Section {
        title: "Containers".to_owned(),
        lines: facts.task.containers.iter().flatten().map(of).collect(),
    }
}

fn logs(facts: &TaskFacts) -> impl Iterator<Item = Section> {
    facts.logs.iter().filter(|tail| !tail.lines.is_empty()).map(|tail| Section {
        title: format!("Last log lines of {}", tail.container),
        lines: tail.lines.iter().map(|line| format!("| {line}")).collect(),
    })
}
