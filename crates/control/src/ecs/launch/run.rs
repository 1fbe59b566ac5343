//! A task with a deadline or a retry policy says so in resource tags, so that any client can set them (decision 40).

use model::{Run, Tags};
use wire::Error;

const TIMEOUT: &str = "longshore:timeout";
const RETRIES: &str = "longshore:retries";
/// The last attempts of more would come days later.
const MOST_RETRIES: u32 = 100;
const LONGEST_DAYS: u64 = 30;

/// What a task's tags ask for; `None` where they ask for nothing.
pub(crate) fn of(tags: &Tags) -> Result<Option<Run>, Error> {
    let value = |key: &str| {
        let tag = tags.iter().find(|tag| &*tag.key == key);
        tag.map(|tag| tag.value.as_deref().unwrap_or_default())
    };
    let timeout_ms =
        value(TIMEOUT).map(|text| duration_ms(text).ok_or_else(|| bad_timeout(text))).transpose()?;
    let retries = value(RETRIES).map(|text| retries(text).ok_or_else(|| bad_retries(text))).transpose()?;
    if timeout_ms.is_none() && retries.is_none() {
        return Ok(None);
    }
    let retries = retries.unwrap_or_default();
    Ok(Some(Run { timeout_ms, retries, attempt: 1, ..Run::default() }))
}

/// `90s`, `10m`, `2h`, `1d`.
fn duration_ms(text: &str) -> Option<u64> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit_s = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    // `parse` takes a sign too.
    let number: u64 = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??;
    let seconds = number.checked_mul(unit_s)?;
    (1..=LONGEST_DAYS * 24 * 60 * 60).contains(&seconds).then_some(seconds * 1000)
}

fn retries(text: &str) -> Option<u32> {
    let number = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())??;
    (number <= MOST_RETRIES).then_some(number)
}

fn bad_timeout(text: &str) -> Error {
    Error::invalid_parameter(format!(
        "The tag {TIMEOUT} must be a time such as 90s, 10m, 2h or 1d, at most {LONGEST_DAYS}d, and is {text:?}."
    ))
}

fn bad_retries(text: &str) -> Error {
    Error::invalid_parameter(format!(
        "The tag {RETRIES} must be a number from 0 to {MOST_RETRIES}, and is {text:?}."
    ))
}

#[cfg(test)]
mod tests {
    use model::Tag;

    use super::*;

    fn asked(pairs: &[(&str, &str)]) -> Result<Option<Run>, Error> {
        of(&Tags::new(
            pairs.iter().map(|(key, value)| Tag { key: (*key).into(), value: Some((*value).into()) }),
        ))
    }

    #[test]
    fn what_tags_ask_for() {
        assert_eq!(asked(&[("team", "x")]).unwrap(), None);
        for (text, seconds) in [("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86_400), ("30d", 2_592_000)] {
            assert_eq!(
                asked(&[(TIMEOUT, text)]).unwrap().unwrap().timeout_ms,
                Some(seconds * 1000),
                "{text}"
            );
        }
        let both = asked(&[(TIMEOUT, "1s"), (RETRIES, "3")]).unwrap().unwrap();
        assert_eq!((both.timeout_ms, both.retries, both.attempt), (Some(1000), 3, 1));
        assert_eq!(asked(&[(RETRIES, "0")]).unwrap().unwrap().retries, 0);
    }

    #[test]
    fn what_is_no_time_or_number_is_refused() {
        for text in
            ["", "s", "10", "0s", "-1s", "+1s", "1.5h", "31d", "1w", "99999999999999999999s", "1µ", "s1"]
        {
            assert!(asked(&[(TIMEOUT, text)]).unwrap_err().message.contains(TIMEOUT), "{text}");
        }
        for text in ["", "-1", "+1", "101", "x", "1.0", "99999999999"] {
            assert!(asked(&[(RETRIES, text)]).unwrap_err().message.contains(RETRIES), "{text}");
        }
    }
}
