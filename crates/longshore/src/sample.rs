//! The sample service, deployed through the public API as a person would: repository, image, task
//! definition, service. Each step is taken only where its outcome is missing, so it can be repeated.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine;
use tokio::time::Instant;
use wire::{ecr, ecs};

use crate::image::{Credentials, Image, Recipe, push};
use crate::talk::{CallError, Client, Progress, Step};

/// The service's name; also of its container.
const SERVICE: &str = "sample";
const FAMILY: &str = "sample";
const REPOSITORY: &str = "longshore-sample";
const TAG: &str = "latest";
const LOG_GROUP: &str = "/longshore/sample";
const PORT: u16 = 8080;
/// So many tasks that fail to start, and the next won't do better.
const FAILURES: usize = 3;
/// From the service's creation to an answer over HTTP.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Deploys it and gives the address that answers.
pub async fn deploy(client: &Client, progress: Progress) -> Result<String> {
    let step = progress.step("push the sample's image");
    let image = build()?;
    let pushed = push_if_missing(client, &image).await?;
    let name = format!("{REPOSITORY}:{TAG}");
    step.done(&match pushed {
        true => format!("pushed {name} to the registry"),
        false => format!("{name} is in the registry"),
    });

    let step = progress.step("create the sample service");
    match service(client).await? {
        // The push deploys it.
        Some(_) if pushed => step.done("the service sample takes the new image"),
        // Whatever a person has made of it since is theirs.
        Some(service) if service.desired_count == Some(0) => {
            step.done("the service sample is there, scaled to 0");
            return Ok("scaled to 0".to_owned());
        }
        Some(_) => step.done("the service sample is there"),
        None => {
            let definition = definition(client).await?;
            create(client, &definition).await?;
            step.done(&format!("created the service sample of {}", last(&definition)));
        }
    }

    let step = progress.step("wait for the sample to answer");
    let address = answering(client, &step).await?;
    step.done(&format!("{address} answers"));
    Ok(address)
}

/// The image around `longshore-sample`, which lies beside this program.
fn build() -> Result<Image> {
    let program = std::env::current_exe().context("find this program")?.with_file_name("longshore-sample");
    let bytes = std::fs::read(&program).with_context(|| {
        format!("read {}: `make build` makes it; --no-sample goes without", program.display())
    })?;
    let recipe = Recipe {
        path: "/longshore-sample",
        program: &bytes,
        env: &["PATH=/usr/bin:/bin"],
        exposed_port: PORT,
        user: "65534:65534",
    };
    Image::build(&recipe).context("build the sample's image")
}

async fn push_if_missing(client: &Client, image: &Image) -> Result<bool> {
    let create =
        ecr::CreateRepositoryRequest { repository_name: REPOSITORY.to_owned(), ..Default::default() };
    match client.call::<ecr::ops::CreateRepository>(&create).await {
        Ok(_) => {}
        Err(error) if error.code() == Some("RepositoryAlreadyExistsException") => {}
        Err(error) => return Err(error.into()),
    }
    let tagged = ecr::DescribeImagesRequest {
        repository_name: REPOSITORY.to_owned(),
        image_ids: Some(vec![ecr::ImageIdentifier { image_tag: Some(TAG.to_owned()), ..Default::default() }]),
        ..Default::default()
    };
    match client.call::<ecr::ops::DescribeImages>(&tagged).await {
        Ok(found) => {
            let same =
                |detail: &ecr::ImageDetail| detail.image_digest.as_ref() == Some(&image.manifest.digest);
            if found.image_details.iter().flatten().any(same) {
                return Ok(false);
            }
        }
        Err(error) if error.code() == Some("ImageNotFoundException") => {}
        Err(error) => return Err(error.into()),
    }
    let base = reqwest::Url::parse(client.endpoint()).context("the endpoint")?;
    push(client.http(), &base, &password(client).await?, REPOSITORY, TAG, image).await?;
    Ok(true)
}

