//! Where events go: an HTTP address, a log group, tasks of a cluster.

pub(crate) mod check;
mod ecs;
mod http;
mod input;
mod logs;
mod path;

#[cfg(test)]
mod tests;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use wire::arn::{self, Arn};
use wire::events::Target;

use crate::error::EventsError;
use crate::state::{DeadLetter, Delivery, RuleKey};

/// What a target is, by its `Arn`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The address itself stands where others have an ARN.
    Http(String),
    LogGroup {
        region: String,
        account: String,
        name: String,
    },
    Cluster {
        region: String,
        account: String,
        name: String,
    },
}

impl Kind {
    /// `None`: nothing that can be delivered to.
    pub fn of(text: &str) -> Option<Self> {
        if text.starts_with("http://") || text.starts_with("https://") {
            let url = reqwest::Url::parse(&text.replace('*', "x")).ok()?;
            return url.has_host().then(|| Self::Http(text.to_owned()));
        }
        let Arn { region, account, .. } = text.parse().ok()?;
        if let Some(name) = arn::log_group(text) {
            return Some(Self::LogGroup { region, account, name });
        }
        let name = arn::cluster(text)?.name;
        Some(Self::Cluster { region, account, name })
    }
}

/// A call of another service's operation, on behalf of a rule.
#[derive(Clone, Debug)]
pub struct Call {
    pub service: &'static str,
    pub operation: &'static str,
    pub account: String,
    pub region: String,
    /// The rule's ARN.
    pub on_behalf_of: String,
    pub body: Vec<u8>,
}

/// What comes of a call.
pub type Called<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, wire::Error>> + Send + 'a>>;

/// The operations of the other services, past the front: who put a target was asked then.
pub trait Calls: Send + Sync + 'static {
    fn call(&self, call: Call) -> Called<'_>;
}

/// What came of an attempt to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    /// It may succeed later. `left`: of the tasks to run those that couldn't be.
    Later {
        error: Failure,
        after: Option<Duration>,
        left: Option<u32>,
    },
    /// It won't.
    Never(Failure),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub code: String,
    pub message: String,
}

impl Outcome {
    fn later(code: &str, message: impl Into<String>) -> Self {
        Self::Later {
            error: Failure { code: code.to_owned(), message: message.into() },
            after: None,
            left: None,
        }
    }

    fn never(code: &str, message: impl Into<String>) -> Self {
        Self::Never(Failure { code: code.to_owned(), message: message.into() })
    }

    /// Of an operation that refused: the caller's fault stays one.
    fn refused(error: wire::Error) -> Self {
        match error.status() >= 500 || error.code.contains("Throttl") {
            true => Self::later(&error.code, error.message),
            false => Self::never(&error.code, error.message),
        }
    }
}

/// Who delivers.
pub(crate) struct Postman {
    calls: Arc<dyn Calls>,
    http: http::Clients,
}

impl Postman {
    pub fn new(calls: Arc<dyn Calls>) -> Result<Self, EventsError> {
        Ok(Self { calls, http: http::Clients::new()? })
    }

    pub async fn deliver(&self, number: u64, delivery: &Delivery, target: &Target) -> Outcome {
        let Delivery { rule, event, .. } = delivery;
        if let Some(dead) = &delivery.dead {
            return self.bury(rule, event, target, dead).await;
        }
        let input = input::of(target, rule, event, delivery.accepted_ms);
        match Kind::of(&target.arn) {
            Some(Kind::Http(url)) => {
                self.http.post(&url, target.http_parameters.as_ref(), input.text()).await
            }
            Some(Kind::LogGroup { region, account, name }) => {
                let stream = format!("{}/{}", rule.name, target.id);
                let group = logs::Group { account, region, name, stream };
                logs::put(&*self.calls, rule, &group, event, &input).await
            }
            Some(Kind::Cluster { region, account, name }) => {
                let cluster = ecs::Cluster { account, region, name };
                ecs::run(&*self.calls, number, delivery, target, &cluster, &input).await
            }
            None => Outcome::never("INVALID_TARGET", format!("Longshore delivers nothing to {}", target.arn)),
        }
    }

    /// Brings an event to its target's dead-letter queue.
    async fn bury(&self, rule: &RuleKey, event: &Value, target: &Target, dead: &DeadLetter) -> Outcome {
        let queue =
            target.dead_letter_config.as_ref().and_then(|config| config.arn.as_deref()).unwrap_or_default();
        let letter = input::Input::Json(dead.letter(rule, event, &target.arn));
        match Kind::of(queue) {
            Some(Kind::Http(url)) => self.http.post(&url, None, letter.text()).await,
            Some(Kind::LogGroup { region, account, name }) => {
                let stream = format!("{}/{}/dead", rule.name, target.id);
                let group = logs::Group { account, region, name, stream };
                logs::put(&*self.calls, rule, &group, event, &letter).await
            }
            Some(Kind::Cluster { .. }) | None => Outcome::never("INVALID_QUEUE", queue),
        }
    }
}

impl DeadLetter {
    /// The event with what SQS has as attributes of the message (EventBridge user guide, "Using dead-letter queues").
    fn letter(&self, rule: &RuleKey, event: &Value, target: &str) -> Value {
        let mut attributes = serde_json::json!({
            "ERROR_CODE": self.error_code,
            "ERROR_MESSAGE": self.error_message,
            "RETRY_ATTEMPTS": self.attempts,
            "RULE_ARN": rule.arn(),
            "TARGET_ARN": target,
        });
        if let Some(exhausted) = &self.exhausted {
            attributes["EXHAUSTED_RETRY_CONDITION"] = exhausted.as_str().into();
        }
        serde_json::json!({ "attributes": attributes, "event": event })
    }
}
