use super::*;

fn daemon(members: Value) -> Value {
    let mut daemon = json!({"schedulingStrategy": "DAEMON", "desiredCount": null, "launchType": "EC2"});
    daemon.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    daemon
}

#[tokio::test]
async fn a_daemon_has_defaults_of_its_own() {
    let fixture = fixture().await;
    let service = create(&fixture, daemon(json!({}))).await.unwrap();
    assert_eq!((&service["schedulingStrategy"], &service["desiredCount"]), (&json!("DAEMON"), &json!(0)));
    let configuration = &service["deploymentConfiguration"];
    assert_eq!(configuration["minimumHealthyPercent"], 0);
    assert_eq!(configuration["maximumPercent"], 100);
    assert_eq!(service["availabilityZoneRebalancing"], "DISABLED");
    let listed = async |strategy: &str| {
        let answer = fixture.json("ListServices", json!({"schedulingStrategy": strategy})).await.unwrap();
        answer["serviceArns"].as_array().unwrap().len()
    };
    assert_eq!((listed("DAEMON").await, listed("REPLICA").await), (1, 0));
    let changed =
        update(&fixture, json!({"deploymentConfiguration": {"minimumHealthyPercent": 50}})).await.unwrap();
    assert_eq!(changed["deploymentConfiguration"]["maximumPercent"], 100);
    // It has no count that would have to be 0 first.
    let gone = fixture.json("DeleteService", json!({"service": "web"})).await.unwrap();
    assert_eq!(gone["service"]["status"], "DRAINING");
}

#[tokio::test]
async fn what_a_daemon_cannot_have_is_refused_in_ecs_s_words() {
    let fixture = fixture().await;
    let spread = json!([{"type": "spread", "field": "instanceId"}]);
    let of_create = [
        (
            json!({"desiredCount": 0}),
            "does not support a desired count for services. Remove the desired count value",
        ),
        (
            json!({"placementStrategy": spread}),
            "does not support placement strategies. Remove the placement strategy",
        ),
        (json!({"launchType": "FARGATE"}), "does not support the FARGATE launch type"),
        (
            json!({"deploymentController": {"type": "EXTERNAL"}}),
            "does not support the EXTERNAL deployment controller",
        ),
        (
            json!({"deploymentController": {"type": "CODE_DEPLOY"}}),
            "does not support the CODE_DEPLOY deployment",
        ),
        (
            json!({"deploymentConfiguration": {"maximumPercent": 150}}),
            "does not support values above 100 for maximumPercent on a deployment configuration",
        ),
        (json!({"deploymentConfiguration": {"minimumHealthyPercent": 100}}), "cannot be 100"),
        (json!({"availabilityZoneRebalancing": "ENABLED"}), "requires a maximumPercent greater than 100"),
    ];
    for (members, why) in of_create {
        let error = create(&fixture, daemon(members.clone())).await.unwrap_err();
        assert_eq!(error.code, "InvalidParameterException", "{members}: {error}");
        assert!(error.message.contains(why), "{members}: {error}");
    }
    let fargate = json!({"clusterName": "spot", "capacityProviders": ["FARGATE"],
        "defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}]});
    fixture.json("CreateCluster", fargate).await.unwrap();
    let error = create(&fixture, daemon(json!({"cluster": "spot", "launchType": null}))).await.unwrap_err();
    assert!(error.message.starts_with("Specifying a capacity provider strategy is not supported"), "{error}");
    assert_eq!(fixture.app.world().all_services().count(), 0);

    create(&fixture, daemon(json!({}))).await.unwrap();
    let before = describe(&fixture, "web").await;
    let of_update = [
        (json!({"desiredCount": 1}), "does not support a desired count"),
        (json!({"placementStrategy": spread}), "does not support placement strategies"),
        (json!({"deploymentConfiguration": {"maximumPercent": 101}}), "does not support values above 100"),
    ];
    for (members, why) in of_update {
        let error = update(&fixture, members.clone()).await.unwrap_err();
        assert!(error.message.contains(why), "{members}: {error}");
    }
    assert_eq!(describe(&fixture, "web").await, before);
}
