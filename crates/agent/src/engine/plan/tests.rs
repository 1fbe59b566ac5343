use super::*;
use crate::engine::tests::payload;

fn refused(change: impl FnOnce(&mut Task)) -> String {
    let mut task = payload("RUNNING");
    change(&mut task);
    let dir = tempfile::tempdir().unwrap();
    let (_, refusal) = work("id", task, &StateDir::open(dir.path()).unwrap());
    refusal.map(|r| r.reason).unwrap_or_default()
}

fn docker(host: &str, config: &str) -> Option<wire::acs::container::DockerConfig> {
    Some(wire::acs::container::DockerConfig {
        version: None,
        config: Some(config.into()),
        host_config: Some(host.into()),
    })
}

#[test]
fn each_field_that_is_not_honoured_is_named() {
    assert_eq!(refused(|_| ()), "");
    let host = |json: &'static str| refused(move |t| t.containers[0].docker_config = docker(json, ""));
    assert!(host(r#"{"Privileged":true}"#).contains("privileged"));
    assert!(host(r#"{"Init":true}"#).contains("linuxParameters.initProcessEnabled"));
    assert!(host(r#"{"LogConfig":{"Type":"splunk","Config":{}}}"#).contains("logDriver splunk"));
    assert!(host(r#"{"LogConfig":{"Type":"awslogs","Config":{}}}"#).contains("awslogs-group"));
    assert!(host("{").starts_with("HostConfigError"));
    assert!(refused(|t| t.network_mode = Some("host".into())).contains("networkMode host"));
    assert!(refused(|t| t.elastic_network_interfaces.clear()).contains("network interface"));
    assert!(refused(|t| t.pid_mode = Some("task".into())).contains("pidMode"));
}

#[test]
fn dependencies_must_make_sense() {
    let depends = |on: &str, condition: &str| {
        let d = wire::acs::container::ContainerDependency {
            container_name: on.into(),
            condition: condition.into(),
        };
        refused(move |t| t.containers[0].depends_on.push(d))
    };
    assert!(depends("web", "START").contains("cycle"));
    assert!(depends("nobody", "START").contains("nobody"));
    assert!(depends("web", "CREATE").contains("cycle"));
    assert!(depends("web", "LATER").contains("LATER"));
    let waits = refused(|t| {
        let mut db = t.containers[0].clone();
        db.name = "db".into();
        t.containers.push(db);
        t.containers[0].depends_on.push(wire::acs::container::ContainerDependency {
            container_name: "db".into(),
            condition: "HEALTHY".into(),
        });
    });
    assert!(waits.contains("db to be HEALTHY"), "{waits}");
}

#[test]
fn the_address_is_the_interfaces() {
    let dir = tempfile::tempdir().unwrap();
    let (work, _) = work("id", payload("RUNNING"), &StateDir::open(dir.path()).unwrap());
    let address = work.address.unwrap();
    assert_eq!((address.ip.to_string(), address.prefix), ("10.72.0.5".into(), 20));
    assert_eq!(address.gateway.to_string(), "10.72.0.1");
    assert_eq!(work.containers[0].runtime_id.len(), 13);
}
