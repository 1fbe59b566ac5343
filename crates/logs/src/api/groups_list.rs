//! `ListLogGroups`: names and classes only, found by more than DescribeLogGroups can.

use std::str::FromStr as _;

use regex::Regex;
use wire::logs::{ListLogGroupsRequest, ListLogGroupsResponse, LogGroupClass, LogGroupSummary, TagFilter};
use wire::{Context, Error};

use super::identifier;
use super::list_page::Question;
use crate::catalog::Group;
use crate::service::Service;

pub(super) fn list(
    service: &Service,
    context: &Context,
    input: ListLogGroupsRequest,
) -> Result<ListLogGroupsResponse, Error> {
    let pattern = input.log_group_name_pattern.as_deref().map(name_pattern).transpose()?;
    let tags = input.log_group_tags.unwrap_or_default();
    // No group has indexed fields or a data source here.
    let none = input.data_sources.is_some() || input.field_index_names.is_some();
    let shaping = (&input.log_group_name_pattern, &input.log_group_class, &tags, none);
    let question = Question::new("ListLogGroups", &((&context.account, &context.region), shaping));
    let after: Option<String> = question.parse(input.next_token.as_deref())?;

    let state = service.catalog.state();
    let groups = state
        .groups_from(&context.account, &context.region, after.as_deref().unwrap_or_default())
        .filter(|(key, _)| !none && after.as_deref() != Some(key.name.as_str()))
        .filter(|(key, _)| pattern.as_ref().is_none_or(|pattern| pattern.is_match(&key.name)))
        .filter(|(_, group)| input.log_group_class.as_ref().is_none_or(|class| class.as_str() == group.class))
        .filter(|(_, group)| tags.iter().all(|filter| has_tag(group, filter)));
    let (page, next_token) = question.take(groups, input.limit, |(key, _)| key.name.clone());
    let log_groups = page.into_iter().map(|(key, group)| LogGroupSummary {
        log_group_name: Some(key.name.clone()),
        log_group_arn: Some(identifier::group_arn(key)),
        log_group_class: LogGroupClass::from_str(&group.class).ok(),
    });
    Ok(ListLogGroupsResponse { log_groups: Some(log_groups.collect()), next_token })
}

/// Texts joined by `|`, each found anywhere in the name, or at its beginning after `^`.
fn name_pattern(text: &str) -> Result<Regex, Error> {
    let one = |part: &str| match part.strip_prefix('^') {
        Some(part) => format!("^{}", regex::escape(part)),
        None => regex::escape(part),
    };
    let all: Vec<String> = text.split('|').map(one).collect();
    let invalid = |_| Error::invalid_parameter(format!("The log group name pattern '{text}' is not valid."));
    Regex::new(&all.join("|")).map_err(invalid)
}

/// Without values, any value will do.
fn has_tag(group: &Group, filter: &TagFilter) -> bool {
    let Some(value) = group.tags.get(&filter.key) else { return false };
    filter.values.as_ref().is_none_or(|values| values.is_empty() || values.contains(value))
}
