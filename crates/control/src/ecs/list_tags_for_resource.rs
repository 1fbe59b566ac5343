use std::sync::Arc;

use wire::ecs::{ListTagsForResourceRequest, ListTagsForResourceResponse};
use wire::{Context, Error};

use super::tagging;
use super::translate::tags;
use crate::app::App;

pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, Error> {
    let (_, found) = tagging::resource(&context, &app.world(), &input.resource_arn)?;
    Ok(ListTagsForResourceResponse { tags: tags::to_wire(&found) })
}
