use serde_json::{Value, json};

use super::*;

#[test]
fn ports() {
    let on =
        |mode: &str, ports: Value| merged(ec2(json!({"portMappings": ports})), json!({"networkMode": mode}));
    let two = |mode: &str, a: Value, b: Value| {
        merged(
            several(json!([{"name": "a", "portMappings": [a]}, {"name": "b", "portMappings": [b]}])),
            json!({"networkMode": mode}),
        )
    };
    let port = |container: i32, host: i32| json!({"containerPort": container, "hostPort": host});
    taken([
        on("bridge", json!([port(80, 8080), port(80, 8081)])),
        two("bridge", port(80, 0), port(80, 0)),
        two("awsvpc", port(80, 80), port(81, 0)),
        on("bridge", json!([port(53, 53), {"containerPort": 53, "hostPort": 53, "protocol": "udp"}])),
        on("bridge", json!([{"containerPortRange": "1-65535"}])),
        on("none", json!([])),
    ]);
    refused([
        (
            two("bridge", port(80, 3000), port(81, 3000)),
            "TCP host port '3000' is mapped multiple times in task.",
        ),
        (
            two("awsvpc", port(80, 80), json!({"containerPort": 80})),
            "TCP host port '80' is mapped multiple times in task.",
        ),
        (
            on(
                "host",
                json!([{"containerPort": 53, "protocol": "udp"}, {"containerPort": 53, "protocol": "udp"}]),
            ),
            "UDP host port '53' is mapped multiple times in task.",
        ),
        (
            on("awsvpc", json!([port(80, 8080)])),
            "When networkMode=awsvpc, the host ports and container ports in port mappings must match.",
        ),
        (
            on("host", json!([port(80, 8080)])),
            "When networkMode=host, the host ports and container ports in port mappings must match.",
        ),
        (on("none", json!([port(80, 80)])), "Port mappings are not supported when networkMode=none."),
        (on("bridge", json!([{"hostPort": 80}])), "Invalid 'containerPort' setting for container 'app'."),
        (on("bridge", json!([port(0, 80)])), "Invalid 'containerPort' setting for container 'app'."),
        (on("bridge", json!([port(65_536, 80)])), "Invalid 'containerPort' setting for container 'app'."),
        (on("bridge", json!([port(80, -1)])), "Invalid 'hostPort' setting for container 'app'."),
        (on("bridge", json!([port(80, 70_000)])), "Invalid 'hostPort' setting for container 'app'."),
        (
            on("bridge", json!([{"containerPortRange": "9-3"}])),
            "Invalid 'containerPortRange' setting for container 'app'.",
        ),
        (
            on("host", json!([{"containerPortRange": "100-199"}])),
            "Container port ranges are not supported when networkMode=host.",
        ),
        (
            on(
                "bridge",
                (0..101)
                    .map(|n| json!({"containerPortRange": format!("{}-{}", 10 * n + 1, 10 * n + 2)}))
                    .collect(),
            ),
            "Container 'app' has more than 100 container port ranges.",
        ),
        (
            on("awsvpc", json!([{"containerPortRange": "1-9"}, {"containerPortRange": "9-12"}])),
            "The container port range 9-12 is used multiple times in task.",
        ),
        (
            on("bridge", json!([{"name": "x", "containerPort": 80}, {"name": "x", "containerPort": 81}])),
            "The port mapping name 'x' is already used.",
        ),
    ]);
}

