//! `longshore run`: one container as a task, its output here, its exit code ours.

mod ending;
pub mod image;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};
use wire::{ecs, logs};

use crate::cli::RunArgs;
use crate::explain;
use crate::ps;
use crate::site::Site;
use crate::tail::{self, Follow};
use crate::talk::{CallError, Client};

const LOG_GROUP: &str = "/longshore/run";
const STREAM_PREFIX: &str = "run";
/// From one look at the task and its log to the next.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// What the container could not be started with ends like this, as docker's does.
const CANNOT_RUN: u8 = 125;

pub async fn run(site: &Site, args: &RunArgs) -> Result<ExitCode> {
    let client = site.client()?;
    let started = start(&client, args).await;
    let (task, definition) = match started {
        Ok(started) => started,
        Err(error) => {
            eprintln!("longshore: {}", crate::talk::told(&error));
            return Ok(ExitCode::from(CANNOT_RUN));
        }
    };
    let arn = task.task_arn.clone().context("no ARN in the answer to RunTask")?;
    if args.detach {
        println!("{}", ps::id(&arn));
        return Ok(ExitCode::SUCCESS);
    }
    let mut follow = Follow::new(client.clone(), None);
    follow.add(tail::of_task(&client, &task, &definition).into_iter().map(|(_, source)| source));
    watch(&client, &args.cluster, &arn, follow).await
}

/// Registers what has to be, and starts the task.
async fn start(client: &Client, args: &RunArgs) -> Result<(ecs::Task, ecs::TaskDefinition)> {
    let image = image::resolve(client, &args.image).await?;
    let name = args.name.clone().unwrap_or_else(|| image::name(&args.image));
    let group = logs::CreateLogGroupRequest { log_group_name: LOG_GROUP.to_owned(), ..Default::default() };
    match client.call::<logs::ops::CreateLogGroup>(&group).await {
        Ok(_) => {}
        Err(error) if error.code() == Some("ResourceAlreadyExistsException") => {}
        Err(error) => return Err(error.into()),
    }
    let definition = definition(client, args, &name, &image).await?;
    let request = ecs::RunTaskRequest {
        cluster: Some(args.cluster.clone()),
        task_definition: definition.task_definition_arn.clone().unwrap_or_default(),
        launch_type: Some(ecs::LaunchType::Fargate),
        started_by: Some("longshore-run".to_owned()),
        network_configuration: Some(ecs::NetworkConfiguration {
            awsvpc_configuration: Some(ecs::AwsVpcConfiguration {
                subnets: vec!["subnet-longshore".to_owned()],
                ..Default::default()
            }),
        }),
        overrides: overrides(args, &name),
        ..Default::default()
    };
    let answer = client.call::<ecs::ops::RunTask>(&request).await?;
    if let Some(task) = answer.tasks.into_iter().flatten().next() {
        return Ok((task, definition));
    }
    let failure = answer.failures.into_iter().flatten().next().unwrap_or_default();
    let detail = failure.detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
    bail!("the task could not be placed: {}{detail}", failure.reason.unwrap_or_default())
}

/// The command and variables go with the task, so that the definition stays the same between runs.
fn overrides(args: &RunArgs, name: &str) -> Option<ecs::TaskOverride> {
    if args.command.is_empty() && args.env.is_empty() {
        return None;
    }
    let variable = |(name, value): &(String, String)| ecs::KeyValuePair {
        name: Some(name.clone()),
        value: Some(value.clone()),
    };
    let container = ecs::ContainerOverride {
        name: Some(name.to_owned()),
        command: (!args.command.is_empty()).then(|| args.command.clone()),
        environment: (!args.env.is_empty()).then(|| args.env.iter().map(variable).collect()),
        ..Default::default()
    };
    Some(ecs::TaskOverride { container_overrides: Some(vec![container]), ..Default::default() })
}

