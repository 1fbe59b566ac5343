//! What the tasks of a service are to be. Where it changes, they are replaced: a new deployment.

use model::command::NewDeployment;
use model::{
    CapacityStrategyItem, DefinitionKey, DefinitionRef, DefinitionStatus, DeploymentId, Document, LaunchType,
    TaskDefinition, World,
};
use serde::{Deserialize, Serialize};
use wire::{Error, ecs};

use crate::ecs::launch::capacity::{self, Capacity};
use crate::ecs::launch::network;

/// The platform version of FARGATE services that name none.
pub(crate) const LATEST: &str = "LATEST";

/// As the user asked for it: `LATEST` stays `LATEST`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Aim {
    pub definition: DefinitionKey,
    pub launch_type: LaunchType,
    pub strategy: Vec<CapacityStrategyItem>,
    /// For FARGATE only.
    pub platform: Option<String>,
    pub network: Option<ecs::NetworkConfiguration>,
    pub service_connect: Option<ecs::ServiceConnectConfiguration>,
}

impl Aim {
    /// The deployment that brings the service there, if all of it fits together.
    pub(crate) fn deployment(&self, world: &World, id: DeploymentId) -> Result<NewDeployment, Error> {
        let definition = self.definition(world)?;
        capacity::check_compatible(definition, self.launch_type)?;
        let platform = capacity::platform(self.launch_type, self.platform.as_deref())?;
        let (network, subnet) = network::check(definition, self.network.as_ref())?;
        let connect = self.service_connect.as_ref().map(Document::of).transpose();
        Ok(NewDeployment {
            id,
            definition: DefinitionRef::from(&self.definition),
            launch_type: self.launch_type,
            capacity_strategy: self.strategy.clone(),
            platform_version: platform.version,
            platform_family: platform.family,
            network,
            subnet,
            document: connect.map_err(|_| Error::server("The request could not be recorded."))?,
        })
    }

    /// The definition, which must be ACTIVE.
    pub(crate) fn definition<'w>(&self, world: &'w World) -> Result<&'w TaskDefinition, Error> {
        let definition = world.definition(&self.definition).ok_or_else(missing_definition)?;
        match definition.status {
            DefinitionStatus::Active => Ok(definition),
            DefinitionStatus::Inactive | DefinitionStatus::DeleteInProgress => {
                Err(Error::client("TaskDefinition is inactive"))
            }
        }
    }

    pub(crate) fn capacity(&self) -> Capacity {
        Capacity { launch_type: self.launch_type, strategy: self.strategy.clone() }
    }

    /// Another launch type or strategy, with the platform version that goes with it.
    pub(crate) fn with_capacity(self, launch_type: LaunchType, strategy: Vec<CapacityStrategyItem>) -> Self {
        let platform =
            (launch_type == LaunchType::Fargate).then(|| self.platform.unwrap_or(LATEST.to_owned()));
        Self { launch_type, strategy, platform, ..self }
    }
}

pub(crate) fn missing_definition() -> Error {
    Error::client("TaskDefinition not found.")
}

/// The network as it is given back: what was left out, filled in.
pub(crate) fn network(given: &ecs::NetworkConfiguration) -> ecs::NetworkConfiguration {
    let awsvpc = given.awsvpc_configuration.clone().map(|awsvpc| ecs::AwsVpcConfiguration {
        assign_public_ip: awsvpc.assign_public_ip.or(Some(ecs::AssignPublicIp::Disabled)),
        security_groups: Some(awsvpc.security_groups.unwrap_or_default()),
        ..awsvpc
    });
    ecs::NetworkConfiguration { awsvpc_configuration: awsvpc }
}
