//! Where tasks are to run: a launch type, or a strategy of capacity providers.

use std::sync::Arc;

use model::{CapacityStrategyItem, Cluster, LaunchType, TaskDefinition};
use wire::{Error, ecs};

use crate::ecs::cluster_change;

/// The platform version that `LATEST` means on FARGATE, for Linux.
pub(crate) const LATEST: &str = "1.4.0";

/// What a FARGATE task may write where nothing else was asked for (API reference, EphemeralStorage).
pub(crate) const FARGATE_STORAGE_GIB: u32 = 20;

/// What the call asked for, with the cluster's default filled in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Capacity {
    pub launch_type: LaunchType,
    /// Empty where a launch type was asked for.
    pub strategy: Vec<CapacityStrategyItem>,
}

/// Decides the launch type, as the API reference says for RunTask and CreateService: the call's own,
/// else its strategy's, else the cluster's default strategy's, else EC2.
pub(crate) fn decide(
    cluster: &Cluster,
    launch_type: Option<ecs::LaunchType>,
    strategy: Option<&[ecs::CapacityProviderStrategyItem]>,
) -> Result<Capacity, Error> {
    let strategy = strategy.filter(|items| !items.is_empty());
    match (launch_type, strategy) {
        (Some(_), Some(_)) => Err(Error::invalid_parameter(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
        )),
        (Some(ecs::LaunchType::Fargate), None) => of(LaunchType::Fargate),
        (Some(ecs::LaunchType::Ec2), None) => of(LaunchType::Ec2),
        (Some(ecs::LaunchType::External), None) => of(LaunchType::External),
        (Some(other), None) => Err(Error::new(
            "UnsupportedFeatureException",
            format!("Longshore does not implement the launch type {other} yet."),
        )),
        (None, Some(items)) => {
            let strategy = cluster_change::strategy(items, &cluster.capacity_providers)?;
            Ok(Capacity { launch_type: LaunchType::Fargate, strategy })
        }
        (None, None) if !cluster.default_strategy.is_empty() => {
            Ok(Capacity { launch_type: LaunchType::Fargate, strategy: cluster.default_strategy.clone() })
        }
        (None, None) => of(LaunchType::Ec2),
    }
}

fn of(launch_type: LaunchType) -> Result<Capacity, Error> {
    Ok(Capacity { launch_type, strategy: Vec::new() })
}

/// Refuses a definition that wasn't registered as fit for the launch type.
pub(crate) fn check_compatible(definition: &TaskDefinition, launch_type: LaunchType) -> Result<(), Error> {
    if definition.compatibilities.contains(&launch_type) {
        return Ok(());
    }
    Err(Error::invalid_parameter(format!("Task definition does not support launch_type {launch_type}.")))
}

/// What a FARGATE task runs on. Other launch types have none.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Platform {
    pub version: Option<Arc<str>>,
    pub family: Option<Arc<str>>,
}

pub(crate) fn platform(launch_type: LaunchType, version: Option<&str>) -> Result<Platform, Error> {
    if launch_type != LaunchType::Fargate {
        return match version {
            None => Ok(Platform::default()),
            Some(_) => Err(Error::invalid_parameter(
                "The platform version must be null when specifying an EC2 launch type.",
            )),
        };
    }
    let known = match version {
        None | Some("" | "LATEST" | LATEST) => LATEST,
        Some("1.3.0") => "1.3.0",
        Some(other) => {
            return Err(Error::new(
                "PlatformUnknownException",
                format!("The specified platform version {other} does not exist."),
            ));
        }
    };
    Ok(Platform { version: Some(known.into()), family: Some("Linux".into()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platform_versions() {
        assert_eq!(platform(LaunchType::Fargate, None).unwrap().version.as_deref(), Some("1.4.0"));
        assert_eq!(platform(LaunchType::Fargate, Some("9")).unwrap_err().code, "PlatformUnknownException");
        assert!(platform(LaunchType::Ec2, Some("LATEST")).is_err());
    }
}
