//! How a request names a log group: by name, by ARN, or by "identifier", which is either.

use wire::{Context, Error};

use crate::catalog::{GroupKey, Refusal};

/// A group of the caller's account and region.
pub(super) fn key(context: &Context, name: &str) -> GroupKey {
    GroupKey { account: context.account.clone(), region: context.region.clone(), name: name.to_owned() }
}

/// The ARN without the trailing `:*`.
pub(crate) fn group_arn(key: &GroupKey) -> String {
    format!("arn:aws:logs:{}:{}:log-group:{}", key.region, key.account, key.name)
}

pub(super) fn stream_arn(key: &GroupKey, stream: &str) -> String {
    format!("{}:log-stream:{stream}", group_arn(key))
}

/// From the two fields of which exactly one must be given.
pub(super) fn either(
    context: &Context,
    name: Option<&str>,
    identifier: Option<&str>,
) -> Result<GroupKey, Error> {
    match (name, identifier) {
        (Some(name), None) => Ok(key(context, name)),
        (None, Some(identifier)) => from_identifier(context, identifier),
        (Some(_), Some(_)) => {
            Err(Error::invalid_parameter("LogGroup name and LogGroup ARN are mutually exclusive parameters."))
        }
        (None, None) => Err(Error::invalid_parameter(
            "At least one of log group name or log group ARN must be specified.",
        )),
    }
}

/// A name, or an ARN with or without `:*`. Groups of other accounts and regions don't exist for
/// this caller.
pub(super) fn from_identifier(context: &Context, identifier: &str) -> Result<GroupKey, Error> {
    if !identifier.starts_with("arn:") {
        return Ok(key(context, identifier));
    }
    from_arn(context, identifier)
}

/// The group that an ARN names.
pub(super) fn from_arn(context: &Context, arn: &str) -> Result<GroupKey, Error> {
    let invalid = || Error::invalid_parameter(format!("The ARN '{arn}' names no log group"));
    let parts: Vec<&str> = arn.splitn(7, ':').collect();
    let [_, _, "logs", region, account, "log-group", name] = parts[..] else { return Err(invalid()) };
    let name = name.strip_suffix(":*").unwrap_or(name);
    if name.is_empty() || name.contains(':') {
        return Err(invalid());
    }
    if region != context.region || account != context.account {
        return Err(Refusal::NoGroup.into());
    }
    Ok(key(context, name))
}
