use proptest::prelude::*;
use wire::Timestamp;

use super::*;

fn ms(text: &str) -> u64 {
    Timestamp::from_iso8601(text).unwrap().ms()
}

fn text(ms: u64) -> String {
    Timestamp::from_ms(ms).to_iso8601().unwrap()
}

fn times(expression: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::parse(expression).unwrap_or_else(|| panic!("{expression}"));
    let next = |ms: &u64| schedule.next_after(*ms);
    std::iter::successors(next(&ms(after)), next).take(count).map(text).collect()
}

#[test]
fn cron_as_the_user_guide_explains_it() {
    for (expression, after, expected) in [
        // The guide's own examples.
        ("cron(15 12 * * ? *)", "2026-01-01T12:15:00Z", ["2026-01-02T12:15:00Z", "2026-01-03T12:15:00Z"]),
        (
            "cron(0 18 ? * MON-FRI *)",
            "2026-01-02T17:59:59Z",
            ["2026-01-02T18:00:00Z", "2026-01-05T18:00:00Z"],
        ),
        ("cron(0 8 1 * ? *)", "2026-01-15T00:00:00Z", ["2026-02-01T08:00:00Z", "2026-03-01T08:00:00Z"]),
        (
            "cron(0/10 * ? * MON-FRI *)",
            "2026-01-02T23:45:00Z",
            ["2026-01-02T23:50:00Z", "2026-01-05T00:00:00Z"],
        ),
        (
            "cron(0/5 8-17 ? * MON-FRI *)",
            "2026-01-05T17:51:00Z",
            ["2026-01-05T17:55:00Z", "2026-01-06T08:00:00Z"],
        ),
        ("cron(0 9 ? * 2#1 *)", "2026-01-01T00:00:00Z", ["2026-01-05T09:00:00Z", "2026-02-02T09:00:00Z"]),
        ("cron(0/30 20-2,22-23 1 JAN ? 2027)", "2026-05-01T00:00:00Z", ["", ""]),
        (
            "cron(15 10 ? * 6L 2026-2027)",
            "2026-01-01T00:00:00Z",
            ["2026-01-30T10:15:00Z", "2026-02-27T10:15:00Z"],
        ),
        // What it says of the special characters.
        ("cron(0 0 L * ? *)", "2028-01-31T00:00:00Z", ["2028-02-29T00:00:00Z", "2028-03-31T00:00:00Z"]),
        ("cron(0 0 3W * ? *)", "2026-01-01T00:00:00Z", ["2026-01-02T00:00:00Z", "2026-02-03T00:00:00Z"]),
        ("cron(0 0 1W * ? *)", "2026-07-31T00:00:00Z", ["2026-08-03T00:00:00Z", "2026-09-01T00:00:00Z"]),
        ("cron(0 0 LW * ? *)", "2026-05-01T00:00:00Z", ["2026-05-29T00:00:00Z", "2026-06-30T00:00:00Z"]),
        ("cron(0 0 31W * ? *)", "2026-01-31T00:00:00Z", ["2026-03-31T00:00:00Z", "2026-05-29T00:00:00Z"]),
        ("cron(0 0 ? * L *)", "2026-01-01T00:00:00Z", ["2026-01-03T00:00:00Z", "2026-01-10T00:00:00Z"]),
        ("cron(0 0 ? * 3#5 *)", "2026-01-01T00:00:00Z", ["2026-03-31T00:00:00Z", "2026-06-30T00:00:00Z"]),
        (
            "cron(30 0/12 ? feb sun *)",
            "2026-01-01T00:00:00Z",
            ["2026-02-01T00:30:00Z", "2026-02-01T12:30:00Z"],
        ),
        ("cron(0 0 29 2 ? 1970/2)", "2026-01-01T00:00:00Z", ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]),
    ] {
        if expected[0].is_empty() {
            assert_eq!(Schedule::parse(expression), None, "{expression}");
            continue;
        }
        assert_eq!(times(expression, after, 2), expected, "{expression}");
    }
}

#[test]
fn what_is_over_or_impossible_is_never_due() {
    assert_eq!(times("cron(0 0 1 1 ? 2020)", "2026-01-01T00:00:00Z", 1), Vec::<String>::new());
    assert_eq!(times("cron(0 0 30 2 ? *)", "2026-01-01T00:00:00Z", 1), Vec::<String>::new());
    assert_eq!(times("cron(59 23 31 12 ? 2199)", "2026-01-01T00:00:00Z", 3), ["2199-12-31T23:59:00Z"]);
}

