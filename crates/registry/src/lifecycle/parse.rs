//! A policy's text, and why ECR doesn't take it (user guide, "Lifecycle policy properties" and "Lifecycle policy
//! evaluation rules"). The wording is ECR's where it is known from its users' reports.

use serde::{Deserialize, Deserializer};

use super::policy::{Keep, Policy, Rule, Selection};
use crate::name::clip;

/// ECR's quota, "Rules per lifecycle policy".
const RULES_MAX: usize = 50;
const WILDCARDS_MAX: usize = 4;

#[derive(Debug, thiserror::Error)]
pub enum InvalidPolicy {
    #[error("Could not map policyString into LifecyclePolicy: {}", clip(&.0.to_string()))]
    Json(#[from] serde_json::Error),
    #[error("A policy has 1 to {RULES_MAX} rules, and this one has {0}.")]
    RuleCount(usize),
    #[error("rulePriority must be between 1 and 2147483647, and is {0}.")]
    Priority(u32),
    #[error("Rules must have unique priorities, and {0} is given to more than one.")]
    SamePriority(i32),
    #[error("Rule for tagStatus=ANY must have the lowest priority per storage class.")]
    AnyNotLast,
    #[error("Only one rule can select Untagged images per storage class.")]
    UntaggedTwice,
    #[error("Rules must have unique sets of tag prefixes, and those of the rule with priority {0} are not.")]
    SamePrefixes(i32),
    #[error("Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.")]
    NoTags,
    #[error("Must specify either tagPrefixList or tagPatternList, not both.")]
    PrefixesAndPatterns,
    #[error("tagPrefixList and tagPatternList can only be specified when tagStatus=TAGGED.")]
    TagsOfOther,
    #[error("tagPrefixList and tagPatternList must not have empty elements.")]
    EmptyTag,
    #[error("A tag pattern has at most {WILDCARDS_MAX} wildcards, and '{}' has more.", clip(.0))]
    Wildcards(String),
    #[error("countNumber must be at least 1.")]
    CountNumber,
    #[error("Must specify countUnit when countType=sinceImagePushed.")]
    NoUnit,
    #[error("countUnit can only be specified when countType=sinceImagePushed.")]
    UnitOfCount,
    /// Nothing is ever archived here.
    #[error("{0} is not supported: this registry has no archive storage class.")]
    Archive(&'static str),
    /// ECR takes it with the action `transition` only.
    #[error("countType sinceImagePulled can't be used with the action expire.")]
    PulledExpires,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    rules: Vec<RuleText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RuleText {
    rule_priority: u32,
    #[serde(default, deserialize_with = "given", rename = "description")]
    _description: Option<String>,
    selection: SelectionText,
    action: ActionText,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SelectionText {
    tag_status: TagStatus,
    #[serde(default, deserialize_with = "given")]
    tag_prefix_list: Option<Vec<String>>,
    #[serde(default, deserialize_with = "given")]
    tag_pattern_list: Option<Vec<String>>,
    #[serde(default, deserialize_with = "given")]
    storage_class: Option<StorageClass>,
    count_type: CountType,
    #[serde(default, deserialize_with = "given")]
    count_unit: Option<CountUnit>,
    count_number: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ActionText {
    #[serde(rename = "type")]
    kind: ActionType,
    #[serde(default, deserialize_with = "given")]
    target_storage_class: Option<StorageClass>,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TagStatus {
    Tagged,
    Untagged,
    Any,
}

#[derive(PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StorageClass {
    Standard,
    Archive,
}

#[derive(PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum CountType {
    ImageCountMoreThan,
    SinceImagePushed,
    SinceImagePulled,
    SinceImageTransitioned,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum CountUnit {
    Days,
}

#[derive(PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ActionType {
    Expire,
    Transition,
}

/// What may be left out may still not be `null`.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl Policy {
    /// Reads and checks a policy's text.
    pub fn parse(text: &str) -> Result<Self, InvalidPolicy> {
        let document: Document = serde_json::from_str(text)?;
        let count = document.rules.len();
        if count == 0 || count > RULES_MAX {
            return Err(InvalidPolicy::RuleCount(count));
        }
        let mut rules = document.rules.into_iter().map(rule).collect::<Result<Vec<Rule>, _>>()?;
        rules.sort_by_key(|rule| rule.priority);
        check_together(&rules)?;
        Ok(Self { rules })
    }
}

fn rule(text: RuleText) -> Result<Rule, InvalidPolicy> {
    let priority = i32::try_from(text.rule_priority).ok().filter(|priority| *priority > 0);
    let priority = priority.ok_or(InvalidPolicy::Priority(text.rule_priority))?;
    if text.action.kind == ActionType::Transition {
        return Err(InvalidPolicy::Archive("The action transition"));
    }
    if text.action.target_storage_class.is_some() {
        return Err(InvalidPolicy::Archive("targetStorageClass"));
    }
    if text.selection.storage_class == Some(StorageClass::Archive) {
        return Err(InvalidPolicy::Archive("storageClass archive"));
    }
    let keep = keep(&text.selection)?;
    Ok(Rule { priority, selection: selection(text.selection)?, keep })
}

fn selection(text: SelectionText) -> Result<Selection, InvalidPolicy> {
    let (prefixes, patterns) = (text.tag_prefix_list, text.tag_pattern_list);
    if text.tag_status != TagStatus::Tagged && (prefixes.is_some() || patterns.is_some()) {
        return Err(InvalidPolicy::TagsOfOther);
    }
    let named = prefixes.iter().chain(&patterns).flatten();
    if named.clone().any(String::is_empty) {
        return Err(InvalidPolicy::EmptyTag);
    }
    match (text.tag_status, prefixes, patterns) {
        (TagStatus::Any, ..) => Ok(Selection::Any),
        (TagStatus::Untagged, ..) => Ok(Selection::Untagged),
        (TagStatus::Tagged, Some(_), Some(_)) => Err(InvalidPolicy::PrefixesAndPatterns),
        (TagStatus::Tagged, Some(mut prefixes), None) if !prefixes.is_empty() => {
            prefixes.sort();
            prefixes.dedup();
            Ok(Selection::Prefixes(prefixes))
        }
        (TagStatus::Tagged, None, Some(patterns)) if !patterns.is_empty() => {
            let wild = |pattern: &&String| pattern.matches('*').count() > WILDCARDS_MAX;
            match patterns.iter().find(wild) {
                Some(pattern) => Err(InvalidPolicy::Wildcards(pattern.clone())),
                None => Ok(Selection::Patterns(patterns)),
            }
        }
        (TagStatus::Tagged, ..) => Err(InvalidPolicy::NoTags),
    }
}

fn keep(text: &SelectionText) -> Result<Keep, InvalidPolicy> {
    if text.count_number == 0 {
        return Err(InvalidPolicy::CountNumber);
    }
    match (&text.count_type, &text.count_unit) {
        (CountType::ImageCountMoreThan, None) => Ok(Keep::Newest(text.count_number)),
        (CountType::ImageCountMoreThan, Some(_)) => Err(InvalidPolicy::UnitOfCount),
        (CountType::SinceImagePushed, Some(CountUnit::Days)) => Ok(Keep::Days(text.count_number)),
        (CountType::SinceImagePushed, None) => Err(InvalidPolicy::NoUnit),
        (CountType::SinceImagePulled, _) => Err(InvalidPolicy::PulledExpires),
        (CountType::SinceImageTransitioned, _) => {
            Err(InvalidPolicy::Archive("countType sinceImageTransitioned"))
        }
    }
}

/// What the rules must be beside each other; they are in the order of their priorities.
fn check_together(rules: &[Rule]) -> Result<(), InvalidPolicy> {
    for (at, rule) in rules.iter().enumerate() {
        let before = &rules[..at];
        if before.last().is_some_and(|other| other.priority == rule.priority) {
            return Err(InvalidPolicy::SamePriority(rule.priority));
        }
        let again = before.iter().any(|other| other.selection == rule.selection);
        match &rule.selection {
            Selection::Any if at + 1 != rules.len() => return Err(InvalidPolicy::AnyNotLast),
            Selection::Untagged if again => return Err(InvalidPolicy::UntaggedTwice),
            Selection::Prefixes(_) if again => return Err(InvalidPolicy::SamePrefixes(rule.priority)),
            _ => {}
        }
    }
    Ok(())
}
