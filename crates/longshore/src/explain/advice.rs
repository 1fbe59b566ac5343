//! What to do about a task that doesn't do what it should. Pure.

use wire::ecs;

use super::facts::{Repository, TaskFacts};
use crate::talk::span;

/// Tags that are named; the newest first.
const TAGS: usize = 8;
/// A task that isn't RUNNING after so long has something to tell.
const SLOW_MS: u64 = 30_000;

pub fn of(facts: &TaskFacts) -> Vec<String> {
    let task = &facts.task;
    match task.last_status.as_deref() {
        Some("STOPPED") => stopped(facts),
        Some("RUNNING") => vec![format!(
            "`{}` shows what it writes, `{}` what it uses",
            facts.call("logs", "-f"),
            facts.command("top")
        )],
        _ => waiting(facts),
    }
}

fn stopped(facts: &TaskFacts) -> Vec<String> {
    let mut advice = vec![];
    for container in facts.task.containers.iter().flatten() {
        advice.extend(of_container(facts, container));
    }
    if !advice.is_empty() {
        return advice;
    }
    match (facts.task.stop_code, facts.culprit().and_then(|culprit| culprit.exit_code)) {
        (Some(ecs::TaskStopCode::EssentialContainerExited), Some(0)) => vec![
            "it has done its work; as a task of a service it is replaced, since a service's tasks are to stay"
                .to_owned(),
        ],
        (Some(ecs::TaskStopCode::TaskFailedToStart), _) => {
            vec!["the reason names what has to change; register a new revision and run that".to_owned()]
        }
        (Some(ecs::TaskStopCode::ServiceSchedulerInitiated), _) if facts.failed_its_health_check() => {
            vec![health(facts)]
        }
        (Some(ecs::TaskStopCode::ServiceSchedulerInitiated | ecs::TaskStopCode::UserInitiated), _) => {
            vec!["nothing: it was meant to stop".to_owned()]
        }
        _ => vec![],
    }
}

fn of_container(facts: &TaskFacts, container: &ecs::Container) -> Vec<String> {
    let name = container.name.as_deref().unwrap_or_default();
    let reason = container.reason.as_deref().unwrap_or_default();
    let has = |words: &[&str]| words.iter().any(|word| reason.to_lowercase().contains(word));
    if reason.starts_with("CannotPullContainerError") {
        return pull(facts, container.image.as_deref().unwrap_or_default(), reason);
    }
    if reason.starts_with("CannotStartContainerError") || reason.starts_with("CannotCreateContainerError") {
        return vec![if has(&["dependency container"]) {
            format!("{name} waited for a container that it depends on (dependsOn): see how that one ended")
        } else if has(&["not found in $path", "no such file or directory"]) {
            format!(
                "the image of {name} has no such program: compare entryPoint and command ({}) with it",
                command(facts, name)
            )
        } else if has(&["exec format error"]) {
            format!(
                "the program of {name} is for another processor: push an image for this machine's architecture"
            )
        } else if has(&["permission denied", "is a directory"]) {
            format!(
                "the program of {name} can't be executed: it needs the executable bit, for the container's user too"
            )
        } else {
            "the reason names what has to change; register a new revision and run that".to_owned()
        }];
    }
    let Some(code) = container.exit_code.filter(|code| *code != 0) else { return vec![] };
    if reason.starts_with("OutOfMemory") {
        let limit = container.memory.as_deref().or(facts.task.memory.as_deref()).unwrap_or("its");
        return vec![format!(
            "{name} needs more than {limit} MiB: raise memory in the task definition; `{}` shows what others use",
            facts.command("top")
        )];
    }
    if facts.was_asked(container) {
        return match code {
            137 => vec![format!(
                "to end in time {name} has to handle SIGTERM (a shell as the first process doesn't; use exec), or \
                 needs a longer stopTimeout"
            )],
            _ => vec![],
        };
    }
    let mut advice = vec![];
    if code == 127 {
        advice.push(format!(
            "compare the command of {name} ({}) with what its image has",
            command(facts, name)
        ));
    }
    match facts.logs.iter().find(|tail| tail.container == name) {
        Some(_) => advice.push(format!("`{}` shows all that it wrote", facts.call("logs", ""))),
        None => advice.push(format!(
            "what {name} wrote was not kept: give it a logConfiguration with the logDriver awslogs"
        )),
    }
    advice
}

