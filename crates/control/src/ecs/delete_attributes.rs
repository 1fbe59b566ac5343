use std::sync::Arc;

use model::Command;
use wire::ecs::{DeleteAttributesRequest, DeleteAttributesResponse};
use wire::{Context, Error};

use super::{attributes, reference};
use crate::app::App;

/// Answers with those that were there.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: DeleteAttributesRequest,
) -> Result<DeleteAttributesResponse, Error> {
    let world = app.world();
    let cluster = reference::active_cluster(&context, &world, input.cluster.as_deref())?;
    attributes::check_count(&input.attributes)?;
    let (mut names, mut deleted) = (Vec::new(), Vec::new());
    for attribute in &input.attributes {
        attributes::check_name(&attribute.name)?;
        if attribute.value.as_deref().is_some_and(|value| !value.is_empty()) {
            return Err(Error::invalid_parameter("An attribute to be deleted is named without its value."));
        }
        let id = attributes::target(&context, &world, &cluster, attribute)?;
        names.push((id, attribute.name.as_str().into()));
        deleted.extend(world.instance(id).and_then(|instance| {
            let known = instance.attribute(&attribute.name)?;
            Some(attributes::to_wire(&app, instance, known))
        }));
    }
    app.submit(Command::DeleteAttributes { cluster, names }).await?;
    Ok(DeleteAttributesResponse { attributes: Some(deleted) })
}
