use model::LaunchType::{self, Ec2, External, Fargate};
use model::{HostPort, NetworkMode, Transport};
use serde_json::{Value, json};

use super::*;

#[test]
fn what_ecs_fills_in_is_filled_in() {
    let new = admit_json(json!({
        "family": "web", "networkMode": "awsvpc", "cpu": ".25 vCPU", "memory": "0.5GB",
        "containerDefinitions": [{
            "name": "app", "image": "nginx", "portMappings": [{"containerPort": 80}],
            "healthCheck": {"command": ["CMD-SHELL", "true"]},
        }],
        "volumes": [{"name": "scratch"}],
        "requiresCompatibilities": [],
    }))
    .unwrap();
    assert_eq!(
        new.document.to::<Value>().unwrap(),
        json!({
            "family": "web", "networkMode": "awsvpc", "cpu": "256", "memory": "512",
            "containerDefinitions": [{
                "name": "app", "image": "nginx", "cpu": 0, "essential": true, "environment": [],
                "mountPoints": [], "volumesFrom": [], "systemControls": [],
                "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp"}],
                "healthCheck": {"command": ["CMD-SHELL", "true"], "interval": 30, "timeout": 5, "retries": 3},
            }],
            "volumes": [{"name": "scratch", "host": {}}],
            "placementConstraints": [],
        })
    );
    assert_eq!((new.cpu, new.memory_mib, new.network_mode), (Some(256), Some(512), NetworkMode::Awsvpc));
    assert_eq!(new.compatibilities, [Ec2, Fargate]);
    assert_eq!(new.registered_by.as_deref(), Some("arn:aws:iam::000000000000:root"));
}

#[test]
fn a_bridges_free_ports_are_zero_and_take_no_host_port() {
    let ports = json!([
        {"containerPort": 80}, {"containerPort": 81, "hostPort": 8081},
        {"containerPort": 53, "hostPort": 53, "protocol": "udp"},
        {"containerPortRange": "9000-9004"},
    ]);
    let new = admit_json(ec2(json!({"portMappings": ports}))).unwrap();
    let document: ecs::TaskDefinition = new.document.to().unwrap();
    let filled = document.container_definitions.unwrap().remove(0).port_mappings.unwrap();
    assert_eq!(
        filled.iter().map(|port| port.host_port).collect::<Vec<_>>(),
        [Some(0), Some(8081), Some(53), None]
    );
    let tcp = |port| HostPort { port, transport: Transport::Tcp };
    let udp = |port| HostPort { port, transport: Transport::Udp };
    assert_eq!(new.containers[0].host_ports, [tcp(8081), udp(53)]);

    let host = merged(
        ec2(json!({"portMappings": [{"containerPort": 80}, {"containerPort": 90}]})),
        json!({"networkMode": "host"}),
    );
    assert_eq!(admit_json(host).unwrap().containers[0].host_ports, [tcp(80), tcp(90)]);
    let own = fargate_with(json!({"portMappings": [{"containerPort": 80}]}));
    assert_eq!(admit_json(own).unwrap().containers[0].host_ports, []);
}

#[test]
fn the_shape_holds_what_decisions_need() {
    let new = admit_json(ec2(json!({
        "cpu": 10, "memory": 128, "memoryReservation": 64, "essential": true, "startTimeout": 30,
        "stopTimeout": 5, "healthCheck": {"command": ["CMD", "true"]},
    })))
    .unwrap();
    let shape = &new.containers[0];
    assert_eq!((&*shape.name, &*shape.image, shape.essential, shape.cpu), ("app", "nginx", true, 10));
    assert_eq!((shape.memory_mib, shape.memory_reservation_mib), (Some(128), Some(64)));
    assert_eq!(
        (shape.start_timeout_s, shape.stop_timeout_s, shape.health_checked),
        (Some(30), Some(5), true)
    );
    let unchecked = admit_json(ec2(json!({"healthCheck": {"command": ["NONE"]}}))).unwrap();
    assert!(!unchecked.containers[0].health_checked);
}

