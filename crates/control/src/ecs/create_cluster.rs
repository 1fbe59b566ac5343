use std::sync::Arc;

use model::command::ClusterChange;
use model::{Command, Tags};
use wire::ecs::{ClusterField, CreateClusterRequest, CreateClusterResponse, SettingName};
use wire::{Context, Error};

use super::translate::{self, tags};
use super::{account_setting, cluster_change, reference};
use crate::app::App;

/// An ACTIVE cluster of that name is answered as it is: the call is idempotent.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: CreateClusterRequest,
) -> Result<CreateClusterResponse, Error> {
    let name = input.cluster_name.as_deref().unwrap_or(reference::DEFAULT_CLUSTER);
    cluster_change::check_name(name)?;
    let tags = Tags::new(tags::from_wire(input.tags.as_deref())?);
    let mut change = cluster_change::change(
        input.settings.as_deref(),
        input.configuration.as_ref(),
        input.service_connect_defaults.as_ref(),
    )?;
    if change.settings.is_none() {
        // The account's setting is for clusters that are made from then on.
        let principal = context.principal_arn.as_str().into();
        let (world, scope) = (app.world(), reference::scope(&context));
        let insights = SettingName::ContainerInsights;
        let insights = account_setting::effective(&world, &scope, &principal, insights);
        change.settings = Some(Some(cluster_change::default_settings(insights)?));
    }
    let providers = input.capacity_providers.as_deref();
    let providers =
        providers.map(|names| cluster_change::capacity_providers(&app.world(), names)).transpose()?;
    let strategy = input.default_capacity_provider_strategy.as_deref();
    let default_strategy = strategy
        .map(|items| cluster_change::strategy(items, providers.as_deref().unwrap_or_default()))
        .transpose()?;
    let change = ClusterChange { capacity_providers: providers, default_strategy, ..change };

    let key = reference::scope(&context).cluster(name);
    let done = app.submit(Command::CreateCluster { key: key.clone(), change, tags }).await?;
    let include = [ClusterField::Tags, ClusterField::Settings, ClusterField::Configurations];
    let cluster =
        done.world.cluster(&key).map(|cluster| translate::cluster::to_wire(&done.world, cluster, &include));
    Ok(CreateClusterResponse { cluster })
}
