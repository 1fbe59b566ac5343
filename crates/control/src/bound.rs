//! What the key of one container instance may do, given to it when it joined (decision 55): be the agent of that
//! instance. Which images and logs that takes follows from the tasks that are on it now, so no policy could say it.

use std::fmt;
use std::sync::Arc;

use iam::{Grant, Granted, Kind, Principal};
use model::{ClusterKey, Home, InstanceId, InstanceKey, Task, TaskDefinition, TaskId, World};
use wire::arn::Home as Arns;
use wire::{Context, Error, ecs};

use crate::app::App;
use crate::arn;
use crate::ecs::image::{Named, OwnRegistry};

/// The owner of an instance's key.
pub fn principal(app: &Arc<App>, key: &InstanceKey) -> Principal {
    let own = Own { app: app.clone(), cluster: key.cluster.clone(), instance: key.instance };
    let kind = Kind::Instance { id: key.instance.to_string(), granted: Granted(Arc::new(own)) };
    Principal { account: key.cluster.scope.account.to_string(), kind }
}

/// An instance's key speaks for its own tasks alone. Of what isn't there anybody may speak: it changes nothing.
pub(crate) fn check_word(app: &App, context: &Context, task: TaskId) -> Result<(), Error> {
    let world = app.world();
    match (world.instance_key(&context.access_key_id), world.task(task)) {
        (Some(key), Some(task)) if task.instance != key.instance => Err(Error::new(
            "AccessDeniedException",
            format!(
                "User: {} is not authorized to perform this action on resource: {}, which is on another container \
                 instance.",
                context.principal_arn,
                arn::task(&task.cluster, task.id)
            ),
        )),
        _ => Ok(()),
    }
}

/// What belongs to one instance.
struct Own {
    app: Arc<App>,
    cluster: ClusterKey,
    instance: InstanceId,
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Own({}/{})", self.cluster, self.instance)
    }
}

impl Grant for Own {
    fn allows(&self, action: &str, resource: &str) -> bool {
        let world = self.app.world();
        match action {
            "ecs:DiscoverPollEndpoint" | "ecr:GetAuthorizationToken" => true,
            "ecs:RegisterContainerInstance"
            | "ecs:SubmitTaskStateChange"
            | "ecs:SubmitContainerStateChange"
            | "ecs:SubmitAttachmentStateChanges" => resource == arn::cluster(&self.cluster),
            "ecs:Poll" | "ecs:StartTelemetrySession" => resource == self.arn(),
            "ecs:ListTagsForResource" => {
                let task = wire::arn::task(resource).and_then(|named| named.name.parse().ok());
                let task = task.and_then(|id| self.task(&world, id));
                resource == self.arn() || task.is_some_and(|task| resource == arn::task(&task.cluster, task.id))
            }
            "ecr:BatchGetImage"
            | "ecr:GetDownloadUrlForLayer"
            | "ecr:BatchCheckLayerAvailability"
            // What a pull through a cache needs.
            | "ecr:BatchImportUpstreamImage"
            | "ecr:CreateRepository" => self.pulls(&world, resource),
            "logs:CreateLogGroup" => self.live(&world).any(|task| self.logs(&world, task, resource, None)),
            "logs:CreateLogStream" | "logs:PutLogEvents" => self.writes(&world, resource),
            _ => false,
        }
    }
}

impl Own {
    fn arn(&self) -> String {
        arn::instance(&Home::Cluster(self.cluster.clone()), &self.cluster.scope, self.instance)
    }

    fn live<'w>(&self, world: &'w World) -> impl Iterator<Item = &'w Arc<Task>> {
        world.live_tasks_on(self.instance)
    }

    fn task<'w>(&self, world: &'w World, id: TaskId) -> Option<&'w Arc<Task>> {
        world.task(id).filter(|task| task.instance == self.instance)
    }

    /// Whether a task here is of an image of that repository.
    fn pulls(&self, world: &World, repository: &str) -> bool {
        let own = OwnRegistry::of(&self.app.config);
        let of_image = |image: &str| {
            let named = Named::of(image)?;
            let scope = own.scope_of(named.host)?;
            let home = Arns { region: scope.region.as_str(), account: scope.account.as_str() };
            Some(home.repository(named.repository))
        };
        let mut images =
            self.live(world).flat_map(|task| &task.containers).map(|container| &*container.image);
        images.any(|image| of_image(image).is_some_and(|arn| arn == repository))
    }

    /// Whether a stream (`log-group:GROUP:log-stream:STREAM`) is a task's here, which may have stopped: its last lines
    /// come after it.
    fn writes(&self, world: &World, stream: &str) -> bool {
        let Some((_, name)) = stream.split_once(":log-stream:") else { return false };
        let named =
            name.rsplit('/').next().and_then(|id| id.parse().ok()).and_then(|id| self.task(world, id));
        match named {
            Some(task) => self.logs(world, task, stream, Some(name)),
            // Without a prefix it is named by the container.
            None => world.tasks_on(self.instance).any(|task| self.logs(world, task, stream, Some(name))),
        }
    }

    /// Whether a container of the task logs to a group, and, if one is named, to that stream.
    fn logs(&self, world: &World, task: &Task, resource: &str, stream: Option<&str>) -> bool {
        let definition = world.definition(&task.definition_key());
        let document =
            definition.and_then(|d: &Arc<TaskDefinition>| d.document.shared::<ecs::TaskDefinition>().ok());
        let Some(document) = document else { return false };
        let containers = document.container_definitions.iter().flatten().zip(&task.containers);
        let mut logging = containers.filter_map(|(container, record)| {
            let options = container.log_configuration.as_ref()?.options.as_ref()?;
            let option = |name: &str| options.get(name).map(String::as_str);
            let region = option("awslogs-region").unwrap_or(task.cluster.scope.region.as_str());
            let home = Arns { region, account: task.cluster.scope.account.as_str() };
            let name = match option("awslogs-stream-prefix") {
                Some(prefix) => format!("{prefix}/{}/{}", record.name, task.id),
                None => record.id.to_string(),
            };
            let at = stream.map_or("", |_| name.as_str());
            Some(home.log_stream(option("awslogs-group")?, at))
        });
        logging.any(|arn| arn == resource)
    }
}

#[cfg(test)]
mod tests;
