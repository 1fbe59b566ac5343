//! How the state is kept: one JSON text a rule, a bus, a delivery.
//!
//! ```text
//! bus/<account>/<region>/<bus>            its name may contain slashes
//! rule/<account>/<region>/<bus>/<name>    a rule with its targets
//! cursor/<source>                         how far a source of events was taken over
//! delivery/<number>                       an event on its way to a target
//! ```

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use store::{Batch, Entry};

use super::{Bus, BusKey, Delivery, Rule, RuleKey, State};
use crate::error::EventsError;

fn bus_path(key: &BusKey) -> String {
    format!("{}/{}/{}", key.account, key.region, key.name)
}

fn rule_key(key: &RuleKey) -> String {
    format!("rule/{}/{}", bus_path(&key.bus), key.name)
}

fn delivery_key(number: u64) -> String {
    format!("delivery/{number:020}")
}

fn json(record: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(record).expect("a record has string keys only, so it always is JSON")
}

pub(super) fn put_bus(batch: &mut Batch, key: &BusKey, bus: &Bus) {
    batch.put(format!("bus/{}", bus_path(key)), json(bus));
}

pub(super) fn delete_bus(batch: &mut Batch, key: &BusKey) {
    batch.delete(format!("bus/{}", bus_path(key)));
}

pub(super) fn put_rule(batch: &mut Batch, key: &RuleKey, rule: &Rule) {
    batch.put(rule_key(key), json(rule));
}

pub(super) fn delete_rule(batch: &mut Batch, key: &RuleKey) {
    batch.delete(rule_key(key));
}

pub(super) fn put_cursor(batch: &mut Batch, source: &str, number: u64) {
    batch.put(format!("cursor/{source}"), json(&number));
}

pub(super) fn put_delivery(batch: &mut Batch, number: u64, delivery: &Delivery) {
    batch.put(delivery_key(number), json(delivery));
}

pub(super) fn delete_delivery(batch: &mut Batch, number: u64) {
    batch.delete(delivery_key(number));
}

/// The state from every entry of the store.
pub(super) fn load(entries: &[Entry]) -> Result<State, EventsError> {
    let mut state = State::default();
    for entry in entries {
        let unknown = || EventsError::Key { key: entry.key.clone() };
        let (kind, rest) = entry.key.split_once('/').ok_or_else(unknown)?;
        match kind {
            "bus" => {
                state.buses.insert(bus(rest).ok_or_else(unknown)?, Arc::new(parse::<Bus>(entry)?));
            }
            "rule" => {
                let (path, name) = rest.rsplit_once('/').ok_or_else(unknown)?;
                let key = RuleKey { bus: bus(path).ok_or_else(unknown)?, name: name.to_owned() };
                state.rules.insert(key, Arc::new(parse::<Rule>(entry)?.reread()));
            }
            "cursor" => {
                state.cursors.insert(rest.to_owned(), parse(entry)?);
            }
            "delivery" => state.put_delivery(rest.parse().map_err(|_| unknown())?, parse(entry)?),
            _ => return Err(unknown()),
        }
    }
    Ok(state)
}

fn bus(path: &str) -> Option<BusKey> {
    let mut parts = path.splitn(3, '/').map(str::to_owned);
    Some(BusKey { account: parts.next()?, region: parts.next()?, name: parts.next()? })
}

fn parse<T: DeserializeOwned>(entry: &Entry) -> Result<T, EventsError> {
    serde_json::from_slice(&entry.value)
        .map_err(|source| EventsError::Record { key: entry.key.clone(), source })
}
