use std::path::{Path, PathBuf};
use std::sync::Arc;

use agent::{Agent, AgentConfig, AgentHandle, cleanup};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;

use super::control::Control;

/// The shim beside the test, or the one that `LONGSHORE_TEST_SHIM` names.
fn shim() -> PathBuf {
    if let Some(path) = std::env::var_os("LONGSHORE_TEST_SHIM") {
        return path.into();
    }
    let exe = std::env::current_exe().unwrap();
    let shim = exe.parent().unwrap().parent().unwrap().join("containerd-shim-longshore-v1");
    assert!(shim.exists(), "the shim is needed: cargo build -p shim");
    shim
}

/// An agent with a runtime of its own: dropping it is as near to `kill -9` as one process comes.
pub(super) struct Running {
    pub(super) handle: AgentHandle,
    runtime: Runtime,
}

impl Running {
    fn start(control: &Control, dir: &Path) -> Running {
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let config = AgentConfig {
            endpoint: control.endpoint.clone(),
            ca: None,
            credentials: wire::Credentials {
                access_key_id: "AKID".into(),
                secret_access_key: "secret".into(),
                session_token: None,
            },
            region: "us-east-1".into(),
            account: "000000000000".into(),
            own_hosts: vec![],
            cluster: None,
            serverless: true,
            capacity_providers: vec![],
            data_dir: dir.to_owned(),
            runtime: Default::default(),
            layers: agent::images::unpack::Limits::default(),
            shim_path: Some(shim()),
            subnet: None,
            instance_name: None,
            cdi_directories: Vec::new(),
            capacity: None,
            network_pool: 0,
        };
        let handle = runtime.block_on(Agent::start(config)).unwrap();
        Running { handle, runtime }
    }

    pub(super) fn kill(self) {
        drop(self.handle);
        self.runtime.shutdown_timeout(std::time::Duration::from_secs(10));
    }
}

pub(super) struct Bench {
    pub(super) control: Arc<Control>,
    pub(super) dir: tempfile::TempDir,
    /// Serves the control plane.
    runtime: Runtime,
}

impl Bench {
    pub(super) fn new() -> Bench {
        let runtime = Runtime::new().unwrap();
        let control = runtime.block_on(Control::start());
        Bench { control, dir: tempfile::tempdir().unwrap(), runtime }
    }

    pub(super) fn agent(&self) -> Running {
        Running::start(&self.control, self.dir.path())
    }

    pub(super) fn wait<T>(&self, f: impl Future<Output = T>) -> T {
        self.runtime.block_on(f)
    }