#[test]
fn volumes_and_mounts() {
    let volume = |volume: Value| merged(ec2(json!({})), json!({"volumes": [volume]}));
    let efs = |more: Value| {
        volume(json!({"name": "v", "efsVolumeConfiguration": merged(json!({"fileSystemId": "fs-1"}), more)}))
    };
    taken([
        volume(json!({"name": "v", "host": {"sourcePath": "/data"}})),
        volume(json!({"name": "v", "dockerVolumeConfiguration": {"scope": "shared", "autoprovision": true}})),
        efs(json!({"transitEncryption": "ENABLED", "authorizationConfig": {"iam": "ENABLED"}})),
        merged(
            ec2(json!({"mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}]})),
            json!({"volumes": [{"name": "v"}]}),
        ),
    ]);
    refused([
        (ec2(json!({"mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}]})), "Unknown volume 'v'."),
        (ec2(json!({"mountPoints": [{"containerPath": "/v"}]})), "Unknown volume 'null'."),
        (volume(json!({})), "Volume.name should not be null or empty."),
        (volume(json!({"name": "a/b"})), "Volume.name contains invalid characters."),
        (
            merged(ec2(json!({})), json!({"volumes": [{"name": "v"}, {"name": "v"}]})),
            "Volume names must be unique within a Task Definition: 'v' is not.",
        ),
        (volume(json!({"name": "v", "host": {"sourcePath": ""}})), "host.sourcePath should not be blank."),
        (
            volume(json!({"name": "v", "host": {"sourcePath": "/a"}, "dockerVolumeConfiguration": {}})),
            "The volume 'v' must have one configuration only.",
        ),
        (
            volume(
                json!({"name": "v", "dockerVolumeConfiguration": {"scope": "task", "autoprovision": true}}),
            ),
            "The volume 'v' may have 'autoprovision' only with the scope 'shared'.",
        ),
        (
            merged(
                ec2(json!({})),
                json!({"volumes": [{"name": "v", "configuredAtLaunch": true}, {"name": "w", "configuredAtLaunch": true}]}),
            ),
            "Only one volume of a task definition may be configured at launch.",
        ),
        (
            volume(json!({"name": "v", "configuredAtLaunch": true, "dockerVolumeConfiguration": {}})),
            "The volume 'v' must have one configuration only.",
        ),
        (
            volume(json!({"name": "v", "s3filesVolumeConfiguration":
                {"fileSystemArn": "arn:f", "accessPointArn": "arn:p", "rootDirectory": "/a"}})),
            "When using an S3 Files access point, the root directory must either be set to \"/\" or be omitted",
        ),
        (
            ec2(json!({"volumesFrom": [{"sourceContainer": "nobody"}]})),
            "Invalid 'volumesFrom' setting. Unknown container: 'nobody'",
        ),
        (
            merged(ec2(json!({"mountPoints": [{"sourceVolume": "v"}]})), json!({"volumes": [{"name": "v"}]})),
            "Invalid 'containerPath' setting for container 'app'.",
        ),
        (
            efs(json!({"rootDirectory": "/a", "authorizationConfig": {"accessPointId": "p"}})),
            "When using an EFS access point, the root directory must either be set to \"/\" or be omitted",
        ),
        (
            efs(json!({"authorizationConfig": {"iam": "ENABLED"}})),
            "EFS IAM authorization requires TransitEncryption to be enabled",
        ),
        (
            efs(json!({"transitEncryptionPort": 1})),
            "TransitEncryptionPort requires that TransitEncryption is enabled",
        ),
    ]);
}

#[test]
fn logs() {
    let log =
        |driver: &str, options: Value| json!({"logConfiguration": {"logDriver": driver, "options": options}});
    let full = json!({"awslogs-group": "g", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p"});
    taken([
        ec2(log("json-file", json!({}))),
        ec2(log("awslogs", json!({"awslogs-group": "g", "awslogs-region": "us-east-1"}))),
        fargate_with(log("awslogs", full)),
        fargate_with(log("splunk", json!({"splunk-token": "t", "splunk-url": "u"}))),
    ]);
    refused([
        (
            ec2(log("awslogs", json!({}))),
            "Log driver awslogs requires options: awslogs-region, awslogs-group",
        ),
        (
            ec2(log("awslogs", json!({"awslogs-region": "us-east-1"}))),
            "Log driver awslogs requires options: awslogs-group",
        ),
        (
            fargate_with(log("json-file", json!({}))),
            "json-file is not a valid log driver. Must be one of [awslogs, splunk, awsfirelens]",
        ),
        (
            fargate_with(log("awslogs", json!({"awslogs-group": "g", "awslogs-region": "us-east-1"}))),
            "Fargate requires log configuration options to include awslogs-stream-prefix to support log driver awslogs.",
        ),
        (
            ec2(log("awsfirelens", json!({}))),
            "When awsfirelens log driver is specified in log configuration, a firelens configuration object must be specified",
        ),
    ]);
}

#[test]
fn what_only_a_machine_of_ones_own_has_fargate_refuses() {
    let cases = [
        (json!({"privileged": true}), "Fargate requires that the 'privileged' setting be 'false'."),
        (
            json!({"dockerSecurityOptions": ["no-new-privileges"]}),
            "Fargate compatible task definitions do not support dockerSecurityOptions",
        ),
        (
            json!({"resourceRequirements": [{"type": "GPU", "value": "1"}]}),
            "Tasks using the Fargate launch type do not support GPU resource requirements.",
        ),
        (
            json!({"linuxParameters": {"devices": [{"hostPath": "/dev/x"}]}}),
            "Fargate compatible task definitions do not support devices",
        ),
        (
            json!({"linuxParameters": {"maxSwap": 1}}),
            "Fargate compatible task definitions do not support maxSwap",
        ),
        (
            json!({"linuxParameters": {"sharedMemorySize": 1}}),
            "Fargate compatible task definitions do not support sharedMemorySize",
        ),
        (
            json!({"linuxParameters": {"capabilities": {"add": ["SYS_ADMIN"]}}}),
            "SYS_ADMIN is not allowed on Fargate.",
        ),
        (json!({"hostname": "h"}), "hostname is not supported on container when networkMode=awsvpc."),
        (
            json!({"dnsServers": ["10.0.0.1"]}),
            "DNS servers are not supported on container when networkMode=awsvpc.",
        ),
        (json!({"links": ["app"]}), "Links are not supported when networkMode=awsvpc."),
        (
            json!({"extraHosts": [{"hostname": "h", "ipAddress": "10.0.0.1"}]}),
            "Extra hosts are not supported on container when networkMode=awsvpc.",
        ),
        (
            json!({"disableNetworking": true}),
            "Disable Networking is not supported on container when networkMode=awsvpc.",
        ),
        (
            json!({"stopTimeout": 121}),
            "Tasks using the Fargate launch type must have a container stop timeout of less than 120 seconds.",
        ),
    ];
    refused(cases.map(|(container, words)| (fargate_with(container), words)));
    refused([
        (fargate(json!({"networkMode": "bridge"})), "Fargate only supports network mode ‘awsvpc’."),
        (fargate(json!({"networkMode": null})), "Fargate only supports network mode ‘awsvpc’."),
        (fargate(json!({"ipcMode": "task"})), "Fargate compatible task definitions do not support ipcMode"),
        (
            fargate(json!({"pidMode": "host"})),
            "Tasks using the Fargate launch type do not support pidMode 'host'.",
        ),
        (
            fargate(
                json!({"placementConstraints": [{"type": "memberOf", "expression": "attribute:a == b"}]}),
            ),
            "Fargate compatible task definitions do not support constraints",
        ),
        (
            fargate(json!({"volumes": [{"name": "v", "host": {"sourcePath": "/v"}}]})),
            "Fargate compatible task definitions do not support sourcePath",
        ),
        (
            fargate(json!({"volumes": [{"name": "v", "dockerVolumeConfiguration": {}}]})),
            "Fargate compatible task definitions do not support dockerVolumeConfiguration",
        ),
        (
            fargate(json!({"ephemeralStorage": {"sizeInGiB": 20}})),
            "EphemeralStorage size should be at least 21.",
        ),
        (
            fargate(json!({"ephemeralStorage": {"sizeInGiB": 201}})),
            "EphemeralStorage size should be at most 200.",
        ),
        (
            fargate(json!({"requiresCompatibilities": ["EC2"], "ephemeralStorage": {"sizeInGiB": 21}})),
            "Tasks using the EC2 launch type do not support EphemeralStorage.",
        ),
        (
            fargate(json!({"requiresCompatibilities": ["EXTERNAL"]})),
            "Tasks using the EXTERNAL launch type do not support networkMode awsvpc.",
        ),
        (
            fargate(json!({"requiresCompatibilities": ["MANAGED_INSTANCES"]})),
            "Longshore has no managed instances: requiresCompatibilities may name EC2, FARGATE and EXTERNAL.",
        ),
    ]);
    taken([
        fargate(json!({"pidMode": "task", "ephemeralStorage": {"sizeInGiB": 200}})),
        fargate_with(json!({"linuxParameters": {"capabilities": {"add": ["SYS_PTRACE"], "drop": ["ALL"]}}})),
        fargate_with(json!({"privileged": false, "stopTimeout": 120, "disableNetworking": false})),
    ]);
}
