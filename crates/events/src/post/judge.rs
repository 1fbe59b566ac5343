//! What comes of an attempt: the retry policy. Pure.

use wire::events::Target;

use crate::state::{DeadLetter, Delivery, Settled, most_age_ms, most_attempts};
use crate::targets::{Failure, Outcome};

/// The first wait, which doubles up to the last.
const FIRST_WAIT_MS: u64 = 1_000;
const LONGEST_WAIT_MS: u64 = 300_000;

/// Whether it is older than its target wants to hear of. What was never tried is tried in any case.
pub(super) fn is_expired(delivery: &Delivery, target: &Target, now_ms: u64) -> bool {
    delivery.attempts > 0 && delivery.accepted_ms.saturating_add(most_age_ms(target)) <= now_ms
}

pub(super) fn expired(delivery: &Delivery, target: &Target) -> Settled {
    let last = Failure { code: "EVENT_EXPIRED".to_owned(), message: "the event is too old".to_owned() };
    give_up(delivery, target, last, Some("MaximumEventAgeInSeconds"))
}

/// `chance`: uniform in 0 to 1, so that what failed together isn't tried again together.
pub(super) fn settle(
    delivery: &Delivery,
    target: &Target,
    outcome: Outcome,
    now_ms: u64,
    chance: f64,
) -> Settled {
    let (error, after, left) = match outcome {
        Outcome::Done => return Settled::Over,
        Outcome::Never(error) => return give_up(delivery, target, error, None),
        Outcome::Later { error, after, left } => (error, after, left),
    };
    if delivery.attempts >= most_attempts(target) {
        return give_up(delivery, target, error, Some("MaximumRetryAttempts"));
    }
    let asked_ms = after.map_or(0, |after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
    let due_ms = now_ms.saturating_add(wait_ms(delivery.attempts, chance).max(asked_ms));
    if due_ms >= delivery.accepted_ms.saturating_add(most_age_ms(target)) {
        return give_up(delivery, target, error, Some("MaximumEventAgeInSeconds"));
    }
    Settled::Again { due_ms, left }
}

fn wait_ms(attempts: u32, chance: f64) -> u64 {
    let whole = FIRST_WAIT_MS.saturating_mul(1 << attempts.min(16)).min(LONGEST_WAIT_MS);
    // Between half of it and all.
    whole / 2 + (whole as f64 / 2.0 * chance.clamp(0.0, 1.0)) as u64
}

/// A dead letter that can't be delivered either is dropped.
fn give_up(delivery: &Delivery, target: &Target, error: Failure, exhausted: Option<&str>) -> Settled {
    let queue = target.dead_letter_config.as_ref().and_then(|config| config.arn.as_ref());
    if queue.is_none() || delivery.dead.is_some() {
        let Failure { code, message } = error;
        let (rule, id) = (delivery.rule.arn(), &target.id);
        tracing::warn!(
            rule,
            target = id,
            code,
            message,
            exhausted,
            "an event is dropped: it can't be delivered"
        );
        return Settled::Over;
    }
    Settled::Dead(DeadLetter {
        error_code: error.code,
        error_message: error.message,
        exhausted: exhausted.map(str::to_owned),
        attempts: delivery.attempts,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::state::{BusKey, RuleKey};

    fn delivery(attempts: u32) -> Delivery {
        let bus = BusKey { account: "1".into(), region: "r".into(), name: "default".into() };
        let rule = RuleKey { bus, name: "r".into() };
        let event = Arc::new(Value::Null);
        Delivery {
            rule,
            target: "t".into(),
            about: "a".into(),
            event,
            accepted_ms: 0,
            attempts,
            due_ms: 0,
            left: None,
            dead: None,
        }
    }

    fn target(policy: Value, queue: bool) -> Target {
        let mut target = json!({"Id": "t", "Arn": "http://localhost/", "RetryPolicy": policy});
        if queue {
            target["DeadLetterConfig"] = json!({"Arn": "http://localhost/dead"});
        }
        serde_json::from_value(target).unwrap()
    }

    fn later(after: Option<Duration>) -> Outcome {
        let error = Failure { code: "C".into(), message: "m".into() };
        Outcome::Later { error, after, left: None }
    }

    #[test]
    fn the_policy_ends_it_and_the_dead_letter_says_which_limit() {
        let policy = target(json!({"MaximumRetryAttempts": 2, "MaximumEventAgeInSeconds": 60}), true);
        assert!(matches!(settle(&delivery(1), &policy, later(None), 0, 0.5), Settled::Again { .. }));
        let exhausted = |settled| match settled {
            Settled::Dead(dead) => dead.exhausted,
            other => panic!("{other:?}"),
        };
        let ended = |delivery, outcome, now_ms| exhausted(settle(&delivery, &policy, outcome, now_ms, 0.5));
        assert_eq!(ended(delivery(2), later(None), 0).as_deref(), Some("MaximumRetryAttempts"));
        assert_eq!(ended(delivery(1), later(None), 59_500).as_deref(), Some("MaximumEventAgeInSeconds"));
        let asked = later(Some(Duration::from_secs(90)));
        assert_eq!(ended(delivery(0), asked, 0).as_deref(), Some("MaximumEventAgeInSeconds"));
        let never = Outcome::Never(Failure { code: "C".into(), message: "m".into() });
        assert_eq!(ended(delivery(0), never.clone(), 0), None);
        assert_eq!(settle(&delivery(0), &target(json!({}), false), never, 0, 0.5), Settled::Over);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// However often a target fails, it ends within a day and 185 retries.
        #[test]
        fn it_always_ends(chances in proptest::collection::vec(0.0..1.0f64, 200)) {
            let target = target(json!({}), false);
            let (mut now_ms, mut attempts) = (0, 0);
            for chance in chances {
                match settle(&delivery(attempts), &target, later(None), now_ms, chance) {
                    Settled::Again { due_ms, .. } => {
                        prop_assert!(due_ms > now_ms);
                        prop_assert!(due_ms - now_ms <= LONGEST_WAIT_MS);
                        now_ms = due_ms;
                    }
                    _ => break,
                }
                attempts += 1;
            }
            prop_assert!(attempts <= 185 && now_ms < 86_400_000);
        }
    }
}
