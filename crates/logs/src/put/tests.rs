use proptest::prelude::*;
use wire::logs::InputLogEvent;

use super::*;

const NOW: i64 = 1_800_000_000_000;
const DAY_MS: i64 = 24 * HOUR_MS;

fn at(times: &[i64]) -> Vec<InputLogEvent> {
    times.iter().map(|time| InputLogEvent { timestamp: *time, message: "x".into() }).collect()
}

#[test]
fn sizes_are_bounded_per_event_and_per_batch() {
    let event = |len: usize| InputLogEvent { timestamp: NOW, message: "x".repeat(len) };
    assert!(accept(&[event(MAX_BATCH_BYTES - 26)], NOW, None).is_ok());
    assert_eq!(
        accept(&[event(MAX_BATCH_BYTES - 25)], NOW, None),
        Err(BadBatch::EventTooLarge { bytes: MAX_BATCH_BYTES + 1 })
    );
    let two = [event(MAX_BATCH_BYTES / 2), event(MAX_BATCH_BYTES / 2)];
    assert_eq!(accept(&two, NOW, None), Err(BadBatch::TooLarge { bytes: MAX_BATCH_BYTES + 52 }));
}

#[test]
fn disorder_and_a_long_span_refuse_the_batch() {
    assert_eq!(accept(&at(&[NOW, NOW - 1]), NOW, None), Err(BadBatch::Unordered));
    assert!(accept(&at(&[NOW - DAY_MS, NOW]), NOW, None).is_ok());
    assert_eq!(accept(&at(&[NOW - DAY_MS - 1, NOW]), NOW, None), Err(BadBatch::SpanTooLong));
    // Only events that are kept count for the span.
    assert!(accept(&at(&[NOW - 20 * DAY_MS, NOW]), NOW, None).is_ok());
}

#[test]
fn old_new_and_expired_events_are_rejected_by_index() {
    let times = [NOW - 15 * DAY_MS, NOW - 3 * DAY_MS, NOW, NOW + 2 * HOUR_MS, NOW + 2 * HOUR_MS + 1];
    let accepted = accept(&at(&times), NOW, Some(NOW - DAY_MS)).unwrap();
    assert_eq!(accepted.events, 2..4);
    let rejected = accepted.rejected.unwrap();
    assert_eq!(rejected.too_old_log_event_end_index, Some(1));
    assert_eq!(rejected.expired_log_event_end_index, Some(2));
    assert_eq!(rejected.too_new_log_event_start_index, Some(4));
    let all_old = accept(&at(&[NOW - 15 * DAY_MS]), NOW, None).unwrap();
    assert!(all_old.events.is_empty());
}

proptest! {
    #[test]
    fn exactly_the_events_within_the_window_are_kept(
        mut times in proptest::collection::vec(NOW - 30 * DAY_MS..NOW + DAY_MS, 1..20),
    ) {
        times.sort_unstable();
        let kept = |time: &&i64| **time >= NOW - MAX_AGE_MS && **time <= NOW + MAX_FUTURE_MS;
        let expected: Vec<i64> = times.iter().filter(kept).copied().collect();
        match accept(&at(&times), NOW, None) {
            Ok(accepted) => {
                prop_assert_eq!(&times[accepted.events.clone()], &expected[..]);
                prop_assert_eq!(accepted.rejected.is_some(), expected.len() < times.len());
            }
            Err(error) => {
                prop_assert_eq!(error, BadBatch::SpanTooLong);
                prop_assert!(expected.last().unwrap() - expected[0] > DAY_MS);
            }
        }
    }
}
