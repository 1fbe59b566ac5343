use model::LaunchType;
use serde_json::{Value, json};

use super::*;

#[test]
fn names_images_and_counts() {
    let containers = |count: usize| {
        let all: Vec<Value> =
            (0..count).map(|n| json!({"name": format!("c{n}"), "image": "i", "memory": 4})).collect();
        json!({"family": "web", "containerDefinitions": all})
    };
    taken([containers(10), merged(ec2(json!({})), json!({"family": "a".repeat(255)}))]);
    taken(
        [
            "nginx:1.27",
            "a.b/c_d/e@sha256:0123",
            "000000000000.dkr.ecr.us-east-1.amazonaws.com/a/b:c",
            "h:5000/x#y",
        ]
        .map(|image| ec2(json!({"image": image}))),
    );
    refused([
        (containers(0), "Container list cannot be empty."),
        (containers(11), "Too many containers."),
        (merged(ec2(json!({})), json!({"family": ""})), "Family can not be blank."),
        (merged(ec2(json!({})), json!({"family": "a b"})), "Family contains invalid characters."),
        (merged(ec2(json!({})), json!({"family": "a:1"})), "Family contains invalid characters."),
        (merged(ec2(json!({})), json!({"family": "a".repeat(256)})), "Family contains invalid characters."),
        (ec2(json!({"name": null})), "Container.name should not be null or empty."),
        (ec2(json!({"name": ""})), "Container.name should not be null or empty."),
        (ec2(json!({"name": "my app"})), "Container.name contains invalid characters."),
        (ec2(json!({"image": null})), "Container.image should not be null or empty."),
        (ec2(json!({"image": "nginx latest"})), "Container.image contains invalid characters."),
        (ec2(json!({"image": "$IMAGE"})), "Container.image contains invalid characters."),
        (
            several(json!([{"name": "a"}, {"name": "a"}])),
            "Container names must be unique within a Task Definition.",
        ),
        (ec2(json!({"essential": false})), "Task definition doesn't have any essential container."),
        (merged(ec2(json!({})), json!({"tags": []})), "Tags can not be empty."),
        (
            merged(
                ec2(json!({})),
                json!({"inferenceAccelerators": [{"deviceName": "d", "deviceType": "t"}]}),
            ),
            "Unsupported field 'inferenceAccelerators'.",
        ),
    ]);
    let tags = merged(ec2(json!({})), json!({"tags": [{"key": "aws:x", "value": "1"}]}));
    assert_eq!(admit_json(tags).unwrap_err().code, "ClientException");
    let long = ec2(json!({"environment": [{"name": "A", "value": "x".repeat(70_000)}]}));
    let error = admit_json(long).unwrap_err();
    assert!(error.message.ends_with("Max allowed length is '65536' bytes."), "{error}");
}

#[test]
fn sizes_of_tasks_and_containers() {
    taken([
        fargate(json!({"cpu": "16 vCPU", "memory": "120 GB"})),
        fargate(json!({"cpu": "8192", "memory": "16384"})),
        merged(ec2(json!({"memory": null})), json!({"memory": "100"})),
        ec2(json!({"memory": null, "memoryReservation": 4})),
        ec2(json!({"memory": 64, "memoryReservation": 64})),
        merged(ec2(json!({"cpu": 128})), json!({"cpu": "128"})),
    ]);
    refused([
        (
            fargate(json!({"cpu": "100", "memory": "100"})),
            "No Fargate configuration exists for given values: 100 CPU, 100 memory. \
             See the Amazon ECS documentation for the valid values.",
        ),
        (fargate(json!({"cpu": null})), "Fargate requires that 'cpu' be defined at the task level."),
        (
            merged(fargate_with(json!({"memory": 64})), json!({"memory": null})),
            "Fargate requires that 'memory' be defined at the task level.",
        ),
        (
            fargate(json!({"cpu": "lots"})),
            "Invalid 'cpu' setting for task. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.",
        ),
        (
            merged(ec2(json!({})), json!({"cpu": "64"})),
            "Invalid 'cpu' setting for task. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.",
        ),
        (
            merged(ec2(json!({})), json!({"memory": "much"})),
            "Invalid 'memory' setting for task. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.",
        ),
        (
            ec2(json!({"memory": null})),
            "Invalid setting for container 'app'. At least one of 'memory' or 'memoryReservation' must be specified.",
        ),
        (
            ec2(json!({"memory": 64, "memoryReservation": 65})),
            "Invalid setting for container 'app'. 'memory' must be greater than or equal to 'memoryReservation'.",
        ),
        (ec2(json!({"memory": 3})), "Invalid 'memory' setting for container 'app'."),
        (ec2(json!({"cpu": -1})), "Invalid 'cpu' setting for container 'app'."),
        (
            fargate_with(json!({"memory": 513})),
            "The 'memory' setting for container 'app' is greater than for the task.",
        ),
        (
            fargate_with(json!({"cpu": 257})),
            "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.",
        ),
        (
            merged(
                several(
                    json!([{"name": "a", "memoryReservation": 60}, {"name": "b", "memoryReservation": 60}]),
                ),
                json!({"memory": "100"}),
            ),
            "The sum of all container 'memoryReservation' values cannot be greater than the value of the task 'memory'.",
        ),
    ]);
}

