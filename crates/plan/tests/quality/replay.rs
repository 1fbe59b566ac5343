//! A trace, replayed through `plan::place` on a real world; beside each call, and each batch of calls, the best there was.
#![allow(dead_code, reason = "the test and the example use their own parts of it")]

use super::exact::{Ask, Bin, Chosen, Cost, Goal, Over, Pack, cost, ranges, solve};
use super::rule;
use super::support::*;
use super::trace::{Call, KINDS, Step, Trace, size};
use model::{command::*, *};
use plan::{Placement, Rules, Want, place};
use std::collections::BTreeMap;

/// Strategies, and what they are for.
#[derive(Debug, Clone, Copy)]
pub struct Scheme {
    pub name: &'static str,
    strategies: &'static [(StrategyKind, &'static str)],
    pub goal: Goal,
}

const fn packs(pack: Pack) -> Goal {
    Goal { spread: None, pack: Some(pack) }
}

const fn spreads(over: Over) -> Goal {
    Goal { spread: Some(over), pack: None }
}

const ZONE: (StrategyKind, &str) = (StrategyKind::Spread, "attribute:zone");

pub const SCHEMES: [Scheme; 5] = [
    Scheme {
        name: "binpack_memory",
        strategies: &[(StrategyKind::Binpack, "memory")],
        goal: packs(Pack::Memory),
    },
    Scheme { name: "binpack_cpu", strategies: &[(StrategyKind::Binpack, "cpu")], goal: packs(Pack::Cpu) },
    Scheme { name: "spread_zone", strategies: &[ZONE], goal: spreads(Over::Zone) },
    Scheme {
        name: "spread_instance",
        strategies: &[(StrategyKind::Spread, "instanceId")],
        goal: spreads(Over::Instance),
    },
    Scheme {
        name: "spread_zone_binpack_memory",
        strategies: &[ZONE, (StrategyKind::Binpack, "memory")],
        goal: Goal { spread: Some(Over::Zone), pack: Some(Pack::Memory) },
    },
];

impl Scheme {
    fn rules(&self, kind: usize) -> Rules {
        let strategy = |(kind, field): &(StrategyKind, &str)| PlacementStrategy {
            kind: *kind,
            field: Some((*field).into()),
        };
        let strategies: Vec<PlacementStrategy> = self.strategies.iter().map(strategy).collect();
        Rules { group: Some((cluster(), group(kind))), ..Rules::of(&[], &strategies) }
    }
}

/// Tasks that were chosen for at once, whether one after another or not.
#[derive(Debug)]
pub struct Case {
    asked: usize,
    /// Without any of them.
    before: Cost,
    pub placed: Cost,
    pub best: Cost,
    /// With the least instances in use instead of the least of their capacity, where the scheme packs.
    pub fewest: Option<(Cost, Cost)>,
    /// Of a call: the best and the worst that ECS's words allow, where it isn't the best of all anyway.
    pub allowed: Option<(Cost, Cost)>,
    /// Of a call that is spread: the least difference between two buckets, and that there is.
    pub ranges: Option<(usize, usize)>,
}

/// Who chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Plan,
    /// The solver, each call by itself.
    Exact,
}

#[derive(Debug)]
pub struct Replay {
    sim: Sim,
    scheme: Scheme,
    by: By,
    zones: Vec<usize>,
    /// Of the trace's tasks those that have a place.
    here: BTreeMap<usize, TaskId>,
}

impl Replay {
    pub fn new(trace: &Trace, scheme: Scheme, by: By) -> Self {
        let mut sim = Sim::new(0, 0);
        for kind in 0..KINDS.len() {
            sim.run(Command::RegisterTaskDefinition(definition(&family(kind), size(kind)).into()));
        }
        for (index, (size, zone)) in trace.site.iter().enumerate() {
            let zone = Attribute { name: "zone".into(), value: Some(format!("z{zone}").into()) };
            let home = Home::Cluster(cluster());
            sim.join(Registration { attributes: vec![zone], ..instance(index as u128 + 1, home, *size) });
        }
        let zones = trace.site.iter().map(|(_, zone)| *zone).collect();
        Self { sim, scheme, by, zones, here: BTreeMap::new() }
    }

