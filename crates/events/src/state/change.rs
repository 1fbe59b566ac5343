//! What may change, and what comes of it. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use store::Batch;
use wire::events::Target;

use super::delivery::{Delivery, Settled, most_age_ms};
use super::rule::{Read, Rule, RuleKey};
use super::{Bus, BusKey, State, record};
use crate::envelope::Envelope;

/// EventBridge quotas.
const MOST_TARGETS: usize = 5;
const MOST_RULES: usize = 300;
const MOST_BUSES: usize = 100;
const MOST_TAGS: usize = 50;
/// Deliveries of one target under way: beyond, the event is dropped. A target that is away for long fills no disk.
pub(crate) const MOST_UNDER_WAY: usize = 10_000;

#[derive(Clone, Debug)]
pub(crate) enum Change {
    PutRule(RuleKey, NewRule),
    DeleteRule(RuleKey),
    SetState(RuleKey, &'static str),
    PutTargets(RuleKey, Vec<Target>),
    RemoveTargets(RuleKey, Vec<String>),
    CreateBus(BusKey, Bus),
    DeleteBus(BusKey),
    Tag(Resource, BTreeMap<String, String>),
    Untag(Resource, Vec<String>),
    /// Events have come. `cursor`: from which source, and how far it is taken over with them.
    Accept {
        events: Vec<Envelope>,
        cursor: Option<(String, u64)>,
    },
    /// A rule's schedule was due.
    Fire {
        rule: RuleKey,
        at_ms: u64,
        id: String,
    },
    Settle(u64, Settled),
}

/// What PutRule says of a rule.
#[derive(Clone, Debug)]
pub(crate) struct NewRule {
    pub pattern: Option<String>,
    pub schedule: Option<String>,
    pub state: &'static str,
    pub description: Option<String>,
    pub role: Option<String>,
    pub created_by: String,
    /// Only of a rule that isn't there yet.
    pub tags: BTreeMap<String, String>,
}

/// What may have tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    Rule(RuleKey),
    Bus(BusKey),
}

/// In EventBridge's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("Rule {} does not exist on EventBus {}.", .0.name, .0.bus.name)]
    NoRule(RuleKey),
    #[error("Event bus {0} does not exist.")]
    NoBus(String),
    #[error("Event bus {0} already exists.")]
    BusExists(String),
    #[error("Cannot delete event bus {0}.")]
    BusStays(String),
    #[error("Event bus {0} can't be deleted since it has rules.")]
    BusHasRules(String),
    #[error("Rule can't be deleted since it has targets.")]
    HasTargets,
    #[error("The requested resource exceeds the maximum number allowed.")]
    TooMany,
}

/// Numbers for new deliveries.
pub(crate) struct Numbers {
    pub next: u64,
}

impl Numbers {
    fn take(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }
}

impl State {
    /// Makes the change here and adds its keys to `batch`, or refuses and changes neither.
    pub fn change(
        &mut self,
        change: Change,
        now_ms: u64,
        numbers: &mut Numbers,
        batch: &mut Batch,
    ) -> Result<(), Refusal> {
        match change {
            Change::PutRule(key, new) => self.put_rule(key, new, now_ms, batch),
            Change::DeleteRule(key) => self.delete_rule(&key, batch),
            Change::SetState(key, state) => self.change_rule(&key, batch, |rule| {
                if !rule.is_enabled() {
                    rule.since_ms = now_ms;
                }
                rule.state = state.to_owned();
                Ok(())
            }),
            Change::PutTargets(key, targets) => self.change_rule(&key, batch, |rule| {
                rule.targets.extend(targets.into_iter().map(|target| (target.id.clone(), target)));
                if rule.targets.len() > MOST_TARGETS { Err(Refusal::TooMany) } else { Ok(()) }
            }),
            Change::RemoveTargets(key, ids) => self.change_rule(&key, batch, |rule| {
                rule.targets.retain(|id, _| !ids.contains(id));
                Ok(())
            }),
            Change::CreateBus(key, bus) => self.create_bus(key, bus, batch),
            Change::DeleteBus(key) => self.delete_bus(&key, batch),
            Change::Tag(resource, tags) => self.retag(&resource, batch, |old| old.extend(tags)),
            Change::Untag(resource, keys) => {
                self.retag(&resource, batch, |old| old.retain(|key, _| !keys.contains(key)))
            }
            Change::Accept { events, cursor } => {
                self.accept(&events, now_ms, numbers, batch);
                if let Some((source, number)) = cursor {
                    record::put_cursor(batch, &source, number);
                    self.cursors.insert(source, number);
                }
                Ok(())
            }
            Change::Fire { rule, at_ms, id } => {
                self.fire(&rule, at_ms, &id, now_ms, numbers, batch);
                Ok(())
            }
            Change::Settle(number, settled) => {
                self.settle(number, settled, batch);
                Ok(())
            }
        }
    }