fn pull(facts: &TaskFacts, image: &str, reason: &str) -> Vec<String> {
    let has = |word: &str| reason.contains(word);
    if let Some((_, repository)) = facts.repositories.iter().find(|(of, _)| of == image) {
        return vec![match repository {
            Repository::Missing { name } => format!(
                "the registry has no repository {name}: `aws ecr create-repository --repository-name {name}`, then \
                 push the image"
            ),
            Repository::Empty { name } => format!("the repository {name} is empty: push {image}"),
            Repository::Has { name, tags } => {
                let more = match tags.len().saturating_sub(TAGS) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                let tags = tags.iter().take(TAGS).map(String::as_str).collect::<Vec<_>>().join(", ");
                format!("the repository {name} has {tags}{more}: push {image}, or name one of them")
            }
        }];
    }
    let elsewhere = match crate::run::image::names_a_host(image) {
        true => String::new(),
        false => "no repository here had that name when it was run, so Docker Hub was asked; ".to_owned(),
    };
    vec![
        elsewhere
            + &if has("no space left") {
                "the disk of the machine's data directory is full: make room, then run the task again"
                    .to_owned()
            } else if has("denied") || has("authorize") {
                format!(
                    "the registry wants credentials for {image}, or has no such image: check the name, or push a copy here"
                )
            } else if has("not found") {
                format!("its registry has no {image}: check name and tag")
            } else if has("matching platform") {
                "the image is not for this machine's processor: push one that is".to_owned()
            } else if has("do request") {
                format!(
                    "the registry of {image} can't be reached from the machine: check its network, or push a copy here"
                )
            } else {
                "the reason names what the registry answered; run the task again when that is mended"
                    .to_owned()
            },
    ]
}

/// Not RUNNING yet.
fn waiting(facts: &TaskFacts) -> Vec<String> {
    let task = &facts.task;
    let since = task.created_at.map_or(0, |at| facts.now_ms.saturating_sub(at.ms()));
    if since < SLOW_MS {
        return vec!["it is on its way: look again in a moment".to_owned()];
    }
    vec![if task.pull_started_at.is_some() && task.pull_stopped_at.is_none() {
        format!("its images have been pulled for {}: a large image or a slow registry", span(since))
    } else if task.connectivity_at.is_none() {
        "its agent has not taken it: see whether the machine is up and its agent connected".to_owned()
    } else {
        "a container waits, perhaps for one that it depends on (dependsOn)".to_owned()
    }]
}

fn health(facts: &TaskFacts) -> String {
    let of = |container: &ecs::ContainerDefinition| {
        let check = container.health_check.as_ref()?;
        Some(format!("{} ({})", container.name.as_deref()?, check.command.join(" ")))
    };
    let checks: Vec<String> = facts.definitions().filter_map(of).collect();
    format!("run the health check by hand, or give it a longer startPeriod: {}", checks.join("; "))
}

/// As it was run: the override, else the definition's.
fn command(facts: &TaskFacts, name: &str) -> String {
    let overrides = facts.task.overrides.iter().flat_map(|o| o.container_overrides.iter().flatten());
    let overridden = overrides.filter(|o| o.name.as_deref() == Some(name)).find_map(|o| o.command.clone());
    let definition = facts.definitions().find(|c| c.name.as_deref() == Some(name));
    let entry = definition.and_then(|c| c.entry_point.clone()).unwrap_or_default();
    let command = overridden.or_else(|| definition.and_then(|c| c.command.clone())).unwrap_or_default();
    match [entry, command].concat() {
        words if words.is_empty() => "the image's own".to_owned(),
        words => words.join(" "),
    }
}
