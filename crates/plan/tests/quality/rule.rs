//! The best that ECS's words allow: one task after another, each on an instance that the strategies find best, with a free
//! hand among equals. What is better than this asks for another rule.

use super::exact::{Ask, Bin, Chosen, Cost, Goal, cost};
use plan::schedule::{Field, Resource, Strategy};
use std::collections::BTreeSet;

/// So many different choices are followed at most.
const MOST: usize = 20_000;

/// The costs of the best and of the worst end that tasks of one kind can come to; `None` if there are too many ways.
pub fn ends(bins: &[Bin], ask: Ask, goal: Goal, strategies: &[Strategy]) -> Option<(Cost, Cost)> {
    let mut ways = BTreeSet::from([vec![0usize; bins.len()]]);
    for _ in 0..ask.count {
        let mut next = BTreeSet::new();
        for way in &ways {
            for index in best(bins, ask, way, strategies) {
                let mut longer = way.clone();
                longer[index] += 1;
                next.insert(alike_in_order(bins, longer));
            }
        }
        match next.len() {
            // No instance can take another.
            0 => break,
            more if more > MOST => return None,
            _ => ways = next,
        }
    }
    let of = |way: &Vec<usize>| {
        let chosen: Chosen = way.iter().map(|count| vec![*count]).collect();
        cost(bins, &[ask], goal, &chosen)
    };
    Some((ways.iter().map(of).min()?, ways.iter().map(of).max()?))
}

/// Which of several instances that are the same in everything takes how many doesn't matter.
fn alike_in_order(bins: &[Bin], way: Vec<usize>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..bins.len()).collect();
    order.sort_by_key(|index| &bins[*index]);
    let mut sorted = way;
    for same in order.chunk_by(|one, other| bins[*one] == bins[*other]) {
        let mut counts: Vec<usize> = same.iter().map(|index| sorted[*index]).collect();
        counts.sort_unstable();
        same.iter().zip(counts).for_each(|(index, count)| sorted[*index] = count);
    }
    sorted
}

fn best(bins: &[Bin], ask: Ask, way: &[usize], strategies: &[Strategy]) -> Vec<usize> {
    let left = |index: usize| {
        let count = way[index] as i64;
        (bins[index].left.0 - count * ask.size.cpu, bins[index].left.1 - count * ask.size.memory_mib)
    };
    let able = |index: &usize| left(*index).0 >= ask.size.cpu && left(*index).1 >= ask.size.memory_mib;
    let mut among: Vec<usize> = (0..bins.len()).filter(able).collect();
    let on = |index: usize| (bins[index].alike[0] + way[index]) as i64;
    for strategy in strategies {
        let score = |index: usize| match strategy {
            Strategy::Random => 0,
            Strategy::Binpack(Resource::Cpu) => left(index).0,
            Strategy::Binpack(Resource::Memory) => left(index).1,
            Strategy::Spread(Field::Instance) => on(index),
            // The one attribute that the traces have.
            Strategy::Spread(Field::Attribute(_)) => {
                (0..bins.len()).filter(|other| bins[*other].zone == bins[index].zone).map(on).sum()
            }
        };
        let least = among.iter().map(|index| score(*index)).min();
        among.retain(|index| Some(score(*index)) == least);
    }
    among
}
