//! From tasks and their reported usage to the rows of the table. Pure.

use std::cmp::Ordering;
use std::collections::HashMap;

use clap::ValueEnum;
use control::usage::{ContainerUsage, TaskUsage, UsageAnswer};
use serde::Serialize;
use wire::ecs;

use crate::cli::TopArgs;
use crate::ps;
use crate::talk::span;

pub const HEAD: [&str; 10] =
    ["TASK", "NAME", "CPU%", "OF LIMIT", "MEMORY", "LIMIT", "MEM%", "STATUS", "AGE", "RESTARTS"];
/// 1024 cpu units are a processor (ECS API reference, TaskDefinition.cpu).
const UNITS: f64 = 1024.0;
/// Reports that are older say nothing about now: three of the ECS agent's, which come every 20 s.
const STALE_MS: u64 = 60_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Sort {
    #[default]
    Cpu,
    Memory,
    Age,
    Name,
}

/// A task, or one of its containers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub task_arn: String,
    /// The service or the family.
    pub name: String,
    /// Absent in the row of a whole task.
    pub container: Option<String>,
    pub status: String,
    /// Of one core: 200 are two.
    pub cpu_percent: Option<f64>,
    pub cpu_percent_of_limit: Option<f64>,
    pub memory_mib: Option<f64>,
    pub memory_limit_mib: Option<f64>,
    pub memory_percent_of_limit: Option<f64>,
    /// Since it was started, or created where it hasn't been.
    pub age_seconds: u64,
    pub restarts: Option<i64>,
}

impl Row {
    pub fn cells(&self) -> Vec<String> {
        let figure = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
        let name = match &self.container {
            None => self.name.clone(),
            Some(container) => format!("└ {container}"),
        };
        vec![
            if self.container.is_none() { ps::short(&self.task_arn).to_owned() } else { String::new() },
            name,
            figure(self.cpu_percent),
            figure(self.cpu_percent_of_limit),
            self.memory_mib.map_or_else(|| "-".to_owned(), mebibytes),
            self.memory_limit_mib.map_or_else(|| "-".to_owned(), mebibytes),
            figure(self.memory_percent_of_limit),
            self.status.clone(),
            span(self.age_seconds.saturating_mul(1000)),
            self.restarts.map_or_else(|| "-".to_owned(), |n| n.to_string()),
        ]
    }
}

/// Tasks in the order asked for, each with its containers behind it where they are wanted.
pub fn of(tasks: &[ecs::Task], usage: &UsageAnswer, containers: bool, sort: Sort, now_ms: u64) -> Vec<Row> {
    let told: HashMap<&str, &TaskUsage> = usage
        .tasks
        .iter()
        .filter(|task| now_ms.saturating_sub(task.reported_at_ms) < STALE_MS)
        .map(|task| (task.task_arn.as_str(), task))
        .collect();
    let mut groups: Vec<Vec<Row>> = tasks
        .iter()
        .map(|task| {
            let told =
                task.task_arn.as_deref().and_then(|arn| told.get(arn)).map(|told| &told.containers[..]);
            rows(task, told.unwrap_or_default(), containers, now_ms)
        })
        .collect();
    groups.sort_by(|a, b| order(&a[0], &b[0], sort));
    groups.into_iter().flatten().collect()
}

fn rows(task: &ecs::Task, told: &[ContainerUsage], containers: bool, now_ms: u64) -> Vec<Row> {
    let sum = |of: fn(&ContainerUsage) -> Option<f64>| {
        told.iter().filter_map(of).fold(None, |sum: Option<f64>, value| Some(sum.unwrap_or(0.0) + value))
    };
    let number = |text: &Option<String>| text.as_deref()?.parse::<f64>().ok().filter(|n| *n > 0.0);
    let since = task.started_at.or(task.created_at).map_or(now_ms, wire::Timestamp::ms);
    let family = task.task_definition_arn.as_deref().map(ps::id).unwrap_or_default();
    let name = task.group.as_deref().and_then(|group| group.strip_prefix("service:")).unwrap_or(family);
    let (cpu_limit, memory_limit) = (number(&task.cpu), number(&task.memory));
    let row = |of: Figures, status: Option<&String>, container: Option<String>| Row {
        task_arn: task.task_arn.clone().unwrap_or_default(),
        name: name.to_owned(),
        container,
        status: status.cloned().unwrap_or_default(),
        cpu_percent: of.cpu,
        cpu_percent_of_limit: of.cpu.zip(cpu_limit).map(|(cpu, units)| cpu * UNITS / units),
        memory_mib: of.memory,
        memory_limit_mib: of.memory_limit,
        memory_percent_of_limit: of.memory.zip(of.memory_limit).map(|(used, limit)| 100.0 * used / limit),
        age_seconds: now_ms.saturating_sub(since) / 1000,
        restarts: of.restarts,
    };
    let restarts = told.iter().filter_map(|c| c.restarts).reduce(|a, b| a + b);
    let whole =
        Figures { cpu: sum(|c| c.cpu_percent), memory: sum(|c| c.memory_mib), memory_limit, restarts };
    let mut rows = vec![row(whole, task.last_status.as_ref(), None)];
    if containers {
        rows.extend(task.containers.iter().flatten().map(|container| {
            let told = told.iter().find(|told| Some(&told.name) == container.name.as_ref());
            let of = Figures {
                cpu: told.and_then(|told| told.cpu_percent),
                memory: told.and_then(|told| told.memory_mib),
                // Without a limit of its own a container may use the task's.
                memory_limit: number(&container.memory).or(memory_limit),
                restarts: told.and_then(|told| told.restarts),
            };
            row(of, container.last_status.as_ref(), Some(container.name.clone().unwrap_or_default()))
        }));
    }
    rows
}

