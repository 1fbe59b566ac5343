//! Where tasks are to run: a launch type, or a strategy of capacity providers.

use std::sync::Arc;

use model::{CapacityStrategyItem, Cluster, LaunchType, TaskDefinition};
use wire::{Error, ecs};

use crate::ecs::cluster_change;

/// The platform version that `LATEST` means on FARGATE, for Linux.
pub(crate) const LATEST: &str = "1.4.0";

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
    Err(Error::invalid_parameter(format!(
        "Task definition does not support launch_type {launch_type}."
    )))
}

/// The platform version and family that FARGATE tasks show.
pub(crate) fn platform(
    launch_type: LaunchType,
    version: Option<&str>,
) -> Result<(Option<Arc<str>>, Option<Arc<str>>), Error> {
    if launch_type != LaunchType::Fargate {
        return match version {
            None => Ok((None, None)),
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
    Ok((Some(known.into()), Some("Linux".into())))
}

/// The provider of each of `count` tasks: every base first, then by weight, smallest share first.
pub(crate) fn assign(strategy: &[CapacityStrategyItem], count: usize) -> Vec<Option<Arc<str>>> {
    let mut given = vec![0u64; strategy.len()];
    (0..count)
        .map(|_| {
            let below_base =
                strategy.iter().zip(&given).position(|(item, given)| *given < u64::from(item.base));
            let lightest = || {
                let weighted = strategy.iter().enumerate().filter(|(_, item)| item.weight > 0);
                // Compares given/weight without fractions: a share never exceeds what u64 holds.
                weighted
                    .min_by(|(a, x), (b, y)| {
                        let share = |index: usize, other: u32| {
                            given[index].saturating_sub(u64::from(strategy[index].base)) * u64::from(other)
                        };
                        share(*a, y.weight).cmp(&share(*b, x.weight)).then(y.weight.cmp(&x.weight))
                    })
                    .map(|(index, _)| index)
            };
            let index = below_base.or_else(lightest)?;
            given[index] += 1;
            Some(strategy[index].provider.clone())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(provider: &str, base: u32, weight: u32) -> CapacityStrategyItem {
        CapacityStrategyItem { provider: provider.into(), base, weight }
    }

    #[test]
    fn bases_come_first_then_weights() {
        let strategy = [item("FARGATE", 2, 1), item("FARGATE_SPOT", 0, 3)];
        let given = assign(&strategy, 10);
        let of = |name: &str| given.iter().filter(|provider| provider.as_deref() == Some(name)).count();
        assert_eq!((of("FARGATE"), of("FARGATE_SPOT")), (4, 6));
        assert_eq!(given[0].as_deref(), Some("FARGATE"));
    }

    #[test]
    fn without_a_strategy_nobody_has_a_provider() {
        assert_eq!(assign(&[], 2), [None, None]);
    }

    #[test]
    fn platform_versions() {
        assert_eq!(platform(LaunchType::Fargate, None).unwrap().0.as_deref(), Some("1.4.0"));
        assert_eq!(platform(LaunchType::Fargate, Some("9")).unwrap_err().code, "PlatformUnknownException");
        assert!(platform(LaunchType::Ec2, Some("LATEST")).is_err());
    }
}
