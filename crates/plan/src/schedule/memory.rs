//! What placements remember from one call to the next, so that a call costs what has changed and what it places, not a
//! look at every instance. It never changes an answer: a test holds each against that of an empty memory.

use super::{
    Failure, Placed, Placement, Rules, Want,
    filter::Demand,
    ranking::{Kind, Ranking},
    room::mix,
    want,
};
use model::{InstanceId, World};

/// Kinds of tasks that are remembered, and the instances of all of them together, each about 350 bytes. The kinds that were
/// asked for the longest ago make room.
const MOST: usize = 64;
const MOST_ROOMS: usize = 160_000;

/// Empty at first.
#[derive(Debug, Default)]
pub struct Memory {
    /// The last used last.
    rankings: Vec<Ranking>,
}

impl Memory {
    /// Finds a place for each want. `seed` decides between equals.
    pub fn place(&mut self, world: &World, wants: &[Want], rules: &Rules, seed: u128) -> Placement {
        let mut placement = Placement::default();
        let mut draws = Draws { state: mix((seed >> 64) as u64) ^ seed as u64 };
        let mut earlier: Vec<(Demand<'_>, Vec<InstanceId>)> = Vec::new();
        for group in want::groups(wants) {
            let want = &wants[group[0]];
            let Some(demand) = Demand::of(world, want, rules) else {
                placement.failures.extend(group.iter().map(|index| Failure::no_definition(*index, want)));
                continue;
            };
            let mut ranking = self.ranking(world, &demand, rules);
            for (other, placed) in earlier.iter().filter(|(other, _)| other.home == demand.home) {
                placed.iter().for_each(|on| ranking.yield_to(other, *on, &demand));
            }
            let placed = place_group(&demand, &mut ranking, &group, &mut draws, &mut placement);
            if ranking.can_follow(&demand) {
                self.keep(ranking);
            }
            earlier.push((demand, placed));
        }
        placement.placed.sort_by_key(|placed| placed.want);
        placement.failures.sort_by_key(|failure| failure.want);
        placement
    }

    /// As of this world: a remembered one that was brought to it, or a new one.
    fn ranking(&mut self, world: &World, demand: &Demand<'_>, rules: &Rules) -> Ranking {
        let kind = Kind::of(demand, rules);
        let mut of_kind = || {
            let same = |ranking: &Ranking| ranking.is_of(&kind);
            // Another group's tasks in place of this one's are a change like any other.
            let own = self.rankings.iter().rposition(|ranking| same(ranking) && ranking.counts_for(rules));
            own.or_else(|| self.rankings.iter().rposition(same)).map(|index| self.rankings.remove(index))
        };
        of_kind()
            .and_then(|mut ranking| ranking.follow(world, demand, rules).then_some(ranking))
            .unwrap_or_else(|| Ranking::new(world, demand, rules))
    }

    fn keep(&mut self, ranking: Ranking) {
        self.rankings.push(ranking);
        let rooms =
            |rankings: &[Ranking]| rankings.iter().map(|ranking| ranking.rooms().len()).sum::<usize>();
        while self.rankings.len() > 1 && (self.rankings.len() > MOST || rooms(&self.rankings) > MOST_ROOMS) {
            self.rankings.remove(0);
        }
    }
}

fn place_group(
    demand: &Demand<'_>,
    ranking: &mut Ranking,
    group: &[usize],
    draws: &mut Draws,
    placement: &mut Placement,
) -> Vec<InstanceId> {
    let mut placed = Vec::new();
    let mut left = group.iter();
    for index in left.by_ref() {
        let Some(instance) = ranking.take(demand, draws.next()) else {
            // Every instance refuses now, and the ones after this want the same.
            let failure = Failure::explain(demand, ranking.rooms());
            placement.failures.push(Failure { want: *index, ..failure.clone() });
            placement.failures.extend(left.map(|index| Failure { want: *index, ..failure.clone() }));
            break;
        };
        placed.push(instance);
        placement.placed.push(Placed { want: *index, instance });
    }
    placed
}

struct Draws {
    state: u64,
}

impl Draws {
    fn next(&mut self) -> u64 {
        self.state = mix(self.state);
        self.state
    }
}
