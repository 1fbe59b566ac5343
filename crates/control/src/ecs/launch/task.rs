//! What RunTask and StartTask have in common: one kind of task, asked for and found to be good.

use std::sync::Arc;

use model::command::NewTask;
use model::{Cluster, Document, Group, InstanceId, LaunchType, Run, Tags, TaskDefinition, TaskId, World};
use wire::ecs::{self, PropagateTags};
use wire::{Context, Error};

use super::{capacity, network, overrides, run};
use crate::ecs::reference;
use crate::ecs::translate::tags;

/// AWS's bound on `group`.
const GROUP_LENGTH: usize = 255;

/// The members that both calls have.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub operation: &'static str,
    pub group: Option<&'a str>,
    pub started_by: Option<&'a str>,
    /// AWS's bound on `startedBy`, which the two calls' references tell differently.
    pub started_by_length: usize,
    pub network: Option<&'a ecs::NetworkConfiguration>,
    pub overrides: Option<&'a ecs::TaskOverride>,
    pub propagate_tags: Option<PropagateTags>,
    pub managed_tags: Option<bool>,
    pub tags: Option<&'a [ecs::Tag]>,
    pub enable_execute_command: Option<bool>,
    pub volumes: Option<&'a [ecs::TaskVolumeConfiguration]>,
}

/// A task to be started, but for its place.
pub(crate) struct Launch {
    pub cluster: Arc<Cluster>,
    pub definition: Arc<TaskDefinition>,
    pub overrides: overrides::Overrides,
    platform: capacity::Platform,
    network: Option<Document>,
    subnet: Option<Arc<str>>,
    pub group: Group,
    started_by: Option<String>,
    tags: Tags,
    run: Option<Run>,
    enable_execute_command: bool,
}

/// The definition that a call names, which must be ACTIVE.
pub(crate) fn definition(
    context: &Context,
    world: &World,
    named: &str,
) -> Result<Arc<TaskDefinition>, Error> {
    let missing = || Error::client("TaskDefinition not found.");
    let key = reference::definition(context, world, named, missing)?;
    let definition = world.definition(&key).ok_or_else(missing)?.clone();
    match definition.status {
        model::DefinitionStatus::Active => Ok(definition),
        _ => Err(Error::client("TaskDefinition is inactive")),
    }
}

impl Launch {
    pub(crate) fn check(
        cluster: Arc<Cluster>,
        definition: Arc<TaskDefinition>,
        launch_type: LaunchType,
        platform: capacity::Platform,
        asked: Asked<'_>,
    ) -> Result<Self, Error> {
        let (network, subnet) = network::check(&definition, asked.network)?;
        let overrides = overrides::check(&definition, launch_type, asked.overrides)?;
        refuse_unsupported(asked.operation, &[(given(asked.volumes), "volumeConfigurations")])?;
        let tags = task_tags(&cluster, &definition, asked)?;
        Ok(Self {
            run: run::of(&tags)?,
            group: group(&definition, asked.group)?,
            started_by: started_by(asked.started_by, asked.started_by_length)?,
            tags,
            enable_execute_command: asked.enable_execute_command.unwrap_or(false),
            cluster,
            definition,
            overrides,
            platform,
            network,
            subnet,
        })
    }

    pub(crate) fn on(
        &self,
        id: TaskId,
        instance: InstanceId,
        launch_type: LaunchType,
        capacity_provider: Option<Arc<str>>,
    ) -> NewTask {
        NewTask {
            id,
            cluster: self.cluster.key.clone(),
            definition: (&self.definition.key).into(),
            instance,
            launch_type,
            capacity_provider,
            platform_version: self.platform.version.clone(),
            platform_family: self.platform.family.clone(),
            group: Some(self.group.clone()),
            distinct_instance: false,
            started_by: self.started_by.as_deref().map(Into::into),
            service: None,
            deployment: None,
            size: self.overrides.size,
            gpus: self.overrides.gpus.clone(),
            overrides: self.overrides.document.clone(),
            network: self.network.clone(),
            subnet: self.subnet.clone(),
            tags: self.tags.clone(),
            enable_execute_command: self.enable_execute_command,
            ephemeral_storage_gib: self
                .overrides
                .ephemeral_storage_gib
                .or(self.definition.ephemeral_storage_gib),
            run: self.run.clone(),
            document: None,
        }
    }
}

pub(crate) fn given<T>(list: Option<&[T]>) -> bool {
    list.is_some_and(|list| !list.is_empty())
}

/// Refuses by name what was given and isn't implemented.
pub(crate) fn refuse_unsupported(operation: &str, members: &[(bool, &str)]) -> Result<(), Error> {
    match members.iter().find(|(given, _)| *given) {
        Some((_, what)) => Err(Error::new(
            "UnsupportedFeatureException",
            format!("Longshore does not implement {what} of ecs:{operation} yet."),
        )),
        None => Ok(()),
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

fn started_by(given: Option<&str>, length: usize) -> Result<Option<String>, Error> {
    let Some(text) = given.filter(|text| !text.is_empty()) else { return Ok(None) };
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-/_".contains(c);
    if text.len() > length || !text.chars().all(allowed) {
        return Err(Error::invalid_parameter(format!(
            "startedBy may have {length} letters, numbers, hyphens, slashes and underscores at most."
        )));
    }
    Ok(Some(text.to_owned()))
}

/// The definition's tags where they are propagated, then ECS's own, then the call's.
fn task_tags(cluster: &Cluster, definition: &TaskDefinition, asked: Asked<'_>) -> Result<Tags, Error> {
    let mut all = match asked.propagate_tags {
        Some(PropagateTags::TaskDefinition) => definition.tags.clone(),
        Some(PropagateTags::Service) => {
            return Err(Error::invalid_parameter(
                "The propagateTags parameter can't have the value SERVICE when running a task.",
            ));
        }
        Some(PropagateTags::None) | None => Tags::default(),
    };
    if asked.managed_tags == Some(true) {
        all = all.with([model::Tag {
            key: "aws:ecs:clusterName".into(),
            value: Some(cluster.key.name.as_str().into()),
        }]);
    }
    Ok(all.with(tags::from_wire(asked.tags)?))
}
