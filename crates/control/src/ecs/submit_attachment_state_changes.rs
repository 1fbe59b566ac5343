use std::sync::Arc;

use model::Command;
use wire::ecs::{SubmitAttachmentStateChangesRequest, SubmitAttachmentStateChangesResponse};
use wire::{Context, Error};

use super::state_change;
use crate::app::App;

pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: SubmitAttachmentStateChangesRequest,
) -> Result<SubmitAttachmentStateChangesResponse, Error> {
    let changes: Vec<_> = input.attachments.iter().map(state_change::attachment).collect::<Result<_, _>>()?;
    let instance = app.world().instance_key(&context.access_key_id).map(|key| key.instance);
    let mut acknowledgment = Some(state_change::ACKNOWLEDGED.to_owned());
    for (attachment, status) in changes {
        let report = Command::ReportAttachment { instance, attachment, status };
        acknowledgment = state_change::acknowledged(app.submit(report).await)?;
    }
    Ok(SubmitAttachmentStateChangesResponse { acknowledgment })
}
