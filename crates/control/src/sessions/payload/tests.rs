use serde_json::json;
use wire::{acs, ecs};

use super::Runtime;
use super::container::Source;
use crate::keyring::NoRoles;
use crate::task_keys::TaskKeys;

/// The payload of one container, as JSON with Docker's texts unfolded.
fn described(definition: serde_json::Value, overrides: serde_json::Value) -> serde_json::Value {
    described_with(definition, overrides, None)
}

/// `log_mode`: the account's setting.
fn described_with(
    definition: serde_json::Value,
    overrides: serde_json::Value,
    log_mode: Option<&str>,
) -> serde_json::Value {
    described_to(&Runtime::Own, definition, overrides, log_mode)
}

fn described_to(
    runtime: &Runtime,
    definition: serde_json::Value,
    overrides: serde_json::Value,
    log_mode: Option<&str>,
) -> serde_json::Value {
    let document: ecs::TaskDefinition =
        serde_json::from_value(json!({"networkMode": "awsvpc", "containerDefinitions": [definition]}))
            .unwrap();
    let overrides: ecs::TaskOverride = serde_json::from_value(overrides).unwrap();
    let (task, definition) = entities(&document);
    let container = &document.container_definitions.as_ref().unwrap()[0];
    let source = Source {
        task: &task,
        definition: &definition,
        document: &document,
        container,
        record: &task.containers[0],
        log_mode,
        runtime,
        by_role: false,
    };
    let mut value = serde_json::to_value(source.build(&overrides).unwrap()).unwrap();
    for text in ["config", "hostConfig"] {
        let inner = value["dockerConfig"][text].as_str().unwrap().to_owned();
        value["dockerConfig"][text] = serde_json::from_str(&inner).unwrap();
    }
    value
}

fn entities(document: &ecs::TaskDefinition) -> (model::Task, model::TaskDefinition) {
    use model::command::{NewDefinition, NewTask, Registration};
    use model::*;
    let name = document.container_definitions.as_ref().unwrap()[0].name.clone().unwrap();
    let scope = Scope::new("000000000000", "us-east-1");
    let cluster = scope.cluster("default");
    let mut world = World::new();
    let commands = [
        Command::CreateCluster { key: cluster.clone(), change: Default::default(), tags: Tags::default() },
        Command::RegisterInstance(Box::new(Registration {
            id: InstanceId(1),
            home: Home::Pool,
            attributes: Vec::new(),
            total: Size::new(4096, 8192),
            reserved_ports: Vec::new(),
            gpus: Vec::new(),
            subnet: Some("10.0.0.0/16".parse().unwrap()),
            version_info: None,
            agent_version: None,
            ec2_instance_id: None,
            tags: Tags::default(),
            document: None,
            token: None,
        })),
        Command::SetAgentConnected { id: InstanceId(1), connected: true },
        Command::RegisterTaskDefinition(Box::new(NewDefinition {
            scope: scope.clone(),
            family: "web".into(),
            cpu: Some(256),
            memory_mib: Some(512),
            network_mode: NetworkMode::Awsvpc,
            compatibilities: vec![LaunchType::Fargate],
            requires_compatibilities: vec![LaunchType::Fargate],
            requires_attributes: Vec::new(),
            member_of: Vec::new(),
            platform: RuntimePlatform::default(),
            containers: vec![ContainerShape {
                name: name.as_str().into(),
                image: "app".into(),
                essential: true,
                cpu: 0,
                memory_mib: None,
                memory_reservation_mib: None,
                host_ports: Vec::new(),
                gpus: 0,
                start_timeout_s: None,
                stop_timeout_s: None,
                health_checked: document.container_definitions.as_ref().unwrap()[0].health_check.is_some(),
            }],
            ephemeral_storage_gib: None,
            document: Document::of(document).unwrap(),
            tags: Tags::default(),
            registered_by: None,
        })),
        Command::StartTasks {
            tasks: vec![NewTask {
                id: TaskId(0xabc),
                cluster: cluster.clone(),
                definition: DefinitionRef { family: "web".into(), revision: Revision(1) },
                instance: InstanceId(1),
                launch_type: LaunchType::Fargate,
                capacity_provider: None,
                platform_version: None,
                platform_family: None,
                group: Some("family:web".into()),
                distinct_instance: false,
                started_by: None,
                service: None,
                deployment: None,
                size: None,
                gpus: None,
                overrides: None,
                network: None,
                subnet: None,
                tags: Tags::default(),
                enable_execute_command: false,
                ephemeral_storage_gib: None,
                run: None,
                document: None,
            }],
            token: None,
        },
    ];
    for command in commands {
        transact(&mut world, &command, 1000).unwrap();
    }
    let task = world.task(TaskId(0xabc)).unwrap();
    // The whole task can be described, too, and names what ECS's agent insists on.
    let whole = super::task(&world, task, &Runtime::Own, 0).unwrap();
    assert_eq!(whole.arn, "arn:aws:ecs:us-east-1:000000000000:task/default/00000000000000000000000000000abc");
    assert_eq!((whole.cpu, whole.memory, whole.version.as_str()), (Some(0.25), Some(512), "1"));
    assert_eq!(whole.elastic_network_interfaces.len(), 1);
    let definition = world.definition(&task.definition_key()).unwrap();
    (model::Task::clone(task), model::TaskDefinition::clone(definition))
}

