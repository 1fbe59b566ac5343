use std::sync::Arc;

use wire::ecs::{PutAccountSettingDefaultRequest, PutAccountSettingDefaultResponse};
use wire::{Context, Error};

use super::put_account_setting::put;
use super::{account_setting, reference};
use crate::app::App;

/// For everybody in the account who has no setting of their own: the root user's.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: PutAccountSettingDefaultRequest,
) -> Result<PutAccountSettingDefaultResponse, Error> {
    let root = account_setting::root(&reference::scope(&context));
    let setting = put(&app, &context, &root, input.name, &input.value).await?;
    Ok(PutAccountSettingDefaultResponse { setting: Some(setting) })
}
