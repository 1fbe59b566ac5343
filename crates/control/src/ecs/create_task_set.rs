use std::sync::Arc;

use model::command::{NewDeployment, Token};
use model::{Command, DeploymentId, Refusal, Service, Tags, TokenResult, World};
use wire::ecs::{CreateTaskSetRequest, CreateTaskSetResponse};
use wire::{Context, Error};

use super::launch::capacity;
use super::service::{Aim, aim, rules, unsupported};
use super::translate::tags;
use super::{fingerprint, reference, task_set};
use crate::app::App;
use crate::writer::SubmitError;

const OPERATION: &str = "CreateTaskSet";

/// Records what is to run; the scheduler, woken by the commit, sees to it.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: CreateTaskSetRequest,
) -> Result<CreateTaskSetResponse, Error> {
    let token = token(&input)?;
    let world = app.world();
    let service = task_set::service_of(&context, &world, &input.cluster, &input.service)?;
    let id = plan::Ids::new(app.seed()).deployment();
    let command = Command::CreateTaskSet {
        service: service.key.clone(),
        deployment: Box::new(deployment(&context, &world, service, &input, id.clone())?),
        external_id: input.external_id.as_deref().map(Into::into),
        scale: task_set::scale(input.scale.as_ref())?,
        tags: Tags::new(tags::from_wire(input.tags.as_deref())?),
        token,
    };
    let (world, id) = match app.submit(command).await {
        Ok(done) => (done.world, id),
        // The same call came before: it is answered with what it made.
        Err(SubmitError::Refused(Refusal::AlreadyDone(TokenResult::TaskSet(made)))) => (app.world(), made),
        Err(SubmitError::Refused(Refusal::TokenReused)) => {
            return Err(Error::invalid_parameter("Creation of task set was not idempotent."));
        }
        Err(error) => return Err(error.into()),
    };
    Ok(CreateTaskSetResponse { task_set: Some(task_set::shown(&world, &service.key, &id, true)?) })
}

fn deployment(
    context: &Context,
    world: &World,
    service: &Service,
    input: &CreateTaskSetRequest,
    id: DeploymentId,
) -> Result<NewDeployment, Error> {
    unsupported::check(
        OPERATION,
        &[
            (unsupported::given(&input.load_balancers), "loadBalancers"),
            (unsupported::given(&input.service_registries), "serviceRegistries"),
        ],
    )?;
    let cluster = rules::cluster(world, &service.key.cluster)?;
    let capacity = capacity::decide(cluster, input.launch_type, input.capacity_provider_strategy.as_deref())?;
    let aim = Aim {
        definition: reference::definition(context, world, &input.task_definition, aim::missing_definition)?,
        launch_type: capacity.launch_type,
        strategy: capacity.strategy,
        platform: input.platform_version.clone().filter(|version| !version.is_empty()),
        network: input.network_configuration.as_ref().map(aim::network),
        service_connect: None,
    };
    aim.deployment(world, id)
}

fn token(input: &CreateTaskSetRequest) -> Result<Option<Token>, Error> {
    let Some(token) = input.client_token.as_deref().filter(|token| !token.is_empty()) else {
        return Ok(None);
    };
    rules::client_token(token)?;
    let parameters = CreateTaskSetRequest { client_token: None, ..input.clone() };
    Ok(Some(Token {
        operation: OPERATION.into(),
        token: token.into(),
        fingerprint: fingerprint::of(&parameters)?,
    }))
}
