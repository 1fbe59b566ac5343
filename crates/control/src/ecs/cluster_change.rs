//! What CreateCluster, UpdateCluster and UpdateClusterSettings have in common.

use std::sync::Arc;

use model::command::ClusterChange;
use model::{BUILT_IN_PROVIDERS, CapacityStrategyItem, Document, Home, World};
use serde::Serialize;
use wire::{Error, ecs};

const NAME_LENGTH: usize = 255;

/// "Up to 255 letters (uppercase and lowercase), numbers, underscores, and hyphens".
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if (1..=NAME_LENGTH).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(Error::invalid_parameter(format!("Invalid cluster name: {name}")))
}

/// Settings as a request gives them: each needs its name, and a value that the setting has.
pub(super) fn settings(settings: &[ecs::ClusterSetting]) -> Result<Document, Error> {
    for setting in settings {
        let name = setting.name.ok_or_else(|| Error::invalid_parameter("Setting name cannot be empty."))?;
        let value = setting.value.as_deref().unwrap_or_default();
        if !["enabled", "disabled", "enhanced"].contains(&value) {
            return Err(Error::invalid_parameter(format!(
                "Value '{value}' is not valid for the setting {name}: it is enabled, enhanced or disabled."
            )));
        }
    }
    document(settings)
}

/// Settings of a cluster for which none were given.
pub(super) fn default_settings(container_insights: &str) -> Result<Document, Error> {
    settings(&[ecs::ClusterSetting {
        name: Some(ecs::ClusterSettingName::ContainerInsights),
        value: Some(container_insights.to_owned()),
    }])
}

pub(super) fn change(
    given: Option<&[ecs::ClusterSetting]>,
    configuration: Option<&ecs::ClusterConfiguration>,
    service_connect: Option<&ecs::ClusterServiceConnectDefaultsRequest>,
) -> Result<ClusterChange, Error> {
    let service_connect = service_connect.map(|defaults| match defaults.namespace.as_str() {
        // An empty name takes the namespace away (ECS API reference).
        "" => Ok(None),
        name => document(&ecs::ClusterServiceConnectDefaults { namespace: Some(name.to_owned()) }).map(Some),
    });
    Ok(ClusterChange {
        settings: given.map(settings).transpose()?.map(Some),
        configuration: configuration.map(document).transpose()?.map(Some),
        service_connect_defaults: service_connect.transpose()?,
        ..ClusterChange::default()
    })
}

/// Those that exist without being made, and those that agents of the serverless pool are of.
pub(super) fn capacity_providers(world: &World, names: &[String]) -> Result<Vec<Arc<str>>, Error> {
    let of_an_agent = |name: &str| {
        world.instances(&Home::Pool).any(|agent| agent.capacity_providers().any(|has| has == name))
    };
    let unknown =
        names.iter().find(|name| !BUILT_IN_PROVIDERS.contains(&name.as_str()) && !of_an_agent(name));
    if let Some(name) = unknown {
        return Err(Error::invalid_parameter(format!(
            "The specified capacity provider '{name}' was not found. Specify a valid name and try again."
        )));
    }
    Ok(names.iter().map(|name| name.as_str().into()).collect())
}

/// A strategy whose providers are among the cluster's.
pub(crate) fn strategy(
    items: &[ecs::CapacityProviderStrategyItem],
    providers: &[Arc<str>],
) -> Result<Vec<CapacityStrategyItem>, Error> {
    let based = items.iter().filter(|item| item.base.unwrap_or(0) > 0).count();
    if based > 1 {
        return Err(Error::invalid_parameter(
            "Only one capacity provider in a capacity provider strategy can have a base defined.",
        ));
    }
    if !items.is_empty() && items.iter().all(|item| item.weight == Some(0)) {
        return Err(Error::invalid_parameter(
            "The specified capacity provider strategy must contain at least one capacity provider with a weight greater than 0.",
        ));
    }
    items
        .iter()
        .map(|item| {
            if !providers.iter().any(|provider| **provider == *item.capacity_provider) {
                return Err(Error::invalid_parameter(format!(
                    "The specified capacity provider strategy contains a capacity provider that is not associated \
                     with the cluster: {}.",
                    item.capacity_provider
                )));
            }
            let number = |value: Option<i32>, default: u32| {
                value.map_or(Ok(default), u32::try_from).map_err(|_| {
                    Error::invalid_parameter("A capacity provider's weight and base can't be negative.")
                })
            };
            Ok(CapacityStrategyItem {
                provider: item.capacity_provider.as_str().into(),
                weight: number(item.weight, 1)?,
                base: number(item.base, 0)?,
            })
        })
        .collect()
}

fn document(value: &(impl Serialize + ?Sized)) -> Result<Document, Error> {
    Document::of(value).map_err(|_| Error::server("The request could not be recorded."))
}