/// As `aws ecr get-login-password` gives it.
async fn password(client: &Client) -> Result<Credentials> {
    let answer = client.call::<ecr::ops::GetAuthorizationToken>(&Default::default()).await?;
    let token =
        answer.authorization_data.into_iter().flatten().next().and_then(|data| data.authorization_token);
    let token = token.context("no token in the answer to GetAuthorizationToken")?;
    let token = base64::engine::general_purpose::STANDARD.decode(token).context("the registry's token")?;
    let token = String::from_utf8(token).context("the registry's token")?;
    let (user, password) = token.split_once(':').context("the registry's token holds no password")?;
    Ok(Credentials { user: user.to_owned(), password: password.to_owned() })
}

/// The service, unless it was deleted.
async fn service(client: &Client) -> Result<Option<ecs::Service>> {
    let wanted = ecs::DescribeServicesRequest { services: vec![SERVICE.to_owned()], ..Default::default() };
    let answer = client.call::<ecs::ops::DescribeServices>(&wanted).await?;
    let active = |service: &ecs::Service| service.status.as_deref() == Some("ACTIVE");
    Ok(answer.services.into_iter().flatten().find(active))
}

/// The ARN of a definition that is as we want it: the newest, or one registered now.
async fn definition(client: &Client) -> Result<String> {
    let image = format!("{}.dkr.ecr.{}.amazonaws.com/{REPOSITORY}:{TAG}", client.account, client.region);
    let wanted = request(&image, &client.region);
    let newest =
        ecs::DescribeTaskDefinitionRequest { task_definition: FAMILY.to_owned(), ..Default::default() };
    match client.call::<ecs::ops::DescribeTaskDefinition>(&newest).await {
        Ok(answer) => {
            if let Some(found) = answer.task_definition.filter(|found| is_as_wanted(found, &wanted)) {
                return found.task_definition_arn.context("no ARN in the answer to DescribeTaskDefinition");
            }
        }
        Err(CallError::Service { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let answer = client.call::<ecs::ops::RegisterTaskDefinition>(&wanted).await?;
    let arn = answer.task_definition.and_then(|definition| definition.task_definition_arn);
    arn.context("no ARN in the answer to RegisterTaskDefinition")
}

fn request(image: &str, region: &str) -> ecs::RegisterTaskDefinitionRequest {
    let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let logs = ecs::LogConfiguration {
        log_driver: ecs::LogDriver::Awslogs,
        options: Some(BTreeMap::from([
            option("awslogs-group", LOG_GROUP),
            option("awslogs-region", region),
            option("awslogs-stream-prefix", "web"),
            option("awslogs-create-group", "true"),
        ])),
        secret_options: None,
    };
    let port = ecs::PortMapping { container_port: Some(i32::from(PORT)), ..Default::default() };
    ecs::RegisterTaskDefinitionRequest {
        family: FAMILY.to_owned(),
        network_mode: Some(ecs::NetworkMode::Awsvpc),
        requires_compatibilities: Some(vec![ecs::Compatibility::Fargate]),
        cpu: Some("256".to_owned()),
        memory: Some("512".to_owned()),
        container_definitions: vec![ecs::ContainerDefinition {
            name: Some(SERVICE.to_owned()),
            image: Some(image.to_owned()),
            essential: Some(true),
            port_mappings: Some(vec![port]),
            log_configuration: Some(logs),
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// Compares what we ask for; what ECS adds of its own doesn't count.
fn is_as_wanted(found: &ecs::TaskDefinition, wanted: &ecs::RegisterTaskDefinitionRequest) -> bool {
    let container = found.container_definitions.iter().flatten().next();
    let asked = wanted.container_definitions.first();
    found.status == Some(ecs::TaskDefinitionStatus::Active)
        && found.cpu == wanted.cpu
        && found.memory == wanted.memory
        && container.zip(asked).is_some_and(|(container, asked)| {
            container.image == asked.image && container.log_configuration == asked.log_configuration
        })
}

async fn create(client: &Client, definition: &str) -> Result<()> {
    let network = ecs::AwsVpcConfiguration {
        subnets: vec!["subnet-longshore".to_owned()],
        assign_public_ip: Some(ecs::AssignPublicIp::Disabled),
        security_groups: None,
    };
    let request = ecs::CreateServiceRequest {
        service_name: SERVICE.to_owned(),
        task_definition: Some(definition.to_owned()),
        desired_count: Some(1),
        launch_type: Some(ecs::LaunchType::Fargate),
        network_configuration: Some(ecs::NetworkConfiguration { awsvpc_configuration: Some(network) }),
        ..Default::default()
    };
    client.call::<ecs::ops::CreateService>(&request).await?;
    Ok(())
}

/// Waits until a running task of the service answers over HTTP.
async fn answering(client: &Client, step: &Step) -> Result<String> {
    let until = Instant::now() + PATIENCE;
    let before = stopped(client).await?;
    loop {
        let said = match address(client).await? {
            Some(address) => match get(client, &address).await {
                Ok(()) => return Ok(address),
                Err(error) => format!("{address} does not answer yet: {error}"),
            },
            None => latest_event(client).await?,
        };
        let failures = failed_starts(client, &before).await?;
        if failures.len() >= FAILURES {
            bail!("the sample's tasks fail to start: {}", failures.last().map_or("", String::as_str));
        }
        if Instant::now() >= until {
            let said = failures.last().unwrap_or(&said);
            bail!("the sample does not answer after {} s: {said}", PATIENCE.as_secs());
        }
        step.note(&said);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Why tasks of the service failed to start, of those that weren't stopped `before`.
async fn failed_starts(client: &Client, before: &[String]) -> Result<Vec<String>> {
    let mut tasks = stopped(client).await?;
    tasks.retain(|task| !before.contains(task));
    if tasks.is_empty() {
        return Ok(Vec::new());
    }
    let describe = ecs::DescribeTasksRequest { tasks, ..Default::default() };
    let tasks = client.call::<ecs::ops::DescribeTasks>(&describe).await?.tasks.unwrap_or_default();
    let failed =
        tasks.into_iter().filter(|task| task.stop_code == Some(ecs::TaskStopCode::TaskFailedToStart));
    Ok(failed.filter_map(|task| task.stopped_reason).collect())
}

async fn stopped(client: &Client) -> Result<Vec<String>> {
    let list = ecs::ListTasksRequest {
        service_name: Some(SERVICE.to_owned()),
        desired_status: Some(ecs::DesiredStatus::Stopped),
        ..Default::default()
    };
    Ok(client.call::<ecs::ops::ListTasks>(&list).await?.task_arns.unwrap_or_default())
}

async fn address(client: &Client) -> Result<Option<String>> {
    let list = ecs::ListTasksRequest { service_name: Some(SERVICE.to_owned()), ..Default::default() };
    let tasks = client.call::<ecs::ops::ListTasks>(&list).await?.task_arns.unwrap_or_default();
    if tasks.is_empty() {
        return Ok(None);
    }
    let describe = ecs::DescribeTasksRequest { tasks, ..Default::default() };
    let mut tasks = client.call::<ecs::ops::DescribeTasks>(&describe).await?.tasks.unwrap_or_default();
    // After a deployment the newest is the one that stays.
    tasks.sort_by_key(|task| std::cmp::Reverse(task.started_at));
    let running = tasks.iter().find(|task| task.last_status.as_deref() == Some("RUNNING"));
    Ok(running.and_then(crate::ps::address).map(|ip| format!("http://{ip}:{PORT}/")))
}

async fn get(client: &Client, address: &str) -> Result<(), reqwest::Error> {
    let answer = client.http().get(address).timeout(Duration::from_secs(2)).send().await?;
    answer.error_for_status().map(drop)
}

async fn latest_event(client: &Client) -> Result<String> {
    let event = service(client).await?.and_then(|service| service.events?.into_iter().next()?.message);
    Ok(event.unwrap_or_else(|| "no task has started yet".to_owned()))
}

fn last(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
