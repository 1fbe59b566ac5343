//! Rules, buses, and deliveries under way. `change` decides (pure), `record` is how it is kept in the store, `writer` is
//! the one thread that changes it.

mod bus;
mod change;
mod delivery;
mod record;
mod rule;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use imbl::OrdMap;
use serde_json::Value;

pub(crate) use bus::{Bus, BusKey, DEFAULT_BUS};
pub(crate) use change::{Change, NewRule, Refusal, Resource};
pub(crate) use delivery::{DeadLetter, Delivery, Settled, most_age_ms, most_attempts};
pub(crate) use rule::{DISABLED, ENABLED, Rule, RuleKey};
pub(crate) use writer::{Catalog, ChangeError};

/// As of one commit. Cloning is O(1).
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct State {
    /// Those that were made: each account and region has the default one without.
    pub buses: OrdMap<BusKey, Arc<Bus>>,
    pub rules: OrdMap<RuleKey, Arc<Rule>>,
    /// How far each source of events was taken over.
    pub cursors: OrdMap<String, u64>,
    /// By their numbers: what comes later has a greater one.
    pub deliveries: OrdMap<u64, Arc<Delivery>>,
    /// How many of them each target has. Follows from them.
    under_way: OrdMap<(RuleKey, String), usize>,
}

impl State {
    pub fn has_bus(&self, key: &BusKey) -> bool {
        key.name == DEFAULT_BUS || self.buses.contains_key(key)
    }

    /// By name, from the first one not before `from`.
    pub fn rules_of<'s>(
        &'s self,
        bus: &'s BusKey,
        from: &str,
    ) -> impl Iterator<Item = (&'s RuleKey, &'s Arc<Rule>)> {
        let start = RuleKey { bus: bus.clone(), name: from.to_owned() };
        self.rules.range(start..).take_while(move |(key, _)| key.bus == *bus)
    }

    /// Whether a rule of a bus may want an event of that source and type: told without the event.
    pub fn wants(&self, bus: &BusKey, source: &str, detail_type: &str) -> bool {
        self.rules_of(bus, "").any(|(_, rule)| rule.may_match(source, detail_type))
    }

    /// The rules that an event of a bus triggers.
    pub fn matching<'s>(
        &'s self,
        bus: &'s BusKey,
        event: &'s Value,
    ) -> impl Iterator<Item = (&'s RuleKey, &'s Arc<Rule>)> {
        self.rules_of(bus, "").filter(move |(_, rule)| rule.matches(event))
    }

    fn put_delivery(&mut self, number: u64, delivery: Delivery) {
        let destination = (delivery.rule.clone(), delivery.target.clone());
        if self.deliveries.insert(number, Arc::new(delivery)).is_none() {
            *self.under_way.entry(destination).or_default() += 1;
        }
    }

    fn remove_delivery(&mut self, number: u64) {
        let Some(delivery) = self.deliveries.remove(&number) else { return };
        let destination = (delivery.rule.clone(), delivery.target.clone());
        match self.under_way.get(&destination).copied() {
            Some(2..) => *self.under_way.entry(destination).or_default() -= 1,
            _ => drop(self.under_way.remove(&destination)),
        }
    }
}
