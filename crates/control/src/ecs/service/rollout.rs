//! `deploymentConfiguration`: how tasks are replaced.

use std::sync::Arc;

use model::{Breaker, Document, SchedulingStrategy, Stages, Threshold, ThresholdKind};
use wire::{Error, ecs};

use super::{daemon, stages, unsupported};

const DEFAULT_MINIMUM: i32 = 100;
const DEFAULT_MAXIMUM: i32 = 200;
/// A daemon's new task takes the place of the old one.
const DAEMON_MINIMUM: i32 = 0;
const DAEMON_MAXIMUM: i32 = 100;

/// What the scheduler goes by.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rollout {
    pub minimum_percent: u32,
    pub maximum_percent: u32,
    pub breaker: Breaker,
    pub stages: Option<Arc<Stages>>,
    pub alarms: Option<Document>,
}

/// What a service has for which nothing was asked (ECS API reference, DeploymentConfiguration).
pub(crate) fn default(scheduling: SchedulingStrategy) -> ecs::DeploymentConfiguration {
    let (minimum, maximum) = match scheduling {
        SchedulingStrategy::Replica => (DEFAULT_MINIMUM, DEFAULT_MAXIMUM),
        SchedulingStrategy::Daemon => (DAEMON_MINIMUM, DAEMON_MAXIMUM),
    };
    ecs::DeploymentConfiguration {
        minimum_healthy_percent: Some(minimum),
        maximum_percent: Some(maximum),
        deployment_circuit_breaker: Some(ecs::DeploymentCircuitBreaker {
            enable: false,
            rollback: false,
            ..ecs::DeploymentCircuitBreaker::default()
        }),
        strategy: Some(ecs::DeploymentStrategy::Rolling),
        bake_time_in_minutes: Some(0),
        ..ecs::DeploymentConfiguration::default()
    }
}

/// `present` with the members that `given` has.
pub(crate) fn merge(
    present: ecs::DeploymentConfiguration,
    given: Option<&ecs::DeploymentConfiguration>,
) -> ecs::DeploymentConfiguration {
    let Some(given) = given.cloned() else { return present };
    let present = if given.strategy.is_none_or(|strategy| present.strategy == Some(strategy)) {
        present
    } else {
        without_strategy(present)
    };
    ecs::DeploymentConfiguration {
        alarms: given.alarms.or(present.alarms),
        bake_time_in_minutes: given.bake_time_in_minutes.or(present.bake_time_in_minutes),
        canary_configuration: given.canary_configuration.or(present.canary_configuration),
        deployment_circuit_breaker: given.deployment_circuit_breaker.or(present.deployment_circuit_breaker),
        early_success_criteria: given.early_success_criteria.or(present.early_success_criteria),
        lifecycle_hooks: given.lifecycle_hooks.or(present.lifecycle_hooks),
        linear_configuration: given.linear_configuration.or(present.linear_configuration),
        maximum_percent: given.maximum_percent.or(present.maximum_percent),
        minimum_healthy_percent: given.minimum_healthy_percent.or(present.minimum_healthy_percent),
        strategy: given.strategy.or(present.strategy),
    }
}

/// What belongs to a strategy goes with it.
fn without_strategy(present: ecs::DeploymentConfiguration) -> ecs::DeploymentConfiguration {
    ecs::DeploymentConfiguration {
        linear_configuration: None,
        canary_configuration: None,
        lifecycle_hooks: None,
        bake_time_in_minutes: Some(0),
        ..present
    }
}

/// Checks a whole configuration, as [`merge`] gives it.
pub(crate) fn check(
    operation: &str,
    scheduling: SchedulingStrategy,
    config: &ecs::DeploymentConfiguration,
) -> Result<Rollout, Error> {
    check_supported(operation, config)?;
    if scheduling == SchedulingStrategy::Daemon {
        daemon::check_percents(config.maximum_percent)?;
    }
    let (minimum_percent, maximum_percent) = bounds(
        config.minimum_healthy_percent.unwrap_or(DEFAULT_MINIMUM),
        config.maximum_percent.unwrap_or(DEFAULT_MAXIMUM),
    )?;
    let alarms = config.alarms.as_ref().map(Document::of).transpose();
    Ok(Rollout {
        minimum_percent,
        maximum_percent,
        breaker: breaker(config.deployment_circuit_breaker.as_ref())?,
        stages: stages::check(operation, scheduling, config)?,
        alarms: alarms.map_err(|_| Error::server("The request could not be recorded."))?,
    })
}

fn bounds(minimum: i32, maximum: i32) -> Result<(u32, u32), Error> {
    let refuse = |text: &str| Err(Error::invalid_parameter(text));
    match (u32::try_from(minimum), u32::try_from(maximum)) {
        (Err(_), _) => refuse("minimumHealthyPercent must be at least 0"),
        (Ok(101..), _) => refuse("minimumHealthyPercent must be at most 100"),
        (_, Err(_) | Ok(0)) => refuse("maximumPercent must be at least 1"),
        (Ok(100), Ok(100)) => refuse(
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.",
        ),
        (Ok(minimum), Ok(maximum)) if maximum < minimum => {
            refuse("maximumPercent cannot be less than minimumHealthyPercent.")
        }
        (Ok(minimum), Ok(maximum)) => Ok((minimum, maximum)),
    }
}

/// The threshold is a percentage or a count of tasks, so at least one (ECS API reference,
/// ThresholdConfiguration).
fn breaker(given: Option<&ecs::DeploymentCircuitBreaker>) -> Result<Breaker, Error> {
    let Some(given) = given else { return Ok(Breaker::default()) };
    let threshold = match &given.threshold_configuration {
        None => Threshold::default(),
        Some(threshold) => match u32::try_from(threshold.value) {
            Err(_) | Ok(0) => {
                return Err(Error::invalid_parameter(
                    "The value of the deployment circuit breaker's thresholdConfiguration must be at least 1.",
                ));
            }
            Ok(value) => Threshold { kind: kind(threshold.r#type), value },
        },
    };
    Ok(Breaker {
        enable: given.enable,
        rollback: given.rollback,
        reset_on_healthy: given.reset_on_healthy_task.unwrap_or(true),
        threshold,
    })
}

fn kind(given: ecs::ThresholdType) -> ThresholdKind {
    match given {
        ecs::ThresholdType::BoundedPercent => ThresholdKind::BoundedPercent,
        ecs::ThresholdType::UnboundedPercent => ThresholdKind::UnboundedPercent,
        ecs::ThresholdType::Count => ThresholdKind::Count,
    }
}

fn check_supported(operation: &str, config: &ecs::DeploymentConfiguration) -> Result<(), Error> {
    unsupported::check(
        operation,
        &[
            (config.alarms.as_ref().is_some_and(|alarms| alarms.enable), "deploymentConfiguration.alarms"),
            (
                config.early_success_criteria.as_ref().is_some_and(|early| early.enable),
                "earlySuccessCriteria",
            ),
        ],
    )
}
