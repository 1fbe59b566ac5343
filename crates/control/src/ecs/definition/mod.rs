//! What RegisterTaskDefinition takes, and what it makes of it. Pure: a request goes in, a
//! definition that the model can keep comes out, or the error that ECS answers.
//!
//! [`defaults`] fills in what ECS fills in; then each rule looks at the filled-in definition, so that
//! none has to know what an absent field means. [`compatibility`] says which launch types may run it,
//! [`attributes`] what an instance must be able to do, [`shape`] what decisions need of a container.
//!
//! The rules are those of the ECS API reference (RegisterTaskDefinition, ContainerDefinition and the
//! types below it). Words are AWS's where its users quote them: see [`refusal`].

mod attributes;
mod compatibility;
mod container;
mod defaults;
mod dependencies;
mod environment;
mod fargate;
pub(crate) mod gpus;
mod graph;
mod limits;
mod links;
mod logging;
mod network;
mod ports;
mod proposed;
mod proxy;
mod refusal;
mod shape;
pub(crate) mod size;
mod task;
mod volumes;

use model::command::NewDefinition;
use model::{Document, Scope, Tags};
use wire::Error;
use wire::ecs::{self, RegisterTaskDefinitionRequest};

use super::translate::tags;
use proposed::Proposed;

/// The definition that the request describes, or why ECS doesn't take it.
///
/// `registered_by`: the ARN of who calls.
pub(crate) fn admit(
    request: RegisterTaskDefinitionRequest,
    scope: Scope,
    registered_by: &str,
) -> Result<NewDefinition, Error> {
    let tags = admit_tags(request.tags.as_deref())?;
    task::check_request(&request)?;
    let document = defaults::fill(request)?;
    let proposed = Proposed::of(&document)?;

    task::check(&proposed)?;
    container::check(&proposed)?;
    environment::check(&proposed)?;
    limits::check(&proposed)?;
    network::check(&proposed)?;
    ports::check(&proposed)?;
    gpus::check_all(&proposed)?;
    links::check(&proposed)?;
    volumes::check(&proposed)?;
    dependencies::check(&proposed)?;
    logging::check(&proposed)?;
    proxy::check(&proposed)?;
    let compatibilities = compatibility::check(&proposed)?;
    let document_text = Document::of(&document)
        .map_err(|error| Error::server(format!("The task definition could not be kept: {error}.")))?;
    size::check_length(document_text.text().len())?;

    Ok(NewDefinition {
        scope,
        family: document.family.as_deref().unwrap_or_default().into(),
        cpu: proposed.cpu,
        memory_mib: proposed.memory_mib,
        network_mode: proposed.network_mode,
        compatibilities,
        requires_compatibilities: proposed.required.clone(),
        requires_attributes: attributes::required(&proposed),
        member_of: task::expressions(&document),
        platform: shape::platform(&document),
        containers: proposed.containers.iter().map(|c| shape::container(&proposed, c)).collect(),
        ephemeral_storage_gib: document
            .ephemeral_storage
            .as_ref()
            .and_then(|storage| u32::try_from(storage.size_in_gib).ok()),
        document: document_text,
        tags,
        registered_by: Some(registered_by.into()),
    })
}

/// RegisterTaskDefinition calls bad tags a `ClientException`, other operations don't.
fn admit_tags(given: Option<&[ecs::Tag]>) -> Result<Tags, Error> {
    if given.is_some_and(<[ecs::Tag]>::is_empty) {
        return Err(refusal::said("Tags can not be empty."));
    }
    tags::from_wire(given).map(Tags::new).map_err(|error| Error::client(error.message))
}

#[cfg(test)]
mod tests;
