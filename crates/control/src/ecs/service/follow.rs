//! Which services run what was pushed, and the change that makes them. Pure.
//!
//! A service follows the tags that its task definition names in our registry, or those of the pattern in its
//! resource tag [`FOLLOWS`]. It is brought to a revision that is the same but for the image, which keeps its
//! tag, so that it follows on, and says the digest, so that every task of the deployment runs one image.

use model::command::{NewDefinition, NewDeployment, PushDeployment, ServiceChange};
use model::{
    Command, ContainerShape, DefinitionRef, Deployment, Document, Revision, Service, ServiceEvent,
    ServiceStatus, TaskDefinition, World,
};
use wire::{Error, ecr_host, ecs};

use super::Recorded;
use crate::ecs::image::{Named, OwnRegistry};
use crate::pushes::Push;

/// The resource tag of a service that says which pushed tags it follows, `+` standing for any run of characters: AWS
/// allows no `*` in the value of a resource tag, and ECR no `+` in the tag of an image. Empty for none.
pub(crate) const FOLLOWS: &str = "longshore:deploy-on-push";

/// The command that brings `service` to what was pushed; `None` where it isn't concerned.
pub(crate) fn command(
    world: &World,
    own: &OwnRegistry,
    push: &Push,
    service: &Service,
    now_ms: u64,
    seed: u128,
) -> Result<Option<Command>, Error> {
    let Some((primary, definition)) = follower(world, push, service) else { return Ok(None) };
    let images = images(own, push, service, primary, definition);
    if images.iter().all(Option::is_none) {
        return Ok(None);
    }
    let mut ids = plan::Ids::new(seed);
    let definition = with_images(definition, &images)?;
    let last = world.family(&definition.scope, &definition.family).map_or(0, |family| family.last_revision.0);
    let reference = DefinitionRef { family: definition.family.clone(), revision: Revision(last + 1) };
    let mut recorded = Recorded::of(service)
        .ok_or_else(|| Error::server("What the service was asked for before could not be read."))?;
    recorded.aim.definition = reference.in_scope(&definition.scope);
    let change = ServiceChange {
        document: Some(Some(recorded.document()?)),
        deployment: Some(NewDeployment {
            id: ids.deployment(),
            definition: reference.clone(),
            launch_type: primary.launch_type,
            capacity_strategy: primary.capacity_strategy.clone(),
            platform_version: primary.platform_version.clone(),
            platform_family: primary.platform_family.clone(),
            network: primary.network.clone(),
            subnet: primary.subnet.clone(),
            document: primary.document.clone(),
        }),
        ..ServiceChange::default()
    };
    let message = format!(
        "(service {}) is deployed as {reference} because {}:{} was pushed as {}.",
        service.key.name, push.repository, push.tag, push.digest
    );
    Ok(Some(Command::DeployPush(Box::new(PushDeployment {
        service: service.key.clone(),
        expected_version: service.version,
        push: push.number,
        revision: reference.revision,
        definition,
        change,
        event: ServiceEvent { id: ids.uuid(), at_ms: now_ms, message: message.into() },
    }))))
}

/// The deployment and definition of a service that may have to follow.
fn follower<'a>(
    world: &'a World,
    push: &Push,
    service: &'a Service,
) -> Option<(&'a Deployment, &'a TaskDefinition)> {
    let scope = &service.key.cluster.scope;
    if !push.is_image || *scope != push.scope || service.status != ServiceStatus::Active {
        return None;
    }
    if service.push >= push.number {
        return None;
    }
    // Absent where another controller deploys.
    let primary = service.primary()?;
    let definition = world.definition(&primary.definition.in_scope(scope))?;
    Some((primary, definition))
}

/// For each container the image that it is to run instead.
fn images(
    own: &OwnRegistry,
    push: &Push,
    service: &Service,
    primary: &Deployment,
    definition: &TaskDefinition,
) -> Vec<Option<String>> {
    let pattern = service.tags.iter().find(|tag| &*tag.key == FOLLOWS);
    let pattern = pattern.map(|tag| tag.value.as_deref().unwrap_or_default());
    let image = |container: &ContainerShape| {
        let named = Named::of(&container.image)?;
        let follows = match pattern {
            Some(pattern) => ecr_host::matches(&pattern.replace('+', "*"), &push.tag),
            None => named.tag == Some(push.tag.as_str()),
        };
        let is_of_it = named.repository == push.repository && own.scope_of(named.host)? == push.scope;
        // Tasks of a deployment that is no older than the push have looked the tag up since.
        let has_it = match named.digest {
            Some(digest) => digest == push.digest && named.tag == Some(push.tag.as_str()),
            None => named.tag == Some(push.tag.as_str()) && primary.created_at_ms >= push.at_ms,
        };
        let wanted = follows && is_of_it && !has_it;
        wanted.then(|| format!("{}/{}:{}@{}", named.host, named.repository, push.tag, push.digest))
    };
    definition.containers.iter().map(image).collect()
}

/// The same definition with other images, to be registered.
fn with_images(definition: &TaskDefinition, images: &[Option<String>]) -> Result<NewDefinition, Error> {
    let unreadable = |error: serde_json::Error| {
        Error::server(format!("The task definition {} can't be read: {error}.", definition.key))
    };
    let mut document: ecs::TaskDefinition = definition.document.to().map_err(unreadable)?;
    let mut containers = definition.containers.clone();
    let described = document.container_definitions.iter_mut().flatten();
    for ((container, described), image) in containers.iter_mut().zip(described).zip(images) {
        if let Some(image) = image {
            container.image = image.as_str().into();
            described.image = Some(image.clone());
        }
    }
    Ok(NewDefinition {
        scope: definition.key.scope.clone(),
        family: definition.key.family.clone(),
        cpu: definition.cpu,
        memory_mib: definition.memory_mib,
        network_mode: definition.network_mode,
        compatibilities: definition.compatibilities.clone(),
        requires_compatibilities: definition.requires_compatibilities.clone(),
        requires_attributes: definition.requires_attributes.clone(),
        member_of: definition.member_of.clone(),
        platform: definition.platform.clone(),
        containers,
        ephemeral_storage_gib: definition.ephemeral_storage_gib,
        document: Document::of(&document).map_err(unreadable)?,
        tags: definition.tags.clone(),
        registered_by: definition.registered_by.clone(),
    })
}

#[cfg(test)]
mod tests;
