use std::sync::Arc;

use model::command::{NewService, Token};
use model::{Command, ControllerType, PropagateTags, Refusal, SchedulingStrategy, ServiceKey, Tags, World};
use wire::ecs::{self, CreateServiceRequest, CreateServiceResponse, ServiceField};
use wire::{Context, Error};

use super::launch::{capacity, placement};
use super::service::{Aim, Recorded, aim, daemon, external, rollout, rules, stages, unsupported};
use super::translate::{service as translate, tags};
use super::{fingerprint, reference};
use crate::app::App;
use crate::writer::SubmitError;

const OPERATION: &str = "CreateService";

/// Records what is to run; the scheduler, woken by the commit, sees to it.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: CreateServiceRequest,
) -> Result<CreateServiceResponse, Error> {
    let token = token(&input)?;
    let mut ids = plan::Ids::new(app.seed());
    let service = check(&context, &app.world(), &input, &mut ids)?;
    let key = service.key.clone();
    let not_idempotent = || Error::invalid_parameter("Creation of service was not idempotent.");
    let world = match app.submit(Command::CreateService { service: Box::new(service), token }).await {
        Ok(done) => done.world,
        // The same call came before: it is answered with what it made.
        Err(SubmitError::Refused(Refusal::AlreadyDone(_))) => app.world(),
        Err(SubmitError::Refused(Refusal::TokenReused)) => return Err(not_idempotent()),
        Err(error) => return Err(error.into()),
    };
    let service = world.service(&key).ok_or_else(not_idempotent)?;
    Ok(CreateServiceResponse { service: Some(translate::to_wire(&world, service, &[ServiceField::Tags])) })
}

fn check(
    context: &Context,
    world: &World,
    input: &CreateServiceRequest,
    ids: &mut plan::Ids,
) -> Result<NewService, Error> {
    let cluster = reference::active_cluster(context, world, input.cluster.as_deref())?;
    rules::name(&input.service_name)?;
    let scheduling = match input.scheduling_strategy {
        None | Some(ecs::SchedulingStrategy::Replica) => SchedulingStrategy::Replica,
        Some(ecs::SchedulingStrategy::Daemon) => SchedulingStrategy::Daemon,
    };
    if scheduling == SchedulingStrategy::Daemon {
        daemon::check_controller(input.deployment_controller.as_ref())?;
        daemon::check(input.desired_count, input.placement_strategy.as_deref())?;
    }
    if external::is_asked_for(input.deployment_controller.as_ref()) {
        unsupported::check(OPERATION, &unsupported::shared!(input))?;
        let key = ServiceKey { cluster, name: input.service_name.as_str().into() };
        return external::create(OPERATION, context, key, input);
    }
    unsupported::controller(OPERATION, input.deployment_controller.as_ref())?;
    unsupported::check(OPERATION, &unsupported::shared!(input))?;

    let aim = aim_of(context, world, &cluster, input)?;
    let constraints = input.placement_constraints.as_deref();
    let constraints = placement::constraints(aim.launch_type, aim.definition(world)?, constraints)?;
    let strategy = placement::strategy(aim.launch_type, input.placement_strategy.as_deref())?;
    let given = input.deployment_configuration.as_ref();
    stages::check_bake_time(given)?;
    let configuration = rollout::merge(rollout::default(scheduling), given);
    let rollout = rollout::check(OPERATION, scheduling, &configuration)?;
    let desired_count = desired_count(scheduling, input)?;
    let recorded = Recorded {
        rebalancing: rules::rebalancing(input.availability_zone_rebalancing, None, rollout.maximum_percent)?,
        role_arn: rules::role(&cluster.scope, aim.definition(world)?, input.role.as_deref())?,
        deployment_configuration: configuration,
        aim,
    };
    Ok(NewService {
        key: ServiceKey { cluster, name: input.service_name.as_str().into() },
        desired_count,
        scheduling,
        controller: ControllerType::Ecs,
        minimum_healthy_percent: rollout.minimum_percent,
        maximum_percent: rollout.maximum_percent,
        breaker: rollout.breaker,
        stages: rollout.stages,
        alarms: rollout.alarms,
        health_check_grace_s: input.health_check_grace_period_seconds.map(rules::grace).transpose()?,
        deployment: Some(recorded.aim.deployment(world, ids.deployment())?),
        placement_constraints: constraints,
        placement_strategy: strategy,
        propagate_tags: input.propagate_tags.map_or(PropagateTags::None, translate::propagation),
        managed_tags: input.enable_ecs_managed_tags.unwrap_or(false),
        enable_execute_command: input.enable_execute_command.unwrap_or(false),
        tags: Tags::new(tags::from_wire(input.tags.as_deref())?),
        created_by: Some(context.principal_arn.as_str().into()),
        document: Some(recorded.document()?),
    })
}

/// A daemon's count is that of the instances it belongs on, which its scheduler finds.
fn desired_count(scheduling: SchedulingStrategy, input: &CreateServiceRequest) -> Result<u32, Error> {
    match scheduling {
        SchedulingStrategy::Daemon => Ok(0),
        SchedulingStrategy::Replica => input.desired_count.map(rules::desired_count).unwrap_or_else(|| {
            Err(Error::invalid_parameter(
                "desiredCount is required for services of the scheduling strategy REPLICA.",
            ))
        }),
    }
}

fn aim_of(
    context: &Context,
    world: &World,
    cluster: &model::ClusterKey,
    input: &CreateServiceRequest,
) -> Result<Aim, Error> {
    let named = input.task_definition.as_deref().filter(|text| !text.is_empty());
    let named = named.ok_or_else(|| Error::invalid_parameter("TaskDefinition can not be blank."))?;
    let definition = reference::definition(context, world, named, aim::missing_definition)?;
    let cluster = rules::cluster(world, cluster)?;
    let capacity = capacity::decide(cluster, input.launch_type, input.capacity_provider_strategy.as_deref())?;
    if input.scheduling_strategy == Some(ecs::SchedulingStrategy::Daemon) {
        daemon::check_capacity(&capacity)?;
    }
    let aim = Aim {
        definition,
        launch_type: capacity.launch_type,
        strategy: Vec::new(),
        platform: input.platform_version.clone().filter(|version| !version.is_empty()),
        network: input.network_configuration.as_ref().map(aim::network),
        service_connect: input.service_connect_configuration.clone(),
    };
    // Elsewhere than on FARGATE a platform version is refused, not forgotten.
    Ok(match capacity.launch_type {
        model::LaunchType::Fargate => aim.with_capacity(capacity.launch_type, capacity.strategy),
        _ => Aim { strategy: capacity.strategy, ..aim },
    })
}

fn token(input: &CreateServiceRequest) -> Result<Option<Token>, Error> {
    let Some(token) = input.client_token.as_deref().filter(|token| !token.is_empty()) else {
        return Ok(None);
    };
    rules::client_token(token)?;
    let parameters = CreateServiceRequest { client_token: None, ..input.clone() };
    Ok(Some(Token {
        operation: OPERATION.into(),
        token: token.into(),
        fingerprint: fingerprint::of(&parameters)?,
    }))
}
