//! Environment variables, secrets, environment files and labels.

use std::collections::BTreeSet;

use wire::Error;
use wire::ecs::ContainerDefinition;

use super::proposed::{Proposed, name};
use super::refusal::{own, said};

/// API reference, ContainerDefinition.environmentFiles.
const MOST_FILES: usize = 10;

/// That a secret needs an execution role is not asked: Longshore has no roles to take on.
pub(super) fn check(proposed: &Proposed<'_>) -> Result<(), Error> {
    proposed.containers.iter().try_for_each(check_one)
}

fn check_one(container: &ContainerDefinition) -> Result<(), Error> {
    let variables = container.environment.iter().flatten();
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for variable in variables {
        let variable = variable.name.as_deref().unwrap_or_default();
        // A name with "=" can't be told from its value (POSIX, Environment Variables).
        if variable.is_empty() || variable.contains(['=', '\0']) {
            return Err(own(format!(
                "Container '{}' has an environment variable without a usable name.",
                name(container)
            )));
        }
        names.insert(variable);
    }
    for secret in container.secrets.iter().flatten() {
        if !names.insert(&secret.name) {
            return Err(said(format!(
                "The secret name must be unique and not shared with any new or existing environment \
                 variables set on the container, such as '{}'.",
                secret.name
            )));
        }
    }
    let files = container.environment_files.as_deref().unwrap_or_default();
    if files.len() > MOST_FILES {
        return Err(said(
            "The maximum number of environment files was exceeded. Specify ten or less and try again.",
        ));
    }
    if files.iter().any(|file| file.value.parse::<wire::arn::Arn>().is_err()) {
        return Err(said("Invalid arn syntax"));
    }
    Ok(())
}