#[test]
fn a_gpu_is_associated_with_its_container() {
    let document =
        serde_json::from_value(json!({"containerDefinitions": [{"name": "app", "image": "a"}]})).unwrap();
    let (mut task, _) = entities(&document);
    task.containers[0].gpus = vec!["GPU-1".into(), "GPU-2".into()];
    let told: Vec<_> = super::gpus(&task.containers[0]).collect();
    let one = |id: &str| json!({"name": id, "type": "gpu", "containers": ["app"]});
    assert_eq!(serde_json::to_value(told).unwrap(), json!([one("GPU-1"), one("GPU-2")]));
}

#[test]
fn docker_terms_carry_what_the_protocol_has_no_field_for() {
    let described = described(
        json!({
            "name": "app", "image": "app:1", "user": "1000:1000", "workingDirectory": "/srv",
            "readonlyRootFilesystem": true, "memoryReservation": 64, "stopTimeout": 5,
            "ulimits": [{"name": "nofile", "softLimit": 10, "hardLimit": 20}],
            "linuxParameters": {"capabilities": {"drop": ["CHOWN"]}, "initProcessEnabled": true},
            "healthCheck": {"command": ["CMD", "true"], "startPeriod": 2},
        }),
        json!({}),
    );
    let (config, host) = (&described["dockerConfig"]["config"], &described["dockerConfig"]["hostConfig"]);
    assert_eq!(config["User"], "1000:1000");
    assert_eq!(config["WorkingDir"], "/srv");
    assert_eq!(config["Healthcheck"]["Interval"], 30_000_000_000_i64);
    assert_eq!(config["Healthcheck"]["StartPeriod"], 2_000_000_000_i64);
    assert_eq!(host["ReadonlyRootfs"], true);
    assert_eq!(host["MemoryReservation"], 64 * 1024 * 1024);
    assert_eq!(host["Ulimits"], json!([{"Name": "nofile", "Soft": 10, "Hard": 20}]));
    assert_eq!(host["CapDrop"], json!(["CHOWN"]));
    assert_eq!(host["Init"], true);
    assert_eq!(described["stopTimeout"], 5);
    assert_eq!(described["healthCheckType"], "docker");
}

#[test]
fn a_log_stream_is_named_after_prefix_container_and_task() {
    let log = |options: serde_json::Value| {
        let definition = json!({
            "name": "app", "image": "a", "logConfiguration": {"logDriver": "awslogs", "options": options},
        });
        described(definition, json!({}))["dockerConfig"]["hostConfig"]["LogConfig"].clone()
    };
    let config = log(json!({"awslogs-group": "/ecs/web", "awslogs-stream-prefix": "ecs"}));
    assert_eq!(config["Type"], "awslogs");
    assert_eq!(
        config["Config"],
        json!({
            "awslogs-group": "/ecs/web", "awslogs-region": "us-east-1",
            "awslogs-stream": "ecs/app/00000000000000000000000000000abc",
        })
    );
    let elsewhere = log(json!({"awslogs-group": "g", "awslogs-region": "eu-west-1"}));
    assert_eq!(elsewhere["Config"]["awslogs-region"], "eu-west-1");
}

fn docker() -> Runtime {
    let query = acs::SessionQuery { docker_version: "DockerVersion: 27.0".into(), ..Default::default() };
    let config = crate::app::Config {
        endpoint: "http://127.0.0.1:4580".into(),
        hosts: Vec::new(),
        account: "000000000000".into(),
        region: "us-east-1".into(),
        stopped_task_retention_ms: 0,
        lost_after_ms: 0,
    };
    let keys = TaskKeys::new(b"a", std::sync::Arc::new(NoRoles));
    Runtime::of(&query, "http://10.0.0.1:4580", &config, &keys)
}

