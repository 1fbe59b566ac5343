use std::sync::Arc;

use model::Command;
use wire::ecs::{UntagResourceRequest, UntagResourceResponse};
use wire::{Context, Error};

use super::tagging;
use crate::app::App;

/// Keys that the resource doesn't have are passed over.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: UntagResourceRequest,
) -> Result<UntagResourceResponse, Error> {
    let reserved = |key: &String| key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"));
    if input.tag_keys.iter().any(reserved) {
        return Err(Error::invalid_parameter(
            "Some tag keys begin with the prefix aws:, which is reserved for AWS use.",
        ));
    }
    let (resource, _) = tagging::resource(&context, &app.world(), &input.resource_arn)?;
    let keys = input.tag_keys.into_iter().map(Into::into).collect();
    app.submit(Command::Untag { resource, keys }).await?;
    Ok(UntagResourceResponse {})
}
