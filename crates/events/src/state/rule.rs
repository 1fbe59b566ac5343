use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wire::events::Target;

use super::BusKey;
use crate::pattern::Pattern;
use crate::schedule::Schedule;

pub(crate) const ENABLED: &str = "ENABLED";
pub(crate) const DISABLED: &str = "DISABLED";

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct RuleKey {
    pub bus: BusKey,
    pub name: String,
}

impl RuleKey {
    pub fn arn(&self) -> String {
        self.bus.home().event_rule(&self.bus.name, &self.name)
    }
}

/// What is stored of a rule is its text; what was read out of it is kept beside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    pub state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    pub created_by: String,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// By their ids.
    #[serde(default)]
    pub targets: BTreeMap<String, Target>,
    /// Of a schedule: what was due up to here has been done, or isn't to be.
    pub since_ms: u64,
    #[serde(skip)]
    pub read: Read,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Read {
    pattern: Option<Arc<Pattern>>,
    schedule: Option<Arc<Schedule>>,
}

impl Rule {
    /// Reads its texts, which were checked when they came; one that can't be read any more triggers nothing.
    pub fn reread(mut self) -> Self {
        self.read = Read {
            pattern: self.pattern.as_deref().and_then(|text| Pattern::parse(text).ok()).map(Arc::new),
            schedule: self.schedule.as_deref().and_then(Schedule::parse).map(Arc::new),
        };
        self
    }

    pub fn is_enabled(&self) -> bool {
        self.state != DISABLED
    }

    pub fn may_match(&self, source: &str, detail_type: &str) -> bool {
        let pattern = self.read.pattern.as_ref().filter(|_| self.is_enabled() && !self.targets.is_empty());
        pattern.is_some_and(|pattern| pattern.may_match(source, detail_type))
    }

    pub fn matches(&self, event: &Value) -> bool {
        let pattern = self.read.pattern.as_ref().filter(|_| self.is_enabled() && !self.targets.is_empty());
        pattern.is_some_and(|pattern| pattern.matches(event))
    }

    /// When its schedule is due next. Without a target it is as well: nothing is caught up on for one that comes later.
    pub fn due_ms(&self) -> Option<u64> {
        let schedule = self.read.schedule.as_ref().filter(|_| self.is_enabled());
        schedule.and_then(|schedule| schedule.next_after(self.since_ms))
    }
}
