use super::*;

#[tokio::test]
async fn the_answer_has_what_was_asked_for() {
    let fixture = fixture().await;
    let service = create(
        &fixture,
        json!({
            "tags": [{"key": "team", "value": "web"}],
            "propagateTags": "SERVICE",
            "enableECSManagedTags": true,
            "healthCheckGracePeriodSeconds": 30,
            "deploymentConfiguration": {
                "minimumHealthyPercent": 50,
                "deploymentCircuitBreaker": {"enable": true, "rollback": true},
            },
        }),
    )
    .await
    .unwrap();
    let mut shown = service.clone();
    let deployment = shown["deployments"][0].take();
    // `history.rs` has more of them.
    for name in ["deployments", "createdAt", "currentServiceDeployment", "currentServiceRevisions"] {
        shown.as_object_mut().unwrap().remove(name);
    }
    let network = json!({"awsvpcConfiguration":
        {"assignPublicIp": "DISABLED", "securityGroups": [], "subnets": ["subnet-1"]}});
    let definition = "arn:aws:ecs:us-east-1:000000000000:task-definition/web:2";
    assert_eq!(
        shown,
        json!({
            "serviceArn": "arn:aws:ecs:us-east-1:000000000000:service/default/web",
            "serviceName": "web",
            "clusterArn": "arn:aws:ecs:us-east-1:000000000000:cluster/default",
            "status": "ACTIVE",
            "desiredCount": 2,
            "runningCount": 0,
            "pendingCount": 0,
            "launchType": "FARGATE",
            "platformVersion": "LATEST",
            "platformFamily": "Linux",
            "taskDefinition": definition,
            "deploymentConfiguration": {
                "minimumHealthyPercent": 50,
                "maximumPercent": 200,
                "deploymentCircuitBreaker": {"enable": true, "rollback": true},
                "strategy": "ROLLING",
                "bakeTimeInMinutes": 0,
            },
            "taskSets": [],
            "roleArn":
                "arn:aws:iam::000000000000:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
            "events": [],
            "createdBy": "arn:aws:iam::000000000000:root",
            "loadBalancers": [],
            "serviceRegistries": [],
            "placementConstraints": [],
            "placementStrategy": [],
            "networkConfiguration": network,
            "healthCheckGracePeriodSeconds": 30,
            "schedulingStrategy": "REPLICA",
            "deploymentController": {"type": "ECS"},
            "enableECSManagedTags": true,
            "propagateTags": "SERVICE",
            "enableExecuteCommand": false,
            "availabilityZoneRebalancing": "ENABLED",
            "resourceManagementType": "CUSTOMER",
            "tags": [{"key": "team", "value": "web"}],
        })
    );
    let id = deployment["id"].as_str().unwrap();
    assert!(id.strip_prefix("ecs-svc/").is_some_and(|digits| digits.len() == 19), "{id}");
    assert_eq!(
        deployment,
        json!({
            "id": id,
            "status": "PRIMARY",
            "taskDefinition": definition,
            "desiredCount": 2,
            "pendingCount": 0,
            "runningCount": 0,
            "failedTasks": 0,
            "createdAt": 1767225600.0,
            "updatedAt": 1767225600.0,
            "launchType": "FARGATE",
            "platformVersion": "1.4.0",
            "platformFamily": "Linux",
            "networkConfiguration": network,
            "rolloutState": "IN_PROGRESS",
            "rolloutStateReason": format!("ECS deployment {id} in progress."),
        })
    );
}

