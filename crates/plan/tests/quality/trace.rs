//! A synthetic trace: which calls come when, and which tasks leave. It is made before anything is placed, so it is the
//! same for whoever places.
//!
//! What it takes after published traces of clusters (Azure's of 2017, Google's of 2011 and 2019) is their shape, not their
//! numbers: most tasks are small and a few take many times as much; most live shortly, and those few that don't are most
//! of what runs at any moment; calls for one task are the most frequent. The weights are below.

use model::Size;

/// (weight, CPU units, MiB): sizes that Fargate has, so memory is two to four times the CPU.
pub const KINDS: [(u64, i64, i64); 8] = [
    (35, 256, 512),
    (15, 256, 1024),
    (20, 512, 1024),
    (10, 512, 2048),
    (10, 1024, 2048),
    (5, 1024, 4096),
    (3, 2048, 4096),
    (2, 2048, 8192),
];

/// Of the instances: virtual CPUs, and GiB for each (EC2's c, m and r families, large to 2xlarge).
const CPUS: [i64; 3] = [2, 4, 8];
const GIB_EACH: [i64; 3] = [2, 4, 8];
/// Of an instance's memory, what its system keeps.
const KEPT_PERCENT: i64 = 5;
pub const ZONES: usize = 3;

/// Lifetimes in steps, on average: four in five tasks have the first.
const LIVES: [f64; 2] = [4.0, 40.0];
/// RunTask's most.
const MOST_OF_A_CALL: u64 = 10;
/// A batch's most.
const MOST_CALLS: u64 = 3;
/// How many instances there are for each batch of a step.
const INSTANCES_A_BATCH: usize = 4;

#[derive(Debug)]
pub struct Trace {
    /// The instances' sizes and zones.
    pub site: Vec<(Size, usize)>,
    pub steps: Vec<Step>,
}

#[derive(Debug, Default)]
pub struct Step {
    /// Tasks that leave before anything comes.
    pub leave: Vec<usize>,
    pub batches: Vec<Vec<Call>>,
}

/// Tasks of one kind, numbered from `first` on.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    pub kind: usize,
    pub first: usize,
    pub count: usize,
}

pub fn size(kind: usize) -> Size {
    let (_, cpu, memory_mib) = KINDS[kind];
    Size::new(cpu, memory_mib)
}

/// `load`: how much of the cluster's scarcer resource is asked for at most, from 0 on; above 1 is more than there is.
pub fn trace(seed: u64, instances: usize, steps: usize, load: f64) -> Trace {
    let mut dice = Dice(seed);
    let site: Vec<(Size, usize)> = (0..instances).map(|index| (dice.instance(), index % ZONES)).collect();
    let total = site.iter().fold(Size::default(), |sum, (size, _)| sum + *size);
    let mut asked = Size::default();
    let mut next = 0;
    let mut made: Vec<Step> = (0..steps).map(|_| Step::default()).collect();
    let mut kinds: Vec<usize> = Vec::new();
    for now in 0..steps {
        for task in &made[now].leave {
            asked -= size(kinds[*task]);
        }
        for _ in 0..instances.div_ceil(INSTANCES_A_BATCH) {
            let mut batch: Vec<Call> = Vec::new();
            for _ in 0..1 + dice.below(MOST_CALLS) {
                let (kind, count) = (dice.kind(), dice.count());
                let more = (0..count).fold(asked, |sum, _| sum + size(kind));
                let share = |of: i64, total: i64| of as f64 / total as f64;
                let full = share(more.cpu, total.cpu).max(share(more.memory_mib, total.memory_mib)) > load;
                // A batch has one call of a kind.
                if full || batch.iter().any(|call| call.kind == kind) {
                    continue;
                }
                asked = more;
                for task in next..next + count {
                    kinds.push(kind);
                    let gone = now + dice.life();
                    if let Some(step) = made.get_mut(gone) {
                        step.leave.push(task);
                    }
                }
                batch.push(Call { kind, first: next, count });
                next += count;
            }
            made[now].batches.extend((!batch.is_empty()).then_some(batch));
        }
    }
    Trace { site, steps: made }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.roll() % most
    }

    fn kind(&mut self) -> usize {
        let mut at = self.below(KINDS.iter().map(|(weight, ..)| weight).sum());
        for (kind, (weight, ..)) in KINDS.iter().enumerate() {
            if at < *weight {
                return kind;
            }
            at -= weight;
        }
        unreachable!("a roll is below the sum of the weights")
    }

    /// Half of the calls are for one task, the others for any number up to the most.
    fn count(&mut self) -> usize {
        let single = self.below(2) == 0;
        if single { 1 } else { 2 + self.below(MOST_OF_A_CALL - 1) as usize }
    }

    /// One step at least; exponential.
    fn life(&mut self) -> usize {
        let mean = LIVES[usize::from(self.below(5) == 0)];
        let uniform = (self.roll() >> 11) as f64 / (1u64 << 53) as f64;
        1 + (-(1.0 - uniform).ln() * mean) as usize
    }

    fn instance(&mut self) -> Size {
        let (cpus, gib) = (CPUS[self.below(3) as usize], GIB_EACH[self.below(3) as usize]);
        let memory = 1024 * cpus * gib;
        Size::new(1024 * cpus, memory - memory * KEPT_PERCENT / 100)
    }
}
