//! What may be tried now. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::state::RuleKey;

/// Deliveries at a target at once: a slow one keeps no more from the others than these.
const AT_A_TARGET: usize = 8;

/// Deliveries that go one after the other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lane {
    pub rule: RuleKey,
    pub target: String,
    pub about: String,
}

type Destination = (RuleKey, String);

#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: BTreeMap<Lane, Queue>,
    /// Which lane a delivery under way is in.
    under_way: BTreeMap<u64, Lane>,
    /// How many are under way at each target.
    at: BTreeMap<Destination, usize>,
    /// Lanes by when their first delivery is due: those of which none is under way.
    due: BTreeSet<(u64, u64, Lane)>,
    /// Lanes that are due, and whose target has enough to do.
    held: BTreeMap<Destination, VecDeque<Lane>>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(u64, u64)>,
    is_under_way: bool,
}

impl Lane {
    fn destination(&self) -> Destination {
        (self.rule.clone(), self.target.clone())
    }
}

impl Lanes {
    /// A delivery, later in its lane than all that were added before.
    pub fn add(&mut self, number: u64, lane: Lane, due_ms: u64) {
        let queue = self.lanes.entry(lane.clone()).or_default();
        queue.waiting.push_back((number, due_ms));
        if queue.waiting.len() == 1 && !queue.is_under_way {
            self.due.insert((due_ms, number, lane));
        }
    }

    /// Those to try now: they are under way until [`Lanes::done`].
    pub fn take(&mut self, now_ms: u64) -> Vec<u64> {
        let mut taken = Vec::new();
        while self.due.first().is_some_and(|(due_ms, ..)| *due_ms <= now_ms) {
            let Some((_, _, lane)) = self.due.pop_first() else { break };
            let destination = lane.destination();
            if self.at.get(&destination).is_some_and(|at| *at >= AT_A_TARGET) {
                self.held.entry(destination).or_default().push_back(lane);
            } else {
                taken.extend(self.begin(lane));
            }
        }
        taken
    }

    fn begin(&mut self, lane: Lane) -> Option<u64> {
        let queue = self.lanes.get_mut(&lane)?;
        let (number, _) = queue.waiting.front().copied()?;
        queue.is_under_way = true;
        *self.at.entry(lane.destination()).or_default() += 1;
        self.under_way.insert(number, lane);
        Some(number)
    }

    /// It was tried; `again`: when it is to be tried once more.
    pub fn done(&mut self, number: u64, again: Option<u64>) {
        let Some(lane) = self.under_way.remove(&number) else { return };
        let destination = lane.destination();
        if let Some(at) = self.at.get_mut(&destination) {
            *at -= 1;
            if *at == 0 {
                self.at.remove(&destination);
            }
        }
        if let Some(queue) = self.lanes.get_mut(&lane) {
            queue.is_under_way = false;
            match (again, queue.waiting.front_mut()) {
                (Some(due_ms), Some(first)) => first.1 = due_ms,
                _ => drop(queue.waiting.pop_front()),
            }
            match queue.waiting.front().copied() {
                Some((number, due_ms)) => drop(self.due.insert((due_ms, number, lane))),
                None => drop(self.lanes.remove(&lane)),
            }
        }
        // The one that waited longest for a place at this target may begin with the next look.
        if let Some(held) = self.held.get_mut(&destination) {
            let next = held.pop_front();
            if held.is_empty() {
                self.held.remove(&destination);
            }
            let first = next.and_then(|lane| Some((self.lanes.get(&lane)?.waiting.front()?.0, lane)));
            if let Some((number, lane)) = first {
                self.due.insert((0, number, lane));
            }
        }
    }

    /// When the next one that isn't held is due.
    pub fn due_ms(&self) -> Option<u64> {
        self.due.first().map(|(due_ms, ..)| *due_ms)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::state::BusKey;

    fn lane(target: u8, about: u8) -> Lane {
        let bus = BusKey { account: "1".into(), region: "r".into(), name: "default".into() };
        let rule = RuleKey { bus, name: "r".into() };
        Lane { rule, target: target.to_string(), about: about.to_string() }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Add(u8, u8),
        /// The nth of those under way ends, and is tried again after so long or not.
        Done(usize, Option<u64>),
        Wait(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..2u8, 0..12u8).prop_map(|(target, about)| Step::Add(target, about)),
            3 => (any::<usize>(), proptest::option::weighted(0.3, 1..50u64)).prop_map(|(n, again)| Step::Done(n, again)),
            1 => (0..100u64).prop_map(Step::Wait),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// In order in each lane, one at a time; never too many at a target; nothing is lost, and in the end all are done.
        #[test]
        fn each_lane_goes_in_order_and_everything_arrives(steps in proptest::collection::vec(step(), 0..200)) {
            let mut lanes = Lanes::default();
            let mut of = Vec::new();
            let mut under_way: Vec<u64> = Vec::new();
            let mut waiting: BTreeMap<Lane, VecDeque<u64>> = BTreeMap::new();
            let mut now_ms = 0;
            let rest = std::iter::repeat_with(|| [Step::Done(0, None), Step::Wait(100)]).take(600).flatten();
            for step in steps.into_iter().chain(rest) {
                match step {
                    Step::Add(target, about) => {
                        let number = of.len() as u64;
                        of.push(lane(target, about));
                        lanes.add(number, lane(target, about), now_ms);
                        waiting.entry(lane(target, about)).or_default().push_back(number);
                    }
                    Step::Done(nth, again) if !under_way.is_empty() => {
                        let number = under_way.remove(nth % under_way.len());
                        lanes.done(number, again.map(|wait| now_ms + wait));
                        if again.is_none() {
                            waiting.get_mut(&of[number as usize]).unwrap().pop_front();
                        }
                    }
                    Step::Done(..) => {}
                    Step::Wait(ms) => now_ms += ms,
                }
                for number in lanes.take(now_ms) {
                    let lane = &of[number as usize];
                    prop_assert_eq!(waiting[lane].front(), Some(&number));
                    prop_assert!(!under_way.contains(&number));
                    under_way.push(number);
                }
                for target in 0..2 {
                    let there = |number: &&u64| of[**number as usize].target == target.to_string();
                    prop_assert!(under_way.iter().filter(there).count() <= AT_A_TARGET);
                }
            }
            prop_assert!(waiting.values().all(VecDeque::is_empty));
            prop_assert!(lanes.lanes.is_empty() && lanes.at.is_empty() && lanes.due.is_empty() && lanes.held.is_empty());
        }
    }
}
