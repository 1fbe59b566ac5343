//! One event on its way to one target.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wire::events::Target;

use super::RuleKey;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Delivery {
    pub rule: RuleKey,
    pub target: String,
    /// Those about one thing go in their order.
    pub about: String,
    pub event: Arc<Value>,
    /// Its age counts from here.
    pub accepted_ms: u64,
    /// Those that failed.
    #[serde(default)]
    pub attempts: u32,
    /// It isn't tried before.
    #[serde(default)]
    pub due_ms: u64,
    /// Of several tasks that are to be run those that couldn't be yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u32>,
    /// It was given up, and goes to the target's dead-letter queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead: Option<DeadLetter>,
}

/// Why an event wasn't delivered (EventBridge user guide, "Using dead-letter queues").
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeadLetter {
    pub error_code: String,
    pub error_message: String,
    /// Where retries were made: which limit ended them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exhausted: Option<String>,
    pub attempts: u32,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It is over, whether delivered or dropped.
    Over,
    Again {
        due_ms: u64,
        left: Option<u32>,
    },
    Dead(DeadLetter),
}

/// EventBridge user guide, "How EventBridge retries delivering events": a day, and 185 times.
const MOST_AGE_S: u64 = 86_400;
const MOST_ATTEMPTS: u32 = 185;

pub(crate) fn most_age_ms(target: &Target) -> u64 {
    let given = target.retry_policy.as_ref().and_then(|policy| policy.maximum_event_age_in_seconds);
    given.and_then(|given| u64::try_from(given).ok()).unwrap_or(MOST_AGE_S) * 1000
}

/// Those after the first.
pub(crate) fn most_attempts(target: &Target) -> u32 {
    let given = target.retry_policy.as_ref().and_then(|policy| policy.maximum_retry_attempts);
    given.and_then(|given| u32::try_from(given).ok()).unwrap_or(MOST_ATTEMPTS)
}
