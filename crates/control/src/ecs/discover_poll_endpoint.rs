use std::sync::Arc;

use wire::ecs::{DiscoverPollEndpointRequest, DiscoverPollEndpointResponse};
use wire::{Context, Error};

use crate::app::App;

/// The agent appends `ws` to each path, and keeps the answer for twelve hours: it names the address
/// by which the agent reached us, which is the one it can reach again.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    _: DiscoverPollEndpointRequest,
) -> Result<DiscoverPollEndpointResponse, Error> {
    let origin = context.origin().unwrap_or_else(|| app.config.endpoint.clone());
    Ok(DiscoverPollEndpointResponse {
        endpoint: Some(format!("{origin}/acs/")),
        telemetry_endpoint: Some(format!("{origin}/tcs/")),
        service_connect_endpoint: Some(format!("{origin}/sc/")),
    })
}
