//! How long to wait before the next try (agent protocol §7).

use std::time::Duration;

/// Grows by a factor up to a cap; each pause is spread by a fifth, so that a fleet does not come
/// back in step.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
    first: Duration,
    cap: Duration,
    factor: f64,
}

impl Backoff {
    pub fn new(first: Duration, factor: f64, cap: Duration) -> Self {
        Backoff { next: first, first, cap, factor }
    }

    /// ACS sessions: 250 ms × 1.5 up to 2 min.
    pub fn acs() -> Self {
        Backoff::new(Duration::from_millis(250), 1.5, Duration::from_secs(120))
    }

    /// TCS sessions: 1 s × 2 up to 1 min.
    pub fn tcs() -> Self {
        Backoff::new(Duration::from_secs(1), 2.0, Duration::from_secs(60))
    }

    /// Calls of the API: 30 ms × 2 up to 30 s.
    pub fn api() -> Self {
        Backoff::new(Duration::from_millis(30), 2.0, Duration::from_secs(30))
    }

    pub fn reset(&mut self) {
        self.next = self.first;
    }

    /// The next pause; `chance` is uniform in 0 to 1.
    pub fn pause(&mut self, chance: f64) -> Duration {
        let pause = self.next.mul_f64(1.0 + 0.2 * chance.clamp(0.0, 1.0));
        self.next = self.next.mul_f64(self.factor).min(self.cap);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_cap_and_begin_anew() {
        let mut b = Backoff::acs();
        assert_eq!(b.pause(0.0), Duration::from_millis(250));
        assert_eq!(b.pause(1.0), Duration::from_millis(450));
        for _ in 0..50 {
            assert!(b.pause(1.0) <= Duration::from_secs(144));
        }
        assert_eq!(b.pause(0.0), Duration::from_secs(120));
        b.reset();
        assert_eq!(b.pause(0.0), Duration::from_millis(250));
    }
}