#[tokio::test]
async fn bad_requests_are_refused_and_change_nothing() {
    let fixture = fixture().await;
    define(&fixture, "bridged", NetworkMode::Bridge).await;
    let long = "x".repeat(256);
    let long_token = "t".repeat(37);
    let both = json!({"minimumHealthyPercent": 100, "maximumPercent": 100});
    let cases = [
        (json!({"serviceName": "a b"}), "InvalidParameterException: Invalid service name"),
        (json!({"serviceName": long}), "InvalidParameterException: Invalid service name"),
        (json!({"serviceName": null}), "InvalidParameterException: ServiceName can not be blank."),
        (json!({"cluster": "nowhere"}), "ClusterNotFoundException: Cluster not found."),
        (json!({"taskDefinition": null}), "InvalidParameterException: TaskDefinition can not be blank."),
        (json!({"taskDefinition": "none"}), "ClientException: TaskDefinition not found."),
        (json!({"taskDefinition": "web:9"}), "ClientException: TaskDefinition not found."),
        (json!({"desiredCount": null}), "InvalidParameterException: desiredCount is required"),
        (json!({"desiredCount": -1}), "InvalidParameterException: desiredCount must be between"),
        (json!({"desiredCount": 5001}), "InvalidParameterException: desiredCount must be between"),
        (
            json!({"healthCheckGracePeriodSeconds": -1}),
            "InvalidParameterException: healthCheckGracePeriodSeconds",
        ),
        (json!({"clientToken": long_token}), "InvalidParameterException: clientToken"),
        (json!({"clientToken": "a b"}), "InvalidParameterException: clientToken"),
        (json!({"launchType": "MOON"}), "InvalidParameterException: launch type should be one of"),
        (
            json!({"launchType": "EXTERNAL"}),
            "InvalidParameterException: Task definition does not support launch_type EXTERNAL.",
        ),
        (json!({"platformVersion": "9.9"}), "PlatformUnknownException"),
        (
            json!({"networkConfiguration": null}),
            "InvalidParameterException: Network Configuration must be provided",
        ),
        (
            json!({"taskDefinition": "bridged", "launchType": "EC2"}),
            "InvalidParameterException: Network Configuration is not valid for the given networkMode",
        ),
        (
            json!({"launchType": "EC2", "platformVersion": "LATEST"}),
            "InvalidParameterException: The platform version must be null",
        ),
        (
            json!({"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]}),
            "InvalidParameterException: Specifying both a launch type and capacity provider strategy",
        ),
        (
            json!({"deploymentConfiguration": both}),
            "InvalidParameterException: Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.",
        ),
        (
            json!({"deploymentConfiguration": {"minimumHealthyPercent": 101}}),
            "InvalidParameterException: minimumHealthyPercent must be at most 100",
        ),
        (
            json!({"deploymentConfiguration": {"minimumHealthyPercent": -1}}),
            "InvalidParameterException: minimumHealthyPercent must be at least 0",
        ),
        (
            json!({"deploymentConfiguration": {"maximumPercent": 0, "minimumHealthyPercent": 0}}),
            "InvalidParameterException: maximumPercent must be at least 1",
        ),
        (
            json!({"deploymentConfiguration": {"maximumPercent": 60, "minimumHealthyPercent": 80}}),
            "InvalidParameterException: maximumPercent cannot be less than minimumHealthyPercent.",
        ),
        (
            json!({"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": false,
                "thresholdConfiguration": {"type": "COUNT", "value": 0}}}}),
            "InvalidParameterException: The value of the deployment circuit breaker's",
        ),
        (
            json!({"availabilityZoneRebalancing": "ENABLED",
                "deploymentConfiguration": {"maximumPercent": 100, "minimumHealthyPercent": 0}}),
            "InvalidParameterException: Availability Zone rebalancing requires",
        ),
        (
            json!({"placementStrategy": [{"type": "spread", "field": "instanceId"}]}),
            "InvalidParameterException: Placement strategies are not supported with FARGATE launch type.",
        ),
        (
            json!({"placementConstraints": [{"type": "distinctInstance"}]}),
            "InvalidParameterException: Placement constraints are not supported with FARGATE launch type.",
        ),
        (
            json!({"role": "ecsRole"}),
            "InvalidParameterException: You cannot specify an IAM role for services that require a service linked role.",
        ),
        (json!({"tags": [{"key": "aws:x", "value": ""}]}), "InvalidParameterException: Some tag keys"),
    ];
    for (members, expected) in cases {
        let error = create(&fixture, members.clone()).await.unwrap_err();
        assert!(refusal(&error).starts_with(expected), "{members}: {error}");
    }
    assert_eq!(fixture.app.world().all_services().count(), 0);
}

