//! Services with the deployment controller EXTERNAL: what their task sets say, they don't.

use model::command::{NewService, ServiceChange};
use model::{Breaker, ControllerType, PropagateTags, SchedulingStrategy, ServiceKey, Tags};
use wire::ecs::{self, CreateServiceRequest, DeploymentControllerType, UpdateServiceRequest};
use wire::{Context, Error};

use super::unsupported::{self, given};
use super::{rollout, rules};
use crate::ecs::translate::{service as translate, tags};

pub(crate) fn is_asked_for(controller: Option<&ecs::DeploymentController>) -> bool {
    controller.is_some_and(|controller| controller.r#type == DeploymentControllerType::External)
}

/// "You can specify only parameters that aren't controlled at the task set level. The only required parameter is the
/// service name" (ECS API reference, CreateService).
pub(crate) fn create(
    operation: &str,
    context: &Context,
    key: ServiceKey,
    input: &CreateServiceRequest,
) -> Result<NewService, Error> {
    refuse(&[
        (input.task_definition.is_some(), "taskDefinition"),
        (input.launch_type.is_some(), "launchType"),
        (given(&input.capacity_provider_strategy), "capacityProviderStrategy"),
        (input.platform_version.is_some(), "platformVersion"),
        (input.network_configuration.is_some(), "networkConfiguration"),
        (given(&input.load_balancers), "loadBalancers"),
        (given(&input.service_registries), "serviceRegistries"),
        (input.deployment_configuration.is_some(), "deploymentConfiguration"),
    ])?;
    placed(operation, &input.placement_constraints, &input.placement_strategy)?;
    let percents = rollout::default(SchedulingStrategy::Replica);
    let percents = rollout::check(operation, SchedulingStrategy::Replica, &percents)?;
    Ok(NewService {
        key,
        desired_count: input.desired_count.map(rules::desired_count).transpose()?.unwrap_or(0),
        scheduling: SchedulingStrategy::Replica,
        controller: ControllerType::External,
        minimum_healthy_percent: percents.minimum_percent,
        maximum_percent: percents.maximum_percent,
        breaker: Breaker::default(),
        stages: None,
        alarms: None,
        health_check_grace_s: input.health_check_grace_period_seconds.map(rules::grace).transpose()?,
        deployment: None,
        placement_constraints: Vec::new(),
        placement_strategy: Vec::new(),
        propagate_tags: input.propagate_tags.map_or(PropagateTags::None, translate::propagation),
        managed_tags: input.enable_ecs_managed_tags.unwrap_or(false),
        enable_execute_command: input.enable_execute_command.unwrap_or(false),
        tags: Tags::new(tags::from_wire(input.tags.as_deref())?),
        created_by: Some(context.principal_arn.as_str().into()),
        document: None,
    })
}

pub(crate) fn update(operation: &str, input: &UpdateServiceRequest) -> Result<ServiceChange, Error> {
    refuse(&[
        (input.task_definition.is_some(), "taskDefinition"),
        (given(&input.capacity_provider_strategy), "capacityProviderStrategy"),
        (input.platform_version.is_some(), "platformVersion"),
        (input.network_configuration.is_some(), "networkConfiguration"),
        (given(&input.load_balancers), "loadBalancers"),
        (given(&input.service_registries), "serviceRegistries"),
        (input.deployment_configuration.is_some(), "deploymentConfiguration"),
        (input.force_new_deployment == Some(true), "forceNewDeployment"),
    ])?;
    placed(operation, &input.placement_constraints, &input.placement_strategy)?;
    Ok(ServiceChange {
        desired_count: input.desired_count.map(rules::desired_count).transpose()?,
        health_check_grace_s: input
            .health_check_grace_period_seconds
            .map(rules::grace)
            .transpose()?
            .map(Some),
        propagate_tags: input.propagate_tags.map(translate::propagation),
        managed_tags: input.enable_ecs_managed_tags,
        enable_execute_command: input.enable_execute_command,
        ..ServiceChange::default()
    })
}

fn refuse(members: &[(bool, &str)]) -> Result<(), Error> {
    match members.iter().find(|(used, _)| *used) {
        Some((_, what)) => Err(Error::invalid_parameter(format!(
            "{what} can't be specified for a service with the deployment controller EXTERNAL: its task sets have it."
        ))),
        None => Ok(()),
    }
}

fn placed<C, S>(
    operation: &str,
    constraints: &Option<Vec<C>>,
    strategy: &Option<Vec<S>>,
) -> Result<(), Error> {
    unsupported::check(
        operation,
        &[
            (given(constraints), "placementConstraints with the deployment controller EXTERNAL"),
            (given(strategy), "placementStrategy with the deployment controller EXTERNAL"),
        ],
    )
}
