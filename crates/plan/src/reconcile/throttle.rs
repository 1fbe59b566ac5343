//! How long a deployment whose tasks keep failing is held back. ECS lengthens the time between its
//! attempts step by step (developer guide, "service throttle logic"); so do we, from a second to
//! five minutes. One failure for each desired task is free: one bad moment shouldn't cost a wait.

use model::{Deployment, apply::FAILURES_FORGOTTEN_MS};

const FIRST_MS: u64 = 1_000;
const LONGEST_MS: u64 = 300_000;
/// Rounds of failure after which it is told.
const TOLD_AFTER: u32 = 2;

fn rounds(failures: u32, desired: u32) -> u32 {
    failures.saturating_sub(1) / desired.max(1)
}

/// The wait after the last failure (milliseconds), after so many without a success between them.
pub fn delay_ms(failures: u32, desired: u32) -> u64 {
    match rounds(failures, desired) {
        0 => 0,
        rounds => FIRST_MS.saturating_mul(1 << (rounds - 1).min(20)).min(LONGEST_MS),
    }
}

/// Until when no task of the deployment is started (milliseconds since the epoch).
pub(super) fn until_ms(deployment: &Deployment) -> Option<u64> {
    let throttle = deployment.throttle;
    let delay_ms = delay_ms(throttle.failures, deployment.desired_count);
    debug_assert!(delay_ms < FAILURES_FORGOTTEN_MS, "a failure is forgotten before its wait is over");
    (delay_ms > 0).then(|| throttle.last_failure_at_ms + delay_ms)
}

pub(super) fn is_inconsistent(deployment: &Deployment) -> bool {
    rounds(deployment.throttle.failures, deployment.desired_count) >= TOLD_AFTER
}
