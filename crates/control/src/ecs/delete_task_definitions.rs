use std::sync::Arc;

use model::{Command, DefinitionKey, Refusal, Revision};
use wire::ecs::{self, DeleteTaskDefinitionsRequest, DeleteTaskDefinitionsResponse, Failure};
use wire::{Context, Error, arn};

use super::{reference, translate};
use crate::app::App;
use crate::writer::SubmitError;

/// Most definitions in one call (API reference, DeleteTaskDefinitions).
const MOST: usize = 10;

// Reasons as AWS gives them.
const MALFORMED: &str =
    "The specified task definition identifier is invalid. Specify a valid name or ARN and try again.";
const MISSING: &str =
    "The specified task definition does not exist. Specify a valid account, family, revision and try again.";
const ACTIVE: &str =
    "The specified task definition is still in ACTIVE status. Please deregister the target and try again.";

/// Each definition is answered for by itself: one that can't go is a failure, and the others go.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: DeleteTaskDefinitionsRequest,
) -> Result<DeleteTaskDefinitionsResponse, Error> {
    if input.task_definitions.len() > MOST {
        return Err(Error::invalid_parameter(format!(
            "Task definitions cannot have more than {MOST} entries."
        )));
    }
    let (mut task_definitions, mut failures) = (Vec::new(), Vec::new());
    for text in input.task_definitions {
        match delete(&app, &context, &text).await? {
            Ok(definition) => task_definitions.push(definition),
            Err(reason) => {
                failures.push(Failure { arn: Some(text), reason: Some(reason.to_owned()), detail: None });
            }
        }
    }
    Ok(DeleteTaskDefinitionsResponse { task_definitions: Some(task_definitions), failures: Some(failures) })
}

/// The definition on its way out, or why it stays.
async fn delete(
    app: &App,
    context: &Context,
    text: &str,
) -> Result<Result<ecs::TaskDefinition, &'static str>, Error> {
    let Some(named) = arn::task_definition(text) else { return Ok(Err(MALFORMED)) };
    let Some(revision) = named.revision else { return Ok(Err(MALFORMED)) };
    if named.arn.is_some_and(|arn| arn.region != context.region || arn.account != context.account) {
        return Ok(Err(MISSING));
    }
    let key = DefinitionKey {
        scope: reference::scope(context),
        family: named.family.as_str().into(),
        revision: Revision(revision),
    };
    match app.submit(Command::DeleteTaskDefinition { key: key.clone() }).await {
        Ok(done) => match done.world.definition(&key) {
            Some(definition) => translate::definition::to_wire(definition).map(Ok),
            None => Ok(Err(MISSING)),
        },
        Err(SubmitError::Refused(Refusal::DefinitionActive(_))) => Ok(Err(ACTIVE)),
        Err(SubmitError::Refused(Refusal::DefinitionNotFound(_))) => Ok(Err(MISSING)),
        Err(error) => Err(error.into()),
    }
}
