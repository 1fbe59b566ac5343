//! Conditions joined by `&&`, `||` and parentheses, in this order of strength: `()`, `&&`, `||`.

use super::BadPattern;
use super::reader::Reader;

/// Parentheses in each other; a pattern has 1,024 characters at most, and a thread's stack an end.
const MAX_DEPTH: usize = 64;

#[derive(Clone, Debug)]
pub(crate) enum Condition<T> {
    One(T),
    All(Vec<Condition<T>>),
    Any(Vec<Condition<T>>),
}

impl<T> Condition<T> {
    /// Reads as far as it goes; `one` reads what is neither joined nor in parentheses.
    pub(super) fn read<'p>(
        reader: &mut Reader<'p>,
        one: &mut impl FnMut(&mut Reader<'p>) -> Result<T, BadPattern>,
    ) -> Result<Condition<T>, BadPattern> {
        any(reader, one, 0)
    }

    pub(super) fn holds(&self, one: &impl Fn(&T) -> bool) -> bool {
        match self {
            Condition::One(it) => one(it),
            Condition::All(of) => of.iter().all(|condition| condition.holds(one)),
            Condition::Any(of) => of.iter().any(|condition| condition.holds(one)),
        }
    }
}

fn any<'p, T>(
    reader: &mut Reader<'p>,
    one: &mut impl FnMut(&mut Reader<'p>) -> Result<T, BadPattern>,
    depth: usize,
) -> Result<Condition<T>, BadPattern> {
    let first = all(reader, one, depth)?;
    let mut more = vec![first];
    while joined(reader, "||") {
        more.push(all(reader, one, depth)?);
    }
    Ok(single(more).unwrap_or_else(Condition::Any))
}

fn all<'p, T>(
    reader: &mut Reader<'p>,
    one: &mut impl FnMut(&mut Reader<'p>) -> Result<T, BadPattern>,
    depth: usize,
) -> Result<Condition<T>, BadPattern> {
    let mut more = vec![primary(reader, one, depth)?];
    while joined(reader, "&&") {
        more.push(primary(reader, one, depth)?);
    }
    Ok(single(more).unwrap_or_else(Condition::All))
}

fn primary<'p, T>(
    reader: &mut Reader<'p>,
    one: &mut impl FnMut(&mut Reader<'p>) -> Result<T, BadPattern>,
    depth: usize,
) -> Result<Condition<T>, BadPattern> {
    reader.skip_blanks();
    if !reader.eat("(") {
        return one(reader).map(Condition::One);
    }
    if depth == MAX_DEPTH {
        return Err(BadPattern::TooDeep);
    }
    let inner = any(reader, one, depth + 1)?;
    reader.skip_blanks();
    if reader.eat(")") { Ok(inner) } else { Err(reader.expected("a closing parenthesis")) }
}

fn joined(reader: &mut Reader<'_>, operator: &str) -> bool {
    reader.skip_blanks();
    reader.eat(operator)
}

/// The only one of a list, or the list.
fn single<T>(mut list: Vec<Condition<T>>) -> Result<Condition<T>, Vec<Condition<T>>> {
    match (list.len(), list.pop()) {
        (1, Some(only)) => Ok(only),
        (_, last) => {
            list.extend(last);
            Err(list)
        }
    }
}
