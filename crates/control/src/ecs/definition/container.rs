//! Rules for each container by itself, and for their names.

use std::collections::BTreeSet;

use wire::Error;
use wire::ecs::{ContainerDefinition, HealthCheck};

use super::proposed::{Proposed, name};
use super::refusal::{invalid_setting, own, said};
use super::task::is_name;

/// API reference, ContainerDefinition.image.
const IMAGE_LENGTH: usize = 255;
/// API reference, ContainerRestartPolicy.
const ATTEMPT_PERIOD_S: std::ops::RangeInclusive<i32> = 60..=1800;
const MOST_IGNORED_EXIT_CODES: usize = 50;

pub(super) fn check(proposed: &Proposed<'_>) -> Result<(), Error> {
    let mut names = BTreeSet::new();
    for container in proposed.containers {
        check_name(container)?;
        if !names.insert(name(container)) {
            return Err(said("Container names must be unique within a Task Definition."));
        }
    }
    if !proposed.containers.iter().any(|container| container.essential == Some(true)) {
        return Err(said("Task definition doesn't have any essential container."));
    }
    proposed.containers.iter().try_for_each(check_one)
}

fn check_name(container: &ContainerDefinition) -> Result<(), Error> {
    match container.name.as_deref() {
        None | Some("") => Err(said("Container.name should not be null or empty.")),
        Some(name) if !is_name(name) => Err(said("Container.name contains invalid characters.")),
        Some(_) => Ok(()),
    }
}

fn check_one(container: &ContainerDefinition) -> Result<(), Error> {
    check_image(container.image.as_deref().unwrap_or_default())?;
    check_timeouts(container)?;
    if let Some(check) = &container.health_check {
        check_health(name(container), check)?;
    }
    check_restart(container)
}

/// "Letters, numbers, hyphens, underscores, colons, periods, forward slashes, and number signs", and
/// `@` before a digest (API reference).
fn check_image(image: &str) -> Result<(), Error> {
    if image.is_empty() {
        return Err(said("Container.image should not be null or empty."));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_:./#@".contains(&byte);
    if !image.bytes().all(allowed) {
        return Err(said("Container.image contains invalid characters."));
    }
    if image.len() > IMAGE_LENGTH {
        return Err(own(format!("Container.image should have {IMAGE_LENGTH} characters at most.")));
    }
    Ok(())
}

fn check_timeouts(container: &ContainerDefinition) -> Result<(), Error> {
    for (timeout, what) in [(container.start_timeout, "start"), (container.stop_timeout, "stop")] {
        if timeout.is_some_and(|seconds| seconds < 2) {
            let name = name(container);
            return Err(said(format!(
                "Granular {what} timeout on container '{name}' must be at least 2 seconds."
            )));
        }
    }
    Ok(())
}

fn check_health(name: &str, check: &HealthCheck) -> Result<(), Error> {
    // "The string array must start with CMD … or CMD-SHELL" (API reference); NONE is Docker's word for
    // no check at all.
    match check.command.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => return Err(own(format!("The health check of container '{name}' must have a command."))),
        ["NONE"] | ["CMD" | "CMD-SHELL", _, ..] => {}
        _ => {
            return Err(own(format!(
                "The 'healthCheck.command' setting for container '{name}' must start with CMD or CMD-SHELL, \
                 and a command must follow."
            )));
        }
    }
    let ranges = [
        ("interval", check.interval, 5..=300),
        ("timeout", check.timeout, 2..=60),
        ("retries", check.retries, 1..=10),
        ("startPeriod", check.start_period, 0..=300),
    ];
    for (field, value, range) in ranges {
        if value.is_some_and(|value| !range.contains(&value)) {
            return Err(own(format!(
                "The 'healthCheck.{field}' setting for container '{name}' must be between {} and {}.",
                range.start(),
                range.end()
            )));
        }
    }
    Ok(())
}

fn check_restart(container: &ContainerDefinition) -> Result<(), Error> {
    let Some(policy) = &container.restart_policy else { return Ok(()) };
    let name = name(container);
    if policy.restart_attempt_period.is_some_and(|seconds| !ATTEMPT_PERIOD_S.contains(&seconds)) {
        return Err(said(format!(
            "The 'restartAttemptPeriod' setting for container '{name}' must be between 60 and 1800."
        )));
    }
    let ignored = policy.ignored_exit_codes.as_deref().unwrap_or_default();
    if ignored.len() > MOST_IGNORED_EXIT_CODES {
        return Err(invalid_setting("ignoredExitCodes", name));
    }
    Ok(())
}
