use std::sync::Arc;

use model::Command;
use wire::ecs::{DeleteAccountSettingRequest, DeleteAccountSettingResponse};
use wire::{Context, Error};

use super::{account_setting, reference};
use crate::app::App;

/// Answers with what holds for the principal from now on.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: DeleteAccountSettingRequest,
) -> Result<DeleteAccountSettingResponse, Error> {
    let scope = reference::scope(&context);
    let principal = account_setting::principal(&context, input.principal_arn.as_deref())?;
    account_setting::check_changeable(input.name)?;
    let key = account_setting::key(&scope, &principal, input.name);
    let done = app.submit(Command::DeleteAccountSetting(key)).await?;
    let value = account_setting::effective(&done.world, &scope, &principal, input.name);
    let setting = account_setting::to_wire(input.name, value, &principal);
    Ok(DeleteAccountSettingResponse { setting: Some(setting) })
}