#[test]
fn dependencies_and_links() {
    let wait = |on: &str, condition: &str| json!([{"containerName": on, "condition": condition}]);
    taken([
        several(json!([{"name": "a", "dependsOn": wait("b", "START")}, {"name": "b"}])),
        several(json!([{"name": "a", "dependsOn": wait("b", "SUCCESS")}, {"name": "b", "essential": false}])),
        several(json!([
            {"name": "a", "dependsOn": wait("b", "HEALTHY")},
            {"name": "b", "healthCheck": {"command": ["CMD", "true"]}}
        ])),
        several(json!([{"name": "a", "links": ["b:db", "c"]}, {"name": "b"}, {"name": "c"}])),
    ]);
    refused([
        (
            several(
                json!([{"name": "a", "dependsOn": wait("b", "START")}, {"name": "b", "dependsOn": wait("a", "START")}]),
            ),
            "Container dependencies should not have a cycle: a, b, a.",
        ),
        (
            ec2(json!({"dependsOn": wait("app", "START")})),
            "Container dependencies should not have a cycle: app, app.",
        ),
        (
            ec2(json!({"dependsOn": wait("nobody", "START")})),
            "Cannot depend on container + 'nobody' because it does not exist",
        ),
        (
            several(json!([{"name": "a", "dependsOn": wait("b", "SUCCESS")}, {"name": "b"}])),
            "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container",
        ),
        (
            several(json!([{"name": "a", "dependsOn": wait("b", "COMPLETE")}, {"name": "b"}])),
            "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container",
        ),
        (
            several(json!([{"name": "a", "dependsOn": wait("b", "HEALTHY")}, {"name": "b"}])),
            "A dependency container with HEALTHY condition must have health check configured",
        ),
        (
            several(json!([
                {"name": "a", "dependsOn": wait("b", "HEALTHY")},
                {"name": "b", "healthCheck": {"command": ["NONE"]}}
            ])),
            "A dependency container with HEALTHY condition must have health check configured",
        ),
        (
            several(json!([{"name": "a", "links": ["b"]}, {"name": "b", "links": ["a:x"]}])),
            "Container links should not have a cycle",
        ),
        (ec2(json!({"links": ["nobody"]})), "Invalid 'links' setting. Unknown container: 'nobody'."),
        (ec2(json!({"links": [":x"]})), "Invalid 'links' setting for container 'app'."),
        (
            ec2(json!({"volumesFrom": [{"sourceContainer": "nobody"}]})),
            "Invalid 'volumesFrom' setting. Unknown container: 'nobody'",
        ),
    ]);
}

