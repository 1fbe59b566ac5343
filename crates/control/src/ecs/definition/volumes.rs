//! Volumes and where containers mount them (API reference, Volume, EFSVolumeConfiguration,
//! DockerVolumeConfiguration, MountPoint).

use std::collections::BTreeSet;

use wire::Error;
use wire::ecs::{
    ContainerDefinition, DockerVolumeConfiguration, EFSAuthorizationConfigIAM, EFSTransitEncryption,
    EFSVolumeConfiguration, Scope, Volume,
};

use super::proposed::{Proposed, name};
use super::refusal::{invalid_setting, own, said};
use super::task::is_name;

pub(super) fn check(proposed: &Proposed<'_>) -> Result<(), Error> {
    let mut names = BTreeSet::new();
    for volume in proposed.volumes() {
        let name = check_name(volume)?;
        if !names.insert(name) {
            return Err(own(format!(
                "Volume names must be unique within a Task Definition: '{name}' is not."
            )));
        }
        check_one(volume, name)?;
    }
    let at_launch = proposed.volumes().iter().filter(|volume| volume.configured_at_launch == Some(true));
    if at_launch.count() > 1 {
        return Err(own("Only one volume of a task definition may be configured at launch."));
    }
    proposed.containers.iter().try_for_each(|container| check_mounts(container, &names))
}

fn check_name(volume: &Volume) -> Result<&str, Error> {
    match volume.name.as_deref() {
        None | Some("") => Err(own("Volume.name should not be null or empty.")),
        Some(name) if !is_name(name) => Err(own("Volume.name contains invalid characters.")),
        Some(name) => Ok(name),
    }
}

fn check_one(volume: &Volume, name: &str) -> Result<(), Error> {
    let host = volume.host.as_ref().and_then(|host| host.source_path.as_deref());
    if host.is_some_and(|path| path.trim().is_empty()) {
        return Err(said("host.sourcePath should not be blank."));
    }
    let kinds = [
        host.is_some(),
        volume.docker_volume_configuration.is_some(),
        volume.efs_volume_configuration.is_some(),
        volume.fsx_windows_file_server_volume_configuration.is_some(),
        volume.s3files_volume_configuration.is_some(),
        volume.configured_at_launch == Some(true),
    ];
    if kinds.into_iter().filter(|given| *given).count() > 1 {
        return Err(own(format!("The volume '{name}' must have one configuration only.")));
    }
    if let Some(docker) = &volume.docker_volume_configuration {
        check_docker(docker, name)?;
    }
    if let Some(s3) = &volume.s3files_volume_configuration
        && s3.access_point_arn.is_some()
        && s3.root_directory.as_deref().is_some_and(|root| root != "/")
    {
        return Err(own(
            "When using an S3 Files access point, the root directory must either be set to \"/\" or be omitted",
        ));
    }
    volume.efs_volume_configuration.as_ref().map_or(Ok(()), check_efs)
}

fn check_docker(docker: &DockerVolumeConfiguration, name: &str) -> Result<(), Error> {
    if docker.autoprovision.is_some() && docker.scope != Some(Scope::Shared) {
        return Err(own(format!(
            "The volume '{name}' may have 'autoprovision' only with the scope 'shared'."
        )));
    }
    Ok(())
}

fn check_efs(efs: &EFSVolumeConfiguration) -> Result<(), Error> {
    let encrypted = efs.transit_encryption == Some(EFSTransitEncryption::Enabled);
    let authorization = efs.authorization_config.as_ref();
    let point = authorization.and_then(|config| config.access_point_id.as_ref());
    if point.is_some() && efs.root_directory.as_deref().is_some_and(|root| root != "/") {
        return Err(said(
            "When using an EFS access point, the root directory must either be set to \"/\" or be omitted",
        ));
    }
    let iam = authorization.and_then(|config| config.iam) == Some(EFSAuthorizationConfigIAM::Enabled);
    if iam && !encrypted {
        return Err(said("EFS IAM authorization requires TransitEncryption to be enabled"));
    }
    if efs.transit_encryption_port.is_some() && !encrypted {
        return Err(said("TransitEncryptionPort requires that TransitEncryption is enabled"));
    }
    Ok(())
}

fn check_mounts(container: &ContainerDefinition, volumes: &BTreeSet<&str>) -> Result<(), Error> {
    let mut paths = BTreeSet::new();
    for mount in container.mount_points.iter().flatten() {
        let source = mount.source_volume.as_deref();
        if source.is_none_or(|source| !volumes.contains(source)) {
            return Err(said(format!("Unknown volume '{}'.", source.unwrap_or("null"))));
        }
        let path = mount.container_path.as_deref().unwrap_or_default();
        if path.is_empty() || !paths.insert(path) {
            return Err(invalid_setting("containerPath", name(container)));
        }
    }
    Ok(())
}
