//! `POST /longshore/join`: a machine exchanges a token for a key of its own. Unsigned: the token is all that it has.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use control::writer::SubmitError;
use http_body_util::{BodyExt, Limited};
use model::command::Join;
use model::{Command, Refusal, World};
use sha2::{Digest, Sha256};
use wire::join::{JoinAnswer, JoinRequest, JoinToken, PATH};

use super::access_keys::AccessKeys;
use super::fresh_key;

const MAX_BODY_BYTES: usize = 4096;
const BODY_TIME: Duration = Duration::from_secs(10);

pub fn routes(keys: Arc<AccessKeys>) -> axum::Router {
    axum::Router::new().route(PATH, post(answer)).with_state(keys)
}

async fn answer(State(keys): State<Arc<AccessKeys>>, request: Request) -> Response {
    let asked = match read(request.into_body()).await {
        Ok(asked) => asked,
        Err(said) => return (StatusCode::BAD_REQUEST, said).into_response(),
    };
    match join(&keys, &asked).await {
        Ok(answer) => axum::Json(answer).into_response(),
        Err(SubmitError::Refused(why)) => {
            tracing::warn!(token = asked.id, %why, "a machine may not join");
            (StatusCode::FORBIDDEN, told(&why)).into_response()
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}

async fn read(body: Body) -> Result<JoinRequest, String> {
    let whole = tokio::time::timeout(BODY_TIME, Limited::new(body, MAX_BODY_BYTES).collect()).await;
    let whole = whole.map_err(|_| "the body did not arrive in time".to_owned())?;
    let whole = whole.map_err(|error| error.to_string())?.to_bytes();
    serde_json::from_slice(&whole).map_err(|error| error.to_string())
}

async fn join(keys: &AccessKeys, asked: &JoinRequest) -> Result<JoinAnswer, SubmitError> {
    let app = keys.app().ok_or(SubmitError::Closed)?;
    // Of the secret too: an attempt is as hard to guess as that.
    let attempt = hex::encode(Sha256::digest(format!("{}\n{}\n{}", asked.id, asked.secret, asked.attempt)));
    let secret_hash = JoinToken::secret_hash(&asked.secret);
    // A stranger costs no commit.
    if !is_known(&app.world(), asked, &secret_hash, &attempt) {
        return Err(SubmitError::Refused(Refusal::JoinTokenUnknown));
    }
    let done = app
        .submit(Command::Join(Join {
            token: asked.id.as_str().into(),
            secret_hash: secret_hash.into(),
            attempt: attempt.as_str().into(),
            key: fresh_key().access_key_id.into(),
            instance: app.instance_id(),
        }))
        .await?;
    let made = done.world.instance_key_of_attempt(&attempt);
    let key = made.ok_or(SubmitError::Refused(Refusal::JoinTokenUnknown))?;
    tracing::info!(token = asked.id, instance = %key.instance, cluster = %key.cluster, "a machine has joined");
    Ok(JoinAnswer {
        access_key_id: key.id.to_string(),
        secret_access_key: keys.secret_of_instance(&key.id),
        account: key.cluster.scope.account.to_string(),
        region: key.cluster.scope.region.to_string(),
        cluster: key.cluster.name.to_string(),
    })
}

fn is_known(world: &World, asked: &JoinRequest, secret_hash: &str, attempt: &str) -> bool {
    let token = world.join_token(&asked.id);
    token.is_some_and(|token| &*token.secret_hash == secret_hash)
        || world.instance_key_of_attempt(attempt).is_some()
}

fn told(why: &Refusal) -> String {
    const ANOTHER: &str = "make another with `longshore token create` where the server runs";
    match why {
        Refusal::JoinTokenUnknown => format!(
            "the token is not known here: it was mistyped or revoked, or has expired long ago; {ANOTHER}"
        ),
        Refusal::JoinTokenExpired(_) => format!("the token has expired; {ANOTHER}"),
        Refusal::JoinTokenUsed => {
            format!("the token has been used as often as it may be; {ANOTHER}")
        }
        other => other.to_string(),
    }
}
