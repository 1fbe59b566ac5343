//! Choices that come from a seed alone. The interleaving of processes doesn't, so a seed repeats what is
//! asked for and who is killed, not what becomes of it.

/// SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators"): the same numbers on
/// every machine and in every version.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice of their own for a worker, so that one's pace doesn't change another's choices.
    pub fn of(seed: u64, round: u32, worker: u32) -> Dice {
        let mut dice = Dice(seed ^ (u64::from(round) << 32) ^ u64::from(worker));
        Dice(dice.next())
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to `n` - 1.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    /// True `percent` times in a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(usize::try_from(self.below(from.len() as u64)).unwrap_or(0))
    }

    pub fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).take(n).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_choices_and_workers_differ() {
        let draw = |mut dice: Dice| (0..5).map(|_| dice.below(1000)).collect::<Vec<_>>();
        assert_eq!(draw(Dice::of(7, 1, 2)), draw(Dice::of(7, 1, 2)));
        assert_ne!(draw(Dice::of(7, 1, 2)), draw(Dice::of(7, 1, 3)));
        assert_ne!(draw(Dice::of(7, 1, 2)), draw(Dice::of(7, 2, 2)));
    }
}
