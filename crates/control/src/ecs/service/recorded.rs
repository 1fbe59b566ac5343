use model::{Document, Service};
use serde::{Deserialize, Serialize};
use wire::{Error, ecs};

use super::Aim;

/// `Service.document`: what the scheduler needs nothing of, and what outlives the deployments of a
/// service that is INACTIVE.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recorded {
    /// Whole, with the members in it that are typed fields of the service too.
    pub deployment_configuration: ecs::DeploymentConfiguration,
    pub rebalancing: ecs::AvailabilityZoneRebalancing,
    pub role_arn: Option<String>,
    /// As of the last call that changed it.
    pub aim: Aim,
}

impl Recorded {
    /// `None` for a service that none of our operations made.
    pub(crate) fn of(service: &Service) -> Option<Self> {
        let recorded: Self = service.document.as_ref()?.to().ok()?;
        let Some(primary) = service.primary() else { return Some(recorded) };
        // The PRIMARY deployment has the last word: a rollback may have come after the call.
        let network = primary.network.as_ref().and_then(|network| network.to().ok());
        let connect = primary.document.as_ref().and_then(|document| document.to().ok());
        let aim = Aim {
            definition: primary.definition.in_scope(&service.key.cluster.scope),
            launch_type: primary.launch_type,
            strategy: primary.capacity_strategy.clone(),
            platform: recorded.aim.platform,
            network,
            service_connect: connect,
        };
        Some(Self { aim, ..recorded })
    }

    pub(crate) fn document(&self) -> Result<Document, Error> {
        Document::of(self).map_err(|_| Error::server("The request could not be recorded."))
    }
}
