//! ECS checks some members itself, in words of its own instead of the front end's.
//!
//! The words are those that its users quote: "Family can not be blank.", "Services cannot be
//! empty.", "Container list cannot be empty.", "launch type should be one of [EC2,FARGATE,…]".

use serde_json::Value;

use crate::shape::{Kind, Member, Shape};

/// Enums at the top of a request, and what ECS calls them.
const NAMED_ENUMS: &[(&str, &str)] =
    &[("launchType", "launch type"), ("schedulingStrategy", "Scheduling strategy")];

/// What ECS says of the first member at fault; `None` where it has no words of its own.
pub fn refuse(shape: &Shape, value: &Value) -> Option<String> {
    let Kind::Structure { members, .. } = &shape.kind else { return None };
    // A missing name is told before a missing list.
    let is_list = |member: &&Member| matches!(member.shape.kind, Kind::List { .. });
    let (lists, others): (Vec<&Member>, Vec<&Member>) = members.iter().partition(is_list);
    let mut members = others.into_iter().chain(lists);
    members.find_map(|member| blank(member, value).or_else(|| not_one_of(member, value)))
}

/// A required member that is absent or empty.
fn blank(member: &Member, request: &Value) -> Option<String> {
    let empty = match request.get(member.name) {
        None => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    };
    if !member.required || !empty {
        return None;
    }
    let mut name = member.name.to_owned();
    name[..1].make_ascii_uppercase();
    Some(match member.shape.kind {
        Kind::List { .. } if member.name == "containerDefinitions" => {
            "Container list cannot be empty.".to_owned()
        }
        Kind::List { .. } => format!("{name} cannot be empty."),
        _ => format!("{name} can not be blank."),
    })
}

fn not_one_of(member: &Member, request: &Value) -> Option<String> {
    let (_, words) = NAMED_ENUMS.iter().find(|(name, _)| *name == member.name)?;
    let Kind::String { values, .. } = member.shape.kind else { return None };
    let value = request.get(member.name)?.as_str()?;
    let refused = !values.contains(&value);
    refused.then(|| format!("{words} should be one of [{}]", values.join(",")))
}
