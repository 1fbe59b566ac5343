//! `POST /longshore/tokens`: tokens to join with are made, listed and revoked, by the root user's key.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use control::writer::SubmitError;
use model::{Command, JoinToken as Record, Refusal, Scope};
use serde::{Deserialize, Serialize};
use wire::Credentials;
use wire::join::JoinToken;

use super::access_keys::AccessKeys;
use super::signed;
use crate::data_dir::Keys;
use crate::site::credentials;

pub const PATH: &str = "/longshore/tokens";

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum TokensRequest {
    Create { cluster: String, ttl_ms: u64, uses: u32 },
    List,
    Revoke { id: String },
}

#[derive(Debug, Serialize, Deserialize)]
pub struct TokensAnswer {
    pub tokens: Vec<TokenShown>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenShown {
    pub id: String,
    pub cluster: String,
    pub uses_left: u32,
    pub created_at_ms: u64,
    pub expires_at_ms: u64,
    /// Told when it is made, and never again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Route {
    user: Credentials,
    home: Scope,
    keys: Arc<AccessKeys>,
    /// The fingerprint of the certificate authority.
    ca: Arc<str>,
}

impl Route {
    pub fn new(keys: &Keys, access_keys: Arc<AccessKeys>, ca: String) -> Route {
        let home = Scope::new(keys.account.as_str(), keys.region.as_str());
        Route { user: credentials(&keys.user), home, keys: access_keys, ca: ca.into() }
    }

    pub fn routes(self) -> axum::Router {
        axum::Router::new().route(PATH, post(answer)).with_state(self)
    }
}

async fn answer(State(route): State<Route>, request: Request) -> Response {
    let asked = match signed::asked::<TokensRequest>(&route.user, request).await {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    match carry_out(&route, asked).await {
        Ok(tokens) => axum::Json(TokensAnswer { tokens }).into_response(),
        Err(SubmitError::Refused(why)) => (StatusCode::BAD_REQUEST, told(&why)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn carry_out(route: &Route, asked: TokensRequest) -> Result<Vec<TokenShown>, SubmitError> {
    let app = route.keys.app().ok_or(SubmitError::Closed)?;
    match asked {
        TokensRequest::Create { cluster, ttl_ms, uses } => {
            let token = JoinToken {
                id: hex::encode(rand::random::<[u8; 8]>()),
                secret: hex::encode(rand::random::<[u8; 32]>()),
                ca: route.ca.to_string(),
            };
            let now_ms = app.now_ms();
            let record = Record {
                id: token.id.as_str().into(),
                cluster: route.home.cluster(cluster.as_str()),
                secret_hash: JoinToken::secret_hash(&token.secret).into(),
                created_at_ms: now_ms,
                expires_at_ms: now_ms.saturating_add(ttl_ms),
                uses_left: uses,
            };
            app.submit(Command::CreateJoinToken(record.clone())).await?;
            Ok(vec![TokenShown { token: Some(token.to_string()), ..shown(&record) }])
        }
        TokensRequest::List => {
            let (world, now_ms) = (app.world(), app.now_ms());
            let open = |token: &&Arc<Record>| token.uses_left > 0 && token.expires_at_ms > now_ms;
            Ok(world.join_tokens().filter(open).map(|token| shown(token)).collect())
        }
        TokensRequest::Revoke { id } => {
            app.submit(Command::RevokeJoinToken { id: id.into() }).await?;
            Ok(Vec::new())
        }
    }
}

fn shown(token: &Record) -> TokenShown {
    TokenShown {
        id: token.id.to_string(),
        cluster: token.cluster.name.to_string(),
        uses_left: token.uses_left,
        created_at_ms: token.created_at_ms,
        expires_at_ms: token.expires_at_ms,
        token: None,
    }
}

fn told(why: &Refusal) -> String {
    match why {
        Refusal::ClusterNotFound(key) => {
            format!("there is no cluster {}; `aws ecs create-cluster --cluster-name {0}` makes it", key.name)
        }
        Refusal::JoinTokenUnknown => {
            "there is no such token; `longshore token list` shows those there are".to_owned()
        }
        other => other.to_string(),
    }
}
