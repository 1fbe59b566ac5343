//! A policy's text, and why ECR doesn't take it (user guide, "Lifecycle policy properties" and "Lifecycle policy
//! evaluation rules"). The wording is ECR's where it is known from its users' reports.

use serde::{Deserialize, Deserializer};

use super::policy::{Action, Keep, Policy, Rule, Selection};
use crate::name::clip;

/// ECR's quota, "Rules per lifecycle policy".
const RULES_MAX: usize = 50;
const WILDCARDS_MAX: usize = 4;
/// What comes into the archive stays there for so long (user guide, "Archiving an image").
const ARCHIVED_DAYS_MIN: u32 = 90;

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
    #[error("Must specify countUnit when countType={0}.")]
    NoUnit(&'static str),
    #[error(
        "countUnit can only be specified when countType=sinceImagePushed, sinceImagePulled or sinceImageTransitioned."
    )]
    UnitOfCount,
    #[error("countType {0} can't be used with the action {1}.")]
    CountOfAction(&'static str, &'static str),
    #[error("Must specify storageClass=archive when countType=sinceImageTransitioned.")]
    NotOfArchive,
    #[error("storageClass=archive can only be specified when countType=sinceImageTransitioned.")]
    OfArchive,
    #[error("countNumber must be at least {ARCHIVED_DAYS_MIN} when countType=sinceImageTransitioned.")]
    ArchivedDays,
    #[error("Must specify targetStorageClass=archive when the action is transition.")]
    NoTarget,
    #[error("targetStorageClass can only be specified when the action is transition.")]
    TargetOfExpire,
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

#[derive(Clone, Copy, PartialEq, Deserialize)]
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

#[derive(Clone, Copy, Deserialize)]
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
    let action = action(&text.action)?;
    let keep = keep(&text.selection)?;
    match (keep, action) {
        (Keep::Pulled(_), Action::Expire) => {
            return Err(InvalidPolicy::CountOfAction("sinceImagePulled", "expire"));
        }
        (Keep::Archived(_), Action::Archive) => {
            return Err(InvalidPolicy::CountOfAction("sinceImageTransitioned", "transition"));
        }
        _ => {}
    }
    Ok(Rule { priority, selection: selection(text.selection)?, keep, action })
}

fn action(text: &ActionText) -> Result<Action, InvalidPolicy> {
    match (text.kind, &text.target_storage_class) {
        (ActionType::Expire, None) => Ok(Action::Expire),
        (ActionType::Expire, Some(_)) => Err(InvalidPolicy::TargetOfExpire),
        (ActionType::Transition, Some(StorageClass::Archive)) => Ok(Action::Archive),
        (ActionType::Transition, _) => Err(InvalidPolicy::NoTarget),
    }
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
    let is_archive = text.storage_class == Some(StorageClass::Archive);
    match (text.count_type == CountType::SinceImageTransitioned, is_archive) {
        (true, false) => return Err(InvalidPolicy::NotOfArchive),
        (false, true) => return Err(InvalidPolicy::OfArchive),
        _ => {}
    }
    let days = |name| match text.count_unit {
        Some(CountUnit::Days) => Ok(text.count_number),
        None => Err(InvalidPolicy::NoUnit(name)),
    };
    match text.count_type {
        CountType::ImageCountMoreThan if text.count_unit.is_some() => Err(InvalidPolicy::UnitOfCount),
        CountType::ImageCountMoreThan => Ok(Keep::Newest(text.count_number)),
        CountType::SinceImagePushed => Ok(Keep::Pushed(days("sinceImagePushed")?)),
        CountType::SinceImagePulled => Ok(Keep::Pulled(days("sinceImagePulled")?)),
        CountType::SinceImageTransitioned => match days("sinceImageTransitioned")? {
            days if days < ARCHIVED_DAYS_MIN => Err(InvalidPolicy::ArchivedDays),
            days => Ok(Keep::Archived(days)),
        },
    }
}

/// What the rules must be beside each other; they are in the order of their priorities.
fn check_together(rules: &[Rule]) -> Result<(), InvalidPolicy> {
    for (at, rule) in rules.iter().enumerate() {
        let (before, after) = (&rules[..at], &rules[at + 1..]);
        if before.last().is_some_and(|other| other.priority == rule.priority) {
            return Err(InvalidPolicy::SamePriority(rule.priority));
        }
        // Rules for the archive and the others don't concern each other.
        let same_class = |other: &&Rule| other.is_for_archive() == rule.is_for_archive();
        let again = before.iter().filter(same_class).any(|other| other.selection == rule.selection);
        match &rule.selection {
            Selection::Any if after.iter().any(|other| same_class(&other)) => {
                return Err(InvalidPolicy::AnyNotLast);
            }
            Selection::Untagged if again => return Err(InvalidPolicy::UntaggedTwice),
            Selection::Prefixes(_) if again => return Err(InvalidPolicy::SamePrefixes(rule.priority)),
            _ => {}
        }
    }
    Ok(())
}
