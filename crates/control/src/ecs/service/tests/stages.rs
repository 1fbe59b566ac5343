use super::*;

fn configured(members: Value) -> Value {
    let mut configuration = json!({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5});
    configuration.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    configuration.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    json!({"deploymentConfiguration": configuration})
}

fn hooked(members: Value) -> Value {
    let mut hook = json!({"hookTargetArn": "http://127.0.0.1:9/", "lifecycleStages": ["POST_SCALE_UP"]});
    hook.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    hook.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    configured(json!({"lifecycleHooks": [hook]}))
}

#[tokio::test]
async fn strategies_are_taken_and_given_back() {
    let fixture = fixture().await;
    let hook = json!({"hookTargetArn": "http://127.0.0.1:9/", "roleArn": "arn:aws:iam::000000000000:role/r",
        "lifecycleStages": ["PRE_SCALE_UP"], "hookDetails": {"a": 1}});
    let service = create(&fixture, configured(json!({"lifecycleHooks": [hook]}))).await.unwrap();
    let configuration = &service["deploymentConfiguration"];
    assert_eq!(
        (&configuration["strategy"], &configuration["bakeTimeInMinutes"]),
        (&json!("BLUE_GREEN"), &json!(5))
    );
    assert_eq!(configuration["lifecycleHooks"], json!([hook]));
    let arn = &service["currentServiceDeployment"];
    let described = async || {
        let asked = json!({"serviceDeploymentArns": [arn]});
        fixture.json("DescribeServiceDeployments", asked).await.unwrap()["serviceDeployments"][0].take()
    };
    assert_eq!(described().await["lifecycleStage"], "PRE_SCALE_UP");
    // Another strategy goes without what belonged to this one.
    let linear = json!({"deploymentConfiguration": {"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 12.5}}});
    let service = update(&fixture, linear).await.unwrap();
    let configuration = &service["deploymentConfiguration"];
    assert_eq!(
        (&configuration["lifecycleHooks"], &configuration["bakeTimeInMinutes"]),
        (&Value::Null, &json!(0))
    );
    assert_eq!(described().await["lifecycleStage"], "PRE_SCALE_UP", "what is under way goes on as it began");
    let rolling =
        update(&fixture, json!({"deploymentConfiguration": {"strategy": "ROLLING"}})).await.unwrap();
    assert_eq!(rolling["deploymentConfiguration"]["linearConfiguration"], Value::Null);
}

fn rolling(stage: &str) -> Value {
    json!({"deploymentConfiguration": {"strategy": "ROLLING", "lifecycleHooks": [
        {"targetType": "PAUSE", "lifecycleStages": [stage]}]}})
}

#[tokio::test]
async fn a_rolling_update_has_hooks_too() {
    let fixture = fixture().await;
    let service = create(&fixture, rolling("PRE_SCALE_UP")).await.unwrap();
    assert_eq!(service["deploymentConfiguration"]["lifecycleHooks"][0]["targetType"], "PAUSE");
    let stage = async |service: &Value| {
        let asked = json!({"serviceDeploymentArns": [service["currentServiceDeployment"]]});
        let described = fixture.json("DescribeServiceDeployments", asked).await.unwrap();
        described["serviceDeployments"][0]["lifecycleStage"].clone()
    };
    assert_eq!(stage(&service).await, "PRE_SCALE_UP");
    // Without hooks it comes to no stages.
    let plain = json!({"forceNewDeployment": true, "deploymentConfiguration": {"lifecycleHooks": []}});
    let service = update(&fixture, plain).await.unwrap();
    assert_eq!(stage(&service).await, Value::Null);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let fixture = fixture().await;
    let cases = [
        (configured(json!({"bakeTimeInMinutes": null})), "bakeTimeInMinutes is required"),
        (configured(json!({"bakeTimeInMinutes": 1441})), "bakeTimeInMinutes must be between 0 and 1440"),
        (
            configured(json!({"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 0.05}})),
            "canaryPercent",
        ),
        (
            configured(json!({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 2.9}})),
            "stepPercent",
        ),
        (configured(json!({"linearConfiguration": {"stepPercent": 10.0}})), "strategy of that name only"),
        (configured(json!({"strategy": "LINEAR", "canaryConfiguration": {}})), "strategy of that name only"),
        (hooked(json!({"hookTargetArn": null})), "it needs a hookTargetArn"),
        (
            hooked(json!({"hookTargetArn": "arn:aws:lambda:us-east-1:000000000000:function:f"})),
            "no Lambda function",
        ),
        (hooked(json!({"lifecycleStages": null})), "it needs lifecycleStages"),
        (hooked(json!({"targetType": "PAUSE"})), "neither hookTargetArn nor roleArn"),
        (
            hooked(
                json!({"targetType": "PAUSE", "hookTargetArn": null, "lifecycleStages": ["TEST_TRAFFIC_SHIFT"]}),
            ),
            "a PAUSE can't be at TEST_TRAFFIC_SHIFT",
        ),
        (
            hooked(json!({"timeoutConfiguration": {"timeoutInMinutes": 1441}})),
            "timeoutInMinutes must be between",
        ),
    ];
    for (members, why) in cases {
        let error = create(&fixture, members.clone()).await.unwrap_err();
        assert_eq!(error.code, "InvalidParameterException", "{members}: {error}");
        assert!(error.message.contains(why), "{members}: {error}");
    }
    let mut daemon = configured(json!({}));
    daemon["schedulingStrategy"] = json!("DAEMON");
    daemon["desiredCount"] = Value::Null;
    daemon["launchType"] = json!("EC2");
    let error = create(&fixture, daemon).await.unwrap_err();
    assert!(error.message.contains("does not support the BLUE_GREEN deployment strategy"), "{error}");
    let mut daemon = rolling("PRE_SCALE_UP");
    daemon["schedulingStrategy"] = json!("DAEMON");
    daemon["desiredCount"] = Value::Null;
    daemon["launchType"] = json!("EC2");
    let error = create(&fixture, daemon).await.unwrap_err();
    assert_eq!(error.code, "UnsupportedFeatureException", "{error}");
    let error = create(&fixture, rolling("POST_TEST_TRAFFIC_SHIFT")).await.unwrap_err();
    assert!(error.message.contains("ROLLING doesn't come to POST_TEST_TRAFFIC_SHIFT"), "{error}");
    assert_eq!(fixture.app.world().all_services().count(), 0);
}