    /// Everything goes, and nothing stays.
    pub(super) fn clean(&self) {
        let report = self.wait(cleanup(self.dir.path())).unwrap();
        assert_eq!(report.left, Vec::<String>::new());
        let again = self.wait(cleanup(self.dir.path())).unwrap();
        assert_eq!(again, agent::Report::default());
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let ours = self.dir.path().to_str().unwrap();
        assert!(!mounts.contains(ours), "{mounts}");
        assert_eq!(self.shims(), Vec::<i32>::new());
        let cgroup = format!("longshore-{}", self.prefix());
        for root in std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
            assert!(!root.path().join(&cgroup).exists(), "{root:?}");
        }
        assert!(!Path::new("/sys/class/net").join(self.prefix()).exists());
    }

    /// What names everything that the agent makes on the machine.
    fn prefix(&self) -> String {
        let root = std::fs::canonicalize(self.dir.path()).unwrap();
        let hash = Sha256::digest(root.as_os_str().as_encoded_bytes());
        format!("ls{}", hex::encode(&hash[..3]))
    }

    pub(super) fn shims(&self) -> Vec<i32> {
        let namespace = format!("-namespace\0{}\0", self.prefix());
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let ours = processes.filter(|p| {
            std::fs::read(p.path().join("cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(&namespace))
        });
        ours.filter_map(|p| p.file_name().to_str()?.parse().ok()).collect()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // After a failed assertion: what the test made goes all the same.
        let _ = self.runtime.block_on(cleanup(self.dir.path()));
    }
}

/// A payload's task whose containers are `(name, script, essential)`.
pub(super) fn task(bench: &Bench, agent: &Running, id: &str, containers: &[(&str, &str, bool)]) -> Value {
    let subnet = agent.handle.subnet();
    let last = id.bytes().fold(7u32, |n, b| (n * 31 + u32::from(b)) % 200) + 10;
    let ip = std::net::Ipv4Addr::from_bits(subnet.base().to_bits() + last);
    let host = |stream: &str| {
        json!({"NetworkMode": "awsvpc", "LogConfig": {"Type": "awslogs", "Config": {
            "awslogs-group": "g", "awslogs-region": "us-east-1", "awslogs-stream": stream,
            "awslogs-create-group": "true",
        }}})
        .to_string()
    };
    let containers: Vec<_> = containers
        .iter()
        .map(|(name, script, essential)| {
            json!({
                "name": name, "image": format!("{}/busybox", bench.control.host()),
                "essential": essential, "cpu": 0, "memory": 64,
                "command": [script], "environment": {"GREETING": "hello"}, "stopTimeout": 2,
                "dockerConfig": {"version": "1.18", "config": "{}", "hostConfig": host(&format!("{id}/{name}"))},
            })
        })
        .collect();
    json!({
        "arn": format!("arn:aws:ecs:us-east-1:000000000000:task/default/{id}"),
        "desiredStatus": "RUNNING", "family": "f", "version": "1", "launchType": "FARGATE",
        "taskClusterArn": "arn:aws:ecs:us-east-1:000000000000:cluster/default",
        "cpu": 0.25, "memory": 128, "networkMode": "awsvpc", "containers": containers,
        "elasticNetworkInterfaces": [{
            "ec2Id": "eni-1", "macAddress": format!("02:00:00:00:00:{last:02x}"),
            "ipv4Addresses": [{"privateAddress": ip.to_string(), "primary": true}],
            "subnetGatewayIpv4Address": format!("{}/{}", subnet.gateway(), subnet.prefix()),
        }],
    })
}

pub(super) fn payload(message_id: &str, seq: i64, tasks: &[Value]) -> Value {
    json!({
        "messageId": message_id, "clusterArn": "arn:c", "containerInstanceArn": "arn:i",
        "seqNum": seq, "tasks": tasks,
    })
}

pub(super) fn stopped(mut task: Value) -> Value {
    task["desiredStatus"] = json!("STOPPED");
    task
}

#[test]
fn a_container_runs_writes_and_ends() {
    let bench = Bench::new();
    let agent = bench.agent();
    let control = &bench.control;
    bench.wait(async {
        control.sessions(1).await;
        let register = control.call("RegisterContainerInstance").await;
        assert_eq!(register["cluster"], "longshore-serverless");
        let attributes = register["attributes"].as_array().unwrap();
        assert!(attributes.iter().any(|a| a["name"] == "longshore.subnet-cidr"));
        let t =
            task(&bench, &agent, "one", &[("web", "echo $GREETING; echo oops >&2; seq 3000; exit 7", true)]);
        control.send("PayloadMessage", payload("m1", 1, std::slice::from_ref(&t)));
        control.send("PayloadMessage", payload("m2", 2, &[t]));
        assert_eq!(control.acs("AckRequest", 2).await[0]["cluster"], "arn:c");
        let end = control.report("one", "STOPPED").await;
        let container = end["containers"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&container["exitCode"], &container["status"]), (&json!(7), &json!("STOPPED")), "{end:#}");
        assert_eq!(container["imageDigest"], control.image.digest.as_str());
        let lines = control.lines("one/web");
        assert_eq!(lines.len(), 3002, "every line is there when STOPPED is");
        assert!(lines.contains(&"hello".to_owned()) && lines.contains(&"oops".to_owned()));
        assert!(control.tcs().await.contains("\r\n\r\n{"));
    });
    agent.kill();
    bench.clean();
}

#[test]
fn a_stop_is_polite_first_and_a_missing_command_says_so() {
    let bench = Bench::new();
    let agent = bench.agent();
    let control = &bench.control;
    bench.wait(async {
        control.sessions(1).await;
        let polite = task(
            &bench,
            &agent,
            "polite",
            &[("web", "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.05; done", true)],
        );
        let stubborn = task(
            &bench,
            &agent,
            "stubborn",
            &[("web", "trap '' TERM; echo up; while :; do sleep 0.05; done", true)],
        );
        let mut missing = task(&bench, &agent, "missing", &[("web", "", true)]);
        missing["containers"][0]["entryPoint"] = json!(["/no/such/thing"]);
        let mut unknown = task(&bench, &agent, "unknown", &[("web", "", true)]);
        unknown["containers"][0]["image"] = json!(format!("{}/busybox:nope", control.host()));
        control
            .send("PayloadMessage", payload("m1", 1, &[polite.clone(), stubborn.clone(), missing, unknown]));
        for id in ["polite", "stubborn"] {
            control.report(id, "RUNNING").await;
            control.line(&format!("{id}/web"), "up").await;
        }
        control.send("PayloadMessage", payload("m2", 2, &[stopped(polite), stopped(stubborn)]));
        let end = control.report("polite", "STOPPED").await;
        assert_eq!(end["containers"][0]["exitCode"], 3, "{end:#}");
        control.line("polite/web", "bye").await;
        let end = control.report("stubborn", "STOPPED").await;
        assert_eq!(end["containers"][0]["exitCode"], 137, "{end:#}");
        let end = control.report("missing", "STOPPED").await;
        let reason = end["containers"][0]["reason"].as_str().unwrap();
        assert!(
            reason.starts_with("CannotStartContainerError") && reason.contains("/no/such/thing"),
            "{reason}"
        );
        let end = control.report("unknown", "STOPPED").await;
        let reason = end["containers"][0]["reason"].as_str().unwrap();
        assert!(reason.starts_with("CannotPullContainerError") && reason.contains("not found"), "{reason}");
    });
    agent.kill();
    bench.clean();
}

