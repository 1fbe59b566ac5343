//! The best that a batch of tasks can come to, all of its tasks chosen for at once and the tasks that are there already
//! left where they are. It is found by dynamic programming over how many tasks of each kind are still without a place: nothing
//! is passed over, so what it finds is the optimum. It knows nothing of how `plan` places.

use model::Size;

/// An instance before the batch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bin {
    /// CPU units and MiB.
    pub left: (i64, i64),
    pub total: (i64, i64),
    pub in_use: bool,
    pub zone: usize,
    /// The tasks of each kind's group that it has.
    pub alike: Vec<usize>,
}

/// So many tasks of one kind.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    pub size: Size,
    pub count: usize,
}

/// What is to be small. That most tasks have a place comes before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Goal {
    pub spread: Option<Over>,
    /// Comes after the spread.
    pub pack: Option<Pack>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    Zone,
    Instance,
}

/// What an instance that is in use counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pack {
    /// Its CPU or its memory: the less of it is in use, the better it is used, as what the tasks ask for is given.
    Cpu,
    Memory,
    /// One.
    Number,
}

/// The less the better, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost {
    pub unplaced: usize,
    /// The squares of the tasks in each bucket that is spread over, summed up over the kinds.
    pub squares: u64,
    /// What the instances in use count for.
    pub in_use: u64,
}

/// For each instance the tasks of each kind that the batch puts there.
pub type Chosen = Vec<Vec<usize>>;

/// What a choice comes to. It panics if it doesn't fit: then whoever made it is wrong.
pub fn cost(bins: &[Bin], asks: &[Ask], goal: Goal, chosen: &Chosen) -> Cost {
    let placed: usize = chosen.iter().flatten().sum();
    let of_kind = |kind: usize| -> u64 {
        let on = |index: &usize| bins[*index].alike[kind] + chosen[*index][kind];
        let count = |bucket: Vec<usize>| bucket.iter().map(on).sum::<usize>() as u64;
        buckets(bins, goal).into_iter().map(|bucket| count(bucket).pow(2)).sum()
    };
    let squares = if goal.spread.is_some() { (0..asks.len()).map(of_kind).sum() } else { 0 };
    let mut in_use = 0;
    for (bin, counts) in bins.iter().zip(chosen) {
        assert!(fits(bin, asks, counts), "{counts:?} of {asks:?} don't fit on {bin:?}");
        in_use += if bin.in_use || counts.iter().any(|count| *count > 0) { weight(bin, goal) } else { 0 };
    }
    Cost { unplaced: asks.iter().map(|ask| ask.count).sum::<usize>() - placed, squares, in_use }
}

/// The least cost, and a choice that has it.
pub fn solve(bins: &[Bin], asks: &[Ask], goal: Goal) -> (Cost, Chosen) {
    // A state is how many of each kind have a place; its number is that in mixed radix, so states add up as numbers.
    let states = counts_up_to(asks);
    let add = |one: usize, other: usize| {
        let within = |((a, b), ask): ((&usize, &usize), &Ask)| a + b <= ask.count;
        states[one].iter().zip(&states[other]).zip(asks).all(within).then_some(one + other)
    };
    let buckets = buckets(bins, goal);
    // What is the least for each state after the buckets so far, and what the last of them took for it.
    let mut least: Vec<Option<(u64, u64)>> = vec![None; states.len()];
    least[0] = Some((0, 0));
    let mut taken = Vec::new();
    let mut within = Vec::new();
    for bucket in &buckets {
        let (ways, steps) = fill(bins, bucket, asks, goal, &states, &add);
        let has: Vec<usize> =
            (0..asks.len()).map(|kind| bucket.iter().map(|index| bins[*index].alike[kind]).sum()).collect();
        let squares = |state: usize| match goal.spread {
            Some(_) => has.iter().zip(&states[state]).map(|(has, more)| ((has + more) as u64).pow(2)).sum(),
            None => 0,
        };
        let (next, took) = layer(
            &least,
            &add,
            (0..states.len()).filter_map(|state| Some((state, (squares(state), ways[state]?)))),
        );
        least = next;
        taken.push(took);
        within.push(steps);
    }
    let asked: usize = asks.iter().map(|ask| ask.count).sum();
    let of = |state: usize| {
        let (squares, in_use) = least[state]?;
        Some((Cost { unplaced: asked - states[state].iter().sum::<usize>(), squares, in_use }, state))
    };
    let (cost, mut state) =
        (0..states.len()).filter_map(of).min().expect("to place nothing is always possible");
    let mut chosen = vec![vec![0; asks.len()]; bins.len()];
    for (number, bucket) in buckets.iter().enumerate().rev() {
        let mut here = taken[number][state];
        state -= here;
        for (step, index) in bucket.iter().enumerate().rev() {
            let on = within[number][step][here];
            chosen[*index].clone_from(&states[on]);
            here -= on;
        }
    }
    (cost, chosen)
}

type Steps = Vec<Vec<usize>>;

