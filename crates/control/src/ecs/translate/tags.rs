//! Tags, and the rules for them (ECS API reference, Tag).

use std::collections::BTreeSet;

use model::{TAGS_ALLOWED, Tag, Tags};
use wire::{Error, ecs};

const KEY_LENGTH: usize = 128;
const VALUE_LENGTH: usize = 256;

/// Checks and translates the tags of a request.
pub(crate) fn from_wire(tags: Option<&[ecs::Tag]>) -> Result<Vec<Tag>, Error> {
    let tags = tags.unwrap_or_default();
    if tags.len() > TAGS_ALLOWED {
        return Err(Error::invalid_parameter(format!("A resource may have {TAGS_ALLOWED} tags at most.")));
    }
    let mut keys = BTreeSet::new();
    tags.iter()
        .map(|tag| {
            let key = tag.key.as_deref().unwrap_or_default();
            check(key, tag.value.as_deref().unwrap_or_default())?;
            if !keys.insert(key) {
                return Err(Error::invalid_parameter(format!("Duplicate tag keys found: {key}.")));
            }
            Ok(Tag { key: key.into(), value: tag.value.as_deref().map(Into::into) })
        })
        .collect()
}

fn check(key: &str, value: &str) -> Result<(), Error> {
    if !(1..=KEY_LENGTH).contains(&key.chars().count()) {
        return Err(Error::invalid_parameter(format!("A tag key must have 1 to {KEY_LENGTH} characters.")));
    }
    if value.chars().count() > VALUE_LENGTH {
        return Err(Error::invalid_parameter(format!(
            "The value of the tag '{key}' must have {VALUE_LENGTH} characters at most."
        )));
    }
    if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
        return Err(Error::invalid_parameter(
            "Some tag keys begin with the prefix aws:, which is reserved for AWS use.",
        ));
    }
    let allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c);
    if !key.chars().all(allowed) || !value.chars().all(allowed) {
        return Err(Error::invalid_parameter(format!(
            "The tag '{key}' holds characters other than letters, numbers, spaces and _ . : / = + - @."
        )));
    }
    Ok(())
}

/// Always a list, as AWS gives it where tags were asked for.
pub(crate) fn to_wire(tags: &Tags) -> Option<Vec<ecs::Tag>> {
    let tag = |tag: &Tag| ecs::Tag {
        key: Some(tag.key.to_string()),
        value: Some(tag.value.as_deref().unwrap_or_default().to_owned()),
    };
    Some(tags.iter().map(tag).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &str, value: &str) -> ecs::Tag {
        ecs::Tag { key: Some(key.to_owned()), value: Some(value.to_owned()) }
    }

    #[test]
    fn good_tags_are_taken() {
        let tags = [tag("team", "web & more".trim_end_matches(" & more")), tag("größe", "")];
        assert_eq!(from_wire(Some(&tags)).unwrap().len(), 2);
        assert_eq!(from_wire(None).unwrap(), []);
    }

    #[test]
    fn bad_tags_are_refused() {
        let long = "x".repeat(129);
        for tags in [
            vec![tag("", "v")],
            vec![tag(&long, "v")],
            vec![tag("k", &"v".repeat(257))],
            vec![tag("aws:mine", "v")],
            vec![tag("AWS:mine", "v")],
            vec![tag("a<b", "v")],
            vec![tag("k", "1"), tag("k", "2")],
            (0..51).map(|n| tag(&n.to_string(), "")).collect(),
        ] {
            assert_eq!(from_wire(Some(&tags)).unwrap_err().code, "InvalidParameterException", "{tags:?}");
        }
    }
}
