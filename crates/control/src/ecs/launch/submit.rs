//! Placing tasks and starting them, again if the world moved on in between.

use model::command::{NewTask, Token};
use model::{Command, Refusal, Scope, TaskId, TokenKey, TokenResult, World};
use plan::schedule;
use wire::Error;
use wire::ecs::{Failure, Task, TaskField};

use crate::app::App;
use crate::arn;
use crate::ecs::errors::refused;
use crate::ecs::translate::task as translate;
use crate::writer::SubmitError;

/// How often a plan is made anew because the world moved on before it was committed.
const REPLANS: usize = 16;

/// The tasks that were started, as the API gives them, and what wasn't. `place` is asked with the
/// newest world until its plan is carried out.
pub(crate) async fn submit(
    app: &App,
    scope: &Scope,
    token: Option<&Token>,
    place: impl Fn(&World) -> Result<(Vec<NewTask>, Vec<Failure>), Error>,
) -> Result<(Vec<Task>, Vec<Failure>), Error> {
    for _ in 0..REPLANS {
        let world = app.world();
        // Before a place is looked for: the first call may have taken the last one, or its agent may have
        // gone since.
        if let Some(ids) = done_already(&world, scope, token, app.now_ms())? {
            return Ok((shown(app, &world, &ids), Vec::new()));
        }
        let (tasks, failures) = place(&world)?;
        if tasks.is_empty() {
            return Ok((Vec::new(), failures));
        }
        let ids: Vec<TaskId> = tasks.iter().map(|task| task.id).collect();
        match app.submit(Command::StartTasks { tasks, token: token.cloned() }).await {
            Ok(done) => return Ok((shown(app, &done.world, &ids), failures)),
            Err(SubmitError::Refused(Refusal::StaleSnapshot(stale))) => {
                tracing::debug!(%stale, "place again");
            }
            Err(SubmitError::Refused(Refusal::AlreadyDone(TokenResult::Tasks(ids)))) => {
                return Ok((shown(app, &app.world(), &ids), Vec::new()));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::server("The tasks could not be placed: the capacity changed too often meanwhile. Try again."))
}

/// The tasks that an earlier call with the same token has started.
fn done_already(
    world: &World,
    scope: &Scope,
    token: Option<&Token>,
    now_ms: u64,
) -> Result<Option<Vec<TaskId>>, Error> {
    let Some(token) = token else { return Ok(None) };
    let key =
        TokenKey { scope: scope.clone(), operation: token.operation.clone(), token: token.token.clone() };
    match world.token(&key, now_ms).map(|known| (&known.fingerprint, &known.result)) {
        None => Ok(None),
        Some((fingerprint, TokenResult::Tasks(ids))) if *fingerprint == token.fingerprint => {
            Ok(Some(ids.to_vec()))
        }
        Some(_) => Err(refused(&Refusal::TokenReused)),
    }
}

fn shown(app: &App, world: &World, ids: &[TaskId]) -> Vec<Task> {
    let home = app.config.home();
    let known = ids.iter().filter_map(|id| world.task(*id));
    known.map(|task| translate::to_wire(world, task, &home, &[TaskField::Tags])).collect()
}

/// What the planner says of a task without a place, in the API's shape.
pub(crate) fn failure(app: &App, world: &World, failure: &schedule::Failure) -> Failure {
    let home = app.config.home();
    Failure {
        arn: failure
            .closest
            .and_then(|id| world.instance(id))
            .map(|instance| arn::instance(&instance.home, &home, instance.id)),
        reason: Some(failure.reason.to_string()),
        detail: Some(failure.detail.clone()),
    }
}
