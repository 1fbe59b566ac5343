//! JSON paths as EventBridge takes them: dots, indices in brackets, names in quotes and brackets, `*`.

use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JsonPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
    All,
}

impl JsonPath {
    /// `None`: it is no path that is taken.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix('$')?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (step, behind) = match rest.strip_prefix('.') {
                Some(behind) => {
                    let end = behind.find(['.', '[']).unwrap_or(behind.len());
                    (name(&behind[..end])?, &behind[end..])
                }
                None => {
                    let (inner, behind) = rest.strip_prefix('[')?.split_once(']')?;
                    (bracketed(inner)?, behind)
                }
            };
            steps.push(step);
            rest = behind;
        }
        Some(Self(steps))
    }

    /// What is there: with a `*` a list of all.
    pub fn find(&self, value: &Value) -> Option<Value> {
        let mut found = vec![value];
        for step in &self.0 {
            found = match step {
                Step::Name(name) => found.into_iter().filter_map(|value| value.get(name)).collect(),
                Step::Index(index) => found.into_iter().filter_map(|value| value.get(index)).collect(),
                Step::All => found.into_iter().flat_map(members).collect(),
            };
        }
        match self.0.contains(&Step::All) {
            true => Some(Value::from(found.into_iter().cloned().collect::<Vec<_>>())),
            false => found.first().map(|value| (*value).clone()),
        }
    }
}

fn members(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(object) => object.values().collect(),
        _ => Vec::new(),
    }
}

fn name(text: &str) -> Option<Step> {
    let plain = |character: char| character.is_alphanumeric() || "-_/:@$".contains(character);
    match text {
        "*" => Some(Step::All),
        _ => (!text.is_empty() && text.chars().all(plain)).then(|| Step::Name(text.to_owned())),
    }
}

fn bracketed(text: &str) -> Option<Step> {
    let quoted = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    match (text, quoted('\'').or_else(|| quoted('"'))) {
        ("*", _) => Some(Step::All),
        (_, Some(name)) => Some(Step::Name(name.to_owned())),
        _ => text.parse().ok().map(Step::Index),
    }
}
