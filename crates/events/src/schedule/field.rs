//! One field of a cron expression: numbers, names, ranges, lists and steps.

/// The values that a field may have, and names for the first ones.
#[derive(Debug)]
pub(super) struct Kind {
    pub low: u16,
    pub high: u16,
    pub names: &'static [&'static str],
    /// Whether it may say "every so many".
    pub steps: bool,
}

pub(super) const MINUTE: Kind = Kind { low: 0, high: 59, names: &[], steps: true };
pub(super) const HOUR: Kind = Kind { low: 0, high: 23, names: &[], steps: true };
pub(super) const DAY_OF_MONTH: Kind = Kind { low: 1, high: 31, names: &[], steps: true };
pub(super) const MONTH: Kind = Kind {
    low: 1,
    high: 12,
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    steps: true,
};
pub(super) const DAY_OF_WEEK: Kind =
    Kind { low: 1, high: 7, names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], steps: false };
pub(super) const YEAR: Kind = Kind { low: 1970, high: 2199, names: &[], steps: true };

impl Kind {
    /// A number or a name.
    pub(super) fn value(&self, text: &str) -> Option<u16> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = match named {
            Some(at) => self.low + u16::try_from(at).ok()?,
            None => number(text)?,
        };
        (self.low..=self.high).contains(&value).then_some(value)
    }

    /// Every value of a list, in order, each once.
    pub(super) fn set(&self, text: &str) -> Option<Vec<u16>> {
        let mut values = Vec::new();
        for item in text.split(',') {
            let (range, step) = match item.split_once('/') {
                Some((range, step)) if self.steps => (range, Some(number(step).filter(|step| *step > 0)?)),
                Some(_) => return None,
                None => (item, None),
            };
            let (from, to) = match (range, range.split_once('-'), step) {
                ("*", ..) => (self.low, self.high),
                (_, Some((from, to)), _) => (self.value(from)?, self.value(to)?),
                // From there on to the end.
                (one, None, Some(_)) => (self.value(one)?, self.high),
                (one, None, None) => (self.value(one)?, self.value(one)?),
            };
            if from > to {
                return None;
            }
            values.extend((from..=to).step_by(step.unwrap_or(1).into()));
        }
        values.sort_unstable();
        values.dedup();
        Some(values)
    }
}

pub(super) fn number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}