/// For each state the least that the bucket's instances in use count for with those tasks on them, `None` if they don't
/// fit; and what each instance takes then.
fn fill(
    bins: &[Bin],
    bucket: &[usize],
    asks: &[Ask],
    goal: Goal,
    states: &[Vec<usize>],
    add: &impl Fn(usize, usize) -> Option<usize>,
) -> (Vec<Option<u64>>, Steps) {
    let mut least = vec![None; states.len()];
    least[0] = Some((0, 0));
    let mut steps = Vec::new();
    for index in bucket {
        let bin = &bins[*index];
        let able = (0..states.len()).filter(|state| fits(bin, asks, &states[*state]));
        let with =
            able.map(|state| (state, (0, if bin.in_use || state > 0 { weight(bin, goal) } else { 0 })));
        let (next, took) = layer(&least, add, with);
        least = next;
        steps.push(took);
    }
    (least.into_iter().map(|best| best.map(|(_, in_use)| in_use)).collect(), steps)
}

/// One more that takes one of the states of `with` at its price: the least for each sum, and what was taken for it.
fn layer(
    least: &[Option<(u64, u64)>],
    add: &impl Fn(usize, usize) -> Option<usize>,
    with: impl Iterator<Item = (usize, (u64, u64))>,
) -> (Vec<Option<(u64, u64)>>, Vec<usize>) {
    let (mut next, mut took) = (vec![None; least.len()], vec![0; least.len()]);
    for (more, price) in with {
        for (state, before) in least.iter().enumerate() {
            let (Some(before), Some(sum)) = (before, add(state, more)) else { continue };
            let now = (before.0 + price.0, before.1 + price.1);
            if next[sum].is_none_or(|best| now < best) {
                next[sum] = Some(now);
                took[sum] = more;
            }
        }
    }
    (next, took)
}

/// The least difference there can be between the buckets with most and with fewest tasks of the one kind that is asked
/// for, as many placed as can be; and that of a choice.
pub fn ranges(bins: &[Bin], ask: Ask, goal: Goal, chosen: &Chosen) -> (usize, usize) {
    let buckets = buckets(bins, goal);
    let sum = |bucket: &Vec<usize>, of: &dyn Fn(usize) -> usize| bucket.iter().map(|index| of(*index)).sum();
    let has: Vec<usize> = buckets.iter().map(|bucket| sum(bucket, &|index| bins[index].alike[0])).collect();
    let room =
        |index: usize| (0..=ask.count).rev().find(|count| fits(&bins[index], &[ask], &[*count])).unwrap_or(0);
    let most: Vec<usize> = buckets.iter().zip(&has).map(|(bucket, has)| has + sum(bucket, &room)).collect();
    let there: usize = has.iter().sum();
    let in_all = (there + ask.count).min(most.iter().sum());
    let possible = |low: usize, high: usize| {
        let each = has.iter().zip(&most).map(|(has, most)| (low.max(*has), high.min(*most)));
        let (mut least, mut greatest) = (0, 0);
        for (from, to) in each {
            if from > to {
                return false;
            }
            (least, greatest) = (least + from, greatest + to);
        }
        (least..=greatest).contains(&in_all)
    };
    let top = most.iter().copied().max().unwrap_or(0);
    let windows = (0..=top).flat_map(|low| (low..=top).map(move |high| (low, high)));
    let least = windows.filter(|(low, high)| possible(*low, *high)).map(|(low, high)| high - low).min();
    let after: Vec<usize> =
        buckets.iter().map(|bucket| sum(bucket, &|index| bins[index].alike[0] + chosen[index][0])).collect();
    let range = after.iter().max().zip(after.iter().min()).map_or(0, |(most, fewest)| most - fewest);
    (least.unwrap_or(0), range)
}

/// The instances, by what is spread over.
pub fn buckets(bins: &[Bin], goal: Goal) -> Vec<Vec<usize>> {
    match goal.spread {
        None => vec![(0..bins.len()).collect()],
        Some(Over::Instance) => (0..bins.len()).map(|index| vec![index]).collect(),
        Some(Over::Zone) => {
            let zones = bins.iter().map(|bin| bin.zone + 1).max().unwrap_or(0);
            let of = |zone: usize| (0..bins.len()).filter(|index| bins[*index].zone == zone).collect();
            (0..zones).map(of).filter(|bucket: &Vec<usize>| !bucket.is_empty()).collect()
        }
    }
}

fn fits(bin: &Bin, asks: &[Ask], counts: &[usize]) -> bool {
    let sum = |of: fn(&Size) -> i64| -> i64 {
        asks.iter().zip(counts).map(|(ask, count)| of(&ask.size) * *count as i64).sum()
    };
    let none = counts.iter().all(|count| *count == 0);
    none || sum(|size| size.cpu) <= bin.left.0 && sum(|size| size.memory_mib) <= bin.left.1
}

fn weight(bin: &Bin, goal: Goal) -> u64 {
    match goal.pack {
        None => 0,
        Some(Pack::Cpu) => bin.total.0 as u64,
        Some(Pack::Memory) => bin.total.1 as u64,
        Some(Pack::Number) => 1,
    }
}

/// All numbers of tasks of each kind, up to those that are asked for; the last kind's changes slowest.
fn counts_up_to(asks: &[Ask]) -> Vec<Vec<usize>> {
    let mut states = vec![Vec::new()];
    for ask in asks {
        let longer = |count: usize| states.iter().map(move |state| [&state[..], &[count]].concat());
        states = (0..=ask.count).flat_map(longer).collect();
    }
    states
}
