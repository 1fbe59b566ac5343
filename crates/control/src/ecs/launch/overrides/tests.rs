use model::{
    ContainerShape, DefinitionKey, DefinitionStatus, Document, LaunchType, NetworkMode, Revision,
    RuntimePlatform, Scope, Size, Tags, TaskDefinition,
};
use serde_json::{Value, json};

use super::{Overrides, check};

fn definition(cpu: Option<u32>, memory_mib: Option<u32>) -> TaskDefinition {
    let shape = |name: &str| ContainerShape {
        name: name.into(),
        image: "i".into(),
        essential: true,
        cpu: 64,
        memory_mib: Some(128),
        memory_reservation_mib: None,
        host_ports: Vec::new(),
        gpus: 0,
        start_timeout_s: None,
        stop_timeout_s: None,
        health_checked: false,
    };
    let scope = Scope::new("000000000000", "us-east-1");
    TaskDefinition {
        key: DefinitionKey { scope, family: "web".into(), revision: Revision(1) },
        status: DefinitionStatus::Active,
        cpu,
        memory_mib,
        network_mode: NetworkMode::Awsvpc,
        compatibilities: Vec::new(),
        requires_compatibilities: Vec::new(),
        requires_attributes: Vec::new(),
        member_of: Vec::new(),
        platform: RuntimePlatform::default(),
        containers: vec![shape("app"), shape("side")],
        ephemeral_storage_gib: None,
        document: Document::of(&json!({})).unwrap(),
        tags: Tags::default(),
        registered_at_ms: 0,
        registered_by: None,
        deregistered_at_ms: None,
        delete_requested_at_ms: None,
    }
}

fn checked(launch_type: LaunchType, overrides: Value) -> Result<Overrides, String> {
    let (cpu, memory) = match launch_type {
        LaunchType::Fargate => (Some(256), Some(512)),
        LaunchType::Ec2 | LaunchType::External => (None, None),
    };
    let overrides = serde_json::from_value(overrides).unwrap();
    check(&definition(cpu, memory), launch_type, Some(&overrides))
        .map_err(|error| format!("{}: {}", error.code, error.message))
}

fn fargate(overrides: Value) -> Result<Overrides, String> {
    checked(LaunchType::Fargate, overrides)
}

fn app(own: Value) -> Value {
    let mut own = own;
    own["name"] = json!("app");
    json!({"containerOverrides": [own]})
}

#[test]
fn what_ecs_takes() {
    assert!(fargate(json!({})).unwrap().size.is_none());
    assert!(fargate(json!({"containerOverrides": []})).is_ok());
    assert!(fargate(app(json!({"command": [], "environment": [{"name": "A"}]}))).is_ok());
    let roles = json!({"taskRoleArn": "arn:aws:iam::0:role/t", "executionRoleArn": "arn:aws:iam::0:role/e"});
    assert!(fargate(roles).unwrap().document.unwrap().text().contains("role/t"));
    let size = fargate(json!({"cpu": "1 vCPU", "memory": "2 GB"})).unwrap().size;
    assert_eq!(size, Some(Size::new(1024, 2048)));
    assert!(fargate(app(json!({"cpu": 192, "memory": 512}))).unwrap().size.is_none(), "the task's holds");
    assert_eq!(
        fargate(json!({"ephemeralStorage": {"sizeInGiB": 30}})).unwrap().ephemeral_storage_gib,
        Some(30)
    );
}

#[test]
fn on_an_instance_the_containers_make_the_size() {
    let size = checked(LaunchType::Ec2, app(json!({"cpu": 500, "memoryReservation": 100}))).unwrap().size;
    assert_eq!(size, Some(Size::new(564, 228)));
}

#[test]
fn an_overrides_gpus_take_the_place_of_the_definitions() {
    let gpus =
        |list: Value| checked(LaunchType::Ec2, app(json!({"resourceRequirements": list}))).unwrap().gpus;
    assert_eq!(gpus(json!([{"type": "GPU", "value": "2"}])), Some(vec![2, 0]));
    assert_eq!(gpus(json!([])), None);
}

#[test]
fn what_ecs_refuses() {
    let refused = |overrides: Value, words: &str| {
        let error = fargate(overrides).unwrap_err();
        assert!(error.contains(words), "{error}");
    };
    refused(
        json!({"containerOverrides": [{"name": "x"}]}),
        "InvalidParameterException: Override for container named x",
    );
    refused(json!({"containerOverrides": [{"cpu": 1}]}), "name cannot be empty");
    refused(json!({"containerOverrides": [{"name": "app"}, {"name": "app"}]}), "more than once");
    refused(app(json!({"environment": [{"value": "v"}]})), "can not be blank");
    refused(app(json!({"cpu": -1})), "Invalid 'cpu' setting for container 'app'");
    refused(app(json!({"memory": 3})), "Invalid 'memory' setting");
    refused(
        app(json!({"memory": 513})),
        "The 'memory' setting for container 'app' is greater than for the task.",
    );
    refused(app(json!({"memoryReservation": 200})), "greater than or equal to 'memoryReservation'");
    refused(app(json!({"cpu": 193})), "The sum of all container 'cpu' values");
    refused(json!({"cpu": "256", "memory": "4096"}), "ClientException: No Fargate configuration exists");
    refused(json!({"cpu": "lots"}), "Invalid 'cpu' setting for task");
    refused(json!({"ephemeralStorage": {"sizeInGiB": 20}}), "between 21 and 200");
    refused(app(json!({"command": ["x".repeat(8192)]})), "at most 8192");
    let typed = "UnsupportedFeatureException: Longshore does not implement";
    refused(app(json!({"environmentFiles": [{"value": "arn:aws:s3:::b/f", "type": "s3"}]})), typed);
    let requires =
        |kind: &str, value: &str| app(json!({"resourceRequirements": [{"type": kind, "value": value}]}));
    refused(requires("NeuronDevice", "ALL"), typed);
    refused(requires("GPU", "0"), "InvalidParameterException: Invalid 'resourceRequirements' setting");
    refused(requires("GPU", "1"), "Fargate launch type do not support GPU");
    refused(json!({"inferenceAcceleratorOverrides": [{"deviceName": "d", "deviceType": "t"}]}), typed);
    let on_instance = checked(LaunchType::Ec2, json!({"ephemeralStorage": {"sizeInGiB": 30}})).unwrap_err();
    assert!(on_instance.contains("FARGATE"), "{on_instance}");
}
