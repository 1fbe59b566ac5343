//! The instances that can take a task, the best of them first.
//!
//! Attributes that are spread over first are tiers of buckets, the emptiest bucket at the front; at the bottom the
//! instances of a bucket lie in order. So a placement, or a change of an instance, costs a step in each tier and in one
//! ordered set, however many instances there are.

use super::{
    Field, Strategy,
    filter::{self, Demand},
    room::{Room, mix},
    score::Score,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

#[derive(Debug)]
pub(super) struct Candidates {
    root: Node,
    strategy: Vec<Strategy>,
    /// How many of them, from the first on, spread over an attribute.
    tiers: usize,
    /// Tasks of the group by attribute and value, for strategies below the tiers that spread over one.
    counts: BTreeMap<Arc<str>, BTreeMap<Value, usize>>,
    /// What stands for each room at the bottom; `None` for one that can take nothing.
    entries: Vec<Option<Entry>>,
}

/// Equals are in a ring, each at a spot of its own; which of them is next, a draw says. With the number of the room or
/// the bucket.
type Entry = (Score, u64, usize);
type Value = Option<Arc<str>>;

#[derive(Debug)]
enum Node {
    Tier(Tier),
    Bottom(BTreeSet<Entry>),
}

#[derive(Debug, Default)]
struct Tier {
    numbers: BTreeMap<Value, usize>,
    buckets: Vec<Bucket>,
    /// By the score of its best instance: buckets with equally many tasks are told apart by what comes next.
    order: BTreeSet<Entry>,
}

#[derive(Debug)]
struct Bucket {
    /// Of the group. Those on instances that can take nothing more count too: what is there is there.
    tasks: usize,
    spot: u64,
    node: Node,
}

impl Candidates {
    pub fn new(strategy: &[Strategy], rooms: &[Room], demand: &Demand<'_>) -> Self {
        let tiers = strategy.iter().map_while(attribute).count();
        let counted = strategy[tiers..].iter().filter_map(attribute);
        let mut candidates = Self {
            root: Node::at(0, tiers),
            strategy: strategy.to_vec(),
            tiers,
            counts: counted.map(|name| (name.clone(), BTreeMap::new())).collect(),
            entries: Vec::new(),
        };
        // The counts first: scores look at them.
        rooms.iter().for_each(|room| candidates.count(room, true));
        let entry = |(index, room)| {
            filter::refusal(room, demand).is_none().then(|| candidates.entry(room, index, demand))
        };
        candidates.entries = rooms.iter().enumerate().map(entry).collect();
        let all = (0..rooms.len()).collect();
        candidates.root = Node::of(&strategy[..tiers], 0, rooms, &candidates.entries, all);
        candidates
    }

    /// Whether a score depends on its own room alone. If not, those of others go stale with each change, which
    /// [`Self::take`] allows for only where it makes them worse.
    pub fn are_independent(&self) -> bool {
        self.counts.is_empty()
    }

    /// Gives the best instance one more task; `None` when no instance can take it. `draw` decides between equals.
    pub fn take(&mut self, rooms: &mut [Room], demand: &Demand<'_>, draw: u64) -> Option<usize> {
        let index = self.first(rooms, demand, draw)?;
        self.change(
            rooms,
            index,
            |room| room.take(demand),
            |room| filter::refusal_of_rest(room, demand),
            demand,
        );
        Some(index)
    }

    /// The room is no longer as it was: `change` makes it what it is now.
    pub fn renew(
        &mut self,
        rooms: &mut [Room],
        index: usize,
        change: impl FnOnce(&mut Room),
        demand: &Demand<'_>,
    ) {
        self.change(
            rooms,
            index,
            change,
            |room| filter::refusal(room, demand).map(|(_, reason)| reason),
            demand,
        );
    }

    fn change<R>(
        &mut self,
        rooms: &mut [Room],
        index: usize,
        change: impl FnOnce(&mut Room),
        refusal: impl FnOnce(&Room) -> Option<R>,
        demand: &Demand<'_>,
    ) {
        let room = &mut rooms[index];
        self.leave(room, index);
        self.count(room, false);
        change(room);
        self.count(room, true);
        self.enter(room, index, refusal(room).is_none(), demand);
    }

    /// The best one now. A score may be stale, but never better than it was, so the first that still holds is the best.
    fn first(&mut self, rooms: &[Room], demand: &Demand<'_>, draw: u64) -> Option<usize> {
        loop {
            let index = self.root.first(draw)?;
            let room = &rooms[index];
            if self.are_independent() || self.entries[index] == Some(self.entry(room, index, demand)) {
                return Some(index);
            }
            self.leave(room, index);
            self.enter(room, index, true, demand);
        }
    }

    fn enter(&mut self, room: &Room, index: usize, able: bool, demand: &Demand<'_>) {
        let entry = able.then(|| self.entry(room, index, demand));
        self.root.enter(&self.strategy[..self.tiers], 0, room, entry);
        self.entries[index] = entry;
    }

    fn leave(&mut self, room: &Room, index: usize) {
        let entry = self.entries[index].take();
        self.root.leave(&self.strategy[..self.tiers], 0, room, entry);
    }

    fn entry(&self, room: &Room, index: usize, demand: &Demand<'_>) -> Entry {
        let in_bucket = |name: &Arc<str>| {
            self.counts.get(name).and_then(|values| values.get(&value(room, name))).copied().unwrap_or(0)
        };
        let score = Score::of(&self.strategy[self.tiers..], self.tiers, room, demand, in_bucket);
        (score, room.spot(), index)
    }

    fn count(&mut self, room: &Room, enters: bool) {
        for (name, values) in &mut self.counts {
            let count = values.entry(value(room, name)).or_default();
            *count = if enters { *count + room.alike } else { *count - room.alike };
        }
    }
}

impl Node {
    fn at(level: usize, tiers: usize) -> Self {
        if level < tiers { Self::Tier(Tier::default()) } else { Self::Bottom(BTreeSet::new()) }
    }

    /// As if each had entered.
    fn of(
        tiers: &[Strategy],
        level: usize,
        rooms: &[Room],
        entries: &[Option<Entry>],
        members: Vec<usize>,
    ) -> Self {
        if level == tiers.len() {
            return Self::Bottom(members.into_iter().filter_map(|index| entries[index]).collect());
        }
        let mut tier = Tier::default();
        let mut inside: Vec<Vec<usize>> = Vec::new();
        for index in members {
            let number = tier.number(tiers, level, &rooms[index]);
            inside.resize_with(tier.buckets.len(), Vec::new);
            inside[number].push(index);
        }
        for (number, members) in inside.into_iter().enumerate() {
            tier.change(level, number, |bucket| {
                bucket.tasks = members.iter().map(|index| rooms[*index].alike).sum();
                bucket.node = Self::of(tiers, level + 1, rooms, entries, members);
            });
        }
        Self::Tier(tier)
    }

    fn best(&self) -> Option<Score> {
        let order = match self {
            Self::Tier(tier) => &tier.order,
            Self::Bottom(order) => order,
        };
        order.first().map(|(score, ..)| *score)
    }

    /// The number of the room that is next.
    fn first(&self, draw: u64) -> Option<usize> {
        match self {
            Self::Bottom(order) => drawn(order, draw),
            // Each tier with a draw of its own: else a bucket's instances would be drawn from one part of the ring.
            Self::Tier(tier) => tier.buckets[drawn(&tier.order, draw)?].node.first(mix(draw)),
        }
    }

    fn enter(&mut self, tiers: &[Strategy], level: usize, room: &Room, entry: Option<Entry>) {
        match self {
            Self::Bottom(order) => order.extend(entry),
            Self::Tier(tier) => {
                let number = tier.number(tiers, level, room);
                tier.change(level, number, |bucket| {
                    bucket.tasks += room.alike;
                    bucket.node.enter(tiers, level + 1, room, entry);
                });
            }
        }
    }

    /// The room must be as it was when it entered.
    fn leave(&mut self, tiers: &[Strategy], level: usize, room: &Room, entry: Option<Entry>) {
        match self {
            Self::Bottom(order) => drop(entry.map(|entry| order.remove(&entry))),
            Self::Tier(tier) => {
                let number = tier.number(tiers, level, room);
                tier.change(level, number, |bucket| {
                    bucket.tasks -= room.alike;
                    bucket.node.leave(tiers, level + 1, room, entry);
                });
            }
        }
    }
}

impl Tier {
    /// The bucket that the room is in; a new one if it is the first of its kind.
    fn number(&mut self, tiers: &[Strategy], level: usize, room: &Room) -> usize {
        let value = attribute(&tiers[level]).and_then(|name| value(room, name));
        if let Some(number) = self.numbers.get(&value) {
            return *number;
        }
        let number = self.buckets.len();
        let spot = value
            .as_deref()
            .unwrap_or_default()
            .bytes()
            .fold(level as u64, |spot, byte| mix(spot ^ u64::from(byte)));
        self.buckets.push(Bucket { tasks: 0, spot, node: Node::at(level + 1, tiers.len()) });
        self.numbers.insert(value, number);
        number
    }

    fn change(&mut self, level: usize, number: usize, change: impl FnOnce(&mut Bucket)) {
        let bucket = &mut self.buckets[number];
        let entry =
            |bucket: &Bucket| Some((bucket.node.best()?.at(level, bucket.tasks), bucket.spot, number));
        let before = entry(bucket);
        change(bucket);
        let after = entry(bucket);
        if before != after {
            before.map(|before| self.order.remove(&before));
            self.order.extend(after);
        }
    }
}

/// Of those that are as good as the first, the next in the ring.
fn drawn(order: &BTreeSet<Entry>, draw: u64) -> Option<usize> {
    let first = order.first()?;
    let next = order.range((first.0, draw, 0)..).next().filter(|next| next.0 == first.0);
    Some(next.unwrap_or(first).2)
}

fn attribute(strategy: &Strategy) -> Option<&Arc<str>> {
    match strategy {
        Strategy::Spread(Field::Attribute(name)) => Some(name),
        _ => None,
    }
}

fn value(room: &Room, name: &str) -> Value {
    room.instance.attribute(name).map(|attribute| attribute.value.clone().unwrap_or_default())
}
