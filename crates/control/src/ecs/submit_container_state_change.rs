use std::sync::Arc;

use model::Command;
use wire::ecs::{
    ContainerStateChange, SubmitContainerStateChangeRequest, SubmitContainerStateChangeResponse,
};
use wire::{Context, Error};

use super::state_change;
use crate::app::App;
use crate::bound;

/// Older agents report containers one by one; today's put them into SubmitTaskStateChange.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: SubmitContainerStateChangeRequest,
) -> Result<SubmitContainerStateChangeResponse, Error> {
    let (cluster, task) = state_change::task(&context, input.cluster.as_deref(), input.task.as_deref())?;
    bound::check_word(&app, &context, task)?;
    let report = state_change::container(&ContainerStateChange {
        container_name: input.container_name,
        status: input.status,
        runtime_id: input.runtime_id,
        exit_code: input.exit_code,
        reason: input.reason,
        network_bindings: input.network_bindings,
        ..ContainerStateChange::default()
    })?;
    let outcome = app.submit(Command::ReportContainer { cluster, task, report }).await;
    Ok(SubmitContainerStateChangeResponse { acknowledgment: state_change::acknowledged(outcome)? })
}
