//! What Longshore doesn't do yet, and what would be missed if it were passed over in silence.

use wire::{Error, ecs};

/// The members that CreateService and UpdateService both have, with whether the call uses them.
macro_rules! shared {
    ($input:expr) => {{
        use $crate::ecs::service::unsupported::{enabled, given};
        [
            (given(&$input.load_balancers), "loadBalancers"),
            (given(&$input.service_registries), "serviceRegistries"),
            (enabled(&$input.service_connect_configuration), "serviceConnectConfiguration"),
            (given(&$input.volume_configurations), "volumeConfigurations"),
            (given(&$input.vpc_lattice_configurations), "vpcLatticeConfigurations"),
            (given(&$input.gateway_connectors), "gatewayConnectors"),
            (
                $input.monitoring.as_ref().is_some_and(|monitoring| given(&monitoring.metric_configurations)),
                "monitoring",
            ),
        ]
    }};
}
pub(crate) use shared;

/// Whether a list has members: an empty one asks for nothing.
pub(crate) fn given<T>(list: &Option<Vec<T>>) -> bool {
    list.as_ref().is_some_and(|list| !list.is_empty())
}

pub(crate) fn enabled(connect: &Option<ecs::ServiceConnectConfiguration>) -> bool {
    connect.as_ref().is_some_and(|connect| connect.enabled)
}

pub(crate) fn error(operation: &str, what: &str) -> Error {
    Error::new(
        "UnsupportedFeatureException",
        format!("Longshore does not implement {what} of ecs:{operation} yet."),
    )
}

/// Refuses the first of `members` that the call uses.
pub(crate) fn check(operation: &str, members: &[(bool, &str)]) -> Result<(), Error> {
    match members.iter().find(|(used, _)| *used) {
        Some((_, what)) => Err(error(operation, what)),
        None => Ok(()),
    }
}

pub(crate) fn controller(
    operation: &str,
    controller: Option<&ecs::DeploymentController>,
) -> Result<(), Error> {
    match controller.map(|controller| controller.r#type) {
        None | Some(ecs::DeploymentControllerType::Ecs) => Ok(()),
        Some(other) => Err(error(operation, &format!("the deployment controller {other}"))),
    }
}