#[test]
fn launch_types_follow_from_the_definition() {
    let of = |request: Value| -> Vec<LaunchType> { admit_json(request).unwrap().compatibilities };
    assert_eq!(of(ec2(json!({}))), [External, Ec2]);
    assert_eq!(of(fargate(json!({}))), [Ec2, Fargate]);
    // Without a size of its own, or with something that Fargate lacks, it is not for Fargate.
    let mut unsized_task = fargate(json!({"requiresCompatibilities": []}));
    unsized_task.as_object_mut().unwrap().remove("cpu");
    assert_eq!(of(unsized_task), [Ec2]);
    let privileged = json!([{"name": "app", "image": "nginx", "privileged": true}]);
    assert_eq!(
        of(fargate(json!({"requiresCompatibilities": ["EC2"], "containerDefinitions": privileged}))),
        [Ec2]
    );
    let both =
        admit_json(fargate(json!({"requiresCompatibilities": ["FARGATE", "EC2", "FARGATE"]}))).unwrap();
    assert_eq!(both.requires_compatibilities, [Fargate, Ec2]);
}

#[test]
fn required_attributes_are_those_that_aws_lists() {
    let names = |request: Value| -> Vec<String> {
        admit_json(request).unwrap().requires_attributes.iter().map(|a| a.name.to_string()).collect()
    };
    assert_eq!(names(ec2(json!({}))), Vec::<String>::new());
    // Seen in AWS's answer for a definition of this form.
    let request = fargate(json!({
        "executionRoleArn": "arn:aws:iam::000000000000:role/e", "cpu": "1024", "memory": "2048",
        "ephemeralStorage": {"sizeInGiB": 21},
        "containerDefinitions": [{
            "name": "app", "image": "000000000000.dkr.ecr.us-west-2.amazonaws.com/a/b:latest", "memory": 2048,
            "environmentFiles": [{"value": "arn:aws:s3:::c/s.env", "type": "s3"}],
            "logConfiguration": {"logDriver": "awslogs", "options": {
                "awslogs-group": "/ecs/a", "mode": "non-blocking", "awslogs-region": "us-west-2",
                "awslogs-stream-prefix": "ecs",
            }},
        }],
    }));
    let mut listed = names(request);
    listed.sort();
    assert_eq!(
        listed,
        [
            "com.amazonaws.ecs.capability.docker-remote-api.1.18",
            "com.amazonaws.ecs.capability.docker-remote-api.1.19",
            "com.amazonaws.ecs.capability.docker-remote-api.1.28",
            "com.amazonaws.ecs.capability.docker-remote-api.1.29",
            "com.amazonaws.ecs.capability.ecr-auth",
            "com.amazonaws.ecs.capability.logging-driver.awslogs",
            "ecs.capability.env-files.s3",
            "ecs.capability.execution-role-awslogs",
            "ecs.capability.execution-role-ecr-pull",
            "ecs.capability.extensible-ephemeral-storage",
            "ecs.capability.task-eni",
        ]
    );
    let mut ordered = names(ec2(json!({
        "memoryReservation": 32, "stopTimeout": 10, "privileged": true,
        "secrets": [{"name": "A", "valueFrom": "arn:aws:secretsmanager:us-east-1:0:secret:x"}, {"name": "B", "valueFrom": "b"}],
    })));
    ordered.sort();
    assert_eq!(
        ordered,
        [
            "com.amazonaws.ecs.capability.docker-remote-api.1.17",
            "com.amazonaws.ecs.capability.docker-remote-api.1.21",
            "com.amazonaws.ecs.capability.privileged-container",
            "ecs.capability.container-ordering",
            "ecs.capability.secrets.asm.environment-variables",
            "ecs.capability.secrets.ssm.environment-variables",
        ]
    );
}