    fn put_rule(
        &mut self,
        key: RuleKey,
        new: NewRule,
        now_ms: u64,
        batch: &mut Batch,
    ) -> Result<(), Refusal> {
        if !self.has_bus(&key.bus) {
            return Err(Refusal::NoBus(key.bus.name));
        }
        let old = self.rules.get(&key);
        if old.is_none() && self.rules_of(&key.bus, "").count() >= MOST_RULES {
            return Err(Refusal::TooMany);
        }
        // A schedule goes on where it was; a new one, or one that stood still, begins now.
        let goes_on = old.filter(|old| old.schedule == new.schedule && old.is_enabled());
        let rule = Rule {
            since_ms: goes_on.map_or(now_ms, |old| old.since_ms),
            pattern: new.pattern,
            schedule: new.schedule,
            state: new.state.to_owned(),
            description: new.description,
            role: new.role,
            created_by: old.map_or(new.created_by, |old| old.created_by.clone()),
            tags: old.map_or(new.tags, |old| old.tags.clone()),
            targets: old.map(|old| old.targets.clone()).unwrap_or_default(),
            read: Read::default(),
        };
        self.keep_rule(key, rule.reread(), batch);
        Ok(())
    }

    fn keep_rule(&mut self, key: RuleKey, rule: Rule, batch: &mut Batch) {
        record::put_rule(batch, &key, &rule);
        self.rules.insert(key, Arc::new(rule));
    }

    /// One that isn't there is as good as deleted (API reference, DeleteRule).
    fn delete_rule(&mut self, key: &RuleKey, batch: &mut Batch) -> Result<(), Refusal> {
        if !self.has_bus(&key.bus) {
            return Err(Refusal::NoBus(key.bus.name.clone()));
        }
        match self.rules.get(key) {
            None => Ok(()),
            Some(rule) if !rule.targets.is_empty() => Err(Refusal::HasTargets),
            Some(_) => {
                record::delete_rule(batch, key);
                self.rules.remove(key);
                Ok(())
            }
        }
    }

    fn change_rule(
        &mut self,
        key: &RuleKey,
        batch: &mut Batch,
        change: impl FnOnce(&mut Rule) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        if !self.has_bus(&key.bus) {
            return Err(Refusal::NoBus(key.bus.name.clone()));
        }
        let mut rule = Rule::clone(self.rules.get(key).ok_or_else(|| Refusal::NoRule(key.clone()))?);
        change(&mut rule)?;
        self.keep_rule(key.clone(), rule, batch);
        Ok(())
    }

    fn create_bus(&mut self, key: BusKey, bus: Bus, batch: &mut Batch) -> Result<(), Refusal> {
        if self.has_bus(&key) {
            return Err(Refusal::BusExists(key.name));
        }
        let of_scope = |other: &&BusKey| other.account == key.account && other.region == key.region;
        if self.buses.keys().filter(of_scope).count() + 1 >= MOST_BUSES {
            return Err(Refusal::TooMany);
        }
        record::put_bus(batch, &key, &bus);
        self.buses.insert(key, Arc::new(bus));
        Ok(())
    }

    /// One that isn't there is as good as deleted.
    fn delete_bus(&mut self, key: &BusKey, batch: &mut Batch) -> Result<(), Refusal> {
        if key.name == super::DEFAULT_BUS {
            return Err(Refusal::BusStays(key.name.clone()));
        }
        if self.rules_of(key, "").next().is_some() {
            return Err(Refusal::BusHasRules(key.name.clone()));
        }
        if self.buses.remove(key).is_some() {
            record::delete_bus(batch, key);
        }
        Ok(())
    }

