//! From a policy's text to what it says (IAM user guide, "Grammar of the IAM JSON policy language").

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::{
    condition::Condition,
    pattern::Pattern,
    statement::{Effect, Named, Patterns, Principals, Statement},
    strict::Strict,
};

/// A policy that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub(crate) statements: Vec<Statement>,
}

/// Whose policy it is: that decides which elements it must and mustn't have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// Of a key: names no principal.
    Identity,
    /// Of one resource, which it doesn't name: an ECR repository.
    Resource,
    /// Of what holds many resources, which it names: an ECR registry.
    Registry,
}

/// What a text lacks to be a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidPolicy(String);

pub(crate) fn invalid(why: impl Into<String>) -> InvalidPolicy {
    InvalidPolicy(why.into())
}

const POLICY: &[&str] = &["Version", "Id", "Statement"];
const STATEMENT: &[&str] = &[
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

impl Policy {
    pub fn parse(text: &str, kind: PolicyKind) -> Result<Policy, InvalidPolicy> {
        let document: Strict = serde_json::from_str(text)
            .map_err(|error| invalid(format!("The policy is not JSON: {error}")))?;
        let document = object(&document.0, "The policy", POLICY)?;
        let has_variables = match document.get("Version") {
            Some(Value::String(version)) if version == "2012-10-17" => true,
            // Where none is given, the older is meant, which has no variables.
            Some(Value::String(version)) if version == "2008-10-17" => false,
            None => false,
            Some(_) => return Err(invalid("Version is 2012-10-17 or 2008-10-17")),
        };
        text_of(document, "Id")?;
        let statements = match document.get("Statement") {
            Some(Value::Array(list)) if !list.is_empty() => list.as_slice(),
            Some(one @ Value::Object(_)) => std::slice::from_ref(one),
            _ => return Err(invalid("Statement is an object or a list of some")),
        };
        let mut sids = BTreeSet::new();
        let read = |one: &Value| {
            let members = object(one, "A statement", STATEMENT)?;
            if let Some(sid) = text_of(members, "Sid")?.filter(|sid| !sid.is_empty())
                && !sids.insert(sid.to_owned())
            {
                return Err(invalid(format!("Two statements have the Sid {sid:?}")));
            }
            statement(members, kind, has_variables)
        };
        Ok(Policy { statements: statements.iter().map(read).collect::<Result<_, _>>()? })
    }

    /// What stands for a policy that can't be read any more: it denies everybody everything.
    pub fn unreadable() -> Policy {
        let any = || Patterns { are_excluded: true, list: Vec::new() };
        let everybody = Principals { are_excluded: false, list: vec![Named::Everybody] };
        let statement = Statement {
            effect: Effect::Deny,
            principals: Some(everybody),
            actions: any(),
            resources: None,
            conditions: Vec::new(),
        };
        Policy { statements: vec![statement] }
    }
}

fn statement(
    members: &Map<String, Value>,
    kind: PolicyKind,
    has_variables: bool,
) -> Result<Statement, InvalidPolicy> {
    let effect = match members.get("Effect").and_then(Value::as_str) {
        Some("Allow") => Effect::Allow,
        Some("Deny") => Effect::Deny,
        _ => return Err(invalid("Effect is Allow or Deny")),
    };
    let whom = match (either(members, "Principal")?, kind) {
        (None, PolicyKind::Identity) => None,
        (Some(_), PolicyKind::Identity) => {
            return Err(invalid("The policy of a key names no principal: its owner is meant"));
        }
        (None, _) => return Err(invalid("A statement needs Principal or NotPrincipal")),
        (Some((value, are_excluded)), _) => Some(Principals { are_excluded, list: principals(value)? }),
    };
    let (actions, are_excluded) =
        either(members, "Action")?.ok_or_else(|| invalid("A statement needs Action or NotAction"))?;
    let actions = Patterns { are_excluded, list: each(actions, "Action", action)? };
    let resources = match (either(members, "Resource")?, kind) {
        (None, PolicyKind::Resource) => None,
        (Some(_), PolicyKind::Resource) => {
            return Err(invalid("The policy of a repository names no resource: the repository is meant"));
        }
        (None, _) => return Err(invalid("A statement needs Resource or NotResource")),
        (Some((value, are_excluded)), _) => {
            let list = each(value, "Resource", |text| resource(text, has_variables))?;
            Some(Patterns { are_excluded, list })
        }
    };
    let conditions = match members.get("Condition") {
        None => Vec::new(),
        Some(value) => Condition::parse(value, has_variables)?,
    };
    Ok(Statement { effect, principals: whom, actions, resources, conditions })
}

/// The members of an object that has no others than these.
fn object<'a>(value: &'a Value, what: &str, known: &[&str]) -> Result<&'a Map<String, Value>, InvalidPolicy> {
    let members = value.as_object().ok_or_else(|| invalid(format!("{what} is a JSON object")))?;
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(invalid(format!("{what} has no element {name:?}"))),
        None => Ok(members),
    }
}

