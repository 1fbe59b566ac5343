//! The whole of config.json, put together.

use std::collections::HashMap;
use std::path::PathBuf;

use oci_spec::runtime::{
    Linux, LinuxNamespace, LinuxNamespaceBuilder, LinuxNamespaceType, Process, RootBuilder, Spec, UserBuilder,
};

use super::{BundleError, ContainerPlan, capabilities, cgroup, kernel, limits, mounts, process, seccomp};

/// The OCI specification this is written to.
const OCI_VERSION: &str = "1.0.2";

/// By which shims put the containers of one task into one process.
const GROUP: &str = "io.containerd.runc.v2.group";

/// Hidden from a container: what tells of, or touches, the whole host. Docker's list.
const MASKED: [&str; 12] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// To be read only. Docker's list, to which the cgroups come.
const READONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// The runtime specification of a container. Pure: the same plan gives the same text.
///
/// `noNewPrivileges` is off under both profiles, as on Fargate and in Docker: images that use su
/// or sudo work there and must work here. There is no terminal.
pub fn spec(plan: &ContainerPlan) -> Result<Spec, BundleError> {
    let granted = capabilities::granted(plan)?;
    let mut user = UserBuilder::default().uid(plan.user.uid).gid(plan.user.gid);
    let mut groups = plan.user.additional_gids.clone();
    groups.extend(plan.edits.additional_gids.iter().filter(|gid| !plan.user.additional_gids.contains(gid)));
    if !groups.is_empty() {
        user = user.additional_gids(groups);
    }

    let mut process = Process::default();
    process
        .set_terminal(None)
        .set_user(user.build().expect("every field has a default"))
        .set_args(Some(process::args(plan)?))
        .set_env(Some(process::environment(plan)?))
        .set_cwd(PathBuf::from(process::directory(plan)))
        .set_rlimits(Some(limits::rlimits(plan)?))
        .set_no_new_privileges(Some(false))
        // The shim has its own; a container's is the ordinary one.
        .set_oom_score_adj(Some(0));

    let mut linux = Linux::default();
    linux
        .set_namespaces(Some(namespaces(plan)))
        .set_cgroups_path(Some(PathBuf::from(&plan.cgroups_path)))
        .set_resources(Some(limits::resources(plan)))
        .set_masked_paths(Some(strings(&MASKED)))
        .set_readonly_paths(Some(readonly(plan)))
        .set_seccomp(Some(seccomp::profile(&granted)))
        .set_devices(Some(plan.edits.devices(&plan.user)).filter(|devices| !devices.is_empty()));
    let sysctls = kernel::sysctls(plan)?;
    if !sysctls.is_empty() {
        linux.set_sysctl(Some(sysctls));
    }
    let mounts = mounts::mounts(plan, kernel::tmpfs(plan)?);
    process.set_capabilities(Some(capabilities::sets(granted, plan.user.uid)));

    let root = RootBuilder::default().path(&plan.rootfs).readonly(plan.readonly_rootfs).build();
    let mut spec = Spec::default();
    spec.set_version(OCI_VERSION.to_owned())
        .set_hostname(Some(plan.hostname.clone()))
        .set_root(Some(root.expect("every field is set")))
        .set_mounts(Some(mounts))
        .set_process(Some(process))
        .set_linux(Some(linux))
        .set_hooks(plan.edits.hooks.to_oci())
        .set_annotations(Some(HashMap::from([(GROUP.to_owned(), plan.task_id.clone())])));
    Ok(spec)
}

/// Everything is the container's own but the network, which is there before it.
fn namespaces(plan: &ContainerPlan) -> Vec<LinuxNamespace> {
    let mut own = vec![
        LinuxNamespaceType::Pid,
        LinuxNamespaceType::Ipc,
        LinuxNamespaceType::Uts,
        LinuxNamespaceType::Mount,
    ];
    // Docker's default: a private view of cgroups on version 2, the host's on version 1.
    if plan.cgroup_version == cgroup::Version::V2 {
        own.push(LinuxNamespaceType::Cgroup);
    }
    let mut namespaces: Vec<LinuxNamespace> = own
        .into_iter()
        .map(|kind| LinuxNamespaceBuilder::default().typ(kind).build().expect("the type is set"))
        .collect();
    // Without one, it stays in the shim's, which is the machine's.
    namespaces.extend(plan.netns.as_ref().map(|path| {
        let network = LinuxNamespaceBuilder::default().typ(LinuxNamespaceType::Network).path(path);
        network.build().expect("the type is set")
    }));
    namespaces
}

/// That the cgroups' mount asks to be read-only is not enough: some runtimes make each of version 1's
/// trees writable in it, and whoever may write there has whatever limits he likes.
fn readonly(plan: &ContainerPlan) -> Vec<String> {
    let cgroups = plan.cgroup_mounts.iter().map(|path| path.display().to_string());
    strings(&READONLY).into_iter().chain(cgroups).collect()
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|&item| item.to_owned()).collect()
}