#[tokio::test]
async fn what_is_not_there_yet_is_named() {
    let fixture = fixture().await;
    let cases = [
        (
            json!({"loadBalancers": [{"targetGroupArn": "arn", "containerName": "web", "containerPort": 80}]}),
            "loadBalancers",
        ),
        (json!({"serviceRegistries": [{"registryArn": "arn"}]}), "serviceRegistries"),
        (json!({"serviceConnectConfiguration": {"enabled": true}}), "serviceConnectConfiguration"),
        (json!({"volumeConfigurations": [{"name": "data"}]}), "volumeConfigurations"),
        (
            json!({"vpcLatticeConfigurations": [{"roleArn": "r", "targetGroupArn": "t", "portName": "p"}]}),
            "vpcLatticeConfigurations",
        ),
        (json!({"deploymentController": {"type": "CODE_DEPLOY"}}), "CODE_DEPLOY"),
        (
            json!({"deploymentConfiguration": {"alarms": {"alarmNames": ["a"], "enable": true, "rollback": false}}}),
            "alarms",
        ),
    ];
    for (members, what) in cases {
        let error = create(&fixture, members.clone()).await.unwrap_err();
        assert_eq!(error.code, "UnsupportedFeatureException", "{members}: {error}");
        assert!(error.message.contains(what), "{members}: {error}");
    }
    let nothing_asked = json!({"loadBalancers": [], "serviceRegistries": [], "volumeConfigurations": [],
        "serviceConnectConfiguration": {"enabled": false}, "deploymentController": {"type": "ECS"},
        "deploymentConfiguration": {"alarms": {"alarmNames": [], "enable": false, "rollback": false}}});
    let service = create(&fixture, nothing_asked).await.unwrap();
    assert_eq!(service["deployments"][0]["serviceConnectConfiguration"], json!({"enabled": false}));
}

