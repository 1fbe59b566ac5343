use std::collections::BTreeSet;
use std::sync::Arc;

use model::Command;
use wire::ecs::{PutAttributesRequest, PutAttributesResponse};
use wire::{Context, Error};

use super::{attributes, reference};
use crate::app::App;

/// All of them or none.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: PutAttributesRequest,
) -> Result<PutAttributesResponse, Error> {
    let world = app.world();
    let cluster = reference::active_cluster(&context, &world, input.cluster.as_deref())?;
    attributes::check_count(&input.attributes)?;
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for attribute in &input.attributes {
        attributes::check_name(&attribute.name)?;
        attribute.value.as_deref().map_or(Ok(()), attributes::check_value)?;
        let id = attributes::target(&context, &world, &cluster, attribute)?;
        if !seen.insert((id, attribute.name.as_str())) {
            return Err(Error::invalid_parameter(format!(
                "The attribute {} is given twice for one target.",
                attribute.name
            )));
        }
        let value = attribute.value.as_deref().map(Into::into);
        all.push((id, model::Attribute { name: attribute.name.as_str().into(), value }));
    }
    let done = app.submit(Command::PutAttributes { cluster, attributes: all.clone() }).await?;
    let put = all.iter().filter_map(|(id, attribute)| {
        done.world.instance(*id).map(|instance| attributes::to_wire(&app, instance, attribute))
    });
    Ok(PutAttributesResponse { attributes: Some(put.collect()) })
}
