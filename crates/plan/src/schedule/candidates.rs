//! The instances that can take a task, the best of them first.
//!
//! Attributes that are spread over first are tiers of buckets, the emptiest bucket at the front; at the bottom the
//! instances of a bucket are in a heap. So a placement costs a step in each tier and in one heap, however many
//! instances there are.

use super::{Field, Strategy, filter, filter::Demand, room::Room, score::Score};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    sync::Arc,
};

pub(super) struct Candidates<'s> {
    root: Node,
    tiers: usize,
    strategy: &'s [Strategy],
    /// Tasks of the group by attribute and value, for strategies below the tiers that spread over one.
    counts: BTreeMap<Arc<str>, BTreeMap<Option<Arc<str>>, usize>>,
}

enum Node {
    Tier {
        /// The number of the strategy.
        level: usize,
        /// With the tasks of the group in each.
        buckets: Vec<(usize, Node)>,
        /// By the score of its best instance: buckets with equally many tasks are told apart by what comes next.
        order: BTreeSet<(Score, usize)>,
    },
    Heap(BinaryHeap<Reverse<(Score, usize)>>),
}

impl<'s> Candidates<'s> {
    pub fn new(strategy: &'s [Strategy], rooms: &[Room<'_>], demand: &Demand<'_>) -> Self {
        let tiers = strategy.iter().map_while(attribute).count();
        let mut counts = BTreeMap::new();
        for name in strategy[tiers..].iter().filter_map(attribute) {
            let values: &mut BTreeMap<_, usize> = counts.entry(name.clone()).or_default();
            if values.is_empty() {
                rooms.iter().for_each(|room| *values.entry(value(room, name)).or_default() += room.alike);
            }
        }
        let mut candidates = Self { root: Node::Heap(BinaryHeap::new()), tiers, strategy, counts };
        candidates.root = candidates.node(0, rooms, demand, (0..rooms.len()).collect());
        candidates
    }

    fn node(&self, level: usize, rooms: &[Room<'_>], demand: &Demand<'_>, members: Vec<usize>) -> Node {
        let Some(name) = self.strategy[..self.tiers].get(level).and_then(attribute) else {
            let able = members.into_iter().filter(|index| filter::refusal(&rooms[*index], demand).is_none());
            return Node::Heap(
                able.map(|index| Reverse((self.score(&rooms[index], demand), index))).collect(),
            );
        };
        let mut values: BTreeMap<Option<Arc<str>>, Vec<usize>> = BTreeMap::new();
        for index in members {
            values.entry(value(&rooms[index], name)).or_default().push(index);
        }
        let (mut buckets, mut order) = (Vec::new(), BTreeSet::new());
        for members in values.into_values() {
            // Instances that can take nothing more count too: what is there is there.
            let tasks = members.iter().map(|index| rooms[*index].alike).sum();
            let node = self.node(level + 1, rooms, demand, members);
            order.extend(node.first().map(|best| (best.at(level, tasks), buckets.len())));
            buckets.push((tasks, node));
        }
        Node::Tier { level, buckets, order }
    }

    /// Gives the best instance one more task; `None` when no instance can take it.
    pub fn take(&mut self, rooms: &mut [Room<'_>], demand: &Demand<'_>) -> Option<usize> {
        let mut root = std::mem::replace(&mut self.root, Node::Heap(BinaryHeap::new()));
        let taken =
            self.refresh(&mut root, rooms, demand).and_then(|_| self.take_first(&mut root, rooms, demand));
        self.root = root;
        taken
    }

    /// Sees to it that what is first is the best. What a placement changes for other instances only makes them worse,
    /// so it is the first whose score still holds.
    fn refresh(&self, node: &mut Node, rooms: &[Room<'_>], demand: &Demand<'_>) -> Option<Score> {
        match node {
            Node::Heap(heap) => loop {
                let Reverse((score, index)) = *heap.peek()?;
                let now = self.score(&rooms[index], demand);
                if now == score {
                    return Some(score);
                }
                heap.pop();
                heap.push(Reverse((now, index)));
            },
            Node::Tier { level, buckets, order } => loop {
                let (score, bucket) = *order.first()?;
                let (tasks, node) = &mut buckets[bucket];
                let now = self.refresh(node, rooms, demand).map(|best| best.at(*level, *tasks));
                if now == Some(score) {
                    return now;
                }
                order.pop_first();
                order.extend(now.map(|now| (now, bucket)));
            },
        }
    }

    fn take_first(&mut self, node: &mut Node, rooms: &mut [Room<'_>], demand: &Demand<'_>) -> Option<usize> {
        match node {
            Node::Heap(heap) => {
                let Reverse((_, index)) = heap.pop()?;
                rooms[index].take(demand);
                for (name, values) in &mut self.counts {
                    *values.entry(value(&rooms[index], name)).or_default() += 1;
                }
                if filter::refusal_of_rest(&rooms[index], demand).is_none() {
                    heap.push(Reverse((self.score(&rooms[index], demand), index)));
                }
                Some(index)
            }
            Node::Tier { level, buckets, order } => {
                let (_, bucket) = order.pop_first()?;
                let (tasks, node) = &mut buckets[bucket];
                let taken = self.take_first(node, rooms, demand);
                *tasks += 1;
                order.extend(node.first().map(|best| (best.at(*level, *tasks), bucket)));
                taken
            }
        }
    }

    fn score(&self, room: &Room<'_>, demand: &Demand<'_>) -> Score {
        let in_bucket = |name: &Arc<str>| {
            self.counts.get(name).and_then(|values| values.get(&value(room, name))).copied().unwrap_or(0)
        };
        Score::of(&self.strategy[self.tiers..], self.tiers, room, demand, in_bucket)
    }
}

impl Node {
    fn first(&self) -> Option<Score> {
        match self {
            Self::Tier { order, .. } => order.first().map(|(score, _)| *score),
            Self::Heap(heap) => heap.peek().map(|Reverse((score, _))| *score),
        }
    }
}

fn attribute(strategy: &Strategy) -> Option<&Arc<str>> {
    match strategy {
        Strategy::Spread(Field::Attribute(name)) => Some(name),
        _ => None,
    }
}

fn value(room: &Room<'_>, name: &str) -> Option<Arc<str>> {
    room.instance.attribute(name).map(|attribute| attribute.value.clone().unwrap_or_default())
}