#[test]
fn rates() {
    assert_eq!(
        times("rate(5 minutes)", "2026-01-01T00:00:07Z", 2),
        ["2026-01-01T00:05:07Z", "2026-01-01T00:10:07Z"]
    );
    assert_eq!(times("rate(1 hour)", "2026-01-01T00:00:00Z", 1), ["2026-01-01T01:00:00Z"]);
    assert_eq!(times("rate(7 days)", "2026-01-01T00:00:00Z", 1), ["2026-01-08T00:00:00Z"]);
}

#[test]
fn what_is_no_schedule() {
    for bad in [
        "",
        "rate",
        "rate()",
        "rate(0 minutes)",
        "rate(1 minutes)",
        "rate(5 minute)",
        "rate(-1 minutes)",
        "rate(+5 minutes)",
        "rate(5  minutes)",
        "rate(5 weeks)",
        "rate(1.5 hours)",
        "rate(99999999999999999999 days)",
        "Rate(5 minutes)",
        "rate(18446744073709551615 days)",
        "cron()",
        "cron(* * * * *)",
        "cron(* * * * * *)",
        "cron(* * ? * ? *)",
        "cron(60 * * * ? *)",
        "cron(* 24 * * ? *)",
        "cron(* * 0 * ? *)",
        "cron(* * 32 * ? *)",
        "cron(* * * 13 ? *)",
        "cron(* * ? * 0 *)",
        "cron(* * ? * 8 *)",
        "cron(* * ? * 3#6 *)",
        "cron(* * ? * 3#1,6#3 *)",
        "cron(* * ? * 2/2 *)",
        "cron(*/0 * * * ? *)",
        "cron(1,,2 * * * ? *)",
        "cron(5-1 * * * ? *)",
        "cron(* * W * ? *)",
        "cron(* * * * ? 1969)",
        "cron(* * * * ? 2200)",
        "cron(* * * FOO ? *)",
        "at(2026-01-01T00:00:00)",
    ] {
        assert_eq!(Schedule::parse(bad), None, "{bad}");
    }
}

/// One field as a set, with all that the field's grammar has.
fn field(low: u16, high: u16) -> impl Strategy<Value = (String, Vec<u16>)> {
    let value = low..=high;
    let item = prop_oneof![
        value.clone().prop_map(|one| (one.to_string(), vec![one])),
        (value.clone(), value.clone())
            .prop_map(|(a, b)| (a.min(b), a.max(b)))
            .prop_map(|(from, to)| { (format!("{from}-{to}"), (from..=to).collect()) }),
        (value, 1..20u16).prop_map(move |(from, step)| {
            (format!("{from}/{step}"), (from..=high).step_by(step.into()).collect())
        }),
        Just(("*".to_owned(), (low..=high).collect())),
    ];
    proptest::collection::vec(item, 1..3).prop_map(|items| {
        let texts: Vec<String> = items.iter().map(|(text, _)| text.clone()).collect();
        (texts.join(","), items.into_iter().flat_map(|(_, values)| values).collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Minute by minute, no time is passed over and none is made up.
    #[test]
    fn the_next_time_is_the_first_minute_that_every_field_has(
        minutes in field(0, 59),
        hours in field(0, 23),
        days in field(1, 31),
        months in field(1, 12),
        start in 0..40_000_000u64,
    ) {
        let text = format!("cron({} {} {} {} ? *)", minutes.0, hours.0, days.0, months.0);
        let schedule = Schedule::parse(&text).unwrap();
        let next = schedule.next_after(start * 60_000).map(|ms| ms / 60_000);
        let is_due = |minute: u64| {
            let at = time::OffsetDateTime::from_unix_timestamp((minute * 60) as i64).unwrap();
            minutes.1.contains(&at.minute().into()) && hours.1.contains(&at.hour().into())
                && days.1.contains(&at.day().into()) && months.1.contains(&u8::from(at.month()).into())
        };
        if let Some(next) = next {
            prop_assert!(next > start && is_due(next), "{} {}", text, next);
        }
        let scanned = next.unwrap_or(u64::MAX).min(start + 5_000);
        prop_assert!((start + 1..scanned).all(|minute| !is_due(minute)), "{}", text);
    }

    #[test]
    fn no_text_panics(text in "(rate|cron)\\([0-9A-Z*?,/#LW -]{0,24}\\)|\\PC*", ms in any::<u64>()) {
        if let Some(schedule) = Schedule::parse(&text) {
            schedule.next_after(ms);
        }
    }
}
