//! A container's health check: when it is run, and what its results come to.
//!
//! The rules are those of the ECS API reference (HealthCheck), which are Docker's: a success is
//! HEALTHY at once; `retries` failures in a row are UNHEALTHY; a failure during the start period does
//! not count unless a success has been seen.
//!
//! Docker runs the check for the first time after a whole interval, half a minute as a rule, and a
//! deployment waits for it. Until the first success this one also looks in between, at doubling
//! distances, and counts none of those failures: HEALTHY is known sooner, UNHEALTHY never is.

use serde::{Deserialize, Serialize};

/// The first look, ms after the start; the following ones at twice the time each.
const FIRST_LOOK_MS: u64 = 250;

/// `healthCheck` of a container definition, times in ms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    pub interval_ms: u64,
    /// After so long a run has failed.
    pub timeout_ms: u64,
    /// Failures in a row that make the container UNHEALTHY.
    pub retries: u32,
    /// How long after the start failures don't count.
    pub start_period_ms: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    #[default]
    Unknown,
    Healthy,
    Unhealthy,
}

/// What has been learned of one container's health. It begins anew with each start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkup {
    pub status: Health,
    /// When `status` came about, in ms since the epoch.
    pub since_ms: u64,
    /// Failures that count, since the last success.
    failures: u32,
    succeeded: bool,
    started_ms: u64,
    /// When the next run is due.
    due_ms: u64,
    /// The number of the last run that was begun, over all starts.
    run: u64,
    /// It has not been answered yet.
    running: bool,
}

impl Checkup {
    /// The container was started; returns when the first run is due.
    pub(super) fn begin(&mut self, check: &HealthCheck, now_ms: u64) -> u64 {
        let run = self.run;
        *self = Checkup { run, since_ms: now_ms, started_ms: now_ms, ..Checkup::default() };
        self.due_ms = now_ms.saturating_add(FIRST_LOOK_MS.min(check.interval_ms));
        self.due_ms
    }

    /// Begins a run if one is due; its number.
    pub(super) fn take_turn(&mut self, now_ms: u64) -> Option<u64> {
        if self.running || now_ms < self.due_ms {
            return None;
        }
        self.run += 1;
        self.running = true;
        Some(self.run)
    }

    /// When the next run is due, unless one is under way.
    pub(super) fn due(&self) -> Option<u64> {
        (!self.running).then_some(self.due_ms)
    }

    /// Takes the result of run number `run`; returns when the next is due, or nothing if it is not
    /// the one that is waited for.
    pub(super) fn take_result(
        &mut self,
        check: &HealthCheck,
        run: u64,
        passed: bool,
        now_ms: u64,
    ) -> Option<u64> {
        if !self.running || run != self.run {
            return None;
        }
        self.running = false;
        if passed {
            self.succeeded = true;
            self.failures = 0;
            self.turn(Health::Healthy, now_ms);
        } else if self.counts(check, now_ms) {
            self.failures = self.failures.saturating_add(1);
            if self.failures >= check.retries {
                self.turn(Health::Unhealthy, now_ms);
            }
        }
        self.due_ms = self.next_due(check, now_ms);
        Some(self.due_ms)
    }

    /// The agent was away, and a run that was under way with it: the next one is due at once.
    pub(super) fn resume(&mut self, now_ms: u64) -> u64 {
        self.running = false;
        self.due_ms = self.due_ms.min(now_ms);
        self.due_ms
    }

    fn turn(&mut self, status: Health, now_ms: u64) {
        if self.status != status {
            self.status = status;
            self.since_ms = now_ms;
        }
    }

    fn counts(&self, check: &HealthCheck, now_ms: u64) -> bool {
        // The looks before Docker's first run are ours alone.
        let grace_ms = check.start_period_ms.max(check.interval_ms);
        self.succeeded || now_ms >= self.started_ms.saturating_add(grace_ms)
    }

    fn next_due(&self, check: &HealthCheck, now_ms: u64) -> u64 {
        let regular = self.started_ms.saturating_add(check.interval_ms);
        if self.succeeded || now_ms >= regular {
            return now_ms.saturating_add(check.interval_ms);
        }
        let elapsed = now_ms.saturating_sub(self.started_ms).max(FIRST_LOOK_MS);
        now_ms.saturating_add(elapsed).min(regular)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECK: HealthCheck =
        HealthCheck { interval_ms: 30_000, timeout_ms: 5_000, retries: 3, start_period_ms: 0 };

    /// Runs the check whenever it is due, each answered at once; what it came to, at each change.
    fn course(check: &HealthCheck, until_ms: u64, passes: impl Fn(u64) -> bool) -> Vec<(u64, Health)> {
        let mut checkup = Checkup::default();
        let mut due = checkup.begin(check, 0);
        let mut turns = vec![];
        while due <= until_ms {
            let run = checkup.take_turn(due).unwrap();
            let before = checkup.status;
            let now = due;
            due = checkup.take_result(check, run, passes(now), now).unwrap();
            assert!(due > now);
            if checkup.status != before {
                assert_eq!(checkup.since_ms, now);
                turns.push((now, checkup.status));
            }
        }
        turns
    }

    #[test]
    fn a_success_is_known_at_the_first_look() {
        assert_eq!(course(&CHECK, 200_000, |_| true), [(250, Health::Healthy)]);
        assert_eq!(course(&CHECK, 200_000, |at| at >= 3_000), [(4_000, Health::Healthy)]);
    }

    #[test]
    fn unhealthy_is_never_known_sooner_than_dockers_runs_would_tell() {
        assert_eq!(course(&CHECK, 200_000, |_| false), [(90_000, Health::Unhealthy)]);
    }

    #[test]
    fn failures_in_the_start_period_do_not_count() {
        let check = HealthCheck { start_period_ms: 100_000, ..CHECK };
        assert_eq!(course(&check, 300_000, |_| false), [(180_000, Health::Unhealthy)]);
    }

    #[test]
    fn a_success_in_the_start_period_ends_it() {
        let check = HealthCheck { start_period_ms: 300_000, ..CHECK };
        let turns = course(&check, 299_000, |at| at < 1_000);
        assert_eq!(turns, [(250, Health::Healthy), (90_250, Health::Unhealthy)]);
    }

    #[test]
    fn a_success_between_failures_begins_the_count_again() {
        let passes = |at: u64| at <= 250 || (at / 30_000) % 3 == 2;
        assert_eq!(course(&CHECK, 600_000, passes), [(250, Health::Healthy)]);
    }

    #[test]
    fn what_is_unhealthy_may_recover() {
        let passes = |at: u64| at > 100_000;
        let turns = course(&CHECK, 200_000, passes);
        assert_eq!(turns, [(90_000, Health::Unhealthy), (120_000, Health::Healthy)]);
    }

    #[test]
    fn only_the_run_that_is_waited_for_is_heard() {
        let mut checkup = Checkup::default();
        let due = checkup.begin(&CHECK, 0);
        assert_eq!(checkup.take_turn(due - 1), None);
        let run = checkup.take_turn(due).unwrap();
        assert_eq!(checkup.take_turn(due), None);
        assert_eq!(checkup.take_result(&CHECK, run + 1, true, due), None);
        checkup.begin(&CHECK, 1_000);
        assert_eq!(checkup.take_result(&CHECK, run, true, 1_100), None, "of the run before a restart");
        assert_eq!(checkup.status, Health::Unknown);
    }
}
