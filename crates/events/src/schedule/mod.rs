//! When a rule with a schedule is due (EventBridge user guide, "Setting a schedule pattern"). Pure: the next time
//! follows from the last.

mod cron;
mod field;

#[cfg(test)]
mod tests;

pub use cron::Cron;

const MINUTE_MS: u64 = 60_000;

/// A schedule expression that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Again after so many milliseconds.
    Rate(u64),
    Cron(Cron),
}

impl Schedule {
    /// `rate(5 minutes)`, `cron(0 12 ? * MON-FRI *)`. `None`: it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let inner = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        match inner("rate") {
            Some(rate) => parse_rate(rate),
            None => Cron::parse(inner("cron")?).map(Self::Cron),
        }
    }

    /// The first time that is due after a moment, in milliseconds since the epoch: for a rate the moment is the last
    /// time that was due, or that of the rule's making. `None`: never again.
    pub fn next_after(&self, ms: u64) -> Option<u64> {
        match self {
            Self::Rate(every_ms) => ms.checked_add(*every_ms),
            Self::Cron(cron) => cron.next_after(ms / MINUTE_MS)?.checked_mul(MINUTE_MS),
        }
    }
}

/// A value and its unit, which is singular after 1 and plural after more.
fn parse_rate(text: &str) -> Option<Schedule> {
    let (value, unit) = text.split_once(' ')?;
    let value: u64 = value.parse().ok().filter(|_| value.bytes().all(|byte| byte.is_ascii_digit()))?;
    let minutes = match (value, unit) {
        (1, "minute") => 1,
        (1, "hour") => 60,
        (1, "day") => 24 * 60,
        (2.., "minutes") => 1,
        (2.., "hours") => 60,
        (2.., "days") => 24 * 60,
        _ => return None,
    };
    value.checked_mul(minutes * MINUTE_MS).map(Schedule::Rate)
}
