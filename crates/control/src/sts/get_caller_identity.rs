use wire::sts::{GetCallerIdentityRequest, GetCallerIdentityResponse};
use wire::{Context, Error};

/// The root user's id is its account's number; another principal's is its key's, and a role's has its session after that.
pub(crate) async fn handle(
    context: Context,
    _: GetCallerIdentityRequest,
) -> Result<GetCallerIdentityResponse, Error> {
    let arn = &context.principal_arn;
    let session = arn.contains(":assumed-role/").then(|| arn.rsplit('/').next().unwrap_or_default());
    let user_id = match session {
        Some(session) => format!("{}:{session}", context.access_key_id),
        None if arn.ends_with(":root") => context.account.clone(),
        None => context.access_key_id,
    };
    Ok(GetCallerIdentityResponse {
        user_id: Some(user_id),
        account: Some(context.account),
        arn: Some(context.principal_arn),
    })
}