#[tokio::test]
async fn placement_is_taken_and_given_back() {
    let fixture = fixture().await;
    let constraints = json!([
        {"type": "distinctInstance"},
        {"type": "memberOf", "expression": "attribute:rack == r1"},
    ]);
    let strategy = json!([{"type": "spread", "field": "host"}, {"type": "binpack", "field": "MEMORY"}, {"type": "random"}]);
    let given = json!([
        {"type": "spread", "field": "instanceId"}, {"type": "binpack", "field": "MEMORY"}, {"type": "random"},
    ]);
    let members =
        json!({"launchType": "EC2", "placementConstraints": constraints, "placementStrategy": strategy});
    let service = create(&fixture, members).await.unwrap();
    assert_eq!((&service["placementConstraints"], &service["placementStrategy"]), (&constraints, &given));
    // What isn't said stays, and what is empty goes; no task is replaced for it.
    let service =
        update(&fixture, json!({"placementConstraints": [{"type": "distinctInstance"}]})).await.unwrap();
    assert_eq!(service["placementConstraints"], json!([{"type": "distinctInstance"}]));
    assert_eq!(service["placementStrategy"], given);
    let none = json!({"placementConstraints": [], "placementStrategy": [{}]});
    let service = update(&fixture, none).await.unwrap();
    assert_eq!((&service["placementConstraints"], &service["placementStrategy"]), (&json!([]), &json!([])));
    assert_eq!(service["deployments"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn placement_that_means_nothing_is_refused() {
    let fixture = fixture().await;
    let constraints = |constraint: Value| json!({"launchType": "EC2", "placementConstraints": constraint});
    let strategy = |strategy: Value| json!({"launchType": "EC2", "placementStrategy": strategy});
    let cases = [
        (constraints(json!([{"expression": "attribute:a == b"}])), "it has no type"),
        (
            constraints(json!([{"type": "distinctInstance", "expression": "attribute:a == b"}])),
            "has no expression",
        ),
        (constraints(json!([{"type": "memberOf"}])), "needs an expression"),
        (constraints(json!([{"type": "memberOf", "expression": "attribute:a = b"}])), "at character"),
        (
            constraints(json!(vec![json!({"type": "distinctInstance"}); 11])),
            "10 placement constraints at most",
        ),
        (strategy(json!([{"field": "cpu"}])), "it has no type"),
        (strategy(json!([{"type": "spread"}])), "instanceId, host or attribute:NAME, not \"\""),
        (
            strategy(json!([{"type": "spread", "field": "cpu"}])),
            "instanceId, host or attribute:NAME, not \"cpu\"",
        ),
        (strategy(json!([{"type": "binpack", "field": "host"}])), "cpu or memory, not \"host\""),
        (strategy(json!(vec![json!({"type": "random"}); 6])), "5 placement strategies at most"),
    ];
    for (members, why) in cases {
        let error = create(&fixture, members.clone()).await.unwrap_err();
        assert_eq!(error.code, "InvalidParameterException", "{members}: {error}");
        assert!(error.message.contains(why), "{members}: {error}");
    }
}

#[tokio::test]
async fn a_name_is_taken_until_its_service_is_gone() {
    let fixture = fixture().await;
    create(&fixture, json!({})).await.unwrap();
    let error = create(&fixture, json!({})).await.unwrap_err();
    assert_eq!(refusal(&error), "InvalidParameterException: Creation of service was not idempotent.");
    let delete = json!({"service": "web", "force": true});
    fixture.json("DeleteService", delete).await.unwrap();
    let error = create(&fixture, json!({})).await.unwrap_err();
    assert_eq!(
        refusal(&error),
        "InvalidParameterException: Unable to Start a service that is still Draining."
    );
}

#[tokio::test]
async fn a_token_makes_a_repetition_harmless() {
    let fixture = fixture().await;
    let first = create(&fixture, json!({"clientToken": "once"})).await.unwrap();
    fixture.clock.advance_ms(1000);
    let again = create(&fixture, json!({"clientToken": "once"})).await.unwrap();
    assert_eq!(first, again);
    let error = create(&fixture, json!({"clientToken": "once", "desiredCount": 3})).await.unwrap_err();
    assert_eq!(refusal(&error), "InvalidParameterException: Creation of service was not idempotent.");
    assert_eq!(fixture.app.world().all_services().count(), 1);
}

#[tokio::test]
async fn an_inactive_definition_takes_no_service() {
    let fixture = fixture().await;
    let definition = crate::ecs::reference::scope(&fixture.context).definition("web", 1);
    fixture.submit(Command::DeregisterTaskDefinition { key: definition }).await;
    let error = create(&fixture, json!({"taskDefinition": "web:1"})).await.unwrap_err();
    assert_eq!(refusal(&error), "ClientException: TaskDefinition is inactive");
}

#[tokio::test]
async fn a_strategy_takes_the_place_of_the_launch_type() {
    let fixture = fixture().await;
    let spot = json!([{"capacityProvider": "FARGATE_SPOT", "weight": 1}]);
    fixture
        .json(
            "CreateCluster",
            json!({"clusterName": "spot", "capacityProviders": ["FARGATE", "FARGATE_SPOT"]}),
        )
        .await
        .unwrap();
    let members = json!({"cluster": "spot", "launchType": null, "capacityProviderStrategy": spot});
    let service = create(&fixture, members).await.unwrap();
    assert_eq!(service["launchType"], Value::Null);
    assert_eq!(service["capacityProviderStrategy"][0]["capacityProvider"], "FARGATE_SPOT");
    assert_eq!(service["deployments"][0]["launchType"], Value::Null);
    assert_eq!(service["deployments"][0]["platformVersion"], "1.4.0");
}
