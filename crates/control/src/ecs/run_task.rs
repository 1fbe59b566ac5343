use std::sync::Arc;

use model::command::{NewTask, Token};
use model::{
    Cluster, Command, Document, Group, LaunchType, Refusal, Size, Tags, TaskDefinition, TaskId, TokenKey,
    TokenResult, World,
};
use plan::{Ids, Shares, Want};
use wire::ecs::{Failure, PropagateTags, RunTaskRequest, RunTaskResponse};
use wire::{Context, Error};

use super::errors::refused;
use super::launch::{capacity, network, overrides};
use super::translate::{tags, task as translate};
use super::{fingerprint, reference};
use crate::app::App;
use crate::arn;
use crate::writer::SubmitError;

/// Most tasks in one call.
const MOST: i32 = 10;
/// How often a plan is made anew because the world moved on before it was committed.
const REPLANS: usize = 16;
/// `startedBy` and `group`: AWS's bounds.
const STARTED_BY_LENGTH: usize = 128;
const GROUP_LENGTH: usize = 255;

/// Places the tasks and answers at once; each task's agent is told by its session.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: RunTaskRequest,
) -> Result<RunTaskResponse, Error> {
    let world = app.world();
    let request = Request::check(&context, &world, &input)?;
    for _ in 0..REPLANS {
        let world = app.world();
        // Before a place is looked for: the first call may have taken the last one, or its agent may have
        // gone since.
        if let Some(ids) = request.done_already(&world, app.now_ms())? {
            return Ok(answer(&app, &world, &ids, Vec::new()));
        }
        let (tasks, failures) = request.place(&app, &world)?;
        if tasks.is_empty() {
            return Ok(RunTaskResponse { tasks: Some(Vec::new()), failures: Some(failures) });
        }
        let ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
        match app.submit(Command::StartTasks { tasks, token: request.token.clone() }).await {
            Ok(done) => return Ok(answer(&app, &done.world, &ids, failures)),
            Err(SubmitError::Refused(Refusal::StaleSnapshot(stale))) => {
                tracing::debug!(%stale, "place again");
            }
            Err(SubmitError::Refused(Refusal::AlreadyDone(TokenResult::Tasks(ids)))) => {
                return Ok(answer(&app, &app.world(), &ids, Vec::new()));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::server("The tasks could not be placed: the capacity changed too often meanwhile. Try again."))
}

fn answer(app: &App, world: &World, ids: &[TaskId], failures: Vec<Failure>) -> RunTaskResponse {
    let home = app.config.home();
    let known = ids.iter().filter_map(|id| world.task(*id));
    let include = [wire::ecs::TaskField::Tags];
    let tasks = known.map(|task| translate::to_wire(world, task, &home, &include)).collect();
    RunTaskResponse { tasks: Some(tasks), failures: Some(failures) }
}

/// A call that was found to be good.
struct Request {
    cluster: Arc<Cluster>,
    definition: Arc<TaskDefinition>,
    count: usize,
    capacity: capacity::Capacity,
    platform: capacity::Platform,
    network: Option<Document>,
    subnet: Option<Arc<str>>,
    overrides: overrides::Overrides,
    group: Group,
    started_by: Option<String>,
    tags: Tags,
    enable_execute_command: bool,
    token: Option<Token>,
}

impl Request {
    fn check(context: &Context, world: &World, input: &RunTaskRequest) -> Result<Self, Error> {
        let key = reference::active_cluster(context, world, input.cluster.as_deref())?;
        let cluster = world.active_cluster(&key).ok_or_else(Error::cluster_not_found)?.clone();
        let count = input.count.unwrap_or(1);
        if !(1..=MOST).contains(&count) {
            return Err(Error::invalid_parameter(format!("Count must be between 1 and {MOST}")));
        }
        let missing = || Error::client("TaskDefinition not found.");
        let definition = reference::definition(context, world, &input.task_definition, missing)?;
        let definition = world.definition(&definition).ok_or_else(missing)?.clone();
        if definition.status != model::DefinitionStatus::Active {
            return Err(Error::client("TaskDefinition is inactive"));
        }
        let capacity =
            capacity::decide(&cluster, input.launch_type, input.capacity_provider_strategy.as_deref())?;
        capacity::check_compatible(&definition, capacity.launch_type)?;
        let platform = capacity::platform(capacity.launch_type, input.platform_version.as_deref())?;
        let (network, subnet) = network::check(&definition, input.network_configuration.as_ref())?;
        let overrides = overrides::check(&definition, capacity.launch_type, input.overrides.as_ref())?;
        check_placement(capacity.launch_type, input)?;
        Ok(Self {
            group: group(&definition, input.group.as_deref())?,
            started_by: started_by(input.started_by.as_deref())?,
            tags: task_tags(&cluster, &definition, input)?,
            count: count.unsigned_abs() as usize,
            enable_execute_command: input.enable_execute_command.unwrap_or(false),
            token: token(input)?,
            cluster,
            definition,
            capacity,
            platform,
            network,
            subnet,
            overrides,
        })
    }

    /// The tasks that an earlier call with the same token has started.
    fn done_already(&self, world: &World, now_ms: u64) -> Result<Option<Vec<TaskId>>, Error> {
        let Some(token) = &self.token else { return Ok(None) };
        let key = TokenKey {
            scope: self.cluster.key.scope.clone(),
            operation: token.operation.clone(),
            token: token.token.clone(),
        };
        match world.token(&key, now_ms).map(|known| (&known.fingerprint, &known.result)) {
            None => Ok(None),
            Some((fingerprint, TokenResult::Tasks(ids))) if *fingerprint == token.fingerprint => {
                Ok(Some(ids.to_vec()))
            }
            Some(_) => Err(refused(&Refusal::TokenReused)),
        }
    }

    fn size(&self) -> Option<Size> {
        self.overrides.size
    }

    fn place(&self, app: &App, world: &World) -> Result<(Vec<NewTask>, Vec<Failure>), Error> {
        let want = Want {
            cluster: self.cluster.key.clone(),
            definition: (&self.definition.key).into(),
            launch_type: self.capacity.launch_type,
            size: self.size(),
            capacity_provider: None,
        };
        let mut ids = Ids::new(app.seed());
        let mut shares = Shares::new(&self.capacity.strategy, []);
        let wants: Vec<Want> =
            (0..self.count).map(|_| Want { capacity_provider: shares.give(), ..want.clone() }).collect();
        let placement = plan::place(world, &wants, app.now_ms(), app.seed());
        let tasks = placement.placed.iter().map(|placed| NewTask {
            id: ids.task(),
            cluster: self.cluster.key.clone(),
            definition: (&self.definition.key).into(),
            instance: placed.instance,
            launch_type: self.capacity.launch_type,
            capacity_provider: wants[placed.want].capacity_provider.clone(),
            platform_version: self.platform.version.clone(),
            platform_family: self.platform.family.clone(),
            group: Some(self.group.clone()),
            started_by: self.started_by.as_deref().map(Into::into),
            service: None,
            deployment: None,
            size: self.size(),
            overrides: self.overrides.document.clone(),
            network: self.network.clone(),
            subnet: self.subnet.clone(),
            tags: self.tags.clone(),
            enable_execute_command: self.enable_execute_command,
            ephemeral_storage_gib: self
                .overrides
                .ephemeral_storage_gib
                .or(self.definition.ephemeral_storage_gib),
            document: None,
        });
        let tasks: Vec<NewTask> = tasks.collect();
        let home = app.config.home();
        let no_instances = placement
            .failures
            .iter()
            .find(|failure| failure.reason == plan::schedule::FailureReason::NoInstances);
        // Here ECS answers with an error instead of a failure.
        if let Some(failure) = no_instances {
            return Err(Error::invalid_parameter(failure.reason.as_str()));
        }
        let failures = placement.failures.iter().map(|failure| Failure {
            arn: failure
                .closest
                .and_then(|id| world.instance(id))
                .map(|instance| arn::instance(&instance.home, &home, instance.id)),
            reason: Some(failure.reason.to_string()),
            detail: Some(failure.detail.clone()),
        });
        Ok((tasks, failures.collect()))
    }
}

fn group(definition: &TaskDefinition, given: Option<&str>) -> Result<Group, Error> {
    match given {
        None => Ok(format!("family:{}", definition.key.family).into()),
        Some(group) if group.starts_with("service:") => {
            Err(Error::invalid_parameter("Invalid namespace for group. The namespace service: is reserved."))
        }
        Some(group) if (1..=GROUP_LENGTH).contains(&group.len()) => Ok(group.into()),
        Some(_) => Err(Error::invalid_parameter(format!("group must have 1 to {GROUP_LENGTH} characters."))),
    }
}

fn started_by(given: Option<&str>) -> Result<Option<String>, Error> {
    let Some(text) = given.filter(|text| !text.is_empty()) else { return Ok(None) };
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-/_".contains(c);
    if text.len() > STARTED_BY_LENGTH || !text.chars().all(allowed) {
        return Err(Error::invalid_parameter(format!(
            "startedBy may have {STARTED_BY_LENGTH} letters, numbers, hyphens, slashes and underscores at most."
        )));
    }
    Ok(Some(text.to_owned()))
}

/// The definition's tags where they are propagated, then ECS's own, then the call's.
fn task_tags(cluster: &Cluster, definition: &TaskDefinition, input: &RunTaskRequest) -> Result<Tags, Error> {
    let mut all = match input.propagate_tags {
        Some(PropagateTags::TaskDefinition) => definition.tags.clone(),
        Some(PropagateTags::Service) => {
            return Err(Error::invalid_parameter(
                "The propagateTags parameter can't have the value SERVICE when running a task.",
            ));
        }
        Some(PropagateTags::None) | None => Tags::default(),
    };
    if input.enable_ecs_managed_tags == Some(true) {
        all = all.with([model::Tag {
            key: "aws:ecs:clusterName".into(),
            value: Some(cluster.key.name.as_str().into()),
        }]);
    }
    Ok(all.with(tags::from_wire(input.tags.as_deref())?))
}

fn check_placement(launch_type: LaunchType, input: &RunTaskRequest) -> Result<(), Error> {
    let constrained = input.placement_constraints.as_ref().is_some_and(|list| !list.is_empty());
    let strategic = input.placement_strategy.as_ref().is_some_and(|list| !list.is_empty());
    if launch_type == LaunchType::Fargate {
        if constrained {
            return Err(Error::invalid_parameter(
                "Placement constraints are not supported with FARGATE launch type.",
            ));
        }
        if strategic {
            return Err(Error::invalid_parameter(
                "Placement strategies are not supported with FARGATE launch type.",
            ));
        }
    }
    let volumes = input.volume_configurations.as_ref().is_some_and(|list| !list.is_empty());
    let unsupported = [
        (constrained, "placementConstraints"),
        (strategic, "placementStrategy"),
        (volumes, "volumeConfigurations"),
    ];
    match unsupported.iter().find(|(given, _)| *given) {
        Some((_, what)) => Err(Error::new(
            "UnsupportedFeatureException",
            format!("Longshore does not implement {what} of ecs:RunTask yet."),
        )),
        None => Ok(()),
    }
}

fn token(input: &RunTaskRequest) -> Result<Option<Token>, Error> {
    let Some(token) = input.client_token.as_deref().filter(|token| !token.is_empty()) else {
        return Ok(None);
    };
    let parameters = RunTaskRequest { client_token: None, ..input.clone() };
    Ok(Some(Token {
        operation: "RunTask".into(),
        token: token.into(),
        fingerprint: fingerprint::of(&parameters)?,
    }))
}

#[cfg(test)]
mod tests {
    use model::{Command, Home};
    use serde_json::json;

    use crate::testing::Fixture;

    #[tokio::test]
    async fn a_repeated_call_names_its_tasks_also_when_there_is_no_place_any_more() {
        let fixture = Fixture::new().await;
        let container = json!({"name": "web", "image": "web", "memory": 64});
        fixture
            .json("RegisterTaskDefinition", json!({"family": "web", "containerDefinitions": [container]}))
            .await
            .unwrap();
        let instance = fixture.instance(Home::Cluster(fixture.cluster("default")), &[]).await;
        let input = json!({"taskDefinition": "web", "launchType": "EC2", "clientToken": "once"});
        let first = fixture.json("RunTask", input.clone()).await.unwrap();
        assert_eq!(first["tasks"].as_array().unwrap().len(), 1);
        fixture.submit(Command::SetAgentConnected { id: instance, connected: false }).await;
        let again = fixture.json("RunTask", input).await.unwrap();
        assert_eq!(again["tasks"], first["tasks"]);
        let other = json!({"taskDefinition": "web", "launchType": "EC2", "clientToken": "once", "count": 2});
        assert_eq!(fixture.json("RunTask", other).await.unwrap_err().code, "ConflictException");
    }
}