fn text_of<'a>(members: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, InvalidPolicy> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(invalid(format!("{name} is a text"))),
    }
}

/// `Name` or `NotName` (true), of which a statement has one at most.
fn either<'a>(
    members: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<(&'a Value, bool)>, InvalidPolicy> {
    match (members.get(name), members.get(&format!("Not{name}"))) {
        (Some(_), Some(_)) => Err(invalid(format!("A statement has {name} or Not{name}, not both"))),
        (Some(value), None) => Ok(Some((value, false))),
        (None, Some(value)) => Ok(Some((value, true))),
        (None, None) => Ok(None),
    }
}

/// One text, or a list of some.
fn each<T>(
    value: &Value,
    name: &str,
    read: impl Fn(&str) -> Result<T, InvalidPolicy>,
) -> Result<Vec<T>, InvalidPolicy> {
    let list = match value {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    if list.is_empty() {
        return Err(invalid(format!("{name} has nothing in it")));
    }
    let text = |item: &Value| match item {
        Value::String(text) => read(text),
        _ => Err(invalid(format!("{name} is a text or a list of texts"))),
    };
    list.iter().map(text).collect()
}

fn principals(value: &Value) -> Result<Vec<Named>, InvalidPolicy> {
    match value {
        Value::String(text) if text == "*" => Ok(vec![Named::Everybody]),
        Value::Object(members) if !members.is_empty() => {
            let mut list = Vec::new();
            for (sort, value) in members {
                list.extend(match sort.as_str() {
                    "AWS" => each(value, "Principal", principal)?,
                    "Service" | "Federated" | "CanonicalUser" => {
                        each(value, "Principal", |_| Ok(Named::Nobody))?
                    }
                    _ => return Err(invalid(format!("There is no principal of the sort {sort:?}"))),
                });
            }
            Ok(list)
        }
        _ => Err(invalid("Principal is \"*\" or an object such as {\"AWS\": \"…\"}")),
    }
}

fn principal(text: &str) -> Result<Named, InvalidPolicy> {
    let is_account = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    if text == "*" {
        return Ok(Named::Everybody);
    }
    if is_account(text) {
        return Ok(Named::Account(text.to_owned()));
    }
    let no = || invalid(format!("{text:?} is no principal: \"*\", an account's number or an ARN"));
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, service @ ("iam" | "sts"), "", account, name] = parts.as_slice() else {
        return Err(no());
    };
    // Part of a name can't be left open: a principal is one.
    if partition.is_empty() || !is_account(account) || text.contains(['*', '?']) {
        return Err(no());
    }
    let named = |sort: &str| name.strip_prefix(sort).is_some_and(|rest| !rest.is_empty());
    match (*service, *name) {
        ("iam", "root") => Ok(Named::Account((*account).to_owned())),
        ("iam", _) if named("user/") || named("role/") => Ok(Named::Arn(text.to_owned())),
        ("sts", _) if named("assumed-role/") || named("federated-user/") => Ok(Named::Arn(text.to_owned())),
        _ => Err(no()),
    }
}

/// `*`, or `service:Name` with wildcards in the name.
fn action(text: &str) -> Result<Pattern, InvalidPolicy> {
    let no = || invalid(format!("{text:?} is no action: \"*\" or one such as \"ecr:PutImage\""));
    if text != "*" {
        let (service, name) = text.split_once(':').ok_or_else(no)?;
        let of_service = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        let of_name = |b: u8| b.is_ascii_alphanumeric() || b"*?".contains(&b);
        let good = !service.is_empty() && service.bytes().all(of_service) && name.bytes().all(of_name);
        if !good || name.is_empty() {
            return Err(no());
        }
    }
    Pattern::parse(&text.to_ascii_lowercase(), false).ok_or_else(no)
}

/// `*`, or an ARN with wildcards; what is missing at its end is anything.
fn resource(text: &str, has_variables: bool) -> Result<Pattern, InvalidPolicy> {
    let no = || invalid(format!("{text:?} is no resource: an ARN or \"*\""));
    let is_any = !text.is_empty() && text.bytes().all(|b| b == b'*');
    if !is_any && !text.starts_with("arn:") {
        return Err(no());
    }
    let whole = is_any || text.split(':').count() >= 6;
    let text = if whole { text.to_owned() } else { format!("{text}:*") };
    Pattern::parse(&text, has_variables).ok_or_else(no)
}