/// The newest revision of `run-NAME` if it is what we want, else a new one.
async fn definition(client: &Client, args: &RunArgs, name: &str, image: &str) -> Result<ecs::TaskDefinition> {
    let wanted = request(client, args, name, image);
    let newest =
        ecs::DescribeTaskDefinitionRequest { task_definition: wanted.family.clone(), ..Default::default() };
    match client.call::<ecs::ops::DescribeTaskDefinition>(&newest).await {
        Ok(answer) => {
            let found = answer.task_definition.unwrap_or_default();
            let container = found.container_definitions.iter().flatten().next();
            let asked = &wanted.container_definitions[0];
            if found.status == Some(ecs::TaskDefinitionStatus::Active)
                && (&found.cpu, &found.memory) == (&wanted.cpu, &wanted.memory)
                && container.is_some_and(|c| {
                    c.name == asked.name
                        && c.image == asked.image
                        && c.log_configuration == asked.log_configuration
                })
            {
                return Ok(found);
            }
        }
        Err(CallError::Service { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let answer = client.call::<ecs::ops::RegisterTaskDefinition>(&wanted).await?;
    answer.task_definition.context("no definition in the answer to RegisterTaskDefinition")
}

fn request(client: &Client, args: &RunArgs, name: &str, image: &str) -> ecs::RegisterTaskDefinitionRequest {
    let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let log = ecs::LogConfiguration {
        log_driver: ecs::LogDriver::Awslogs,
        options: Some(BTreeMap::from([
            option("awslogs-group", LOG_GROUP),
            option("awslogs-region", &client.region),
            option("awslogs-stream-prefix", STREAM_PREFIX),
        ])),
        secret_options: None,
    };
    ecs::RegisterTaskDefinitionRequest {
        family: format!("run-{name}"),
        network_mode: Some(ecs::NetworkMode::Awsvpc),
        requires_compatibilities: Some(vec![ecs::Compatibility::Fargate]),
        cpu: Some(args.cpu.to_string()),
        memory: Some(args.memory.to_string()),
        container_definitions: vec![ecs::ContainerDefinition {
            name: Some(name.to_owned()),
            image: Some(image.to_owned()),
            essential: Some(true),
            log_configuration: Some(log),
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// Shows the log until the task has stopped. The first Ctrl-C stops the task, the second this program.
async fn watch(client: &Client, cluster: &str, arn: &str, mut follow: Follow) -> Result<ExitCode> {
    let mut interrupted = false;
    // Listened to from here on: a signal that comes while a call is under way is not lost.
    let mut interrupt = signal(SignalKind::interrupt()).context("listen to Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    loop {
        // Looked at before the log: the lines of a task that has stopped are all there.
        let task = describe(client, cluster, arn).await?;
        let is_over = task.last_status.as_deref() == Some("STOPPED");
        loop {
            let lines = follow.new_lines().await?;
            if lines.is_empty() {
                break;
            }
            for line in &lines {
                // A closed pipe is no reason to leave the task: its end is still waited for.
                tail::print(None, &line.message);
            }
        }
        if is_over {
            let (code, why) = ending::of(&task);
            if let Some(why) = why {
                eprintln!("longshore: {why}");
                // What can't be asked any more is no reason to end otherwise.
                for step in explain::next_steps(client, task).await.unwrap_or_default() {
                    eprintln!("  {step}");
                }
            }
            return Ok(ExitCode::from(code));
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => continue,
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if interrupted {
            eprintln!("longshore: the task {} is still stopping", ps::short(arn));
            return Ok(ExitCode::from(130));
        }
        interrupted = true;
        eprintln!("longshore: stopping the task; Ctrl-C again leaves it alone");
        stop(client, cluster, arn).await?;
    }
}

async fn describe(client: &Client, cluster: &str, arn: &str) -> Result<ecs::Task> {
    let request = ecs::DescribeTasksRequest {
        cluster: Some(cluster.to_owned()),
        tasks: vec![arn.to_owned()],
        ..Default::default()
    };
    let answer = client.call::<ecs::ops::DescribeTasks>(&request).await?;
    answer.tasks.into_iter().flatten().next().with_context(|| format!("the task {arn} is not known any more"))
}

async fn stop(client: &Client, cluster: &str, arn: &str) -> Result<()> {
    let request = ecs::StopTaskRequest {
        cluster: Some(cluster.to_owned()),
        task: arn.to_owned(),
        reason: Some("Interrupted at the terminal".to_owned()),
    };
    client.call::<ecs::ops::StopTask>(&request).await?;
    Ok(())
}
