//! `[ip, user, ..., status = 4*, bytes > 1000]`: conditions on the words of a message.
//!
//! Each column stands for one word, the last one for whatever is left of the line: so `[w1=ERROR, w2]`
//! finds lines of any length that begin with ERROR. An ellipsis stands for any number of words,
//! counted so that the columns behind it are the last words. `[]` asks for nothing.

mod words;

use std::collections::BTreeMap;

use super::BadPattern;
use super::comparison::{Comparison, Operator, Scalar, number};
use super::condition::Condition;
use super::reader::Reader;
use words::words;

#[derive(Clone, Debug)]
pub(crate) struct Columns {
    before: Vec<Column>,
    /// The columns behind an ellipsis; `None` without one.
    behind: Option<Vec<Column>>,
}

#[derive(Clone, Debug)]
struct Column {
    /// Empty: named by its number.
    name: String,
    condition: Option<Condition<Comparison>>,
}

impl Columns {
    /// `inner` is what stands between the brackets.
    pub(super) fn parse(inner: &str) -> Result<Columns, BadPattern> {
        let mut reader = Reader::new(inner);
        let mut columns = Columns { before: Vec::new(), behind: None };
        if inner.trim().is_empty() {
            columns.behind = Some(Vec::new());
            return Ok(columns);
        }
        loop {
            reader.skip_blanks();
            if reader.eat("...") || reader.eat("…") {
                if columns.behind.replace(Vec::new()).is_some() {
                    return Err(BadPattern::TwoEllipses);
                }
            } else {
                let column = Column::read(&mut reader)?;
                let same = columns.all().any(|other| other.name == column.name);
                if !column.name.is_empty() && same {
                    return Err(BadPattern::SameName { name: column.name });
                }
                columns.behind.as_mut().unwrap_or(&mut columns.before).push(column);
            }
            reader.skip_blanks();
            if reader.peek().is_none() {
                return Ok(columns);
            }
            if !reader.eat(",") {
                return Err(reader.expected("a comma"));
            }
        }
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        self.matched(message).is_some()
    }

    /// Values by `$name`; what has no name by `$` and its number from 1.
    pub(super) fn extract(&self, message: &str) -> Option<BTreeMap<String, String>> {
        let (values, names) = self.matched(message)?;
        let named = values.iter().zip(names).enumerate().map(|(index, (value, name))| match name {
            Some(name) if !name.is_empty() => (format!("${name}"), (*value).to_owned()),
            _ => (format!("${}", index + 1), (*value).to_owned()),
        });
        Some(named.collect())
    }

    fn all(&self) -> impl Iterator<Item = &Column> {
        self.before.iter().chain(self.behind.iter().flatten())
    }

    /// The message's values, each with its column's name, if all conditions hold.
    fn matched<'m>(&self, message: &'m str) -> Option<(Vec<&'m str>, Vec<Option<&str>>)> {
        let values = match &self.behind {
            Some(_) => words(message, usize::MAX),
            None => words(message, self.before.len()),
        };
        let behind = self.behind.as_deref().unwrap_or_default();
        let skipped = values.len().checked_sub(self.before.len() + behind.len())?;
        if skipped > 0 && self.behind.is_none() {
            return None;
        }
        let unnamed = std::iter::repeat_n(None, skipped);
        let columns: Vec<Option<&Column>> =
            self.before.iter().map(Some).chain(unnamed).chain(behind.iter().map(Some)).collect();
        let hold = columns
            .iter()
            .zip(&values)
            .all(|(column, value)| column.is_none_or(|column| column.holds(value)));
        let names = columns.into_iter().map(|column| column.map(|column| column.name.as_str()));
        hold.then(|| (values, names.collect()))
    }
}

impl Column {
    fn read(reader: &mut Reader<'_>) -> Result<Column, BadPattern> {
        if matches!(reader.peek(), None | Some(',')) {
            return Ok(Column { name: String::new(), condition: None });
        }
        let mut bare = false;
        let mut column: Option<String> = None;
        let condition = Condition::read(reader, &mut |reader| {
            let name = reader.take_while(|c| c.is_alphanumeric() || "_-".contains(c));
            if name.is_empty() {
                return Err(reader.expected("a field's name"));
            }
            match &column {
                Some(column) if *column != name => {
                    return Err(BadPattern::OtherField { name: name.to_owned() });
                }
                Some(_) => {}
                None => column = Some(name.to_owned()),
            }
            reader.skip_blanks();
            match Operator::read(reader) {
                Some(operator) => Comparison::read(reader, operator).map(Some),
                None => {
                    bare = true;
                    Ok(None)
                }
            }
        })?;
        let name = column.unwrap_or_default();
        match (bare, condition) {
            (true, Condition::One(None)) => Ok(Column { name, condition: None }),
            (true, _) => Err(reader.expected("an operator")),
            (false, condition) => Ok(Column { name, condition: compared(condition) }),
        }
    }

    fn holds(&self, value: &str) -> bool {
        let scalar = Scalar { text: value, number: number(value) };
        self.condition.as_ref().is_none_or(|condition| condition.holds(&|one| one.holds(scalar)))
    }
}

/// The condition without the possibility of a bare name in it, which the caller has ruled out.
fn compared(condition: Condition<Option<Comparison>>) -> Option<Condition<Comparison>> {
    Some(match condition {
        Condition::One(one) => Condition::One(one?),
        Condition::All(of) => Condition::All(of.into_iter().map(compared).collect::<Option<_>>()?),
        Condition::Any(of) => Condition::Any(of.into_iter().map(compared).collect::<Option<_>>()?),
    })
}
