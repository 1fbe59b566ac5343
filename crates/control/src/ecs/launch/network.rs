//! The network that a call gives its tasks.

use std::sync::Arc;

use model::{Document, NetworkMode, TaskDefinition};
use wire::{Error, ecs};

/// AWS's bounds on an awsvpc configuration.
const MOST_SUBNETS: usize = 16;
const MOST_GROUPS: usize = 5;

/// The configuration to give back, and the first subnet that it names.
///
/// Longshore has one network. The names of subnets and security groups are recorded and given back;
/// none is looked up, since there is no EC2 here to have made them.
pub(crate) fn check(
    definition: &TaskDefinition,
    network: Option<&ecs::NetworkConfiguration>,
) -> Result<(Option<Document>, Option<Arc<str>>), Error> {
    let awsvpc = network.and_then(|network| network.awsvpc_configuration.as_ref());
    match (definition.network_mode, awsvpc) {
        (NetworkMode::Awsvpc, None) => Err(Error::invalid_parameter(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        )),
        (NetworkMode::Awsvpc, Some(awsvpc)) => {
            check_counts(awsvpc)?;
            let document = Document::of(network.unwrap_or(&ecs::NetworkConfiguration::default()))
                .map_err(|_| Error::server("The network configuration could not be recorded."))?;
            Ok((Some(document), awsvpc.subnets.first().map(|subnet| subnet.as_str().into())))
        }
        (_, Some(_)) => Err(Error::invalid_parameter(
            "Network Configuration is not valid for the given networkMode of this task definition.",
        )),
        (_, None) => Ok((None, None)),
    }
}

fn check_counts(awsvpc: &ecs::AwsVpcConfiguration) -> Result<(), Error> {
    if awsvpc.subnets.is_empty() {
        return Err(Error::invalid_parameter("subnets can not be empty."));
    }
    if awsvpc.subnets.len() > MOST_SUBNETS {
        return Err(Error::invalid_parameter(format!("subnets can have at most {MOST_SUBNETS} items.")));
    }
    if awsvpc.security_groups.as_ref().is_some_and(|groups| groups.len() > MOST_GROUPS) {
        return Err(Error::invalid_parameter(format!(
            "securityGroups can have at most {MOST_GROUPS} items."
        )));
    }
    if awsvpc.subnets.iter().any(String::is_empty) {
        return Err(Error::invalid_parameter("Subnet ID can not be null or empty."));
    }
    Ok(())
}
