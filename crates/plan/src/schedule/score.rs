use super::{filter::Demand, room::Room};
use model::{Size, TaskId};

/// Which of several instances is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// The emptiest.
    Spread,
    /// The fullest that still has room.
    Binpack,
}

/// The lower, the better. Equals are told apart by the seed.
pub(super) fn score(
    strategy: Strategy,
    room: &Room<'_>,
    demand: &Demand<'_>,
    seed: u128,
) -> (i64, usize, u128) {
    let used = share(room.instance.total - room.left + demand.size, room.instance.total);
    let tie = TaskId(seed ^ room.instance.id.0).derive("tie", 0);
    match strategy {
        Strategy::Spread => (used, room.tasks, tie),
        Strategy::Binpack => (-used, usize::MAX - room.tasks, tie),
    }
}

/// The scarcer of the two resources, per mille used.
fn share(used: Size, total: Size) -> i64 {
    let of = |used: i64, total: i64| used.saturating_mul(1000) / total.max(1);
    of(used.cpu, total.cpu).max(of(used.memory_mib, total.memory_mib))
}
