use std::sync::Arc;

use model::command::ServiceChange;
use model::{
    Cluster, Command, ControllerType, PlacementConstraint, Refusal, SchedulingStrategy, Service, ServiceKey,
    ServiceStatus, World,
};
use wire::ecs::{self, UpdateServiceRequest, UpdateServiceResponse};
use wire::{Context, Error};

use super::launch::{capacity, placement};
use super::reference;
use super::service::{Aim, Recorded, aim, daemon, external, rollout, rules, stages, unsupported};
use super::translate::service as translate;
use crate::app::App;
use crate::writer::SubmitError;

const OPERATION: &str = "UpdateService";
/// How often a change is made anew because the service moved on before it was committed: by another
/// call, or by a step of its scheduler. Of calls that meet, each round lets one through.
const REMAKES: usize = 64;

/// Tasks are replaced only where a member changes that says what they are, or by force.
///
/// A change is made of what the service is and of what the call says, so that of two calls which read
/// the same service the second would undo the first: it is refused, and made anew of what the first left.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: UpdateServiceRequest,
) -> Result<UpdateServiceResponse, Error> {
    for _ in 0..REMAKES {
        let (key, command) = command(&context, &app.world(), &input, app.seed())?;
        match app.submit(command).await {
            Ok(done) => {
                let service = done.world.service(&key).ok_or_else(rules::not_found)?;
                return Ok(UpdateServiceResponse {
                    service: Some(translate::to_wire(&done.world, service, &[])),
                });
            }
            Err(SubmitError::Refused(Refusal::StaleSnapshot(stale))) => {
                tracing::debug!(%stale, "make the change again");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::server("The service could not be updated: it changed too often meanwhile. Try again."))
}

/// The service that is meant, and the change to it as it is in `world`.
pub(crate) fn command(
    context: &Context,
    world: &World,
    input: &UpdateServiceRequest,
    seed: u128,
) -> Result<(ServiceKey, Command), Error> {
    let cluster = reference::active_cluster(context, world, input.cluster.as_deref())?;
    let key = reference::service(context, &cluster, &input.service)?;
    let service = world.service(&key).ok_or_else(rules::not_found)?;
    if service.status != ServiceStatus::Active {
        return Err(Error::new("ServiceNotActiveException", "Service was not ACTIVE."));
    }
    let cluster = rules::cluster(world, &cluster)?;
    let change = change(context, world, cluster, service, input, &mut plan::Ids::new(seed))?;
    let command = Command::UpdateService {
        key: key.clone(),
        expected_version: service.version,
        change: Box::new(change),
    };
    Ok((key, command))
}

fn change(
    context: &Context,
    world: &World,
    cluster: &Cluster,
    service: &Service,
    input: &UpdateServiceRequest,
    ids: &mut plan::Ids,
) -> Result<ServiceChange, Error> {
    if service.controller == ControllerType::External {
        unsupported::check(OPERATION, &unsupported::shared!(input))?;
        return external::update(OPERATION, input);
    }
    unsupported::controller(OPERATION, input.deployment_controller.as_ref())?;
    unsupported::check(OPERATION, &unsupported::shared!(input))?;
    if service.scheduling == SchedulingStrategy::Daemon {
        daemon::check(input.desired_count, input.placement_strategy.as_deref())?;
    }
    let present = Recorded::of(service)
        .ok_or_else(|| Error::server("What the service was asked for before could not be read."))?;

    let wanted = wanted(context, world, cluster, &present.aim, input)?;
    if service.scheduling == SchedulingStrategy::Daemon {
        daemon::check_capacity(&wanted.capacity())?;
    }
    let constraints = constraints(world, service, &wanted, input)?;
    let strategy = input.placement_strategy.as_deref();
    let strategy = strategy.map(|given| placement::strategy(wanted.launch_type, Some(given))).transpose()?;
    let force = input.force_new_deployment.unwrap_or(false);
    let deployment = match force || wanted != present.aim {
        true => Some(wanted.deployment(world, ids.deployment())?),
        false => None,
    };
    if present.deployment_configuration.strategy != Some(ecs::DeploymentStrategy::BlueGreen) {
        stages::check_bake_time(input.deployment_configuration.as_ref())?;
    }
    let configuration =
        rollout::merge(present.deployment_configuration, input.deployment_configuration.as_ref());
    let rollout = rollout::check(OPERATION, service.scheduling, &configuration)?;
    let rebalancing = rules::rebalancing(
        input.availability_zone_rebalancing,
        Some(present.rebalancing),
        rollout.maximum_percent,
    )?;
    let recorded = Recorded {
        deployment_configuration: configuration,
        rebalancing,
        role_arn: present.role_arn,
        aim: wanted,
    };
    Ok(ServiceChange {
        desired_count: input.desired_count.map(rules::desired_count).transpose()?,
        minimum_healthy_percent: Some(rollout.minimum_percent),
        maximum_percent: Some(rollout.maximum_percent),
        breaker: Some(rollout.breaker),
        stages: Some(rollout.stages),
        alarms: Some(rollout.alarms),
        health_check_grace_s: input
            .health_check_grace_period_seconds
            .map(rules::grace)
            .transpose()?
            .map(Some),
        placement_constraints: constraints,
        placement_strategy: strategy,
        propagate_tags: input.propagate_tags.map(translate::propagation),
        managed_tags: input.enable_ecs_managed_tags,
        enable_execute_command: input.enable_execute_command,
        document: Some(Some(recorded.document()?)),
        deployment,
    })
}

/// The constraints of the call, if it has some; those that stay must go with the task definition.
fn constraints(
    world: &World,
    service: &Service,
    wanted: &Aim,
    input: &UpdateServiceRequest,
) -> Result<Option<Vec<PlacementConstraint>>, Error> {
    // One that went INACTIVE meanwhile has been taken before.
    let Some(definition) = world.definition(&wanted.definition) else { return Ok(None) };
    match input.placement_constraints.as_deref() {
        Some(given) => placement::constraints(wanted.launch_type, definition, Some(given)).map(Some),
        None => {
            placement::check_count(wanted.launch_type, definition, service.placement_constraints.len())?;
            Ok(None)
        }
    }
}

/// What the tasks are to be after the call.
fn wanted(
    context: &Context,
    world: &World,
    cluster: &Cluster,
    present: &Aim,
    input: &UpdateServiceRequest,
) -> Result<Aim, Error> {
    let mut aim = recapacitated(cluster, present, input)?;
    if let Some(named) = input.task_definition.as_deref().filter(|text| !text.is_empty()) {
        aim.definition = reference::definition(context, world, named, aim::missing_definition)?;
        aim.definition(world)?;
    }
    if let Some(version) = input.platform_version.as_ref().filter(|version| !version.is_empty()) {
        aim.platform = Some(version.clone());
    }
    if let Some(network) = &input.network_configuration {
        aim.network = Some(aim::network(network));
    }
    if let Some(connect) = &input.service_connect_configuration {
        aim.service_connect = Some(connect.clone());
    }
    Ok(aim)
}

/// An empty strategy goes back to the launch type.
fn recapacitated(cluster: &Cluster, present: &Aim, input: &UpdateServiceRequest) -> Result<Aim, Error> {
    let aim = match input.capacity_provider_strategy.as_deref() {
        None => return Ok(present.clone()),
        Some([]) => present.clone().with_capacity(present.launch_type, Vec::new()),
        Some(items) => {
            let capacity = capacity::decide(cluster, None, Some(items))?;
            present.clone().with_capacity(capacity.launch_type, capacity.strategy)
        }
    };
    if aim != *present && input.force_new_deployment != Some(true) {
        return Err(Error::invalid_parameter(
            "When switching from launch type to capacity provider strategy on an existing service, or making a \
             change to a capacity provider strategy on a service that is already using one, you must force a new \
             deployment.",
        ));
    }
    Ok(aim)
}