#[test]
fn tasks_outlive_the_agent_and_the_control_plane() {
    let bench = Bench::new();
    let agent = bench.agent();
    let control = &bench.control;
    let stays = bench.wait(async {
        control.sessions(1).await;
        let stays = task(
            &bench,
            &agent,
            "stays",
            &[
                ("web", "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done", true),
                ("side", "exec sleep 1000", false),
            ],
        );
        let ends = task(&bench, &agent, "ends", &[("web", "sleep 0.5; echo last; exit 9", true)]);
        control.send("PayloadMessage", payload("m1", 1, &[stays.clone(), ends]));
        control.report("stays", "RUNNING").await;
        control.report("ends", "RUNNING").await;
        control.line("stays/web", "line 3").await;
        stays
    });
    control.set_away(true);
    agent.kill();
    // Meanwhile one of the containers ends.
    std::thread::sleep(std::time::Duration::from_millis(800));
    control.set_away(false);
    let agent = bench.agent();
    bench.wait(async {
        let end = control.report("ends", "STOPPED").await;
        let last = end["containers"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(last["exitCode"], 9, "{end:#}");
        control.line("ends/web", "last").await;
        control.sessions(2).await;
        // An abrupt end of the session brings another, and redelivery changes nothing.
        control.drop_sessions();
        control.sessions(3).await;
        control.send("PayloadMessage", payload("m2", 2, std::slice::from_ref(&stays)));
        control.acs("AckRequest", 2).await;
        // A manifest without the task: the agent asks before it stops it.
        let manifest = json!({"messageId": "m3", "clusterArn": "arn:c", "containerInstanceArn": "arn:i", "timeline": 3, "tasks": []});
        control.send("TaskManifestMessage", manifest);
        let asked = control.acs("TaskStopVerificationMessage", 1).await;
        let candidates = asked[0]["stopCandidates"].clone();
        // What has ended is known until its report is written off, which may be just now.
        let asked = candidates.as_array().unwrap();
        assert!(asked.iter().any(|candidate| candidate["taskArn"] == stays["arn"]), "{candidates}");
        control.send("TaskStopVerificationAck", json!({"messageId": "m3", "stopTasks": candidates}));
        control.report("stays", "STOPPED").await;
        assert_eq!(control.starts("stays", "web"), 1);
        let lines = control.lines("stays/web");
        let numbers: Vec<usize> = lines.iter().map(|l| l[5..].parse().unwrap()).collect();
        // Only the batch whose acknowledgement the killed agent never saw may come twice.
        let back = numbers.windows(2).filter(|w| w[1] != w[0] + 1).collect::<Vec<_>>();
        assert!(back.is_empty() || (back.len() == 1 && back[0][1] <= back[0][0] + 1), "lost: {back:?}");
    });
    agent.kill();
    bench.clean();
}

#[test]
fn cleanup_ends_what_still_runs() {
    let bench = Bench::new();
    let agent = bench.agent();
    bench.wait(async {
        bench.control.sessions(1).await;
        let t =
            task(&bench, &agent, "left", &[("a", "exec sleep 1000", true), ("b", "exec sleep 1000", true)]);
        bench.control.send("PayloadMessage", payload("m1", 1, &[t]));
        bench.control.report("left", "RUNNING").await;
    });
    assert!(bench.wait(cleanup(bench.dir.path())).is_err(), "an agent has the directory open");
    agent.kill();
    bench.clean();
    // The next agent tells how it ended, and doesn't begin it again when it is asked for.
    let agent = bench.agent();
    bench.wait(async {
        bench.control.sessions(2).await;
        let t =
            task(&bench, &agent, "left", &[("a", "exec sleep 1000", true), ("b", "exec sleep 1000", true)]);
        bench.control.send("PayloadMessage", payload("m2", 2, &[t]));
        let stopped = bench.control.report("left", "STOPPED").await;
        for container in stopped["containers"].as_array().unwrap() {
            assert_eq!(container["exitCode"], 137, "{stopped}");
        }
    });
    assert_eq!(bench.shims(), Vec::<i32>::new());
    agent.kill();
    bench.clean();
}

#[test]
fn order_memory_and_a_read_only_root_hold_in_real_containers() {
    let bench = Bench::new();
    let agent = bench.agent();
    let control = &bench.control;
    bench.wait(async {
        control.sessions(1).await;
        let mut ordered = task(
            &bench,
            &agent,
            "ordered",
            &[("app", "echo app; exit 4", true), ("migrate", "echo migrate; exit 0", false)],
        );
        ordered["containers"][0]["dependsOn"] = json!([{"containerName": "migrate", "condition": "SUCCESS"}]);
        let mut greedy =
            task(&bench, &agent, "greedy", &[("web", "cat /dev/zero | head -c 200m | tail", true)]);
        greedy["containers"][0]["memory"] = json!(16);
        let mut sealed = task(
            &bench,
            &agent,
            "sealed",
            &[("web", "echo x > /x || echo sealed; id -u; cat /etc/hostname", true)],
        );
        let host = sealed["containers"][0]["dockerConfig"]["hostConfig"].as_str().unwrap();
        let mut host: Value = serde_json::from_str(host).unwrap();
        host["ReadonlyRootfs"] = json!(true);
        sealed["containers"][0]["dockerConfig"]["hostConfig"] = json!(host.to_string());
        sealed["containers"][0]["dockerConfig"]["config"] = json!(json!({"User": "1000:1000"}).to_string());
        let mut files = task(&bench, &agent, "files", &[("web", "true", true)]);
        files["containers"][0]["environmentFiles"] = json!([{"value": "arn:aws:s3:::b/f", "type": "s3"}]);
        control.send("PayloadMessage", payload("m1", 1, &[ordered, greedy, sealed, files]));

        let end = control.report("ordered", "STOPPED").await;
        let all = end["containers"].as_array().unwrap();
        assert!(all.iter().any(|c| c["containerName"] == "app" && c["exitCode"] == 4), "{end:#}");

        let end = control.report("greedy", "STOPPED").await;
        let last = end["containers"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(last["exitCode"], 137, "{end:#}");
        assert_eq!(last["reason"], "OutOfMemoryError: Container killed due to memory usage");

        control.report("sealed", "STOPPED").await;
        let lines = control.lines("sealed/web");
        assert!(lines.contains(&"sealed".into()) && lines.contains(&"1000".into()), "{lines:?}");
        assert!(lines.iter().any(|l| l.starts_with("ip-") && l.ends_with(".ec2.internal")), "{lines:?}");

        let end = control.report("files", "STOPPED").await;
        assert!(end["reason"].as_str().unwrap().contains("environmentFiles"), "{end:#}");
    });
    agent.kill();
    bench.clean();
}

#[test]
fn a_burst_of_lines_arrives_whole() {
    let bench = Bench::new();
    let agent = bench.agent();
    let control = &bench.control;
    let lines = 400_000;
    bench.wait(async {
        control.sessions(1).await;
        let script = format!("seq {lines}");
        let t = task(&bench, &agent, "burst", &[("web", &script, true)]);
        control.send("PayloadMessage", payload("m1", 1, &[t]));
        control.report("burst", "STOPPED").await;
        control.line("burst/web", &lines.to_string()).await;
        let got = control.lines("burst/web");
        assert_eq!(got.len(), lines);
        assert!(got.iter().enumerate().all(|(i, l)| *l == (i + 1).to_string()));
    });
    agent.kill();
    bench.clean();
}

#[test]
fn a_shim_that_is_killed_takes_its_task_with_it_and_nothing_more() {
    let bench = Bench::new();
    let agent = bench.agent();
    let control = &bench.control;
    bench.wait(async {
        control.sessions(1).await;
        let t = task(&bench, &agent, "orphan", &[("web", "exec sleep 1000", true)]);
        control.send("PayloadMessage", payload("m1", 1, &[t]));
        control.report("orphan", "RUNNING").await;
        let shims = bench.shims();
        assert_eq!(shims.len(), 1, "one shim a task");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(shims[0]), nix::sys::signal::Signal::SIGKILL)
            .unwrap();
        let end = control.report("orphan", "STOPPED").await;
        let last = end["containers"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(last["exitCode"], Value::Null, "{end:#}");
        assert!(last["reason"].as_str().unwrap().contains("shim was killed"), "{end:#}");
    });
    agent.kill();
    bench.clean();
}
