//! Log groups.

use std::str::FromStr as _;
use std::sync::Arc;

use wire::logs::{
    CreateLogGroupRequest, CreateLogGroupResponse, DeleteLogGroupRequest, DeleteLogGroupResponse,
    DescribeLogGroupsRequest, DescribeLogGroupsResponse, LogGroup, LogGroupClass,
    PutLogGroupDeletionProtectionRequest, PutLogGroupDeletionProtectionResponse,
};
use wire::{Context, Error};

use super::identifier;
use super::list_page::Question;
use crate::catalog::{Change, Group, GroupKey, NewGroup};
use crate::service::Service;

pub(super) fn create(
    service: &Service,
    context: &Context,
    input: CreateLogGroupRequest,
) -> Result<CreateLogGroupResponse, Error> {
    if input.log_group_name.starts_with("aws/") {
        return Err(Error::invalid_parameter("Log groups starting with AWS/ are reserved for AWS."));
    }
    if input.kms_key_id.is_some() {
        // AWS answers this code to a key that doesn't exist, and here none does.
        return Err(Error::invalid_parameter(
            "The specified KMS key does not exist: Longshore has no KMS, leave kmsKeyId out.",
        ));
    }
    let new = NewGroup {
        class: input.log_group_class.unwrap_or(LogGroupClass::Standard).as_str().to_owned(),
        deletion_protection: input.deletion_protection_enabled.unwrap_or(false),
        tags: input.tags.unwrap_or_default(),
    };
    let key = identifier::key(context, &input.log_group_name);
    service.change(key, Change::CreateGroup(new))?;
    Ok(CreateLogGroupResponse::default())
}

pub(super) fn delete(
    service: &Service,
    context: &Context,
    input: DeleteLogGroupRequest,
) -> Result<DeleteLogGroupResponse, Error> {
    service.change(identifier::key(context, &input.log_group_name), Change::DeleteGroup)?;
    Ok(DeleteLogGroupResponse::default())
}

pub(super) fn put_deletion_protection(
    service: &Service,
    context: &Context,
    input: PutLogGroupDeletionProtectionRequest,
) -> Result<PutLogGroupDeletionProtectionResponse, Error> {
    let key = identifier::from_identifier(context, &input.log_group_identifier)?;
    service.change(key, Change::SetDeletionProtection { on: input.deletion_protection_enabled })?;
    Ok(PutLogGroupDeletionProtectionResponse::default())
}

pub(super) fn describe(
    service: &Service,
    context: &Context,
    input: DescribeLogGroupsRequest,
) -> Result<DescribeLogGroupsResponse, Error> {
    let prefix = input.log_group_name_prefix.as_deref();
    let pattern = input.log_group_name_pattern.as_deref();
    if prefix.is_some() && pattern.is_some() {
        return Err(Error::invalid_parameter(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    let named = match &input.log_group_identifiers {
        Some(_) if prefix.is_some() || pattern.is_some() || input.log_group_class.is_some() => {
            return Err(Error::invalid_parameter(
                "logGroupIdentifiers can be combined with includeLinkedAccounts only.",
            ));
        }
        Some(identifiers) => Some(named_groups(context, identifiers)?),
        None => None,
    };
    let question = Question::new(
        "DescribeLogGroups",
        &(
            (&context.account, &context.region),
            (prefix, pattern, &input.log_group_class, &input.log_group_identifiers),
        ),
    );
    let after: Option<String> = question.parse(input.next_token.as_deref())?;

    let state = service.catalog.state();
    // Every name with the prefix is behind the prefix itself.
    let from = after.as_deref().or(prefix).unwrap_or_default();
    let groups = state
        .groups_from(&context.account, &context.region, from)
        .filter(|(key, _)| after.as_deref() != Some(key.name.as_str()))
        .take_while(|(key, _)| prefix.is_none_or(|prefix| key.name.starts_with(prefix)))
        .filter(|(key, _)| pattern.is_none_or(|pattern| key.name.contains(pattern)))
        .filter(|(_, group)| class_matches(group, input.log_group_class.as_ref()))
        .filter(|(key, _)| named.as_ref().is_none_or(|named| named.contains(key)));
    let (page, next_token) = question.take(groups, input.limit, |(key, _)| key.name.clone());
    let brief = pattern.is_some();
    let groups = page.into_iter().map(|(key, group)| describe_one(service, key, group, brief));
    Ok(DescribeLogGroupsResponse { log_groups: Some(groups.collect()), next_token })
}

fn named_groups(context: &Context, identifiers: &[String]) -> Result<Vec<GroupKey>, Error> {
    let named = identifiers.iter().map(|name| identifier::from_identifier(context, name));
    named.collect()
}

/// Asking for one of the two cheaper classes asks for both (API reference, DescribeLogGroups).
fn class_matches(group: &Group, wanted: Option<&LogGroupClass>) -> bool {
    let class = LogGroupClass::from_str(&group.class).ok();
    let cheaper = |class| matches!(class, LogGroupClass::InfrequentAccess | LogGroupClass::Essentials);
    match (wanted, class) {
        (None, _) => true,
        (Some(wanted), Some(class)) => *wanted == class || (cheaper(*wanted) && cheaper(class)),
        (Some(_), None) => false,
    }
}

/// A listing by pattern has the ARN, the time and the name only, as CloudWatch Logs answers it.
fn describe_one(service: &Service, key: &GroupKey, group: &Arc<Group>, brief: bool) -> LogGroup {
    let arn = identifier::group_arn(key);
    let base = LogGroup {
        log_group_name: Some(key.name.clone()),
        creation_time: Some(group.created_ms),
        arn: Some(format!("{arn}:*")),
        ..LogGroup::default()
    };
    if brief {
        return base;
    }
    let stored = service.segments.bytes(group.stream_ids());
    LogGroup {
        log_group_arn: Some(arn),
        log_group_class: LogGroupClass::from_str(&group.class).ok(),
        retention_in_days: group.retention_days,
        metric_filter_count: Some(0),
        stored_bytes: Some(i64::try_from(stored).unwrap_or(i64::MAX)),
        deletion_protection_enabled: Some(group.deletion_protection),
        ..base
    }
}
