//! What a specification may ask for here. Anything else is refused by name: a wish that is dropped in silence changes
//! what a container is.

use oci_spec::runtime::{LinuxNamespaceType, Process, Spec};

use super::hooks;

/// Refuses what can't be had.
pub fn check(spec: &Spec) -> Result<(), String> {
    let process = spec.process().as_ref().ok_or("the specification has no process")?;
    check_process(process)?;
    spec.hooks().as_ref().map_or(Ok(()), hooks::check)?;
    let Some(linux) = spec.linux() else { return refused("a container without `linux`") };
    let namespaces = linux.namespaces().as_deref().unwrap_or_default();
    let has = |kind| namespaces.iter().any(|namespace| namespace.typ() == kind);
    if !has(LinuxNamespaceType::Mount) {
        return refused("a container without a mount namespace");
    }
    let some =
        |list: &Option<Vec<oci_spec::runtime::LinuxIdMapping>>| list.as_ref().is_some_and(|l| !l.is_empty());
    let asked = [
        ("linux.namespaces: user", has(LinuxNamespaceType::User)),
        ("linux.namespaces: time", has(LinuxNamespaceType::Time)),
        ("linux.uidMappings", some(linux.uid_mappings())),
        ("linux.gidMappings", some(linux.gid_mappings())),
        ("linux.mountLabel", linux.mount_label().as_ref().is_some_and(|label| !label.is_empty())),
        ("linux.intelRdt", linux.intel_rdt().is_some()),
        ("linux.personality", linux.personality().is_some()),
        ("linux.memoryPolicy", linux.memory_policy().is_some()),
        ("linux.netDevices", linux.net_devices().as_ref().is_some_and(|devices| !devices.is_empty())),
        ("linux.timeOffsets", linux.time_offsets().as_ref().is_some_and(|offsets| !offsets.is_empty())),
    ];
    match asked.iter().find(|(_, asked)| *asked) {
        Some((what, _)) => refused(what),
        None => Ok(()),
    }
}

/// The same for a process, the first or one that joins.
pub fn check_process(process: &Process) -> Result<(), String> {
    let text = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let asked = [
        ("process.terminal", process.terminal() == Some(true)),
        ("process.apparmorProfile", text(process.apparmor_profile())),
        ("process.selinuxLabel", text(process.selinux_label())),
        ("process.ioPriority", process.io_priority().is_some()),
        ("process.scheduler", process.scheduler().is_some()),
        ("process.execCPUAffinity", process.exec_cpu_affinity().is_some()),
    ];
    match asked.iter().find(|(_, asked)| *asked) {
        Some((what, _)) => refused(what),
        None => Ok(()),
    }
}

fn refused(what: &str) -> Result<(), String> {
    Err(format!("{what}: this runtime doesn't do that"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(linux: &str, process: &str) -> Spec {
        let text = format!(
            r#"{{"ociVersion":"1.0.2","process":{{"user":{{"uid":0,"gid":0}},"cwd":"/","args":["x"]{process}}},
                "linux":{{{linux}}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn what_is_not_done_is_refused_by_name() {
        let mount = r#""namespaces":[{"type":"mount"}]"#;
        assert_eq!(check(&spec(mount, "")), Ok(()));
        for (linux, process, what) in [
            (format!(r#"{mount},"intelRdt":{{}}"#), "", "linux.intelRdt"),
            (mount.to_owned(), r#","apparmorProfile":"p""#, "process.apparmorProfile"),
            (r#""namespaces":[{"type":"mount"},{"type":"user"}]"#.to_owned(), "", "user"),
            (r#""namespaces":[{"type":"pid"}]"#.to_owned(), "", "mount namespace"),
        ] {
            let refusal = check(&spec(&linux, process)).unwrap_err();
            assert!(refusal.contains(what), "{refusal}");
        }
    }
}
