//! Stories told of made-up facts, whole: a change of wording shows here.

use wire::{Timestamp, ecs};

use super::facts::{Repository, ServiceFacts, Tail, TaskFacts};
use super::story::render;
use super::{service, task};

/// 2026-01-01T00:00:00Z
const START_MS: u64 = 1_767_225_600_000;
const ID: &str = "0123456789abcdef0123456789abcdef";

fn at(ms: u64) -> Option<Timestamp> {
    Some(Timestamp::from_ms(START_MS + ms))
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn container(name: &str, exit_code: Option<i32>, reason: Option<&str>) -> ecs::Container {
    ecs::Container {
        name: some(name),
        image: Some(format!("000000000000.dkr.ecr.us-east-1.amazonaws.com/{name}:1")),
        image_digest: (!reason.is_some_and(|reason| reason.starts_with("CannotPull")))
            .then(|| format!("sha256:{}", "ab".repeat(32))),
        last_status: some(if exit_code.is_some() || reason.is_some() { "STOPPED" } else { "RUNNING" }),
        exit_code,
        reason: reason.map(ToOwned::to_owned),
        ..Default::default()
    }
}

/// A FARGATE task that RunTask started, and that runs.
fn running(containers: Vec<ecs::Container>) -> TaskFacts {
    let address = ecs::KeyValuePair { name: some("privateIPv4Address"), value: some("10.0.0.2") };
    let definitions = containers.iter().map(|container| ecs::ContainerDefinition {
        name: container.name.clone(),
        essential: Some(container.name.as_deref() != Some("side")),
        command: Some(vec!["/bin/serve".to_owned(), "--all".to_owned()]),
        ..Default::default()
    });
    TaskFacts {
        now_ms: START_MS + 600_000,
        program: "longshore".to_owned(),
        definition: Some(ecs::TaskDefinition {
            container_definitions: Some(definitions.collect()),
            ..Default::default()
        }),
        task: ecs::Task {
            task_arn: Some(format!("arn:aws:ecs:us-east-1:0:task/default/{ID}")),
            cluster_arn: some("arn:aws:ecs:us-east-1:0:cluster/default"),
            task_definition_arn: some("arn:aws:ecs:us-east-1:0:task-definition/web:3"),
            launch_type: Some(ecs::LaunchType::Fargate),
            cpu: some("256"),
            memory: some("512"),
            last_status: some("RUNNING"),
            started_by: some("nightly"),
            group: some("family:web"),
            attachments: Some(vec![ecs::Attachment {
                id: some("1"),
                details: Some(vec![address]),
                ..Default::default()
            }]),
            containers: Some(containers),
            created_at: at(0),
            connectivity_at: at(4),
            pull_started_at: at(5),
            pull_stopped_at: at(1805),
            started_at: at(1850),
            ..Default::default()
        },
        ..Default::default()
    }
}

fn stopped(mut facts: TaskFacts, code: ecs::TaskStopCode, reason: &str) -> TaskFacts {
    facts.task.last_status = some("STOPPED");
    facts.task.stop_code = Some(code);
    facts.task.stopped_reason = some(reason);
    facts.task.stopping_at = at(540_000);
    facts.task.execution_stopped_at = at(540_020);
    facts.task.stopped_at = at(540_350);
    facts
}

fn told(facts: &TaskFacts) -> String {
    render(&task::story(facts))
}

#[test]
fn a_task_that_runs() {
    let mut facts = running(vec![container("web", None, None)]);
    facts.task.health_status = Some(ecs::HealthStatus::Healthy);
    facts.logs =
        vec![Tail { container: "web".to_owned(), lines: vec!["ready".to_owned(), "GET /".to_owned()] }];
    insta::assert_snapshot!(told(&facts));
}

#[test]
fn a_services_task_out_of_memory() {
    let mut facts = running(vec![
        container("web", Some(137), Some("OutOfMemoryError: Container killed due to memory usage")),
        container("side", Some(143), None),
    ]);
    facts.task.group = some("service:web");
    facts.task.started_by = some("ecs-svc/1234567890");
    facts.task.cluster_arn = some("arn:aws:ecs:us-east-1:0:cluster/prod");
    let message = |text: String| ecs::ServiceEvent { message: Some(text), ..Default::default() };
    facts.service = Some(ecs::Service {
        events: Some(vec![
            message("(service web) has reached a steady state.".to_owned()),
            message(format!("(service web) has started 1 tasks: (task {ID}).")),
        ]),
        ..Default::default()
    });
    let code = ecs::TaskStopCode::EssentialContainerExited;
    insta::assert_snapshot!(told(&stopped(facts, code, "Essential container in task exited")));
}

#[test]
fn an_image_that_is_not_there() {
    let reason = "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref \
                  registry/web:1: registry/web:1: not found";
    let mut facts = running(vec![container("web", None, Some(reason))]);
    facts.task.started_at = None;
    facts.task.pull_stopped_at = None;
    facts.repositories = vec![(
        facts.task.containers.as_ref().unwrap()[0].image.clone().unwrap(),
        Repository::Has { name: "web".to_owned(), tags: (2..14).map(|n| n.to_string()).collect() },
    )];
    let facts = stopped(facts, ecs::TaskStopCode::TaskFailedToStart, reason);
    insta::assert_snapshot!(told(&facts));

    let advice = |repository| {
        let facts =
            TaskFacts { repositories: vec![(facts.repositories[0].0.clone(), repository)], ..facts.clone() };
        task::story(&facts).next.join("\n")
    };
    insta::assert_snapshot!(advice(Repository::Missing { name: "web".to_owned() }), @"the registry has no repository web: `aws ecr create-repository --repository-name web`, then push the image");
    insta::assert_snapshot!(advice(Repository::Empty { name: "web".to_owned() }), @"the repository web is empty: push 000000000000.dkr.ecr.us-east-1.amazonaws.com/web:1");
}

#[test]
fn a_command_that_the_image_lacks() {
    let reason =
        "CannotStartContainerError: exec: \"/bin/serve\": stat /bin/serve: no such file or directory";
    let mut facts = running(vec![container("web", Some(127), Some(reason))]);
    facts.task.started_at = None;
    facts.task.started_by = None;
    insta::assert_snapshot!(told(&stopped(facts, ecs::TaskStopCode::TaskFailedToStart, reason)));
}

#[test]
fn stopped_by_somebody_and_deaf_to_sigterm() {
    let mut facts = running(vec![container("web", Some(137), None)]);
    facts.task.container_instance_arn = some("arn:aws:ecs:us-east-1:0:container-instance/default/77aa");
    facts.task.launch_type = Some(ecs::LaunchType::Ec2);
    facts.task.attachments = None;
    facts.instance = Some(ecs::ContainerInstance { ec2_instance_id: some("i-1"), ..Default::default() });
    insta::assert_snapshot!(told(&stopped(facts, ecs::TaskStopCode::UserInitiated, "a new broom")));
}

#[test]
fn what_is_not_known_is_left_out() {
    let text = told(&TaskFacts { program: "longshore".to_owned(), ..Default::default() });
    assert!(text.starts_with("Task : of unknown status"), "{text}");
    assert!(!text.contains("1970"), "{text}");
}

#[test]
fn a_task_that_is_slow_to_start() {
    let mut facts = running(vec![container("web", None, None)]);
    facts.task.last_status = some("PENDING");
    facts.task.started_at = None;
    let advice = |facts: &TaskFacts| task::story(facts).next.join("\n");
    assert!(advice(&facts).contains("dependsOn"));
    facts.task.pull_stopped_at = None;
    assert!(advice(&facts).contains("pulled for 10 min"));
    facts.task.pull_started_at = None;
    facts.task.connectivity_at = None;
    assert!(advice(&facts).contains("agent"));
    facts.now_ms = START_MS + 1000;
    assert!(advice(&facts).contains("on its way"));
}

fn web(running: i32, events: &[&str]) -> ecs::Service {
    let event = |(n, text): (usize, &&str)| ecs::ServiceEvent {
        created_at: at(500_000 - 1000 * n as u64),
        message: Some(format!("(service web) {text}")),
        id: None,
    };
    ecs::Service {
        service_name: some("web"),
        cluster_arn: some("arn:aws:ecs:us-east-1:0:cluster/default"),
        task_definition: some("arn:aws:ecs:us-east-1:0:task-definition/web:3"),
        status: some("ACTIVE"),
        desired_count: Some(2),
        running_count: Some(running),
        pending_count: Some(0),
        deployments: Some(vec![ecs::Deployment {
            id: some("ecs-svc/1234567890"),
            status: some("PRIMARY"),
            task_definition: some("arn:aws:ecs:us-east-1:0:task-definition/web:3"),
            desired_count: Some(2),
            running_count: Some(running),
            failed_tasks: Some(3),
            rollout_state: Some(ecs::DeploymentRolloutState::InProgress),
            rollout_state_reason: some("ECS deployment ecs-svc/1234567890 in progress."),
            ..Default::default()
        }]),
        events: Some(events.iter().enumerate().map(event).collect()),
        ..Default::default()
    }
}

#[test]
fn a_service_whose_tasks_fail() {
    let failed = stopped(
        running(vec![container("web", Some(3), None)]),
        ecs::TaskStopCode::EssentialContainerExited,
        "Essential container in task exited",
    );
    let scaled_in = stopped(
        running(vec![container("web", Some(143), None)]),
        ecs::TaskStopCode::ServiceSchedulerInitiated,
        "Scaling activity initiated by (deployment ecs-svc/1)",
    );
    let facts = ServiceFacts {
        now_ms: START_MS + 600_000,
        program: "longshore".to_owned(),
        service: web(
            0,
            &[
                "is unable to consistently start tasks successfully.",
                "has started 2 tasks: (task a) (task b).",
            ],
        ),
        stopped: vec![failed.task.clone(), failed.task.clone(), scaled_in.task],
        failed: Some(failed),
    };
    insta::assert_snapshot!(render(&service::story(&facts)));
}

#[test]
fn a_service_without_room() {
    let unable = "was unable to place a task. Reason: Capacity is unavailable at this time. (memory)";
    let facts =
        ServiceFacts { program: "longshore".to_owned(), service: web(1, &[unable]), ..Default::default() };
    insta::assert_snapshot!(render(&service::story(&facts)));
}

#[test]
fn a_steady_service_needs_nothing() {
    let facts = ServiceFacts { service: web(2, &["has reached a steady state."]), ..Default::default() };
    let story = service::story(&facts);
    assert_eq!(story.title, "Service web: ACTIVE, steady");
    assert!(story.next.is_empty());
}
