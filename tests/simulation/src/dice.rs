//! Choices from a seed: an episode with the same seed is the same episode.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

#[derive(Debug)]
pub struct Dice(StdRng);

impl Dice {
    pub fn of(seed: u64, episode: u64) -> Dice {
        Dice(StdRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ episode))
    }

    /// `from` to `to`, both included.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        self.0.random_range(from..=to.max(from))
    }

    /// Mostly near `from`, now and then near `to`: as waiting times are.
    pub fn rarely_up_to(&mut self, from: u64, to: u64) -> u64 {
        let most = self.between(from, to);
        let most = self.between(from, most);
        self.between(from, most)
    }

    /// True `percent` times in a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.between(1, 100) <= percent
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        let at = self.between(0, (from.len() as u64).saturating_sub(1));
        from.get(at as usize).cloned()
    }

    pub fn id(&mut self) -> u128 {
        self.0.random()
    }
}
