//! An event as rules and targets see it (EventBridge user guide, "Event structure").

use std::sync::Arc;

use serde_json::{Value, json};

use crate::state::{BusKey, DEFAULT_BUS, RuleKey};

/// An event with the envelope that every event has, and the bus that it came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    pub bus: BusKey,
    /// Events about one thing go to a target in their order.
    pub about: String,
    pub event: Arc<Value>,
}

impl Envelope {
    /// What a service of ours put into its outbox: an event, whole, and what it is about. It goes to the default bus of
    /// its account and region. `None`: it is something else.
    pub fn of_message(message: &[u8]) -> Option<Self> {
        let mut message: Value = serde_json::from_slice(message).ok()?;
        let event = message.get_mut("event")?.take();
        let text = |name: &str| event.get(name)?.as_str().map(str::to_owned);
        let bus = BusKey { account: text("account")?, region: text("region")?, name: DEFAULT_BUS.to_owned() };
        Some(Self { bus, about: message.get("about")?.as_str()?.to_owned(), event: Arc::new(event) })
    }

    /// One of somebody's own: about its first resource, or about itself.
    pub(crate) fn own(bus: BusKey, event: Value) -> Self {
        let resource = event.pointer("/resources/0").and_then(Value::as_str);
        let about = resource.or_else(|| event.get("id")?.as_str()).unwrap_or_default().to_owned();
        Self { bus, about, event: Arc::new(event) }
    }

    /// What a schedule makes when it is due (EventBridge user guide, "Scheduled Event").
    pub(crate) fn scheduled(rule: &RuleKey, at_ms: u64, id: &str) -> Self {
        let event = json!({
            "version": "0",
            "id": id,
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": rule.bus.account,
            "time": time(at_ms),
            "region": rule.bus.region,
            "resources": [rule.arn()],
            "detail": {},
        });
        Self::own(rule.bus.clone(), event)
    }
}

/// `2026-11-29T18:37:40Z`: events tell the time to the second.
pub fn time(ms: u64) -> String {
    let whole = wire::Timestamp::from_ms(ms / 1000 * 1000);
    whole.to_iso8601().unwrap_or_default()
}
