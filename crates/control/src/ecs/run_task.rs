use std::sync::Arc;

use model::command::{NewTask, Token};
use model::{PlacementConstraint, PlacementStrategy, Run, World};
use plan::schedule::Placed;
use plan::{Ids, Rules, Shares, Want};
use wire::ecs::{Failure, RunTaskRequest, RunTaskResponse};
use wire::{Context, Error};

use super::launch::submit::{failure, submit};
use super::launch::task::{self, Asked, Launch};
use super::launch::{capacity, placement};
use super::{fingerprint, reference};
use crate::app::App;

const OPERATION: &str = "RunTask";
/// Most tasks in one call.
const MOST: i32 = 10;
const STARTED_BY_LENGTH: usize = 128;

/// Places the tasks and answers at once; each task's agent is told by its session.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: RunTaskRequest,
) -> Result<RunTaskResponse, Error> {
    let request = Request::check(&context, &app.world(), &input)?;
    let place = |world: &World| request.place(&app, world);
    let (tasks, failures) =
        submit(&app, &request.launch.cluster.key.scope, request.token.as_ref(), place).await?;
    Ok(RunTaskResponse { tasks: Some(tasks), failures: Some(failures) })
}

/// A call that was found to be good.
struct Request {
    launch: Launch,
    count: usize,
    capacity: capacity::Capacity,
    rules: Rules,
    placement: (Vec<PlacementConstraint>, Vec<PlacementStrategy>),
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
        let definition = task::definition(context, world, &input.task_definition)?;
        let capacity =
            capacity::decide(&cluster, input.launch_type, input.capacity_provider_strategy.as_deref())?;
        capacity::check_compatible(&definition, capacity.launch_type)?;
        let platform = capacity::platform(capacity.launch_type, input.platform_version.as_deref())?;
        let constraints = input.placement_constraints.as_deref();
        let constraints = placement::constraints(capacity.launch_type, &definition, constraints)?;
        let strategy = placement::strategy(capacity.launch_type, input.placement_strategy.as_deref())?;
        let asked = Asked {
            operation: OPERATION,
            group: input.group.as_deref(),
            started_by: input.started_by.as_deref(),
            started_by_length: STARTED_BY_LENGTH,
            network: input.network_configuration.as_ref(),
            overrides: input.overrides.as_ref(),
            propagate_tags: input.propagate_tags,
            managed_tags: input.enable_ecs_managed_tags,
            tags: input.tags.as_deref(),
            enable_execute_command: input.enable_execute_command,
            volumes: input.volume_configurations.as_deref(),
        };
        let launch = Launch::check(cluster, definition, capacity.launch_type, platform, asked)?;
        let group = Some((launch.cluster.key.clone(), launch.group.clone()));
        Ok(Self {
            launch,
            rules: Rules { group, ..Rules::of(&constraints, &strategy) },
            placement: (constraints, strategy),
            count: count.unsigned_abs() as usize,
            token: token(input)?,
            capacity,
        })
    }

    fn place(&self, app: &App, world: &World) -> Result<(Vec<NewTask>, Vec<Failure>), Error> {
        let launch = &self.launch;
        let want = Want {
            cluster: launch.cluster.key.clone(),
            definition: (&launch.definition.key).into(),
            launch_type: self.capacity.launch_type,
            size: launch.overrides.size,
            gpus: launch.overrides.gpus.as_deref().map(model::gpus_of),
            capacity_provider: None,
        };
        let mut ids = Ids::new(app.seed());
        let mut shares = Shares::new(&self.capacity.strategy, []);
        let wants: Vec<Want> =
            (0..self.count).map(|_| Want { capacity_provider: shares.give(), ..want.clone() }).collect();
        let placement = app.placements.place(world, &wants, &self.rules, app.seed());
        let launch_type = self.capacity.launch_type;
        let on = |placed: &Placed| {
            let provider = wants[placed.want].capacity_provider.clone();
            let task = launch.on(ids.task(), placed.instance, launch_type, provider);
            let (constraints, strategy) = self.placement.clone();
            // Further attempts are placed by the same rules.
            let run = task.run.clone().map(|run| Run { constraints, strategy, ..run });
            NewTask { distinct_instance: self.rules.distinct_instance, run, ..task }
        };
        let tasks = placement.placed.iter().map(on).collect();
        let no_instances = placement
            .failures
            .iter()
            .find(|failure| failure.reason == plan::schedule::FailureReason::NoInstances);
        // Here ECS answers with an error instead of a failure.
        if let Some(failure) = no_instances {
            return Err(Error::invalid_parameter(failure.reason.as_str()));
        }
        Ok((tasks, placement.failures.iter().map(|one| failure(app, world, one)).collect()))
    }
}

fn token(input: &RunTaskRequest) -> Result<Option<Token>, Error> {
    let Some(token) = input.client_token.as_deref().filter(|token| !token.is_empty()) else {
        return Ok(None);
    };
    let parameters = RunTaskRequest { client_token: None, ..input.clone() };
    Ok(Some(Token {
        operation: OPERATION.into(),
        token: token.into(),
        fingerprint: fingerprint::of(&parameters)?,
    }))
}

#[cfg(test)]
mod tests {
    use model::{Command, Home};
    use serde_json::json;

    use crate::testing::Fixture;

    async fn with_definition() -> Fixture {
        let fixture = Fixture::new().await;
        let container = json!({"name": "web", "image": "web", "memory": 64});
        fixture
            .json("RegisterTaskDefinition", json!({"family": "web", "containerDefinitions": [container]}))
            .await
            .unwrap();
        fixture
    }

    #[tokio::test]
    async fn a_call_s_rules_bind_and_failures_name_them() {
        let fixture = with_definition().await;
        let home = || Home::Cluster(fixture.cluster("default"));
        let one = fixture.instance(home(), &[("rack", Some("r1"))]).await;
        let other = fixture.instance(home(), &[("rack", Some("r2"))]).await;
        let run = async |constraints: serde_json::Value| {
            let input = json!({"taskDefinition": "web", "launchType": "EC2", "count": 3, "placementConstraints": constraints});
            fixture.json("RunTask", input).await.unwrap()
        };
        let member_of = json!({"type": "memberOf", "expression": "attribute:rack == r2"});
        let answer = run(json!([member_of])).await;
        let tasks = answer["tasks"].as_array().unwrap();
        let on = |task: &serde_json::Value| task["containerInstanceArn"].as_str().unwrap().to_owned();
        assert!(tasks.iter().all(|task| on(task).ends_with(&other.to_string())), "{answer}");
        assert_eq!(tasks.len(), 3);
        let answer = run(json!([{"type": "distinctInstance"}])).await;
        let tasks = answer["tasks"].as_array().unwrap();
        assert_eq!(tasks.len(), 1, "the other instance has tasks of the family already: {answer}");
        assert!(on(&tasks[0]).ends_with(&one.to_string()));
        let failures = answer["failures"].as_array().unwrap();
        assert_eq!(failures.len(), 2);
        assert_eq!(failures[0]["reason"], "DistinctInstance placement constraint unsatisfied.");
        let answer = run(json!([{"type": "memberOf", "expression": "attribute:rack == r3"}])).await;
        assert_eq!(answer["failures"][2]["reason"], "MemberOf placement constraint unsatisfied.");
    }

    #[tokio::test]
    async fn a_repeated_call_names_its_tasks_also_when_there_is_no_place_any_more() {
        let fixture = with_definition().await;
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
