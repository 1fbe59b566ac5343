//! Account settings: which there are, their values, whose they are, and what holds for a caller
//! (ECS developer guide, "Access Amazon ECS features with account settings";
//! docs/decisions/0015-account-settings.md says which have an effect here).

use std::sync::Arc;

use model::{AccountSetting, Scope, SettingKey, World};
use wire::arn::Arn;
use wire::ecs::{Setting, SettingName, SettingType};
use wire::{Context, Error};

use super::reference;

/// What a setting may be set to, the first being what holds where nothing was set.
fn values(name: SettingName) -> &'static [&'static str] {
    match name {
        // ARNs are long, always: AWS has ended the short form.
        SettingName::ServiceLongArnFormat
        | SettingName::TaskLongArnFormat
        | SettingName::ContainerInstanceLongArnFormat => &["enabled"],
        SettingName::AwsvpcTrunking | SettingName::FargateFipsMode | SettingName::FargateEventWindows => {
            &["disabled", "enabled"]
        }
        SettingName::ContainerInsights => &["disabled", "enabled", "enhanced"],
        SettingName::TagResourceAuthorization => &["on", "off"],
        SettingName::FargateTaskRetirementWaitPeriod => &["7", "0", "14"],
        SettingName::DefaultLogDriverMode => &["blocking", "non-blocking"],
        SettingName::GuardDutyActivate => &["off"],
    }
}

fn is_arn_format(name: SettingName) -> bool {
    matches!(
        name,
        SettingName::ServiceLongArnFormat
            | SettingName::TaskLongArnFormat
            | SettingName::ContainerInstanceLongArnFormat
    )
}

/// Refuses a value that the setting hasn't, and a setting that isn't the caller's to change.
pub(super) fn check_value(name: SettingName, value: &str) -> Result<(), Error> {
    check_changeable(name)?;
    if is_arn_format(name) && value == "disabled" {
        return Err(Error::invalid_parameter(format!("{name} can no longer be disabled.")));
    }
    match values(name).contains(&value) {
        true => Ok(()),
        false => Err(Error::invalid_parameter(format!(
            "Invalid setting 'value': {name} is {}.",
            values(name).join(" or ")
        ))),
    }
}

pub(super) fn check_changeable(name: SettingName) -> Result<(), Error> {
    match name {
        SettingName::GuardDutyActivate => {
            Err(Error::invalid_parameter("guardDutyActivate is read-only: Amazon GuardDuty controls it."))
        }
        _ => Ok(()),
    }
}

/// The root user, whose settings are the default of everybody in the account.
pub(crate) fn root(scope: &Scope) -> Arc<str> {
    format!("arn:aws:iam::{}:root", scope.account).into()
}

/// Whose setting a call is about: the caller's own, or, for the root user, that of anybody in the
/// account.
pub(super) fn principal(context: &Context, given: Option<&str>) -> Result<Arc<str>, Error> {
    let Some(text) = given.filter(|text| !text.is_empty()) else {
        return Ok(context.principal_arn.as_str().into());
    };
    let invalid = || Error::invalid_parameter(format!("Invalid principalArn: {text}"));
    let arn: Arn = text.parse().map_err(|_| invalid())?;
    let named = |kind: &str| arn.resource.strip_prefix(kind).is_some_and(|name| !name.is_empty());
    let kind = arn.resource == "root" || named("user/") || named("role/");
    if arn.service != "iam" || !arn.region.is_empty() || arn.account != context.account || !kind {
        return Err(invalid());
    }
    let is_root = *root(&reference::scope(context)) == *context.principal_arn;
    if !is_root && text != context.principal_arn {
        return Err(Error::new(
            "AccessDeniedException",
            "Only the root user can see or change the settings of another principal.",
        ));
    }
    Ok(text.into())
}

/// The wait period is the account's, not a user's (ECS API reference, PutAccountSetting).
pub(super) fn check_principal(name: SettingName, scope: &Scope, principal: &str) -> Result<(), Error> {
    if name == SettingName::FargateTaskRetirementWaitPeriod && *principal != *root(scope) {
        return Err(Error::invalid_parameter(format!("{name} can be set for the root user only.")));
    }
    Ok(())
}

pub(super) fn key(scope: &Scope, principal: &Arc<str>, name: SettingName) -> SettingKey {
    SettingKey { scope: scope.clone(), principal: principal.clone(), name: name.as_str().into() }
}

/// What was set for the principal itself.
pub(super) fn own<'w>(
    world: &'w World,
    scope: &Scope,
    principal: &Arc<str>,
    name: SettingName,
) -> Option<&'w AccountSetting> {
    world.account_setting(&key(scope, principal, name)).map(|setting| &**setting)
}

/// What was set for the principal, or else for the account; `None` where nothing was.
pub(crate) fn set<'w>(
    world: &'w World,
    scope: &Scope,
    principal: &Arc<str>,
    name: SettingName,
) -> Option<&'w str> {
    let own_or_root = own(world, scope, principal, name).or_else(|| own(world, scope, &root(scope), name));
    own_or_root.map(|setting| &*setting.value)
}

/// What holds for the principal.
pub(crate) fn effective<'w>(
    world: &'w World,
    scope: &Scope,
    principal: &Arc<str>,
    name: SettingName,
) -> &'w str {
    set(world, scope, principal, name).unwrap_or(values(name)[0])
}

pub(super) fn to_wire(name: SettingName, value: &str, principal: &Arc<str>) -> Setting {
    let managed = name == SettingName::GuardDutyActivate;
    Setting {
        name: Some(name),
        value: Some(value.to_owned()),
        principal_arn: Some(principal.to_string()),
        r#type: Some(if managed { SettingType::AwsManaged } else { SettingType::User }),
    }
}

#[cfg(test)]
mod tests;