    /// Without a look at how good it is.
    pub fn pass(&mut self, step: &Step) {
        self.leave(step);
        for call in step.batches.iter().flatten() {
            let asks = [call.ask()];
            let chosen = match self.by {
                By::Plan => self.chosen(call),
                By::Exact => solve(&self.bins(&[call.kind]), &asks, self.scheme.goal).1,
            };
            self.start(call, &chosen);
        }
    }

    /// Each call as a case, then each batch as one.
    pub fn measure(&mut self, step: &Step, batches: bool) -> (Vec<Case>, Vec<Case>) {
        self.leave(step);
        let goal = self.scheme.goal;
        let (mut of_calls, mut of_batches) = (Vec::new(), Vec::new());
        for batch in &step.batches {
            let kinds: Vec<usize> = batch.iter().map(|call| call.kind).collect();
            let before = self.bins(&kinds);
            let mut of_batch: Chosen = vec![vec![0; batch.len()]; before.len()];
            for (number, call) in batch.iter().enumerate() {
                let bins = self.bins(&[call.kind]);
                let chosen = self.chosen(call);
                let mut case = Case::of(&bins, &[call.ask()], goal, &chosen);
                if case.placed != case.best {
                    let strategies = self.scheme.rules(call.kind).strategy;
                    case.allowed = rule::ends(&bins, call.ask(), goal, &strategies);
                }
                case.ranges = goal.spread.map(|_| ranges(&bins, call.ask(), goal, &chosen));
                of_calls.push(case);
                for (all, one) in of_batch.iter_mut().zip(&chosen) {
                    all[number] = one[0];
                }
                self.start(call, &chosen);
            }
            if batches {
                let asks: Vec<Ask> = batch.iter().map(Call::ask).collect();
                of_batches.push(Case::of(&before, &asks, goal, &of_batch));
            }
        }
        (of_calls, of_batches)
    }

    /// Of what is in use, the share that is given; of the resource that is packed, of memory if none is.
    pub fn used_share(&self) -> f64 {
        let (mut given, mut there) = (0, 0);
        for bin in self.bins(&[]).iter().filter(|bin| bin.in_use) {
            let (left, total) = match self.scheme.goal.pack {
                Some(Pack::Cpu) => (bin.left.0, bin.total.0),
                _ => (bin.left.1, bin.total.1),
            };
            given += total - left;
            there += total;
        }
        if there == 0 { 1.0 } else { given as f64 / there as f64 }
    }

    fn leave(&mut self, step: &Step) {
        for task in &step.leave {
            if let Some(id) = self.here.remove(task) {
                self.sim.fail(id, None);
            }
        }
        self.sim.now_ms += 1000;
    }

    /// What `plan::place` says, as numbers of tasks on the instances.
    fn chosen(&self, call: &Call) -> Chosen {
        let want = Want {
            cluster: cluster(),
            definition: DefinitionRef { family: family(call.kind).as_str().into(), revision: Revision(1) },
            launch_type: LaunchType::Ec2,
            size: None,
            gpus: None,
            capacity_provider: None,
        };
        let (wants, rules) = (vec![want; call.count], self.scheme.rules(call.kind));
        let Placement { placed, failures } = place(&self.sim.world, &wants, &rules, call.first as u128);
        assert_eq!(placed.len() + failures.len(), call.count);
        let mut chosen = vec![vec![0]; self.zones.len()];
        placed.iter().for_each(|one| chosen[one.instance.0 as usize - 1][0] += 1);
        chosen
    }

    fn start(&mut self, call: &Call, chosen: &Chosen) {
        let on = chosen.iter().enumerate().flat_map(|(index, counts)| vec![index as u128 + 1; counts[0]]);
        let mut tasks = Vec::new();
        for (number, on) in (call.first..).zip(on) {
            let id = number as u128 + 1;
            let definition =
                DefinitionRef { family: family(call.kind).as_str().into(), revision: Revision(1) };
            tasks.push(NewTask { definition, group: Some(group(call.kind)), ..task(id, on) });
            self.here.insert(number, TaskId(id));
        }
        if !tasks.is_empty() {
            self.sim.run(Command::StartTasks { tasks, token: None });
        }
    }

