//! Confinement: memory, seccomp, freezing, figures.

mod support;

use std::path::Path;

use containerd_shim_protos::api::{
    PauseRequest, PidsRequest, ResumeRequest, StatsRequest, Status, UpdateTaskRequest,
};
use containerd_shim_protos::protobuf::Message;
use containerd_shim_protos::protobuf::well_known_types::any::Any;
use containerd_shim_protos::{cgroups, cgroups_v2};
use serde_json::json;
use support::{Bundle, Place, Shim, patience};

/// Bytes of memory that the container uses and may use.
fn memory(shim: &Shim, id: &str) -> (u64, u64) {
    let mut request = StatsRequest::new();
    request.id = id.into();
    let any = shim.client.stats(patience(), &request).unwrap().stats.unwrap();
    if any.type_url.ends_with("v1.Metrics") {
        let metrics = cgroups::metrics::Metrics::parse_from_bytes(&any.value).unwrap();
        assert!(metrics.pids.current > 0 && metrics.cpu.usage.total > 0);
        (metrics.memory.usage.usage, metrics.memory.usage.limit)
    } else {
        let metrics = cgroups_v2::metrics::Metrics::parse_from_bytes(&any.value).unwrap();
        assert!(metrics.pids.current > 0 && metrics.cpu.usage_usec > 0);
        (metrics.memory.usage, metrics.memory.usage_limit)
    }
}

#[test]
fn more_memory_than_allowed_ends_with_137_and_says_so() {
    let place = Place::new();
    let bundle =
        Bundle::with(&place, &["dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"], |config| {
            config["linux"]["resources"]["memory"] = json!({"limit": 16_777_216, "swap": 16_777_216});
            config["linux"]["devices"] =
                json!([{"path": "/dev/zero", "type": "c", "major": 1, "minor": 5, "fileMode": 438}]);
        });
    let shim = place.start(&bundle);
    assert_eq!(shim.run(&bundle), 137);
    let record = bundle.exit_record();
    assert_eq!((&record["exitCode"], &record["oomKilled"]), (&json!(137), &json!(true)));
    shim.delete(&bundle.id).unwrap();
    bundle.assert_gone(&place);
    shim.shutdown();
}

/// The cgroups of a process, the hierarchies without controllers left out.
fn cgroups_of(pid: u32) -> Vec<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let v2 = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    let mounted = |name: &str| Path::new("/sys/fs/cgroup").join(name).join("cgroup.procs").exists();
    let of_interest = |name: &str| {
        if v2 { name.is_empty() } else { !name.is_empty() && !name.starts_with("name=") && mounted(name) }
    };
    text.lines()
        .filter(|line| line.split(':').nth(1).is_some_and(of_interest))
        .map(|line| line.splitn(3, ':').nth(2).unwrap().to_owned())
        .collect()
}

#[test]
fn every_process_is_in_its_containers_cgroup_before_its_program_runs() {
    let place = Place::new();
    for own_namespace in [false, true] {
        let bundle = Bundle::with(&place, &["sleep", "1000"], |config| {
            if own_namespace {
                let namespaces = config["linux"]["namespaces"].as_array_mut().unwrap();
                namespaces.push(json!({"type": "cgroup"}));
            }
        });
        let shim = place.start(&bundle);
        // It waits for Start, and is there already.
        let first = shim.create(&bundle).unwrap();
        let expected = cgroups_of(first);
        assert!(!expected.is_empty());
        for cgroup in &expected {
            assert!(bundle.cgroups().iter().any(|dir| dir.ends_with(&cgroup[1..])), "{cgroup}");
        }
        shim.start(&bundle.id).unwrap();
        shim.exec(&bundle, "more", &["sleep", "1000"], "");
        let second = shim.start_exec(&bundle.id, "more").unwrap();
        assert_eq!(cgroups_of(second), expected);
        assert_ne!(cgroups_of(shim.pid), expected, "the shim stays outside");
        shim.kill(&bundle.id, 9).unwrap();
        shim.wait(&bundle.id);
        shim.delete(&bundle.id).unwrap();
        bundle.assert_gone(&place);
        shim.shutdown();
    }
}

#[test]
fn only_devices_of_the_bundle_can_be_opened() {
    let place = Place::new();
    let script = "for n in '1 3' '5 1' '10 200'; do mknod /tmp/d c $n && (: < /tmp/d) 2> /dev/null; echo $?; rm /tmp/d; done";
    let mut seen = vec![];
    for rule in [json!({"allow": false, "access": "rwm"}), json!({"allow": true, "access": "rwm"})] {
        let bundle = Bundle::with(&place, &["sh", "-c", script], |config| {
            let set = &mut config["process"]["capabilities"];
            for name in ["bounding", "effective", "permitted"] {
                set[name] = json!(["CAP_MKNOD"]);
            }
            config["linux"]["resources"]["devices"] =
                json!([rule, {"allow": true, "type": "c", "access": "m"}]);
        });
        let shim = place.start(&bundle);
        shim.run(&bundle);
        seen.push(bundle.output());
        shim.delete(&bundle.id).unwrap();
        shim.shutdown();
    }
    // null is everybody's; the host's console and tun are for those who were given them.
    assert!(seen[0].starts_with("0\n") && !seen[0][2..].contains('0'), "{seen:?}");
    assert!(seen[1].starts_with("0\n") && seen[0] != seen[1], "{seen:?}");
}

