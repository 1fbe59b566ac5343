use wire::sts::{GetCallerIdentityRequest, GetCallerIdentityResponse};
use wire::{Context, Error};

/// The root user's id is its account's number; another principal's is its key's.
pub(crate) async fn handle(
    context: Context,
    _: GetCallerIdentityRequest,
) -> Result<GetCallerIdentityResponse, Error> {
    let is_root = context.principal_arn.ends_with(":root");
    Ok(GetCallerIdentityResponse {
        user_id: Some(if is_root { context.account.clone() } else { context.access_key_id }),
        account: Some(context.account),
        arn: Some(context.principal_arn),
    })
}
