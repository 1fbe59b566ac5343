//! Becoming a container instance by a token: it is exchanged for a key of this machine's own, once, and kept.
//!
//! The secret is told to whoever proves to be the server that made the token, and to nobody else (`pinned.rs`). What
//! the machine calls its attempt is written down before it asks, so that an agent that is killed before the answer asks
//! the same again and uses nothing up.

mod kept;
mod pinned;

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::StatusCode;
use wire::Credentials;
use wire::endpoint;
use wire::join::{JoinAnswer, JoinRequest, JoinToken, PATH};

use crate::session::{Backoff, TrustError};
use kept::Kept;
use pinned::{Pinned, Stranger};

pub use kept::joined;

const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error(
        "whoever answers at {endpoint} is not the server that made the token: it has another certificate authority. It was \
         told nothing"
    )]
    Foreign { endpoint: String },
    #[error(
        "the server's certificate is not good for {endpoint}: {said}. Its `--tls-name` gives it a further name. It was \
         told nothing"
    )]
    Certificate { endpoint: String, said: String },
    /// The server's own words.
    #[error("the control plane doesn't let this machine join: {said}")]
    Refused { said: String },
    #[error("{endpoint} gave no usable answer: {said}")]
    Unusable { endpoint: String, said: String },
    #[error("{what} {path}: {source}")]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{path} does not hold what it should: {source}")]
    Content {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
}

/// Who this machine is.
#[derive(Clone, Debug)]
pub struct Joined {
    /// Of the token that it joined with.
    pub token: String,
    pub credentials: Credentials,
    pub account: String,
    pub region: String,
    pub cluster: String,
    /// The certificate authority of the control plane, in PEM; none where it is on this machine.
    pub ca: Option<String>,
}

impl Joined {
    fn of(token: &str, answer: JoinAnswer, ca: Option<String>) -> Self {
        let credentials = Credentials {
            access_key_id: answer.access_key_id,
            secret_access_key: answer.secret_access_key,
            session_token: None,
        };
        let (account, region, cluster) = (answer.account, answer.region, answer.cluster);
        Joined { token: token.to_owned(), credentials, account, region, cluster, ca }
    }
}

/// Exchanges the token, and keeps what comes of it in `path`, for its owner's eyes. Waits for a server that is away.
pub async fn join(endpoint: &str, token: &JoinToken, path: &Path) -> Result<Joined, JoinError> {
    if endpoint::is_exposed(endpoint) {
        return Err(TrustError::Exposed { endpoint: endpoint.to_owned() }.into());
    }
    let attempt = kept::attempt(path, &token.id)?;
    let request =
        JoinRequest { id: token.id.clone(), secret: token.secret.clone(), attempt: attempt.clone() };
    let mut backoff = Backoff::api();
    let (answer, ca) = loop {
        match exchange(endpoint, &token.ca, &request).await {
            Ok(answered) => break answered,
            Err(Failed::Passing(said)) => {
                tracing::warn!(endpoint, said, "not joined yet");
                tokio::time::sleep(backoff.pause(rand::random())).await;
            }
            Err(Failed::Final(error)) => return Err(error),
        }
    };
    let kept = Kept { token: token.id.clone(), attempt, answer: Some(answer.clone()), ca: ca.clone() };
    kept::write(path, &kept)?;
    Ok(Joined::of(&token.id, answer, ca))
}

enum Failed {
    /// It may be otherwise in a moment.
    Passing(String),
    Final(JoinError),
}

impl<E: Into<JoinError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Failed::Final(error.into())
    }
}

async fn exchange(
    endpoint: &str,
    ca: &str,
    request: &JoinRequest,
) -> Result<(JoinAnswer, Option<String>), Failed> {
    let unusable = |said: String| JoinError::Unusable { endpoint: endpoint.to_owned(), said };
    let pinned = Pinned::to(ca);
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .tls_backend_preconfigured(pinned.config()?)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| unusable(error.to_string()))?;
    let body = serde_json::to_vec(request).map_err(|error| unusable(error.to_string()))?;
    let url = format!("{}{PATH}", endpoint.trim_end_matches('/'));
    let sent = client.post(url).header("content-type", "application/json").body(body).send().await;
    let answer = match sent {
        Ok(answer) => answer,
        Err(error) => {
            let endpoint = endpoint.to_owned();
            return Err(match pinned::stranger(&error) {
                Some(Stranger::OtherAuthority) => JoinError::Foreign { endpoint }.into(),
                Some(Stranger::OtherName(said)) => JoinError::Certificate { endpoint, said }.into(),
                None => Failed::Passing(crate::session::chain(&error)),
            });
        }
    };
    let status = answer.status();
    let body = answer.bytes().await.map_err(|error| Failed::Passing(crate::session::chain(&error)))?;
    if status == StatusCode::OK {
        let answer = serde_json::from_slice(&body).map_err(|error| unusable(error.to_string()))?;
        return Ok((answer, pinned.authority()));
    }
    let said = String::from_utf8_lossy(&body[..body.len().min(1000)]).trim().to_owned();
    match status.as_u16() {
        400..=499 if status != StatusCode::TOO_MANY_REQUESTS => Err(JoinError::Refused { said }.into()),
        _ => Err(Failed::Passing(format!("{status}: {said}"))),
    }
}