    fn retag(
        &mut self,
        resource: &Resource,
        batch: &mut Batch,
        change: impl FnOnce(&mut BTreeMap<String, String>),
    ) -> Result<(), Refusal> {
        let checked = |tags: &BTreeMap<String, String>| match tags.len() > MOST_TAGS {
            true => Err(Refusal::TooMany),
            false => Ok(()),
        };
        match resource {
            Resource::Rule(key) => self.change_rule(key, batch, |rule| {
                change(&mut rule.tags);
                checked(&rule.tags)
            }),
            Resource::Bus(key) => {
                let known = self.buses.get(key).cloned();
                let default = (key.name == super::DEFAULT_BUS).then(Arc::<Bus>::default);
                let known = known.or(default).ok_or_else(|| Refusal::NoBus(key.name.clone()))?;
                let mut bus = Bus::clone(&known);
                change(&mut bus.tags);
                checked(&bus.tags)?;
                record::put_bus(batch, key, &bus);
                self.buses.insert(key.clone(), Arc::new(bus));
                Ok(())
            }
        }
    }

    /// A delivery for each target of each rule that an event triggers.
    fn accept(&mut self, events: &[Envelope], now_ms: u64, numbers: &mut Numbers, batch: &mut Batch) {
        for envelope in events {
            let Envelope { bus, event, .. } = envelope;
            let matching: Vec<_> =
                self.matching(bus, event).map(|(key, rule)| (key.clone(), rule.clone())).collect();
            for (key, rule) in matching {
                for id in rule.targets.keys() {
                    self.deliver(&key, id, envelope, now_ms, numbers, batch);
                }
            }
        }
    }

    fn deliver(
        &mut self,
        rule: &RuleKey,
        target: &str,
        envelope: &Envelope,
        accepted_ms: u64,
        numbers: &mut Numbers,
        batch: &mut Batch,
    ) {
        let under_way = self.under_way.get(&(rule.clone(), target.to_owned())).copied().unwrap_or(0);
        if under_way >= MOST_UNDER_WAY {
            tracing::warn!(
                rule = rule.arn(),
                target,
                under_way,
                "an event is dropped: too many wait for their target"
            );
            return;
        }
        let delivery = Delivery {
            rule: rule.clone(),
            target: target.to_owned(),
            about: envelope.about.clone(),
            event: envelope.event.clone(),
            accepted_ms,
            attempts: 0,
            due_ms: 0,
            left: None,
            dead: None,
        };
        self.keep_delivery(numbers.take(), delivery, batch);
    }

    fn keep_delivery(&mut self, number: u64, delivery: Delivery, batch: &mut Batch) {
        record::put_delivery(batch, number, &delivery);
        self.put_delivery(number, delivery);
    }

    /// Only the next time of the schedule: whoever asks twice, or has an older rule in mind, changes nothing.
    fn fire(
        &mut self,
        key: &RuleKey,
        at_ms: u64,
        id: &str,
        now_ms: u64,
        numbers: &mut Numbers,
        batch: &mut Batch,
    ) {
        let Some(rule) = self.rules.get(key).filter(|rule| rule.due_ms() == Some(at_ms)).cloned() else {
            return;
        };
        let event = Envelope::scheduled(key, at_ms, id);
        for (id, target) in &rule.targets {
            // What was missed for longer than the target wants to hear of it isn't told any more.
            if at_ms.saturating_add(most_age_ms(target)) > now_ms {
                self.deliver(key, id, &event, at_ms, numbers, batch);
            }
        }
        self.keep_rule(key.clone(), Rule { since_ms: at_ms, ..Rule::clone(&rule) }, batch);
    }

    fn settle(&mut self, number: u64, settled: Settled, batch: &mut Batch) {
        let Some(known) = self.deliveries.get(&number) else { return };
        let known = Delivery::clone(known);
        let delivery = match settled {
            Settled::Over => {
                record::delete_delivery(batch, number);
                return self.remove_delivery(number);
            }
            Settled::Again { due_ms, left } => {
                Delivery { attempts: known.attempts + 1, due_ms, left, ..known }
            }
            Settled::Dead(dead) => Delivery { dead: Some(dead), attempts: 0, due_ms: 0, left: None, ..known },
        };
        self.keep_delivery(number, delivery, batch);
    }
}
