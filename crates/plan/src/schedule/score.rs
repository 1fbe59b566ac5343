use super::{Field, Resource, Strategy, filter::Demand, room::Room, rules::MOST_STRATEGIES};
use model::Size;
use std::sync::Arc;

/// The lower, the better: what the strategies say, in their order; then the emptiest, though what is idle last where
/// tasks are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Score {
    said: [i64; MOST_STRATEGIES],
    used: i64,
    tasks: usize,
}

impl Score {
    /// `strategy`: those from number `from` on. `in_bucket`: the tasks of the group on instances with the same value of
    /// an attribute.
    pub fn of(
        strategy: &[Strategy],
        from: usize,
        room: &Room,
        demand: &Demand<'_>,
        in_bucket: impl Fn(&Arc<str>) -> usize,
    ) -> Self {
        let mut said = [0; MOST_STRATEGIES];
        for (slot, strategy) in said[from..].iter_mut().zip(strategy) {
            *slot = match strategy {
                // All that are left are equal, whatever comes after.
                Strategy::Random => return Self { said, used: 0, tasks: 0 },
                Strategy::Spread(Field::Instance) => number(room.alike),
                Strategy::Spread(Field::Attribute(name)) => number(in_bucket(name)),
                Strategy::Binpack(Resource::Cpu) => room.left.cpu,
                Strategy::Binpack(Resource::Memory) => room.left.memory_mib,
            };
        }
        let used = share(room.instance.total - room.left + demand.size, room.instance.total);
        // Nobody gains by an idle instance taken into use while another that is has as little left.
        let packs = strategy.iter().any(|one| matches!(one, Strategy::Binpack(_)));
        let idle = if packs && room.tasks == 0 { WHOLE } else { 0 };
        Self { said, used: used + idle, tasks: room.tasks }
    }

    /// The same in a bucket with so many tasks of the group.
    pub fn at(mut self, level: usize, tasks: usize) -> Self {
        self.said[level] = number(tasks);
        self
    }
}

fn number(tasks: usize) -> i64 {
    i64::try_from(tasks).unwrap_or(i64::MAX)
}

/// Of [`share`]: what is able to take a task is used to that at most, with it.
const WHOLE: i64 = 1000;

/// The scarcer of the two resources, per mille used.
fn share(used: Size, total: Size) -> i64 {
    let of = |used: i64, total: i64| used.saturating_mul(WHOLE) / total.max(1);
    of(used.cpu, total.cpu).max(of(used.memory_mib, total.memory_mib))
}
