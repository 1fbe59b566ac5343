use std::sync::Arc;

use model::Command;
use model::command::TaskReport;
use wire::ecs::{SubmitTaskStateChangeRequest, SubmitTaskStateChangeResponse};
use wire::{Context, Error};

use super::state_change;
use crate::app::App;
use crate::bound;

pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: SubmitTaskStateChangeRequest,
) -> Result<SubmitTaskStateChangeResponse, Error> {
    let (cluster, task) = state_change::task(&context, input.cluster.as_deref(), input.task.as_deref())?;
    bound::check_word(&app, &context, task)?;
    let ms = |at: Option<wire::Timestamp>| at.map(wire::Timestamp::ms);
    let report = TaskReport {
        status: state_change::reported(input.status.as_deref())?,
        reason: input.reason.as_deref().filter(|reason| !reason.is_empty()).map(Into::into),
        containers: input
            .containers
            .iter()
            .flatten()
            .map(state_change::container)
            .collect::<Result<_, _>>()?,
        pull_started_at_ms: ms(input.pull_started_at),
        pull_stopped_at_ms: ms(input.pull_stopped_at),
        execution_stopped_at_ms: ms(input.execution_stopped_at),
        attachments: input
            .attachments
            .iter()
            .flatten()
            .map(state_change::attachment)
            .collect::<Result<_, _>>()?,
    };
    let outcome = app.submit(Command::ReportTask { cluster, task, report }).await;
    Ok(SubmitTaskStateChangeResponse { acknowledgment: state_change::acknowledged(outcome)? })
}
