use std::sync::Arc;

use model::{AccountSetting, Command};
use wire::ecs::{PutAccountSettingRequest, PutAccountSettingResponse, Setting, SettingName};
use wire::{Context, Error};

use super::{account_setting, reference};
use crate::app::App;

/// For the caller alone, unless that is the root user: its settings are everybody's default.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: PutAccountSettingRequest,
) -> Result<PutAccountSettingResponse, Error> {
    let principal = account_setting::principal(&context, input.principal_arn.as_deref())?;
    let setting = put(&app, &context, &principal, input.name, &input.value).await?;
    Ok(PutAccountSettingResponse { setting: Some(setting) })
}

pub(super) async fn put(
    app: &App,
    context: &Context,
    principal: &Arc<str>,
    name: SettingName,
    value: &str,
) -> Result<Setting, Error> {
    let scope = reference::scope(context);
    account_setting::check_value(name, value)?;
    account_setting::check_principal(name, &scope, principal)?;
    let key = account_setting::key(&scope, principal, name);
    app.submit(Command::PutAccountSetting(AccountSetting { key, value: value.into() })).await?;
    Ok(account_setting::to_wire(name, value, principal))
}
