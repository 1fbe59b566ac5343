//! `GetAuthorizationToken`: `AWS:<password>` in base64, good for 12 hours.

use base64::{Engine, engine::general_purpose::STANDARD};
use wire::{
    Context, Error, Timestamp,
    ecr::{AuthorizationData, GetAuthorizationTokenRequest, GetAuthorizationTokenResponse},
};

use super::repository::scope;
use crate::{
    Shared,
    auth::token::{Owner, PASSWORD_MS, USER},
};

pub(super) async fn call(
    shared: &Shared,
    context: &Context,
    input: GetAuthorizationTokenRequest,
) -> Result<GetAuthorizationTokenResponse, Error> {
    let now_ms = shared.now_ms();
    let expires_ms = now_ms + PASSWORD_MS;
    let data = || {
        let key = shared.authority.key();
        let owner = Owner { scope: scope(context), access_key_id: context.access_key_id.clone() };
        let password = key.issue_password(owner, now_ms, expires_ms);
        AuthorizationData {
            authorization_token: Some(STANDARD.encode(format!("{USER}:{password}"))),
            expires_at: Some(Timestamp::from_ms(expires_ms)),
            proxy_endpoint: Some(shared.base(context)),
        }
    };
    // A token is the caller's, whichever registries were asked for: one for each, as ECR answers.
    let count = input.registry_ids.map_or(1, |ids| ids.len());
    Ok(GetAuthorizationTokenResponse { authorization_data: Some((0..count).map(|_| data()).collect()) })
}