    fn bins(&self, kinds: &[usize]) -> Vec<Bin> {
        let world = &self.sim.world;
        let count = |kind: &usize| {
            let mut on = vec![0; self.zones.len()];
            let (cluster, group) = (cluster(), group(*kind));
            let tasks = world.group_tasks(&cluster, &group).cloned().unwrap_or_default();
            for (index, count) in on.iter_mut().enumerate() {
                *count = tasks.on(InstanceId(index as u128 + 1)).map(|(_, count)| count).sum();
            }
            on
        };
        let counts: Vec<Vec<usize>> = kinds.iter().map(count).collect();
        let bin = |(index, zone): (usize, &usize)| {
            let instance = world.instance(InstanceId(index as u128 + 1)).expect("it has joined");
            let left = world.remaining(instance);
            Bin {
                left: (left.cpu, left.memory_mib),
                total: (instance.total.cpu, instance.total.memory_mib),
                in_use: world.usage(instance.id).is_some_and(|usage| usage.live > 0),
                zone: *zone,
                alike: counts.iter().map(|on| on[index]).collect(),
            }
        };
        self.zones.iter().enumerate().map(bin).collect()
    }
}

impl Case {
    pub fn of(bins: &[Bin], asks: &[Ask], goal: Goal, chosen: &Chosen) -> Self {
        let set = |goal: Goal| {
            let (best, example) = solve(bins, asks, goal);
            assert_eq!(cost(bins, asks, goal, &example), best, "the solver contradicts itself");
            (cost(bins, asks, goal, chosen), best)
        };
        let (placed, best) = set(goal);
        let fewest = goal.pack.map(|_| set(Goal { pack: Some(Pack::Number), ..goal }));
        let before = cost(bins, asks, goal, &vec![vec![0; asks.len()]; bins.len()]);
        let asked = asks.iter().map(|ask| ask.count).sum();
        Self { asked, before, placed, best, fewest, allowed: None, ranges: None }
    }

    /// Whether an instance had to be taken into use, so that it mattered which.
    pub fn opens(&self) -> bool {
        self.placed.in_use > self.before.in_use
    }

    /// How many fewer have a place than could, of a hundred that could.
    pub fn placed_gap(&self) -> f64 {
        let could = self.asked - self.best.unplaced;
        gap((self.placed.unplaced - self.best.unplaced) as u64, could as u64)
    }

    /// How much larger the squares are, in percent. `None` if fewer are placed: that can't be compared.
    pub fn spread_gap(&self) -> Option<f64> {
        (self.placed.unplaced == self.best.unplaced)
            .then(|| gap(self.placed.squares - self.best.squares, self.best.squares))
    }

    /// How much less of what is in use is used, in percent. `None` if what comes first differs already.
    pub fn used_gap(&self) -> Option<f64> {
        used_gap(&self.placed, &self.best)
    }

    /// The same beside the best that ECS's words allow: what isn't owed to them.
    pub fn own_gap(&self) -> Option<f64> {
        match &self.allowed {
            Some((best, _)) => used_gap(&self.placed, best),
            // None was looked for, or there were too many ways to look at.
            None => (self.placed == self.best).then_some(0.0),
        }
    }

    /// How many more tasks there are between two buckets than there need be.
    pub fn range_gap(&self) -> Option<f64> {
        self.ranges.map(|(least, range)| (range - least) as f64)
    }

    /// How many more instances are in use, in percent.
    pub fn number_gap(&self) -> Option<f64> {
        let (placed, best) = self.fewest?;
        let same = (placed.unplaced, placed.squares) == (best.unplaced, best.squares);
        same.then(|| gap(placed.in_use - best.in_use, best.in_use))
    }
}

/// Of a cost and a better one. As much is given in both, so the shares used are to each other as what is in use.
fn used_gap(placed: &Cost, best: &Cost) -> Option<f64> {
    let same = (placed.unplaced, placed.squares) == (best.unplaced, best.squares);
    same.then(|| gap(placed.in_use - best.in_use, placed.in_use))
}

fn gap(difference: u64, of: u64) -> f64 {
    if difference == 0 { 0.0 } else { 100.0 * difference as f64 / of.max(1) as f64 }
}

impl Call {
    fn ask(&self) -> Ask {
        Ask { size: size(self.kind), count: self.count }
    }
}

fn family(kind: usize) -> String {
    format!("kind{kind}")
}

fn group(kind: usize) -> Group {
    Group::from(format!("family:{}", family(kind)).as_str())
}
