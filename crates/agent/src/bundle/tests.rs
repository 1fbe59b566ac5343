use std::collections::BTreeMap;

use oci_spec::runtime::{Capability, PosixRlimitType, Spec};
use proptest::prelude::*;

use super::*;

mod devices;

fn plan() -> ContainerPlan {
    ContainerPlan {
        cgroups_path: "/longshore-ls1a2b3c/0123abcd/web".to_owned(),
        cgroup_version: cgroup::Version::V1,
        cgroup_mounts: vec!["/sys/fs/cgroup/memory".into()],
        limit_swap: true,
        task_id: "0123abcd".to_owned(),
        profile: Profile::Fargate,
        rootfs: "/data/rootfs/web".into(),
        readonly_rootfs: false,
        netns: Some("/data/netns/0123abcd".into()),
        hostname: "ip-10-72-0-5.ec2.internal".to_owned(),
        files: EtcFiles {
            resolv_conf: "/data/etc/resolv.conf".into(),
            hosts: "/data/etc/hosts".into(),
            hostname: "/data/etc/hostname".into(),
        },
        volumes: vec![],
        image: ImageDefaults {
            entrypoint: vec!["/docker-entrypoint.sh".to_owned()],
            cmd: vec!["nginx".to_owned(), "-g".to_owned()],
            env: vec!["PATH=/opt/bin:/bin".to_owned(), "VERSION=1.27".to_owned()],
            working_dir: None,
        },
        entry_point: None,
        command: None,
        environment: BTreeMap::from([
            ("VERSION".to_owned(), "2".to_owned()),
            ("A".to_owned(), "x=y".to_owned()),
        ]),
        working_directory: None,
        user: User { uid: 0, gid: 0, additional_gids: vec![], home: "/root".to_owned() },
        cap_add: vec![],
        cap_drop: vec![],
        ulimits: vec![],
        sysctls: BTreeMap::new(),
        tmpfs: BTreeMap::new(),
        shm_bytes: 0,
        cpu: 0,
        memory: 512 << 20,
        memory_reservation: 0,
        edits: Edits::default(),
    }
}

fn build(change: impl FnOnce(&mut ContainerPlan)) -> Result<Spec, BundleError> {
    let mut plan = plan();
    change(&mut plan);
    spec(&plan)
}

/// The specification as text, without the long list of system calls.
fn text(spec: &Spec) -> String {
    let mut value = serde_json::to_value(spec).expect("a spec is JSON");
    let seccomp = value["linux"]["seccomp"]["syscalls"].as_array_mut().expect("a profile");
    seccomp[0]["names"] = serde_json::json!(["…"]);
    for set in ["bounding", "effective", "permitted"] {
        let names = value["process"]["capabilities"][set].as_array_mut().expect("a set");
        names.sort_by_key(ToString::to_string);
    }
    // One line a value keeps the golden text short.
    let mut lines = String::new();
    flatten("", &value, &mut lines);
    lines
}

fn flatten(path: &str, value: &serde_json::Value, into: &mut String) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, value, into);
            }
        }
        serde_json::Value::Array(list) if list.iter().any(serde_json::Value::is_object) => {
            for value in list {
                into.push_str(&format!("{path}[] {value}\n"));
            }
        }
        value => into.push_str(&format!("{path} {value}\n")),
    }
}

