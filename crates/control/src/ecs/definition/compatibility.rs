//! Which launch types a definition is fit for (API reference, RegisterTaskDefinition:
//! `requiresCompatibilities` is validated, `compatibilities` is what came of it).

use model::{LaunchType, NetworkMode};
use wire::Error;

use super::fargate;
use super::proposed::Proposed;
use super::refusal::{own, said};

/// All launch types that may run it, in AWS's order; an error where one is required that may not.
pub(super) fn check(proposed: &Proposed<'_>) -> Result<Vec<LaunchType>, Error> {
    let mut fit = Vec::new();
    for launch_type in [LaunchType::External, LaunchType::Ec2, LaunchType::Fargate] {
        let found = match launch_type {
            LaunchType::External => check_external(proposed),
            LaunchType::Ec2 => check_ec2(proposed),
            LaunchType::Fargate => fargate::check(proposed),
        };
        match found {
            Ok(()) => fit.push(launch_type),
            Err(refusal) if proposed.requires(launch_type) => return Err(refusal),
            Err(_) => {}
        }
    }
    Ok(fit)
}

/// Storage beyond the default is Fargate's to give.
fn check_ec2(proposed: &Proposed<'_>) -> Result<(), Error> {
    let ephemeral = proposed.document.ephemeral_storage.is_some();
    if ephemeral && !proposed.required.is_empty() && !proposed.requires(LaunchType::Fargate) {
        return Err(said("Tasks using the EC2 launch type do not support EphemeralStorage."));
    }
    Ok(())
}

/// ECS developer guide, "Amazon ECS clusters for external instances": no `awsvpc`, no EFS.
fn check_external(proposed: &Proposed<'_>) -> Result<(), Error> {
    if proposed.network_mode == NetworkMode::Awsvpc {
        return Err(own("Tasks using the EXTERNAL launch type do not support networkMode awsvpc."));
    }
    if proposed.volumes().iter().any(|volume| volume.efs_volume_configuration.is_some()) {
        return Err(own("Tasks using the EXTERNAL launch type do not support efsVolumeConfiguration."));
    }
    if proposed.document.ephemeral_storage.is_some() {
        return Err(own("Tasks using the EXTERNAL launch type do not support EphemeralStorage."));
    }
    Ok(())
}