#[test]
fn a_docker_daemon_is_told_where_our_services_are() {
    let docker = docker();
    let definition = || {
        json!({
            "name": "app", "image": "000000000000.dkr.ecr.us-east-1.amazonaws.com/web:1",
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "g"}},
        })
    };
    let told = described_to(&docker, definition(), json!({}), None);
    assert_eq!(told["image"], "10.0.0.1:4580/web:1");
    assert_eq!(
        told["registryAuthentication"],
        json!({"type": "ecr", "ecrAuthData": {
            "registryId": "000000000000", "region": "us-east-1", "endpointOverride": "http://10.0.0.1:4580",
            "useExecutionRole": false,
        }})
    );
    let endpoint = |told: &serde_json::Value| {
        told["dockerConfig"]["hostConfig"]["LogConfig"]["Config"]["awslogs-endpoint"].clone()
    };
    assert_eq!(endpoint(&told), "http://10.0.0.1:4580");
    // Ours goes by the name, and knows where the logs are.
    let own = described(definition(), json!({}));
    assert_eq!(own["image"], "000000000000.dkr.ecr.us-east-1.amazonaws.com/web:1");
    assert_eq!((&own["registryAuthentication"], endpoint(&own)), (&json!(null), json!(null)));
}

#[test]
fn volumes_by_their_kind() {
    let kinds = [
        (json!({"name": "v", "host": {}}), json!({"name": "v", "type": "host", "host": {}})),
        (
            json!({"name": "v", "host": {"sourcePath": "/srv"}}),
            json!({"name": "v", "type": "host", "host": {"sourcePath": "/srv"}}),
        ),
        (
            json!({"name": "v", "dockerVolumeConfiguration": {"scope": "shared", "autoprovision": true}}),
            json!({"name": "v", "type": "docker",
                "dockerVolumeConfiguration": {"scope": "shared", "autoprovision": true}}),
        ),
        // Never taken for an empty one.
        (
            json!({"name": "v", "configuredAtLaunch": true}),
            json!({"name": "v", "type": "configuredAtLaunch"}),
        ),
        (
            json!({"name": "v", "s3filesVolumeConfiguration": {"fileSystemArn": "arn:f"}}),
            json!({"name": "v", "type": "s3files"}),
        ),
    ];
    for (given, told) in kinds {
        let given: ecs::Volume = serde_json::from_value(given).unwrap();
        assert_eq!(serde_json::to_value(super::volume(&given)).unwrap(), told);
    }
}

#[test]
fn overrides_are_merged_in() {
    let described = described(
        json!({
            "name": "app", "image": "a", "command": ["serve"], "cpu": 10, "memory": 100,
            "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        }),
        json!({"containerOverrides": [{
            "name": "app", "command": ["migrate", "now"], "memory": 200,
            "environment": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}],
        }]}),
    );
    assert_eq!(described["command"], json!(["migrate", "now"]));
    assert_eq!(described["environment"], json!({"A": "1", "B": "3", "C": "4"}));
    assert_eq!((&described["cpu"], &described["memory"]), (&json!(10), &json!(200)));
}

#[test]
fn with_awsvpc_the_host_port_is_the_containers() {
    let described = described(
        json!({"name": "app", "image": "a", "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}]}),
        json!({}),
    );
    assert_eq!(described["portMappings"], json!([{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}]));
}

#[test]
fn the_account_s_log_mode_is_for_containers_that_name_none() {
    let mode = |driver: &str, options: serde_json::Value, log_mode| {
        let log = json!({"logDriver": driver, "options": options});
        let container = json!({"name": "app", "image": "app", "logConfiguration": log});
        let config =
            &described_with(container, json!({}), log_mode)["dockerConfig"]["hostConfig"]["LogConfig"];
        config["Config"].get("mode").cloned()
    };
    let options = || json!({"awslogs-group": "g", "awslogs-region": "us-east-1"});
    assert_eq!(mode("awslogs", options(), None), None);
    assert_eq!(mode("awslogs", options(), Some("non-blocking")), Some(json!("non-blocking")));
    let own = json!({"awslogs-group": "g", "awslogs-region": "us-east-1", "mode": "blocking"});
    assert_eq!(mode("awslogs", own, Some("non-blocking")), Some(json!("blocking")));
    assert_eq!(mode("awsfirelens", json!({}), Some("non-blocking")), None);
}
