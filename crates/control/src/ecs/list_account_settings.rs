use std::sync::Arc;

use wire::ecs::{ListAccountSettingsRequest, ListAccountSettingsResponse, SettingName};
use wire::{Context, Error};

use super::listing::Listing;
use super::{account_setting, reference};
use crate::app::App;

const MOST: u16 = 10;

/// What was set for the principal; with `effectiveSettings` what holds for it, of every setting.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: ListAccountSettingsRequest,
) -> Result<ListAccountSettingsResponse, Error> {
    let scope = reference::scope(&context);
    let principal = account_setting::principal(&context, input.principal_arn.as_deref())?;
    let value = input.value.as_deref().filter(|value| !value.is_empty());
    if value.is_some() && input.name.is_none() {
        return Err(Error::invalid_parameter("Filtering by value needs the name of a setting."));
    }
    let effective = input.effective_settings.unwrap_or(false);
    let bound_to = [
        &*principal,
        input.name.map_or("", SettingName::as_str),
        value.unwrap_or_default(),
        if effective { "effective" } else { "" },
    ];
    let listing = Listing::new(
        "ListAccountSettings",
        &context,
        bound_to,
        input.max_results,
        MOST,
        input.next_token.as_deref(),
    )?;
    let world = app.world();
    let mut names: Vec<SettingName> = SettingName::ALL.to_vec();
    names.sort_by_key(|name| name.as_str());
    let settings = names
        .into_iter()
        .filter(|name| input.name.is_none_or(|wanted| wanted == *name))
        .filter_map(|name| match effective {
            true => Some((name, account_setting::effective(&world, &scope, &principal, name))),
            false => {
                let own = account_setting::own(&world, &scope, &principal, name);
                own.map(|setting| (name, &*setting.value))
            }
        })
        .filter(|(_, has)| value.is_none_or(|wanted| wanted == *has));
    let (page, next_token) = listing.page(settings, |(name, _)| name.as_str().to_owned());
    let shown = page.into_iter().map(|(name, value)| account_setting::to_wire(name, value, &principal));
    Ok(ListAccountSettingsResponse { settings: Some(shown.collect()), next_token })
}