struct Figures {
    cpu: Option<f64>,
    memory: Option<f64>,
    memory_limit: Option<f64>,
    restarts: Option<i64>,
}

/// The greatest first; what isn't known last; equal ones by name and id, so that they stay in place.
fn order(a: &Row, b: &Row, sort: Sort) -> Ordering {
    let greatest = |a: Option<f64>, b: Option<f64>| b.unwrap_or(-1.0).total_cmp(&a.unwrap_or(-1.0));
    let first = match sort {
        Sort::Cpu => greatest(a.cpu_percent, b.cpu_percent),
        Sort::Memory => greatest(a.memory_mib, b.memory_mib),
        Sort::Age => b.age_seconds.cmp(&a.age_seconds),
        Sort::Name => Ordering::Equal,
    };
    first.then_with(|| a.name.cmp(&b.name)).then_with(|| a.task_arn.cmp(&b.task_arn))
}

/// The line above the table.
pub fn heading(rows: &[Row], args: &TopArgs, sort: Sort) -> String {
    let tasks: Vec<&Row> = rows.iter().filter(|row| row.container.is_none()).collect();
    let sum = |of: fn(&Row) -> Option<f64>| tasks.iter().filter_map(|row| of(row)).sum::<f64>();
    let place =
        if args.all_clusters { "all clusters".to_owned() } else { format!("cluster {}", args.cluster) };
    let by = sort.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    format!(
        "{place}: {} task{}, cpu {:.1} % of a core, memory {}; by {by}",
        tasks.len(),
        if tasks.len() == 1 { "" } else { "s" },
        sum(|row| row.cpu_percent),
        mebibytes(sum(|row| row.memory_mib)),
    )
}

pub fn nothing(args: &TopArgs) -> String {
    match (args.all_clusters, &args.service) {
        (true, _) => "no tasks in any cluster".to_owned(),
        (false, None) => {
            format!("no tasks in the cluster {}; --all-clusters shows those of all", args.cluster)
        }
        (false, Some(service)) => {
            format!("no tasks of the service {service} in the cluster {}", args.cluster)
        }
    }
}

fn mebibytes(value: f64) -> String {
    match value {
        ..10.0 => format!("{value:.1} MiB"),
        ..10_240.0 => format!("{value:.0} MiB"),
        _ => format!("{:.1} GiB", value / 1024.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::talk::table;

    const NOW_MS: u64 = 1_000_000_000;

    fn task(id: &str, group: &str, started_ms: Option<u64>, container_memory: Option<&str>) -> ecs::Task {
        let container = |name: &str, memory: Option<&str>| ecs::Container {
            name: Some(name.to_owned()),
            last_status: Some("RUNNING".to_owned()),
            memory: memory.map(ToOwned::to_owned),
            ..Default::default()
        };
        ecs::Task {
            task_arn: Some(arn(id)),
            task_definition_arn: Some("arn:aws:ecs:r:0:task-definition/batch:3".to_owned()),
            group: Some(group.to_owned()),
            last_status: Some(if started_ms.is_some() { "RUNNING" } else { "PENDING" }.to_owned()),
            created_at: Some(wire::Timestamp::from_ms(NOW_MS - 5000)),
            started_at: started_ms.map(wire::Timestamp::from_ms),
            cpu: Some("512".to_owned()),
            memory: Some("1024".to_owned()),
            containers: Some(vec![container("app", container_memory), container("side", None)]),
            ..Default::default()
        }
    }

    fn arn(id: &str) -> String {
        format!("arn:aws:ecs:r:0:task/default/{}", id.repeat(32))
    }

    fn told(id: &str, age_ms: u64, app: (f64, f64), side: (f64, f64)) -> TaskUsage {
        let of = |name: &str, (cpu, memory): (f64, f64), restarts| ContainerUsage {
            name: name.to_owned(),
            cpu_percent: Some(cpu),
            memory_mib: Some(memory),
            restarts,
        };
        TaskUsage {
            task_arn: arn(id),
            reported_at_ms: NOW_MS - age_ms,
            containers: vec![of("app", app, Some(2)), of("side", side, None)],
        }
    }

    fn shown(containers: bool, sort: Sort) -> String {
        let tasks = [
            task("a", "service:web", Some(NOW_MS - 7_200_000), Some("256")),
            task("b", "family:batch", Some(NOW_MS - 90_000), None),
            task("c", "family:batch", None, None),
            task("d", "service:web", Some(NOW_MS - 600_000), None),
        ];
        let usage = UsageAnswer {
            tasks: vec![
                told("a", 1000, (12.5, 128.0), (0.04, 4.25)),
                told("b", 1000, (50.0, 20.0), (1.0, 3.0)),
                told("d", 61_000, (99.0, 99.0), (99.0, 99.0)),
            ],
        };
        table(&HEAD, of(&tasks, &usage, containers, sort, NOW_MS).iter().map(Row::cells))
    }

    #[test]
    fn by_cpu_with_containers() {
        insta::assert_snapshot!(shown(true, Sort::Cpu));
    }

    #[test]
    fn what_is_not_known_comes_last() {
        insta::assert_snapshot!(shown(false, Sort::Memory));
    }
}
