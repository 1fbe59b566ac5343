//! What runs: arguments, environment, directory. Docker's rules, since images are made for them.

use super::{BundleError, ContainerPlan};

/// Docker's PATH for Linux, for images that set none.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Entry point and command together. An entry point of the task's own makes the image's command
/// void: it was written for the image's entry point (Docker's documentation, "Understand how CMD
/// and ENTRYPOINT interact"). An entry point of one empty text removes the image's.
pub(super) fn args(plan: &ContainerPlan) -> Result<Vec<String>, BundleError> {
    let own_entry = plan.entry_point.as_ref().filter(|entry| !entry.is_empty());
    let own_command = plan.command.as_ref().filter(|command| !command.is_empty());
    let mut args = match own_entry {
        Some(entry) if *entry == [""] => Vec::new(),
        Some(entry) => entry.clone(),
        None => plan.image.entrypoint.clone(),
    };
    match (own_entry, own_command) {
        (_, Some(command)) => args.extend_from_slice(command),
        (None, None) => args.extend_from_slice(&plan.image.cmd),
        (Some(_), None) => {}
    }
    if args.first().is_none_or(String::is_empty) { Err(BundleError::NoCommand) } else { Ok(args) }
}

/// PATH and HOSTNAME, then the image's variables, then the task's, then its devices'; a later one
/// replaces an earlier one in its place. HOME comes last, and only if nobody set it.
pub(super) fn environment(plan: &ContainerPlan) -> Result<Vec<String>, BundleError> {
    let mut variables: Vec<(&str, &str)> = vec![("PATH", PATH), ("HOSTNAME", &plan.hostname)];
    let mut set = |name, value| match variables.iter_mut().find(|(present, _)| *present == name) {
        Some(variable) => variable.1 = value,
        None => variables.push((name, value)),
    };
    // An image's entry without '=' means "not set", and without a name nothing at all.
    for (name, value) in plan.image.env.iter().filter_map(|entry| entry.split_once('=')) {
        if !name.is_empty() {
            set(name, value);
        }
    }
    for (name, value) in &plan.environment {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(BundleError::InvalidEnvironment { name: name.clone() });
        }
        set(name, value);
    }
    plan.edits.env.iter().for_each(|(name, value)| set(name, value));
    if !plan.user.home.is_empty() && !variables.iter().any(|(name, _)| *name == "HOME") {
        variables.push(("HOME", &plan.user.home));
    }
    Ok(variables.into_iter().map(|(name, value)| format!("{name}={value}")).collect())
}

/// Always absolute: the runtime refuses any other.
pub(super) fn directory(plan: &ContainerPlan) -> String {
    let own = plan.working_directory.as_deref().filter(|dir| !dir.is_empty());
    let wanted = own.or(plan.image.working_dir.as_deref()).unwrap_or_default();
    if wanted.starts_with('/') { wanted.to_owned() } else { format!("/{wanted}") }
}
