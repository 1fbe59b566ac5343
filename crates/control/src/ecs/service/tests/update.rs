use model::command::ServiceStep;

use super::*;

async fn with_service() -> Fixture {
    let fixture = fixture().await;
    create(&fixture, json!({"taskDefinition": "web:1"})).await.unwrap();
    fixture
}

fn deployments(service: &Value) -> usize {
    service["deployments"].as_array().unwrap().len()
}

#[tokio::test]
async fn what_the_tasks_are_makes_a_new_deployment() {
    let changes = [
        json!({"taskDefinition": "web:2"}),
        json!({"taskDefinition": "web"}),
        json!({"forceNewDeployment": true}),
        json!({"platformVersion": "1.4.0"}),
        json!({"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-2"]}}}),
        json!({"networkConfiguration": {"awsvpcConfiguration":
            {"subnets": ["subnet-1"], "assignPublicIp": "ENABLED"}}}),
        json!({"serviceConnectConfiguration": {"enabled": false}}),
    ];
    for change in changes {
        let fixture = with_service().await;
        let old = describe(&fixture, "web").await;
        fixture.clock.advance_ms(5000);
        let service = update(&fixture, change.clone()).await.unwrap();
        assert_eq!(deployments(&service), 2, "{change}");
        assert_eq!(service["deployments"][0]["status"], "PRIMARY");
        assert_eq!(service["deployments"][0]["rolloutState"], "IN_PROGRESS");
        assert_eq!(service["deployments"][1]["status"], "ACTIVE");
        assert_eq!(service["deployments"][1]["id"], old["deployments"][0]["id"]);
        assert_eq!(service["taskDefinition"], service["deployments"][0]["taskDefinition"]);
        assert_eq!(service["networkConfiguration"], service["deployments"][0]["networkConfiguration"]);
    }
}

#[tokio::test]
async fn all_else_does_not() {
    let changes = [
        json!({}),
        json!({"desiredCount": 5}),
        json!({"taskDefinition": "web:1"}),
        json!({"platformVersion": "LATEST"}),
        json!({"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": []}}}),
        json!({"deploymentConfiguration": {"maximumPercent": 150}}),
        json!({"propagateTags": "TASK_DEFINITION", "enableECSManagedTags": true, "enableExecuteCommand": true}),
        json!({"healthCheckGracePeriodSeconds": 7}),
        json!({"availabilityZoneRebalancing": "DISABLED"}),
        json!({"loadBalancers": [], "serviceRegistries": [], "placementConstraints": [], "placementStrategy": []}),
        json!({"deploymentController": {"type": "ECS"}, "forceNewDeployment": false}),
    ];
    for change in changes {
        let fixture = with_service().await;
        let service = update(&fixture, change.clone()).await.unwrap();
        assert_eq!(deployments(&service), 1, "{change}");
        for (name, value) in change.as_object().unwrap() {
            if value.is_string() && name != "taskDefinition" || value.is_number() {
                assert_eq!(service[name], *value, "{name}");
            }
        }
    }
}

#[tokio::test]
async fn a_deployment_configuration_is_merged() {
    let fixture = with_service().await;
    update(
        &fixture,
        json!({"deploymentConfiguration": {"maximumPercent": 150, "minimumHealthyPercent": 50}}),
    )
    .await
    .unwrap();
    let breaker = json!({"enable": true, "rollback": true, "resetOnHealthyTask": false,
        "thresholdConfiguration": {"type": "COUNT", "value": 3}});
    let service = update(&fixture, json!({"deploymentConfiguration": {"deploymentCircuitBreaker": breaker}}))
        .await
        .unwrap();
    assert_eq!(
        service["deploymentConfiguration"],
        json!({"maximumPercent": 150, "minimumHealthyPercent": 50, "strategy": "ROLLING", "bakeTimeInMinutes": 0,
            "deploymentCircuitBreaker": breaker})
    );
    let stored = fixture.app.world().service(&key(&fixture, "web")).cloned().unwrap();
    assert_eq!((stored.minimum_healthy_percent, stored.maximum_percent), (50, 150));
    assert!(stored.breaker.enable && stored.breaker.rollback);
    let all = json!({"maximumPercent": 100, "minimumHealthyPercent": 100});
    let error = update(&fixture, json!({"deploymentConfiguration": all})).await.unwrap_err();
    assert!(error.message.starts_with("Both maximumPercent and minimumHealthyPercent cannot be 100"));
}

