//! The engine with a machine made of words: what survives a restart, and in what order things are
//! told.

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use wire::acs::container::DockerConfig;
use wire::acs::docker::HostConfig;
use wire::acs::network::Ipv4Address;
use wire::acs::{Container, ElasticNetworkInterface, Task};

use super::machine::Done;
use super::*;
use crate::task::{Action, Found, Known as Status, StateChange};

/// Does everything at once; containers run until they are told to stop.
#[derive(Default)]
struct Words {
    done: Mutex<Vec<String>>,
    found: Mutex<Vec<Found>>,
    /// Becomes a directory when an image is pulled: no file of this name can be written then.
    in_the_way: Option<std::path::PathBuf>,
}

impl Machine for Words {
    fn perform(self: Arc<Self>, _: Arc<Work>, action: Action, seen: Seen) -> Done<'static> {
        self.done.lock().unwrap().push(format!("{action:?}"));
        if let (Action::Pull { .. }, Some(path)) = (&action, &self.in_the_way) {
            let _ = std::fs::remove_file(path);
            std::fs::create_dir(path).unwrap();
        }
        Box::pin(async move {
            seen.see(match action {
                Action::AttachNetwork => Observation::NetworkAttached,
                Action::Pull { container } => Observation::Pulled { container, digest: "sha256:1".into() },
                Action::Create { container } => Observation::Created { container, runtime_id: "r".into() },
                Action::Start { container } => Observation::Started { container },
                Action::Stop { container } | Action::Kill { container } => {
                    Observation::Exited { container, code: Some(143), oom: false, reason: None, at_ms: 0 }
                }
                Action::Restart { container } => Observation::Restarted { container },
                Action::Check { container, run, .. } => Observation::Checked { container, run, passed: true },
                Action::Delete { container } => Observation::Deleted { container },
                Action::DetachNetwork => Observation::NetworkDetached,
                Action::SetTimer { .. } | Action::Report(_) => return,
            });
        })
    }

    fn find(self: Arc<Self>, _: Arc<Work>, _: Seen) -> Done<'static, Vec<Found>> {
        let found = self.found.lock().unwrap().clone();
        Box::pin(async move { found })
    }
}

#[derive(Default)]
struct Ears {
    heard: Mutex<Vec<StateChange>>,
    more: Notify,
    deaf: bool,
}

impl Reports for Ears {
    fn submit(&self, change: StateChange) -> Done<'_, Submitted> {
        Box::pin(async move {
            if self.deaf {
                std::future::pending::<()>().await;
            }
            self.heard.lock().unwrap().push(change);
            self.more.notify_one();
            Submitted::Acknowledged
        })
    }
}

impl Ears {
    async fn hear(&self, n: usize) -> Vec<(Status, Option<String>)> {
        loop {
            let heard: Vec<_> =
                self.heard.lock().unwrap().iter().map(|c| (c.status, c.reason.clone())).collect();
            if heard.len() >= n {
                return heard;
            }
            self.more.notified().await;
        }
    }
}