#[test]
fn the_whole_specification() {
    let spec = build(|_| ()).expect("granted");
    if std::env::consts::ARCH == "x86_64" {
        insta::assert_snapshot!(text(&spec), @r#"
        annotations.io.containerd.runc.v2.group "0123abcd"
        hostname "ip-10-72-0-5.ec2.internal"
        linux.cgroupsPath "/longshore-ls1a2b3c/0123abcd/web"
        linux.maskedPaths ["/proc/acpi","/proc/asound","/proc/interrupts","/proc/kcore","/proc/keys","/proc/latency_stats","/proc/sched_debug","/proc/scsi","/proc/timer_list","/proc/timer_stats","/sys/devices/virtual/powercap","/sys/firmware"]
        linux.namespaces[] {"type":"pid"}
        linux.namespaces[] {"type":"ipc"}
        linux.namespaces[] {"type":"uts"}
        linux.namespaces[] {"type":"mount"}
        linux.namespaces[] {"path":"/data/netns/0123abcd","type":"network"}
        linux.readonlyPaths ["/proc/bus","/proc/fs","/proc/irq","/proc/sys","/proc/sysrq-trigger","/sys/fs/cgroup/memory"]
        linux.resources.cpu.shares 2
        linux.resources.devices[] {"access":"rwm","allow":false,"type":"a"}
        linux.resources.devices[] {"access":"m","allow":true,"type":"c"}
        linux.resources.devices[] {"access":"m","allow":true,"type":"b"}
        linux.resources.devices[] {"access":"rwm","allow":true,"major":1,"minor":3,"type":"c"}
        linux.resources.devices[] {"access":"rwm","allow":true,"major":1,"minor":5,"type":"c"}
        linux.resources.devices[] {"access":"rwm","allow":true,"major":1,"minor":7,"type":"c"}
        linux.resources.devices[] {"access":"rwm","allow":true,"major":1,"minor":8,"type":"c"}
        linux.resources.devices[] {"access":"rwm","allow":true,"major":1,"minor":9,"type":"c"}
        linux.resources.devices[] {"access":"rwm","allow":true,"major":5,"minor":0,"type":"c"}
        linux.resources.devices[] {"access":"rwm","allow":true,"major":5,"minor":2,"type":"c"}
        linux.resources.devices[] {"access":"rwm","allow":true,"major":136,"type":"c"}
        linux.resources.memory.limit 536870912
        linux.resources.memory.swap 536870912
        linux.resources.pids.limit 4096
        linux.seccomp.architectures ["SCMP_ARCH_X86_64"]
        linux.seccomp.defaultAction "SCMP_ACT_ERRNO"
        linux.seccomp.defaultErrnoRet 1
        linux.seccomp.syscalls[] {"action":"SCMP_ACT_ALLOW","names":["…"]}
        linux.seccomp.syscalls[] {"action":"SCMP_ACT_ALLOW","args":[{"index":0,"op":"SCMP_CMP_LT","value":33554432}],"names":["clone"]}
        linux.seccomp.syscalls[] {"action":"SCMP_ACT_ERRNO","errnoRet":38,"names":["clone3"]}
        linux.seccomp.syscalls[] {"action":"SCMP_ACT_ALLOW","args":[{"index":0,"op":"SCMP_CMP_EQ","value":0}],"names":["personality"]}
        linux.seccomp.syscalls[] {"action":"SCMP_ACT_ALLOW","args":[{"index":0,"op":"SCMP_CMP_EQ","value":8}],"names":["personality"]}
        linux.seccomp.syscalls[] {"action":"SCMP_ACT_ALLOW","args":[{"index":0,"op":"SCMP_CMP_EQ","value":131072}],"names":["personality"]}
        linux.seccomp.syscalls[] {"action":"SCMP_ACT_ALLOW","args":[{"index":0,"op":"SCMP_CMP_EQ","value":131080}],"names":["personality"]}
        linux.seccomp.syscalls[] {"action":"SCMP_ACT_ALLOW","args":[{"index":0,"op":"SCMP_CMP_EQ","value":4294967295}],"names":["personality"]}
        linux.seccomp.syscalls[] {"action":"SCMP_ACT_ALLOW","args":[{"index":0,"op":"SCMP_CMP_NE","value":40}],"names":["socket"]}
        mounts[] {"destination":"/proc","options":["nosuid","noexec","nodev"],"source":"proc","type":"proc"}
        mounts[] {"destination":"/dev","options":["nosuid","strictatime","mode=755","size=65536k"],"source":"tmpfs","type":"tmpfs"}
        mounts[] {"destination":"/dev/pts","options":["nosuid","noexec","newinstance","ptmxmode=0666","mode=0620","gid=5"],"source":"devpts","type":"devpts"}
        mounts[] {"destination":"/dev/mqueue","options":["nosuid","noexec","nodev"],"source":"mqueue","type":"mqueue"}
        mounts[] {"destination":"/dev/shm","options":["nosuid","noexec","nodev","mode=1777","size=65536k"],"source":"shm","type":"tmpfs"}
        mounts[] {"destination":"/sys","options":["nosuid","noexec","nodev","ro"],"source":"sysfs","type":"sysfs"}
        mounts[] {"destination":"/sys/fs/cgroup","options":["nosuid","noexec","nodev","relatime","ro"],"source":"cgroup","type":"cgroup"}
        mounts[] {"destination":"/etc/resolv.conf","options":["rbind","rprivate"],"source":"/data/etc/resolv.conf","type":"bind"}
        mounts[] {"destination":"/etc/hosts","options":["rbind","rprivate"],"source":"/data/etc/hosts","type":"bind"}
        mounts[] {"destination":"/etc/hostname","options":["rbind","rprivate"],"source":"/data/etc/hostname","type":"bind"}
        ociVersion "1.0.2"
        process.args ["/docker-entrypoint.sh","nginx","-g"]
        process.capabilities.ambient []
        process.capabilities.bounding ["CAP_AUDIT_WRITE","CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_FOWNER","CAP_FSETID","CAP_KILL","CAP_MKNOD","CAP_NET_BIND_SERVICE","CAP_NET_RAW","CAP_SETFCAP","CAP_SETGID","CAP_SETPCAP","CAP_SETUID","CAP_SYS_CHROOT"]
        process.capabilities.effective ["CAP_AUDIT_WRITE","CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_FOWNER","CAP_FSETID","CAP_KILL","CAP_MKNOD","CAP_NET_BIND_SERVICE","CAP_NET_RAW","CAP_SETFCAP","CAP_SETGID","CAP_SETPCAP","CAP_SETUID","CAP_SYS_CHROOT"]
        process.capabilities.inheritable []
        process.capabilities.permitted ["CAP_AUDIT_WRITE","CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_FOWNER","CAP_FSETID","CAP_KILL","CAP_MKNOD","CAP_NET_BIND_SERVICE","CAP_NET_RAW","CAP_SETFCAP","CAP_SETGID","CAP_SETPCAP","CAP_SETUID","CAP_SYS_CHROOT"]
        process.cwd "/"
        process.env ["PATH=/opt/bin:/bin","HOSTNAME=ip-10-72-0-5.ec2.internal","VERSION=2","A=x=y","HOME=/root"]
        process.noNewPrivileges false
        process.oomScoreAdj 0
        process.rlimits[] {"hard":65535,"soft":65535,"type":"RLIMIT_NOFILE"}
        process.user.gid 0
        process.user.uid 0
        root.path "/data/rootfs/web"
        root.readonly false
        "#);
    }
}

fn args(entry: Option<&[&str]>, command: Option<&[&str]>) -> Result<Vec<String>, BundleError> {
    let own = |list: Option<&[&str]>| list.map(|list| list.iter().map(|&item| item.to_owned()).collect());
    let spec = build(|plan| (plan.entry_point, plan.command) = (own(entry), own(command)))?;
    Ok(spec.process().as_ref().and_then(|process| process.args().clone()).unwrap_or_default())
}

#[test]
fn entry_point_and_command_follow_docker() {
    assert_eq!(args(None, None).unwrap(), ["/docker-entrypoint.sh", "nginx", "-g"]);
    assert_eq!(args(None, Some(&["sh"])).unwrap(), ["/docker-entrypoint.sh", "sh"]);
    assert_eq!(args(Some(&["/bin/sh", "-c"]), Some(&["env"])).unwrap(), ["/bin/sh", "-c", "env"]);
    // The image's command was written for the image's entry point.
    assert_eq!(args(Some(&["/bin/true"]), None).unwrap(), ["/bin/true"]);
    assert_eq!(args(Some(&[]), Some(&[])).unwrap(), ["/docker-entrypoint.sh", "nginx", "-g"]);
    assert_eq!(args(Some(&[""]), Some(&["sh"])).unwrap(), ["sh"]);
    assert_eq!(args(Some(&[""]), None), Err(BundleError::NoCommand));
}

#[test]
fn variables_replace_in_place_and_home_comes_from_the_user() {
    let spec = build(|plan| plan.image.env.push("NOVALUE".to_owned())).expect("granted");
    let env = spec.process().as_ref().and_then(|process| process.env().clone()).unwrap_or_default();
    let expected =
        ["PATH=/opt/bin:/bin", "HOSTNAME=ip-10-72-0-5.ec2.internal", "VERSION=2", "A=x=y", "HOME=/root"];
    assert_eq!(env, expected);
    for name in ["", "A=B", "A\0"] {
        let refused = build(|plan| drop(plan.environment.insert(name.to_owned(), String::new())));
        assert_eq!(refused, Err(BundleError::InvalidEnvironment { name: name.to_owned() }));
    }
}

#[test]
fn the_directory_is_absolute() {
    let cwd = |own: Option<&str>, image: Option<&str>| {
        let change = |plan: &mut ContainerPlan| {
            plan.working_directory = own.map(str::to_owned);
            plan.image.working_dir = image.map(str::to_owned);
        };
        build(change).expect("granted").process().as_ref().map(|process| process.cwd().display().to_string())
    };
    assert_eq!(cwd(None, None).as_deref(), Some("/"));
    assert_eq!(cwd(None, Some("/srv")).as_deref(), Some("/srv"));
    assert_eq!(cwd(Some("/app"), Some("/srv")).as_deref(), Some("/app"));
    assert_eq!(cwd(Some("app"), None).as_deref(), Some("/app"));
}

#[test]
fn ulimits_have_ecs_names_and_fargates_default() {
    let limits = |list: &[(&str, i64, i64)]| {
        let list =
            list.iter().map(|&(name, soft, hard)| Ulimit { name: name.to_owned(), soft, hard }).collect();
        let spec = build(|plan| plan.ulimits = list)?;
        let limits =
            spec.process().as_ref().and_then(|process| process.rlimits().clone()).unwrap_or_default();
        Ok(limits.iter().map(|limit| (limit.typ(), limit.soft(), limit.hard())).collect::<Vec<_>>())
    };
    let nofile = PosixRlimitType::RlimitNofile;
    assert_eq!(limits(&[]), Ok(vec![(nofile, 65_535, 65_535)]));
    assert_eq!(limits(&[("nofile", 1024, 4096)]), Ok(vec![(nofile, 1024, 4096)]));
    let core = (PosixRlimitType::RlimitCore, 0, u64::MAX);
    assert_eq!(limits(&[("core", 0, -1)]), Ok(vec![core, (nofile, 65_535, 65_535)]));
    let wrong = BundleError::UlimitOrder { name: "core".to_owned(), soft: -1, hard: 0 };
    assert_eq!(limits(&[("core", -1, 0)]), Err(wrong));
    assert_eq!(limits(&[("files", 1, 1)]), Err(BundleError::UnknownUlimit { name: "files".to_owned() }));
    let twice = [("core", 1, 1), ("core", 2, 2)];
    assert_eq!(limits(&twice), Err(BundleError::UlimitTwice { name: "core".to_owned() }));
}

#[test]
fn a_user_other_than_root_holds_nothing() {
    let spec = build(|plan| plan.user.uid = 101).expect("granted");
    let sets = spec.process().as_ref().and_then(|process| process.capabilities().clone()).expect("sets");
    assert_eq!(sets.bounding().as_ref().map(|set| set.len()), Some(14));
    for set in [sets.effective(), sets.permitted(), sets.ambient(), sets.inheritable()] {
        assert_eq!(set.as_ref().map(|set| set.len()), Some(0));
    }
}

#[test]
fn a_capability_brings_its_system_calls() {
    let allowed = |change: fn(&mut ContainerPlan)| {
        let spec = build(change).expect("granted");
        let seccomp = spec.linux().as_ref().and_then(|linux| linux.seccomp().clone()).expect("a profile");
        seccomp.syscalls().as_ref().map(|rules| rules[0].names().clone()).unwrap_or_default()
    };
    let has = |names: &[String], name: &str| names.iter().any(|other| other == name);
    let plain = allowed(|_| ());
    for name in ["mount", "unshare", "setns", "bpf", "keyctl", "io_uring_setup", "clone", "clone3", "reboot"]
    {
        assert!(!has(&plain, name), "{name}");
    }
    assert!(has(&plain, "read") && has(&plain, "chroot") && plain.len() > 250, "{}", plain.len());
    assert!(!has(&allowed(|plan| plan.cap_drop.push("SYS_CHROOT".to_owned())), "chroot"));
    assert!(has(&allowed(|plan| plan.cap_add.push("SYS_PTRACE".to_owned())), "pidfd_getfd"));
    let admin = allowed(|plan| {
        plan.profile = Profile::Instance;
        plan.cap_add.push("ALL".to_owned());
    });
    assert!(has(&admin, "mount") && has(&admin, "clone3"));
}

proptest! {
    /// Whatever a task asks for, on Fargate it gets Docker's fourteen and SYS_PTRACE at most, or nothing.
    #[test]
    fn fargate_never_gives_more(
        add in prop::collection::vec("(cap_|CAP_)?(SYS_PTRACE|sys_ptrace|SYS_ADMIN|NET_ADMIN|ALL|all|CHOWN|[A-Z]{1,8})", 0..4),
        drop in prop::collection::vec("SYS_PTRACE|CHOWN|ALL|KILL|NET_RAW", 0..3),
        uid in 0u32..3,
    ) {
        let built = build(|plan| {
            plan.cap_add = add;
            plan.cap_drop = drop;
            plan.user.uid = uid;
        });
        if let Ok(spec) = built {
            let sets = spec.process().as_ref().and_then(|process| process.capabilities().clone()).expect("sets");
            for set in [sets.bounding(), sets.effective(), sets.permitted(), sets.ambient(), sets.inheritable()] {
                for capability in set.as_ref().expect("written out") {
                    prop_assert!(!matches!(
                        capability,
                        Capability::SysAdmin | Capability::NetAdmin | Capability::SysModule | Capability::Bpf
                            | Capability::SysRawio | Capability::DacReadSearch | Capability::SysBoot
                    ));
                }
                prop_assert!(set.as_ref().is_some_and(|set| set.len() <= 15));
            }
        }
    }
}

#[test]
fn kernel_parameters_are_the_containers_own() {
    let set = |name: &'static str| build(move |p| drop(p.sysctls.insert(name.into(), "1".into())));
    for name in ["net.core.somaxconn", "kernel.shmmax", "fs.mqueue.msg_max"] {
        let spec = set(name).unwrap();
        assert_eq!(spec.linux().as_ref().unwrap().sysctl().as_ref().unwrap()[name], "1");
    }
    for name in
        ["kernel.panic", "vm.swappiness", "net/../kernel/panic", "net...kernel.panic", "kernel.core_pattern"]
    {
        assert!(matches!(set(name), Err(BundleError::ForbiddenSysctl { .. })), "{name}");
    }
    assert!(build(|_| ()).unwrap().linux().as_ref().unwrap().sysctl().is_none());
}

#[test]
fn a_tmpfs_is_memory_and_nothing_else() {
    let with = |path: &'static str, options: &'static str| {
        build(move |p| drop(p.tmpfs.insert(path.into(), options.into())))
    };
    let spec = with("/scratch", "exec,mode=700,size=1048576").unwrap();
    let mounts = spec.mounts().as_ref().unwrap();
    let mount = mounts.iter().find(|m| m.destination().to_str() == Some("/scratch")).unwrap().clone();
    assert_eq!(mount.options().as_ref().unwrap().join(","), "nosuid,noexec,nodev,exec,mode=700,size=1048576");
    for option in ["bind", "rbind", "remount", "shared", "lowerdir=/etc"] {
        assert!(matches!(with("/scratch", option), Err(BundleError::TmpfsOption { .. })), "{option}");
    }
    for path in ["/", "scratch", "/a/../../b"] {
        assert!(matches!(with(path, ""), Err(BundleError::TmpfsPath { .. })), "{path}");
    }
    let shm = build(|p| p.shm_bytes = 1 << 20).unwrap();
    let shm =
        shm.mounts().as_ref().unwrap().iter().find(|m| m.destination().ends_with("shm")).unwrap().clone();
    assert!(shm.options().as_ref().unwrap().contains(&"size=1048576".to_owned()));
}

#[test]
fn volumes_lie_below_what_the_runtime_mounts() {
    let volume = |destination: &str, read_only, recursive| VolumeMount {
        source: format!("/volumes{destination}").into(),
        destination: destination.to_owned(),
        read_only,
        recursive,
    };
    let volumes = vec![
        volume("/data", false, false),
        volume("/dev/shm", true, false),
        volume("/etc/hosts", true, true),
    ];
    let told = |profile| {
        let spec = build(|plan| (plan.volumes, plan.profile) = (volumes.clone(), profile)).unwrap();
        let line = |mount: &oci_spec::runtime::Mount| {
            let options = mount.options().clone().unwrap_or_default().join(",");
            format!("{} {options}", mount.destination().display())
        };
        spec.mounts().iter().flatten().map(line).collect::<Vec<_>>()
    };
    let fargate = told(Profile::Fargate);
    assert_eq!(
        fargate[..2],
        ["/data bind,rprivate,nosuid,nodev", "/etc/hosts rbind,rprivate,nosuid,nodev,rro"]
    );
    let at = |path: &str| fargate.iter().position(|line| line.split(' ').next() == Some(path)).unwrap();
    assert!(at("/data") < at("/proc") && at("/dev") < at("/dev/shm"), "{fargate:?}");
    assert_eq!(fargate[at("/dev/shm")], "/dev/shm bind,rprivate,nosuid,nodev,ro");
    for place in ["/dev/shm", "/etc/hosts"] {
        assert_eq!(
            fargate.iter().filter(|line| line.starts_with(place)).count(),
            1,
            "in the default's place"
        );
    }
    assert_eq!(told(Profile::Instance)[0], "/data bind,rprivate");
}