#[tokio::test]
async fn bad_updates_are_refused_and_change_nothing() {
    let fixture = with_service().await;
    let before = describe(&fixture, "web").await;
    let elsewhere = "arn:aws:ecs:us-east-1:000000000000:service/other/web";
    let cases = [
        (json!({"service": "none"}), "ServiceNotFoundException: Service not found."),
        (json!({"service": elsewhere}), "InvalidParameterException: Invalid identifier"),
        (json!({"service": null}), "InvalidParameterException: Service can not be blank."),
        (json!({"cluster": "none"}), "ClusterNotFoundException: Cluster not found."),
        (json!({"desiredCount": -1}), "InvalidParameterException: desiredCount"),
        (json!({"taskDefinition": "none"}), "ClientException: TaskDefinition not found."),
        (json!({"platformVersion": "2"}), "PlatformUnknownException"),
        (
            json!({"networkConfiguration": {}}),
            "InvalidParameterException: Network Configuration must be provided",
        ),
        (
            json!({"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]}),
            "InvalidParameterException: The specified capacity provider strategy",
        ),
        (
            json!({"placementStrategy": [{"type": "random"}]}),
            "InvalidParameterException: Placement strategies are not supported with FARGATE launch type.",
        ),
        (json!({"deploymentController": {"type": "EXTERNAL"}}), "UnsupportedFeatureException"),
        (json!({"loadBalancers": [{"containerName": "web"}]}), "UnsupportedFeatureException"),
    ];
    for (members, expected) in cases {
        let error = update(&fixture, members.clone()).await.unwrap_err();
        assert!(refusal(&error).starts_with(expected), "{members}: {error}");
    }
    assert_eq!(describe(&fixture, "web").await, before);
}

#[tokio::test]
async fn a_strategy_changes_by_force_only() {
    let fixture = fixture().await;
    fixture
        .json("CreateCluster", json!({"clusterName": "c", "capacityProviders": ["FARGATE", "FARGATE_SPOT"]}))
        .await
        .unwrap();
    create(&fixture, json!({"cluster": "c"})).await.unwrap();
    let spot = json!({"cluster": "c", "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}]});
    let error = update(&fixture, spot.clone()).await.unwrap_err();
    assert!(
        error.message.starts_with("When switching from launch type to capacity provider strategy"),
        "{error}"
    );
    let mut forced = spot;
    forced["forceNewDeployment"] = json!(true);
    let service = update(&fixture, forced).await.unwrap();
    assert_eq!(service["capacityProviderStrategy"][0]["capacityProvider"], "FARGATE_SPOT");
    assert_eq!(service["launchType"], Value::Null);
    let back = json!({"cluster": "c", "capacityProviderStrategy": [], "forceNewDeployment": true});
    let service = update(&fixture, back).await.unwrap();
    assert_eq!(service["launchType"], "FARGATE");
    assert_eq!(service["capacityProviderStrategy"], Value::Null);
}

#[tokio::test]
async fn an_inactive_definition_is_not_deployed() {
    let fixture = with_service().await;
    let definition = crate::ecs::reference::scope(&fixture.context).definition("web", 1);
    fixture.submit(Command::DeregisterTaskDefinition { key: definition }).await;
    update(&fixture, json!({"desiredCount": 4})).await.unwrap();
    for change in [json!({"taskDefinition": "web:1"}), json!({"forceNewDeployment": true})] {
        let error = update(&fixture, change).await.unwrap_err();
        assert_eq!(refusal(&error), "ClientException: TaskDefinition is inactive");
    }
}

#[tokio::test]
async fn updates_at_once_do_not_undo_each_other() {
    let fixture = with_service().await;
    let (one, two) = tokio::join!(
        update(&fixture, json!({"taskDefinition": "web:2"})),
        update(&fixture, json!({"forceNewDeployment": true, "availabilityZoneRebalancing": "DISABLED"})),
    );
    one.unwrap();
    two.unwrap();
    let service = describe(&fixture, "web").await;
    assert_eq!(service["taskDefinition"], "arn:aws:ecs:us-east-1:000000000000:task-definition/web:2");
    assert_eq!(service["availabilityZoneRebalancing"], "DISABLED");
}

/// Each change is made of all those before it, however many come at once.
#[tokio::test]
async fn many_updates_at_once_are_all_carried_out() {
    let fixture = with_service().await;
    let before = fixture.app.world().service(&key(&fixture, "web")).unwrap().version;
    let calls = (0..30).map(|_| update(&fixture, json!({"forceNewDeployment": true})));
    let done = futures_util::future::join_all(calls).await;
    done.into_iter().for_each(|answer| drop(answer.unwrap()));
    let after = fixture.app.world().service(&key(&fixture, "web")).unwrap().clone();
    assert_eq!(after.version, before + 30);
    assert_eq!(after.deployments.len(), 31);
}

/// The scheduler's steps move a service on too: an update gets between them.
#[tokio::test]
async fn an_update_is_made_anew_when_the_scheduler_was_first() {
    let fixture = with_service().await;
    let key = key(&fixture, "web");
    let service = fixture.app.world().service(&key).unwrap().clone();
    let step = |expected_version, steady| {
        Command::ServiceStep(Box::new(ServiceStep {
            service: key.clone(),
            expected_version,
            starts: vec![],
            stops: vec![],
            deployments: vec![],
            events: vec![],
            steady: Some(steady),
            inactive: false,
        }))
    };
    // In the writer's queue before the update, which reads the world as it was.
    let (stepped, updated) = tokio::join!(
        fixture.app.submit(step(service.version, true)),
        update(&fixture, json!({"desiredCount": 7})),
    );
    stepped.unwrap();
    assert_eq!(updated.unwrap()["desiredCount"], 7);
    assert!(fixture.app.world().service(&key).unwrap().version >= service.version + 2);
}
