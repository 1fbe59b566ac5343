use std::sync::Arc;

use model::command::NewTask;
use model::{ContainerInstance, Home, InstanceId, LaunchType, World};
use plan::{Ids, Want};
use wire::ecs::{Failure, StartTaskRequest, StartTaskResponse};
use wire::{Context, Error};

use super::launch::capacity;
use super::launch::submit::{failure, submit};
use super::launch::task::{self, Asked, Launch};
use super::reference;
use crate::app::App;
use crate::arn;

const OPERATION: &str = "StartTask";
/// Most container instances in one call.
const MOST: usize = 10;
const STARTED_BY_LENGTH: usize = 36;
/// What an agent registers that runs outside of AWS (ECS developer guide, "Amazon ECS clusters for
/// external instances").
const EXTERNAL: &str = "ecs.capability.external";

/// Starts a task on each of the container instances that has room for it; each other one is a failure
/// in the answer.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: StartTaskRequest,
) -> Result<StartTaskResponse, Error> {
    let request = Request::check(&context, &app.world(), &input)?;
    let scope = reference::scope(&context);
    let (tasks, failures) = submit(&app, &scope, None, |world| Ok(request.place(&app, world))).await?;
    Ok(StartTaskResponse { tasks: Some(tasks), failures: Some(failures) })
}

struct Request {
    launch: Launch,
    instances: Vec<InstanceId>,
}

impl Request {
    fn check(context: &Context, world: &World, input: &StartTaskRequest) -> Result<Self, Error> {
        let key = reference::active_cluster(context, world, input.cluster.as_deref())?;
        let cluster = world.active_cluster(&key).ok_or_else(Error::cluster_not_found)?.clone();
        if input.container_instances.is_empty() {
            return Err(Error::invalid_parameter("Container instances cannot be empty."));
        }
        if input.container_instances.len() > MOST {
            return Err(Error::invalid_parameter(format!("instanceIds can have at most {MOST} items.")));
        }
        let named = input.container_instances.iter();
        let instances =
            named.map(|text| reference::instance(context, &key, text)).collect::<Result<Vec<_>, _>>()?;
        let definition = task::definition(context, world, &input.task_definition)?;
        let found = instances.iter().filter_map(|id| world.instance(*id));
        for launch_type in found.map(|instance| launch_type(instance)) {
            capacity::check_compatible(&definition, launch_type)?;
        }
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
        let platform = capacity::Platform::default();
        let launch = Launch::check(cluster, definition, LaunchType::Ec2, platform, asked)?;
        Ok(Self { launch, instances })
    }

    fn place(&self, app: &App, world: &World) -> (Vec<NewTask>, Vec<Failure>) {
        let launch = &self.launch;
        let want = Want {
            cluster: launch.cluster.key.clone(),
            definition: (&launch.definition.key).into(),
            launch_type: LaunchType::Ec2,
            size: launch.overrides.size,
            gpus: launch.overrides.gpus.as_deref().map(model::gpus_of),
            capacity_provider: None,
        };
        let mut ids = Ids::new(app.seed());
        let placement = plan::schedule::place_on(world, &want, &plan::Rules::default(), &self.instances);
        let on = |id| {
            launch.on(ids.task(), id, world.instance(id).map_or(LaunchType::Ec2, |i| launch_type(i)), None)
        };
        let tasks = placement.placed.iter().map(|placed| placed.instance).map(on).collect();
        let home = Home::Cluster(launch.cluster.key.clone());
        let failures = placement.failures.iter().map(|one| Failure {
            // One that isn't there is named as it was asked for.
            arn: Some(arn::instance(&home, &app.config.home(), self.instances[one.want])),
            ..failure(app, world, one)
        });
        (tasks, failures.collect())
    }
}

fn launch_type(instance: &ContainerInstance) -> LaunchType {
    match instance.attribute(EXTERNAL) {
        Some(_) => LaunchType::External,
        None => LaunchType::Ec2,
    }
}

#[cfg(test)]
mod tests;
