//! What a container sees of the host's file systems: its volumes, and else nearly nothing.

use std::path::{Path, PathBuf};

use oci_spec::runtime::{Mount, MountBuilder};

use super::{ContainerPlan, Profile, VolumeMount};
use crate::volumes::is_below_devices;

/// The container's volumes, then the file systems of the OCI specification ("Default Filesystems") with
/// Docker's sizes and options, and the three files of the network.
///
/// Volumes come first, so that nothing which their content or the image's links do can put one in the
/// place of `/proc`, `/sys` or `/dev`, where it would hide what masks the host: the real ones come on top.
/// Only those that are asked for in `/dev` itself follow it. The memory file systems of the user's go the
/// same way.
pub(super) fn mounts(plan: &ContainerPlan, tmpfs: Vec<Mount>) -> Vec<Mount> {
    let mut wanted: Vec<Mount> = plan.volumes.iter().map(|volume| self::volume(plan, volume)).collect();
    wanted.extend(tmpfs);
    // What a device needs is where it is needed.
    for mount in plan.edits.mounts() {
        wanted.retain(|other| other.destination() != mount.destination());
        wanted.push(mount);
    }
    // Parents before what lies in them.
    wanted.sort_by_key(|mount| mount.destination().components().count());
    let places: Vec<PathBuf> = wanted.iter().map(|mount| mount.destination().clone()).collect();
    // The user's stands in the place of what would be there by default.
    let is_free = |mount: &Mount| !places.contains(mount.destination());
    let in_devices = |mount: &Mount| is_below_devices(&mount.destination().to_string_lossy());
    let (in_devices, mut mounts): (Vec<_>, Vec<_>) = wanted.into_iter().partition(in_devices);
    mounts.extend(kernels(plan).into_iter().filter(is_free));
    mounts.extend(in_devices);
    mounts.extend(files(plan).into_iter().filter(is_free));
    mounts
}

fn kernels(plan: &ContainerPlan) -> Vec<Mount> {
    let sealed = ["nosuid", "noexec", "nodev"];
    let shm = match plan.shm_bytes {
        0 => "size=65536k".to_owned(),
        bytes => format!("size={bytes}"),
    };
    fn with<'a>(sealed: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
        [sealed, more].concat()
    }
    let with = |more| with(&sealed, more);
    vec![
        mount("/proc", "proc", "proc", &sealed),
        mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount(
            "/dev/pts",
            "devpts",
            "devpts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        mount("/dev/mqueue", "mqueue", "mqueue", &sealed),
        mount("/dev/shm", "tmpfs", "shm", &with(&["mode=1777", &shm])),
        mount("/sys", "sysfs", "sysfs", &with(&["ro"])),
        mount("/sys/fs/cgroup", "cgroup", "cgroup", &with(&["relatime", "ro"])),
    ]
}

fn files(plan: &ContainerPlan) -> Vec<Mount> {
    let files = [
        ("/etc/resolv.conf", &plan.files.resolv_conf),
        ("/etc/hosts", &plan.files.hosts),
        ("/etc/hostname", &plan.files.hostname),
    ];
    // Docker lets a container edit them; under a read-only root that would be a way to write.
    let options: &[&str] =
        if plan.readonly_rootfs { &["rbind", "rprivate", "ro"] } else { &["rbind", "rprivate"] };
    files.map(|(destination, source)| bind(destination, source, options)).into()
}

/// Private, as Docker's: a mount that is made on the machine later doesn't show. On Fargate a volume
/// gives no devices and no other user's rights; elsewhere Docker's rules hold.
fn volume(plan: &ContainerPlan, volume: &VolumeMount) -> Mount {
    let mut options = match volume.recursive {
        true => vec!["rbind", "rprivate"],
        false => vec!["bind", "rprivate"],
    };
    if plan.profile == Profile::Fargate {
        options.extend(["nosuid", "nodev"]);
    }
    if volume.read_only {
        // What is mounted below is read-only too, as with Docker from version 25 on.
        options.push(if volume.recursive { "rro" } else { "ro" });
    }
    bind(&volume.destination, &volume.source, &options)
}

fn bind(destination: &str, source: &Path, options: &[&str]) -> Mount {
    MountBuilder::default()
        .destination(destination)
        .typ("bind")
        .source(source)
        .options(strings(options))
        .build()
        .expect("every field is set")
}

pub(super) fn mount(destination: &str, kind: &str, source: &str, options: &[&str]) -> Mount {
    MountBuilder::default()
        .destination(destination)
        .typ(kind)
        .source(source)
        .options(strings(options))
        .build()
        .expect("every field is set")
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|&item| item.to_owned()).collect()
}
