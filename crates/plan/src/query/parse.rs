//! ```text
//! expression = conjunction { ("or" | "||") conjunction }
//! conjunction = negation { ("and" | "&&") negation }
//! negation = ("not" | "!") negation | "(" expression ")" | subject operator [argument]
//! ```

use super::{Comparison, Expression, MOST_CHARACTERS, Pattern, Subject, Test, subject::NAMES, text::Text};

/// Deepest nesting: each level costs stack.
const MOST_LEVELS: usize = 50;

/// Why a text is no expression, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The number of the character, from 1.
    pub at: usize,
    pub why: String,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (at character {})", self.why, self.at)
    }
}

impl std::error::Error for Malformed {}

pub(super) fn expression(text: &str) -> Result<Expression, Malformed> {
    if text.chars().count() > MOST_CHARACTERS {
        let why = format!("an expression may have {MOST_CHARACTERS} characters at most");
        return Err(Malformed { at: MOST_CHARACTERS + 1, why });
    }
    let mut parser = Parser { text: Text::new(text), level: 0 };
    let expression = parser.disjunction()?;
    parser.text.skip_space();
    match parser.text.rest() {
        "" => Ok(expression),
        _ => Err(parser.malformed("expected and, or, or the end")),
    }
}

struct Parser<'t> {
    text: Text<'t>,
    level: usize,
}

/// Longer signs before those that they begin with.
const OPERATORS: [(&str, Operator); 8] = [
    ("==", Operator::Compare(Comparison::Equal)),
    ("!=", Operator::Compare(Comparison::NotEqual)),
    (">=", Operator::Compare(Comparison::GreaterOrEqual)),
    ("<=", Operator::Compare(Comparison::LessOrEqual)),
    ("=~", Operator::Matches(true)),
    ("!~", Operator::Matches(false)),
    (">", Operator::Compare(Comparison::Greater)),
    ("<", Operator::Compare(Comparison::Less)),
];

const WORDS: [(&str, Operator); 14] = [
    ("equals", Operator::Compare(Comparison::Equal)),
    ("not_equals", Operator::Compare(Comparison::NotEqual)),
    ("greater_than", Operator::Compare(Comparison::Greater)),
    ("greater_than_equal", Operator::Compare(Comparison::GreaterOrEqual)),
    ("less_than", Operator::Compare(Comparison::Less)),
    ("less_than_equal", Operator::Compare(Comparison::LessOrEqual)),
    ("matches", Operator::Matches(true)),
    ("not_matches", Operator::Matches(false)),
    ("exists", Operator::Exists(true)),
    ("not_exists", Operator::Exists(false)),
    ("!exists", Operator::Exists(false)),
    ("in", Operator::In(true)),
    ("not_in", Operator::In(false)),
    ("!in", Operator::In(false)),
];

#[derive(Clone, Copy)]
enum Operator {
    Compare(Comparison),
    Matches(bool),
    Exists(bool),
    In(bool),
}

impl Parser<'_> {
    fn malformed(&self, why: impl Into<String>) -> Malformed {
        Malformed { at: self.text.position(), why: why.into() }
    }

    fn disjunction(&mut self) -> Result<Expression, Malformed> {
        let mut all = self.conjunction()?;
        while self.text.take("||") || self.text.take_word("or") {
            all = Expression::Or(all.into(), self.conjunction()?.into());
        }
        Ok(all)
    }

    fn conjunction(&mut self) -> Result<Expression, Malformed> {
        let mut all = self.negation()?;
        while self.text.take("&&") || self.text.take_word("and") {
            all = Expression::And(all.into(), self.negation()?.into());
        }
        Ok(all)
    }

    fn negation(&mut self) -> Result<Expression, Malformed> {
        self.level += 1;
        if self.level > MOST_LEVELS {
            return Err(self.malformed(format!("nested more than {MOST_LEVELS} deep")));
        }
        let expression = if self.text.take_word("not") || self.text.take("!") {
            Expression::Not(self.negation()?.into())
        } else if self.text.take("(") {
            let inner = self.disjunction()?;
            if !self.text.take(")") {
                return Err(self.malformed("expected and, or, or a closing parenthesis"));
            }
            inner
        } else {
            self.test()?
        };
        self.level -= 1;
        Ok(expression)
    }

    fn test(&mut self) -> Result<Expression, Malformed> {
        self.text.skip_space();
        let start = self.malformed(format!("expected a subject: {NAMES}"));
        let name = self.text.take_while(|c| c.is_ascii_alphanumeric() || ":_-./\\".contains(c));
        let subject = Subject::named(name).ok_or(start)?;
        self.text.skip_space();
        let mut refused = self.malformed("");
        let test = match self.operator()? {
            Operator::Exists(wanted) => Test::Exists(wanted),
            Operator::Compare(comparison) => Test::Compare(comparison, self.argument(bare)?),
            Operator::In(wanted) => Test::In(wanted, self.list()?),
            Operator::Matches(wanted) => {
                let pattern = self.argument(bare_pattern)?;
                Test::Matches(wanted, Pattern::new(&pattern).map_err(|why| self.malformed(why))?)
            }
        };
        match subject.refuse(&test) {
            None => Ok(Expression::Is(subject, test)),
            Some(why) => {
                refused.why = why;
                Err(refused)
            }
        }
    }

    fn operator(&mut self) -> Result<Operator, Malformed> {
        let word = WORDS.iter().find(|(word, _)| self.text.take_word(word));
        let found = word.or_else(|| OPERATORS.iter().find(|(sign, _)| self.text.take(sign)));
        found.map(|(_, operator)| *operator).ok_or_else(|| {
            self.malformed("expected an operator: ==, !=, >, >=, <, <=, exists, !exists, in, !in, =~ or !~")
        })
    }

    /// A value in quotes, or bare up to where `ends` says.
    fn argument(&mut self, ends: fn(&str) -> bool) -> Result<String, Malformed> {
        self.text.skip_space();
        for quote in ["'", "\""] {
            if self.text.take(quote) {
                let value = self.text.take_until(|rest| rest.starts_with(quote));
                return match self.text.rest() {
                    "" => Err(self.malformed("the quotation has no end")),
                    _ => {
                        self.text.take(quote);
                        Ok(value.to_owned())
                    }
                };
            }
        }
        match self.text.take_until(ends) {
            "" => Err(self.malformed("expected a value; in quotes where it holds spaces or parentheses")),
            value => Ok(value.to_owned()),
        }
    }

    fn list(&mut self) -> Result<Vec<String>, Malformed> {
        if !self.text.take("[") {
            return Err(self.malformed("expected a list like [a, b]"));
        }
        let mut items = vec![self.argument(bare)?];
        while self.text.take(",") {
            items.push(self.argument(bare)?);
        }
        match self.text.take("]") {
            true => Ok(items),
            false => Err(self.malformed("expected a comma or a closing bracket")),
        }
    }
}

/// Where a bare value ends.
fn bare(rest: &str) -> bool {
    rest.starts_with(|c: char| c.is_whitespace() || "()[],'\"<>=!".contains(c)) || joins(rest)
}

/// Where a bare pattern ends: it may have brackets, but no parentheses (developer guide: "a single
/// expression can't contain parentheses").
fn bare_pattern(rest: &str) -> bool {
    rest.starts_with(|c: char| c.is_whitespace() || "()".contains(c)) || joins(rest)
}

fn joins(rest: &str) -> bool {
    rest.starts_with("&&") || rest.starts_with("||")
}
