use std::sync::Arc;

use model::Command;
use wire::ecs::{TagResourceRequest, TagResourceResponse};
use wire::{Context, Error};

use super::tagging;
use super::translate::tags;
use crate::app::App;

/// Adds tags or replaces their values; other tags stay.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: TagResourceRequest,
) -> Result<TagResourceResponse, Error> {
    let tags = tags::from_wire(Some(&input.tags))?;
    let (resource, _) = tagging::resource(&context, &app.world(), &input.resource_arn)?;
    app.submit(Command::Tag { resource, tags }).await?;
    Ok(TagResourceResponse {})
}
