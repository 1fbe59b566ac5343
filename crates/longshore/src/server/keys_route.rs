//! `POST /longshore/keys`: access keys are made, listed and deleted. AWS does it by IAM, which isn't here
//! (`docs/decisions/0033`).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::{Deserialize, Serialize};
use wire::Credentials;

use super::access_keys::{AccessKeys, Unchanged};
use super::{fresh_key, signed};
use crate::data_dir::{Keys, NamedKey};
use crate::site::credentials;
use crate::talk::now_ms;

pub const PATH: &str = "/longshore/keys";

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum KeysRequest {
    Create { name: String, policy: Option<String> },
    List,
    SetPolicy { name: String, policy: Option<String> },
    Delete { name: String },
}

#[derive(Debug, Serialize, Deserialize)]
pub struct KeysAnswer {
    pub keys: Vec<KeyShown>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyShown {
    pub name: String,
    pub arn: String,
    pub access_key_id: String,
    /// Told when the key is made, and never again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_access_key: Option<String>,
    pub created_at_ms: u64,
    pub policy: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Route {
    user: Credentials,
    keys: Arc<AccessKeys>,
}

impl Route {
    pub fn new(keys: &Keys, access_keys: Arc<AccessKeys>) -> Route {
        Route { user: credentials(&keys.user), keys: access_keys }
    }

    pub fn routes(self) -> axum::Router {
        axum::Router::new().route(PATH, post(answer)).with_state(self)
    }
}

async fn answer(State(route): State<Route>, request: Request) -> Response {
    let asked = match signed::asked::<KeysRequest>(&route.user, request).await {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    let keys = route.keys.clone();
    done(move || carry_out(&keys, asked)).await
}

/// Does what writes a file of the data directory, and tells what came of it.
pub(super) async fn done<T: Serialize + Send + 'static>(
    change: impl FnOnce() -> Result<T, Unchanged> + Send + 'static,
) -> Response {
    match tokio::task::spawn_blocking(change).await {
        Ok(Ok(answer)) => axum::Json(answer).into_response(),
        Ok(Err(why)) => (status(&why), told(&why)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn carry_out(keys: &AccessKeys, asked: KeysRequest) -> Result<KeysAnswer, Unchanged> {
    let shown = |key: &NamedKey, secret: Option<&str>| KeyShown {
        name: key.name.clone(),
        arn: keys.arn(&key.name),
        access_key_id: key.key.access_key_id.clone(),
        secret_access_key: secret.map(str::to_owned),
        created_at_ms: key.created_at_ms,
        policy: key.policy.clone(),
    };
    let shown = match asked {
        KeysRequest::Create { name, policy } => {
            let key = keys.create(NamedKey { name, key: fresh_key(), created_at_ms: now_ms(), policy })?;
            vec![shown(&key, Some(&key.key.secret_access_key))]
        }
        KeysRequest::List => keys.named().iter().map(|key| shown(key, None)).collect(),
        KeysRequest::SetPolicy { name, policy } => vec![shown(&keys.set_policy(&name, policy)?, None)],
        KeysRequest::Delete { name } => vec![shown(&keys.delete(&name)?, None)],
    };
    Ok(KeysAnswer { keys: shown })
}

fn status(why: &Unchanged) -> StatusCode {
    match why {
        Unchanged::Unknown(_) => StatusCode::NOT_FOUND,
        Unchanged::Exists(_) => StatusCode::CONFLICT,
        Unchanged::Name(_) | Unchanged::Policy(_) => StatusCode::BAD_REQUEST,
        Unchanged::Write(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn told(why: &Unchanged) -> String {
    match why {
        Unchanged::Write(error) => format!("{why}: {}", crate::talk::told(error)),
        why => why.to_string(),
    }
}