fn seccomp() -> serde_json::Value {
    json!({
        "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{"names": ["uname"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}],
    })
}

#[test]
fn a_seccomp_profile_holds_for_the_first_process_and_for_those_that_join() {
    let place = Place::new();
    for no_new_privileges in [true, false] {
        let script = "grep -E '^Seccomp:' /proc/self/status; sleep 1000";
        let bundle = Bundle::with(&place, &["sh", "-c", script], |config| {
            config["linux"]["seccomp"] = seccomp();
            if !no_new_privileges {
                config["process"].as_object_mut().unwrap().remove("noNewPrivileges");
            }
        });
        let shim = place.start(&bundle);
        shim.create(&bundle).unwrap();
        shim.start(&bundle.id).unwrap();
        support::eventually("it reports", || bundle.output() == "Seccomp:\t2\n");
        let joined = bundle.path.join("joined");
        shim.exec(&bundle, "e1", &["grep", "-E", "^Seccomp:", "/proc/self/status"], joined.to_str().unwrap());
        shim.start_exec(&bundle.id, "e1").unwrap();
        assert_eq!(shim.wait_exec(&bundle.id, "e1"), 0);
        assert_eq!(std::fs::read_to_string(joined).unwrap(), "Seccomp:\t2\n");
        shim.kill(&bundle.id, libc::SIGKILL).unwrap();
        assert_eq!(shim.wait(&bundle.id), 137);
        shim.delete(&bundle.id).unwrap();
        shim.shutdown();
    }
}

#[test]
fn a_profile_that_cannot_be_applied_is_a_refusal() {
    let place = Place::new();
    // Nobody listens here for the system calls that this one would hand on.
    let bundle = Bundle::with(&place, &["true"], |config| {
        config["linux"]["seccomp"] = seccomp();
        config["linux"]["seccomp"]["syscalls"][0]["action"] = "SCMP_ACT_NOTIFY".into();
    });
    let shim = place.start(&bundle);
    let (_, message) = support::refusal(shim.create(&bundle));
    assert!(message.to_lowercase().contains("seccomp"), "{message}");
    bundle.assert_gone(&place);
    shim.shutdown();
}

#[test]
fn the_shim_keeps_its_own_oom_score() {
    let place = Place::new();
    let bundle = Bundle::with(&place, &["cat", "/proc/self/oom_score_adj"], |config| {
        config["process"]["oomScoreAdj"] = 500.into();
    });
    let shim = place.start(&bundle);
    let score = || std::fs::read_to_string(format!("/proc/{}/oom_score_adj", shim.pid)).unwrap();
    let before = score();
    assert_eq!(shim.run(&bundle), 0);
    assert_eq!(bundle.output(), "500\n");
    assert_eq!(score(), before);
    shim.delete(&bundle.id).unwrap();
    shim.shutdown();
}

#[test]
fn it_can_be_measured_limited_anew_frozen_and_killed_while_frozen() {
    let place = Place::new();
    let bundle = Bundle::new(&place, &["sleep", "1000"]);
    let shim = place.start(&bundle);
    shim.create(&bundle).unwrap();
    let pid = shim.start(&bundle.id).unwrap();
    let (used, limit) = memory(&shim, &bundle.id);
    assert!(used > 0 && used < limit && limit == 67_108_864);

    let mut pids = PidsRequest::new();
    pids.id = bundle.id.clone();
    let pids = shim.client.pids(patience(), &pids).unwrap().processes;
    assert_eq!(pids.iter().map(|info| info.pid).collect::<Vec<_>>(), [pid]);

    let mut update = UpdateTaskRequest::new();
    update.id = bundle.id.clone();
    let mut resources = Any::new();
    resources.value = br#"{"memory":{"limit":134217728}}"#.to_vec();
    update.resources = Some(resources).into();
    shim.client.update(patience(), &update).unwrap();
    assert_eq!(memory(&shim, &bundle.id).1, 134_217_728);

    let mut pause = PauseRequest::new();
    pause.id = bundle.id.clone();
    let mut resume = ResumeRequest::new();
    resume.id = bundle.id.clone();
    shim.client.pause(patience(), &pause).unwrap();
    assert_eq!(shim.state(&bundle.id).status, Status::PAUSED.into());
    shim.client.resume(patience(), &resume).unwrap();
    assert_eq!(shim.state(&bundle.id).status, Status::RUNNING.into());
    shim.client.pause(patience(), &pause).unwrap();
    shim.kill(&bundle.id, libc::SIGKILL).unwrap();
    assert_eq!(shim.wait(&bundle.id), 137);
    shim.delete(&bundle.id).unwrap();
    bundle.assert_gone(&place);
    shim.shutdown();
}