pub(super) fn payload(desired: &str) -> Task {
    let host = HostConfig { network_mode: Some("awsvpc".into()), ..Default::default() };
    let docker = DockerConfig::new("1.18", &Default::default(), &host).unwrap();
    Task {
        arn: "arn:aws:ecs:us-east-1:000000000000:task/default/0123456789abcdef".into(),
        desired_status: Some(desired.into()),
        network_mode: Some("awsvpc".into()),
        containers: vec![Container {
            name: "web".into(),
            image: "web:1".into(),
            essential: true,
            docker_config: Some(docker),
            ..Default::default()
        }],
        elastic_network_interfaces: vec![ElasticNetworkInterface {
            ec2_id: "eni-1".into(),
            mac_address: "02:00:00:00:00:05".into(),
            ipv4_addresses: vec![Ipv4Address { private_address: "10.72.0.5".into(), primary: true }],
            subnet_gateway_ipv4_address: Some("10.72.0.1/20".into()),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn open(root: &std::path::Path, machine: &Arc<Words>, ears: &Arc<Ears>) -> Engine {
    Engine::open(StateDir::open(root).unwrap(), machine.clone(), ears.clone()).unwrap()
}

#[tokio::test]
async fn a_payload_runs_stops_and_is_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let (machine, ears) = (Arc::new(Words::default()), Arc::new(Ears::default()));
    let engine = open(dir.path(), &machine, &ears);
    engine.accept(payload("RUNNING")).unwrap();
    engine.accept(payload("RUNNING")).unwrap();
    assert_eq!(ears.hear(1).await, [(Status::Running, None)]);
    assert_eq!(engine.known().len(), 1);
    engine.accept(payload("STOPPED")).unwrap();
    ears.hear(2).await;
    let starts = machine.done.lock().unwrap().iter().filter(|a| a.starts_with("Start")).count();
    assert_eq!(starts, 1);
    // A late payload starts nothing and is told the truth again, by a new agent too.
    while engine.inner.dir.load().unwrap()[0].record.closed_ms.is_none() {
        tokio::task::yield_now().await;
    }
    let engine = open(dir.path(), &machine, &ears);
    engine.accept(payload("RUNNING")).unwrap();
    assert_eq!(ears.hear(3).await.last(), Some(&(Status::Stopped, None)));
    assert!(engine.known().is_empty());
    assert_eq!(machine.done.lock().unwrap().iter().filter(|a| a.starts_with("Start")).count(), 1);
}

#[tokio::test]
async fn what_was_not_heard_is_said_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let machine = Arc::new(Words::default());
    let deaf = Arc::new(Ears { deaf: true, ..Default::default() });
    let engine = open(dir.path(), &machine, &deaf);
    engine.accept(payload("RUNNING")).unwrap();
    while !machine.done.lock().unwrap().iter().any(|a| a.starts_with("Start")) {
        tokio::task::yield_now().await;
    }
    while engine.inner.dir.load().unwrap()[0].record.unsent.is_empty() {
        tokio::task::yield_now().await;
    }
    drop(engine);
    *machine.found.lock().unwrap() =
        vec![Found::Exited { code: Some(7), oom: false, reason: None, at_ms: 0 }];
    let ears = Arc::new(Ears::default());
    let _engine = open(dir.path(), &machine, &ears);
    assert_eq!(ears.hear(2).await, [(Status::Running, None), (Status::Stopped, None)]);
    assert_eq!(ears.heard.lock().unwrap()[1].containers[0].exit_code, Some(7));
}

#[tokio::test]
async fn what_is_not_honoured_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let (machine, ears) = (Arc::new(Words::default()), Arc::new(Ears::default()));
    let engine = open(dir.path(), &machine, &ears);
    let mut task = payload("RUNNING");
    task.containers[0].environment_files.push(Default::default());
    engine.accept(task).unwrap();
    let heard = ears.hear(1).await;
    assert_eq!(heard[0].0, Status::Stopped);
    assert!(heard[0].1.as_ref().unwrap().contains("container web uses environmentFiles"), "{heard:?}");
    assert!(machine.done.lock().unwrap().is_empty());
    let error = engine.accept(payload("DANCING")).unwrap_err();
    assert!(error.reason.contains("DANCING"));
}

#[tokio::test]
async fn what_cannot_be_written_down_is_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let in_the_way = Some(dir.path().join("tasks/0123456789abcdef/record.json"));
    let (machine, ears) = (Arc::new(Words { in_the_way, ..Default::default() }), Arc::new(Ears::default()));
    let engine = open(dir.path(), &machine, &ears);
    engine.accept(payload("RUNNING")).unwrap();
    assert_eq!(ears.hear(1).await[0].0, Status::Stopped);
    let reason = ears.heard.lock().unwrap()[0].containers[0].reason.clone().unwrap();
    assert!(reason.starts_with("CannotCreateContainerError: it can't be written down: "), "{reason}");
    assert!(!machine.done.lock().unwrap().iter().any(|action| action.starts_with("Create")));
}
