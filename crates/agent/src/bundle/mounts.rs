//! What a container sees of the host's file systems: nearly nothing.

use oci_spec::runtime::{Mount, MountBuilder};

use super::ContainerPlan;

/// The file systems of the OCI specification ("Default Filesystems"), Docker's sizes and options,
/// and the three files of the network.
pub(super) fn mounts(plan: &ContainerPlan) -> Vec<Mount> {
    let sealed = ["nosuid", "noexec", "nodev"];
    let shm = match plan.shm_bytes {
        0 => "size=65536k".to_owned(),
        bytes => format!("size={bytes}"),
    };
    fn with<'a>(sealed: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
        [sealed, more].concat()
    }
    let with = |more| with(&sealed, more);
    let mut mounts = vec![
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
    ];
    let files = [
        ("/etc/resolv.conf", &plan.files.resolv_conf),
        ("/etc/hosts", &plan.files.hosts),
        ("/etc/hostname", &plan.files.hostname),
    ];
    for (destination, source) in files {
        let mut options = vec!["rbind", "rprivate"];
        // Docker lets a container edit them; under a read-only root that would be a way to write.
        if plan.readonly_rootfs {
            options.push("ro");
        }
        mounts.push(
            MountBuilder::default()
                .destination(destination)
                .typ("bind")
                .source(source)
                .options(strings(&options))
                .build()
                .expect("every field is set"),
        );
    }
    mounts
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
