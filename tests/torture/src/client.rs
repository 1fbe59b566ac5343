//! A client of the public API that doesn't know whether anybody listens.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use wire::Credentials;
use wire::client::{self, Caller, ServiceError};
use wire::operation::Operation;

/// Between two tries while the server is away.
const AGAIN: Duration = Duration::from_millis(20);
/// How long a server may be away (it is restarted at once) before that is a finding.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// A definite answer: nothing was done.
    #[error("{operation}: {refusal}")]
    Refused { operation: &'static str, refusal: ServiceError },
    /// No answer: it was done or it wasn't.
    #[error("{operation}: no answer: {said}")]
    Unknown { operation: &'static str, said: String },
}

impl CallError {
    pub fn code(&self) -> Option<&str> {
        match self {
            CallError::Refused { refusal, .. } => Some(&refusal.code),
            CallError::Unknown { .. } => None,
        }
    }
}

/// Clones share connections.
#[derive(Clone, Debug)]
pub struct Client {
    pub http: reqwest::Client,
    pub endpoint: String,
    pub region: String,
    credentials: Credentials,
}

impl Client {
    pub fn new(endpoint: String, region: String, credentials: Credentials) -> anyhow::Result<Client> {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
        Ok(Client { http, endpoint, region, credentials })
    }

    /// One try. `input` is in the model's JSON.
    pub async fn once<O: Operation>(&self, input: &Value) -> Result<Value, CallError> {
        let operation = O::INFO.name;
        let unknown = |said: String| CallError::Unknown { operation, said };
        let input: O::Input =
            serde_json::from_value(input.clone()).expect("the load speaks the model's JSON");
        let caller =
            Caller { endpoint: &self.endpoint, credentials: &self.credentials, region: &self.region };
        let request = client::build::<O>(&input, &caller, now_ms()).map_err(|e| unknown(e.to_string()))?;
        let mut sending = self.http.post(&request.url).body(request.body);
        for (name, value) in &request.headers {
            sending = sending.header(name, value);
        }
        let answer = sending.send().await.map_err(|e| unknown(e.to_string()))?;
        let status = answer.status().as_u16();
        let body = answer.bytes().await.map_err(|e| unknown(e.to_string()))?;
        let output =
            client::parse::<O>(status, &body).map_err(|refusal| CallError::Refused { operation, refusal })?;
        serde_json::to_value(output).map_err(|e| unknown(e.to_string()))
    }

    /// Asks until there is a definite answer. Only for what may be asked twice.
    pub async fn call<O: Operation>(&self, input: &Value) -> Result<Value, CallError> {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            match self.once::<O>(input).await {
                Err(error) if is_transient(&error) && tokio::time::Instant::now() < until => {
                    tokio::time::sleep(AGAIN).await;
                }
                other => return other,
            }
        }
    }
}

/// A server that goes down may say so before it is gone.
fn is_transient(error: &CallError) -> bool {
    match error {
        CallError::Unknown { .. } => true,
        CallError::Refused { refusal, .. } => refusal.is_retryable(),
    }
}

pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
