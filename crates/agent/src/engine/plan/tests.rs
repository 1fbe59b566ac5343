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

#[test]
fn ports_links_and_hosts_of_a_bridge() {
    let dir = tempfile::tempdir().unwrap();
    let read = |change: &dyn Fn(&mut Task)| {
        let mut task = payload("RUNNING");
        task.launch_type = Some("EC2".into());
        task.network_mode = Some("bridge".into());
        task.containers.push(Container { name: "db".into(), ..task.containers[0].clone() });
        let web = &mut task.containers[0];
        web.links = vec!["db:store".into()];
        web.docker_config =
            docker(r#"{"ExtraHosts":["old:10.0.0.9"],"Dns":["10.0.0.2"]}"#, r#"{"Hostname":"w"}"#);
        let port = |text: &str| serde_json::from_str(text).unwrap();
        web.port_mappings = vec![
            port(r#"{"containerPort":80,"hostPort":8080}"#),
            port(r#"{"containerPort":53,"hostPort":0,"protocol":"udp"}"#),
            port(r#"{"containerPortRange":"9000-9002"}"#),
        ];
        change(&mut task);
        work("id", task, &StateDir::open(dir.path()).unwrap())
    };
    let (work, refused) = read(&|_| ());
    assert_eq!(refused, None);
    let web = &work.containers[0];
    assert_eq!(web.links, [Link { to: 1, alias: "store".into() }]);
    assert_eq!(web.extra_hosts, [("old".to_owned(), "10.0.0.9".parse().unwrap())]);
    let ports: Vec<_> =
        web.ports.iter().map(|p| (p.protocol.as_str(), p.container.count(), p.host)).collect();
    assert_eq!(ports, [("tcp", 1, Some(8080)), ("udp", 1, None), ("tcp", 3, None)]);
    let waits = &spec(&work.task).containers[0].depends_on;
    assert_eq!(waits, &[Dependency { on: 1, condition: Condition::Start }]);

    let reason =
        |change: &dyn Fn(&mut Task)| read(change).1.map(|refusal| refusal.reason).unwrap_or_default();
    assert!(reason(&|t| t.containers[0].links = vec!["nobody".into()]).contains("nobody"));
    assert!(reason(&|t| t.containers[1].links = vec!["web".into()]).contains("cycle"));
    assert!(reason(&|t| t.network_mode = Some("host".into())).contains("can't be linked"));
    assert!(reason(&|t| t.launch_type = Some("FARGATE".into())).contains("needs a container instance"));
    let (host, refused) = read(&|t| {
        t.network_mode = Some("host".into());
        t.containers[0].links.clear();
    });
    assert!(refused.is_none() && host.containers[0].ports.is_empty());
    assert_eq!(host.mode_of(0), NetworkMode::Host);
}

#[test]
fn a_gpu_is_one_containers() {
    let gpu = |kind: &str, containers: &[&str]| wire::acs::task::Association {
        name: "x.com/gpu=0".into(),
        r#type: kind.into(),
        content: None,
        containers: containers.iter().map(ToString::to_string).collect(),
    };
    let with = |association| refused(move |task| task.associations.push(association));
    assert_eq!(with(gpu("gpu", &["web"])), "");
    assert!(with(gpu("gpu", &["web", "web"])).contains("not of one container"));
    assert!(with(gpu("gpu", &["db"])).contains("not in the task"));
    assert!(with(gpu("elastic-inference", &["web"])).starts_with("UnsupportedFeature"));
    let mut task = payload("RUNNING");
    task.associations.push(gpu("gpu", &["web"]));
    let dir = tempfile::tempdir().unwrap();
    let (work, _) = work("id", task, &StateDir::open(dir.path()).unwrap());
    assert_eq!(work.containers[0].gpus, ["x.com/gpu=0"]);
}