#[test]
fn smaller_things() {
    refused([
        (
            ec2(json!({"stopTimeout": 1})),
            "Granular stop timeout on container 'app' must be at least 2 seconds.",
        ),
        (
            ec2(json!({"startTimeout": 0})),
            "Granular start timeout on container 'app' must be at least 2 seconds.",
        ),
        (
            ec2(json!({"healthCheck": {"command": ["CMD", "x"], "interval": 4}})),
            "The 'healthCheck.interval' setting for container 'app' must be between 5 and 300.",
        ),
        (
            ec2(json!({"healthCheck": {"command": []}})),
            "The health check of container 'app' must have a command.",
        ),
        (
            ec2(json!({"healthCheck": {"command": ["true"]}})),
            "The 'healthCheck.command' setting for container 'app' must start with CMD or CMD-SHELL, and a command must follow.",
        ),
        (
            ec2(json!({"healthCheck": {"command": ["CMD-SHELL"]}})),
            "The 'healthCheck.command' setting for container 'app' must start with CMD or CMD-SHELL, and a command must follow.",
        ),
        (
            ec2(json!({"restartPolicy": {"enabled": true, "restartAttemptPeriod": 59}})),
            "The 'restartAttemptPeriod' setting for container 'app' must be between 60 and 1800.",
        ),
        (
            ec2(json!({"ulimits": [{"name": "nofile", "softLimit": 2, "hardLimit": 1}]})),
            "Soft limit exceeds hard limit for ulimit nofile.",
        ),
        (
            ec2(
                json!({"environment": [{"name": "A", "value": "1"}], "secrets": [{"name": "A", "valueFrom": "x"}]}),
            ),
            "The secret name must be unique and not shared with any new or existing environment variables set on the container, such as 'A'.",
        ),
        (
            ec2(json!({"environment": [{"value": "1"}]})),
            "Container 'app' has an environment variable without a usable name.",
        ),
        (ec2(json!({"environmentFiles": [{"type": "s3", "value": "bucket/key"}]})), "Invalid arn syntax"),
        (
            merged(ec2(json!({})), json!({"placementConstraints": [{"type": "memberOf"}]})),
            "A placement constraint of the type memberOf must have an expression.",
        ),
        (
            merged(ec2(json!({})), json!({"proxyConfiguration": {"containerName": "app"}})),
            "APPMESH proxy configuration is only supported in networkMode=awsvpc.",
        ),
        (
            fargate(json!({"proxyConfiguration": {"containerName": "envoy"}})),
            "Proxy container [envoy] does not exist",
        ),
    ]);
    taken([
        ec2(json!({"ulimits": [{"name": "core", "softLimit": 0, "hardLimit": -1}]})),
        ec2(json!({"environment": [{"name": "A", "value": ""}, {"name": "B"}]})),
        ec2(json!({"restartPolicy": {"enabled": true, "restartAttemptPeriod": 60}})),
    ]);
}

#[test]
fn gpus() {
    let requires = |list: Value| ec2(json!({"resourceRequirements": list}));
    let gpu = |value: &str| json!({"type": "GPU", "value": value});
    let new = admit_json(requires(json!([gpu("2")]))).unwrap();
    assert_eq!(
        (new.containers[0].gpus, new.compatibilities),
        (2, vec![LaunchType::External, LaunchType::Ec2])
    );
    assert!(new.document.text().contains(r#""resourceRequirements":[{"type":"GPU","value":"2"}]"#));
    taken([requires(json!([]))]);
    let whole = "Invalid 'resourceRequirements' setting for container 'app'. \
                 The value of the type GPU must be a whole number of at least 1.";
    refused(
        ["0", "-1", "+1", "1.5", "", "one", "4294967296"].map(|value| (requires(json!([gpu(value)])), whole)),
    );
    refused([
        (requires(json!([{"type": "GPU"}])), whole),
        (
            requires(json!([gpu("1"), gpu("1")])),
            "Container 'app' names the resource requirement GPU more than once.",
        ),
        (
            requires(json!([{"type": "InferenceAccelerator", "value": "d"}])),
            "Container 'app' requires an inference accelerator that the task definition doesn't have.",
        ),
    ]);
    for (requirement, what) in [
        (json!({"type": "NeuronDevice", "value": "ALL"}), "the type NeuronDevice"),
        (gpu("ALL"), "the value ALL"),
        (json!({"type": "GPU", "sharingStrategy": {"nvidiaMps": {"memory": 1}}}), "a sharingStrategy"),
    ] {
        let error = admit_json(requires(json!([requirement]))).unwrap_err();
        assert_eq!(error.code, "UnsupportedFeatureException", "{error}");
        assert!(error.message.contains(what), "{error}");
    }
}
