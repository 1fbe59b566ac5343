//! `cron(minutes hours day-of-month month day-of-week year)`, in UTC.

use time::{Date, Duration, Month, OffsetDateTime, Weekday};

use super::field::{DAY_OF_MONTH, DAY_OF_WEEK, HOUR, MINUTE, MONTH, YEAR, number};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    minutes: Vec<u16>,
    hours: Vec<u16>,
    days: Days,
    months: Vec<u16>,
    years: Vec<u16>,
}

/// Which days of a month, by the one of the two fields that isn't `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Days {
    OfMonth(Vec<OfMonth>),
    OfWeek(Vec<OfWeek>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum OfMonth {
    Days(Vec<u16>),
    /// `L`
    Last,
    /// `3W`: the day from Monday to Friday that is nearest to the third, in the same month.
    Weekday(u16),
    /// `LW`
    LastWeekday,
}

/// Days of a week go from 1, Sunday, to 7.
#[derive(Clone, Debug, PartialEq, Eq)]
enum OfWeek {
    Days(Vec<u16>),
    /// `6L`: the last one of a month.
    Last(u16),
    /// `3#2`: the second one of a month.
    Nth(u16, u16),
}

impl Cron {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minutes, hours, of_month, months, of_week, years] = fields[..] else { return None };
        let days = match (of_month, of_week) {
            ("?", "?") => return None,
            ("?", text) => Days::OfWeek(parse_of_week(text)?),
            (text, "?") => Days::OfMonth(text.split(',').map(parse_of_month).collect::<Option<_>>()?),
            _ => return None,
        };
        Some(Self {
            minutes: MINUTE.set(minutes)?,
            hours: HOUR.set(hours)?,
            days,
            months: MONTH.set(months)?,
            years: YEAR.set(years)?,
        })
    }

    /// The first minute since the epoch that is due after `minute`.
    pub(super) fn next_after(&self, minute: u64) -> Option<u64> {
        let start = minute.checked_add(1)?;
        let at = OffsetDateTime::from_unix_timestamp(i64::try_from(start).ok()?.checked_mul(60)?).ok()?;
        let mut date = at.date();
        let mut from = (u16::from(at.hour()), u16::from(at.minute()));
        loop {
            let year = u16::try_from(date.year()).ok()?;
            let years = self.years.partition_point(|known| *known < year);
            let next_year = *self.years.get(years)?;
            if next_year > year {
                date = Date::from_calendar_date(next_year.into(), Month::January, 1).ok()?;
                from = (0, 0);
                continue;
            }
            if self.is_day(date)
                && let Some((hour, minute)) = self.time_from(from)
            {
                let days = u64::try_from((date - UNIX_EPOCH).whole_days()).ok()?;
                return Some((days * 24 + u64::from(hour)) * 60 + u64::from(minute));
            }
            date = date.next_day()?;
            from = (0, 0);
        }
    }

    /// The first hour and minute of a day that aren't before `from`.
    fn time_from(&self, (hour, minute): (u16, u16)) -> Option<(u16, u16)> {
        let (first, last) = (self.minutes.first()?, self.minutes.last()?);
        let hour_due = *self.hours.iter().find(|due| **due > hour || (**due == hour && *last >= minute))?;
        let minute_due =
            if hour_due > hour { first } else { self.minutes.iter().find(|due| **due >= minute)? };
        Some((hour_due, *minute_due))
    }

    fn is_day(&self, date: Date) -> bool {
        if self.months.binary_search(&u16::from(u8::from(date.month()))).is_err() {
            return false;
        }
        match &self.days {
            Days::OfMonth(days) => days.iter().any(|day| day.is(date)),
            Days::OfWeek(days) => days.iter().any(|day| day.is(date)),
        }
    }
}

const UNIX_EPOCH: Date = time::macros::date!(1970 - 01 - 01);

fn parse_of_month(text: &str) -> Option<OfMonth> {
    match text {
        "L" => Some(OfMonth::Last),
        "LW" => Some(OfMonth::LastWeekday),
        _ => match text.strip_suffix('W') {
            Some(day) => DAY_OF_MONTH.value(day).map(OfMonth::Weekday),
            None => DAY_OF_MONTH.set(text).map(OfMonth::Days),
        },
    }
}

/// With `#` it is the only one (EventBridge user guide).
fn parse_of_week(text: &str) -> Option<Vec<OfWeek>> {
    if let Some((day, nth)) = text.split_once('#') {
        let nth = number(nth).filter(|nth| (1..=5).contains(nth))?;
        return Some(vec![OfWeek::Nth(DAY_OF_WEEK.value(day)?, nth)]);
    }
    text.split(',')
        .map(|item| match item.strip_suffix('L') {
            // Alone: the last day of the week.
            Some("") => Some(OfWeek::Days(vec![DAY_OF_WEEK.high])),
            Some(day) => DAY_OF_WEEK.value(day).map(OfWeek::Last),
            None => DAY_OF_WEEK.set(item).map(OfWeek::Days),
        })
        .collect()
}

fn day_of_month(date: Date) -> u16 {
    date.day().into()
}

fn day_of_week(date: Date) -> u16 {
    u16::from(date.weekday().number_from_sunday())
}

fn length_of_month(date: Date) -> u16 {
    date.month().length(date.year()).into()
}

impl OfMonth {
    fn is(&self, date: Date) -> bool {
        let (day, length) = (day_of_month(date), length_of_month(date));
        match self {
            Self::Days(days) => days.binary_search(&day).is_ok(),
            Self::Last => day == length,
            Self::Weekday(wanted) => *wanted <= length && nearest_weekday(date, *wanted) == Some(day),
            Self::LastWeekday => nearest_weekday(date, length) == Some(day),
        }
    }
}

/// The weekday nearest to a day of the date's month. It stays in the month.
fn nearest_weekday(date: Date, day: u16) -> Option<u16> {
    let target = date.replace_day(u8::try_from(day).ok()?).ok()?;
    let days = match (target.weekday(), day) {
        (Weekday::Saturday, 1) => 2,
        (Weekday::Saturday, _) => -1,
        (Weekday::Sunday, day) if day == length_of_month(date) => -2,
        (Weekday::Sunday, _) => 1,
        _ => 0,
    };
    target.checked_add(Duration::days(days)).map(day_of_month)
}

impl OfWeek {
    fn is(&self, date: Date) -> bool {
        let (day, of_week) = (day_of_month(date), day_of_week(date));
        match self {
            Self::Days(days) => days.binary_search(&of_week).is_ok(),
            Self::Last(wanted) => *wanted == of_week && day + 7 > length_of_month(date),
            Self::Nth(wanted, nth) => *wanted == of_week && (day - 1) / 7 + 1 == *nth,
        }
    }
}
