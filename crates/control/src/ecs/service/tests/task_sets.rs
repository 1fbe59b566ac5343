use super::*;

async fn external(fixture: &Fixture, desired: i32) -> Result<Value, Error> {
    let request =
        json!({"serviceName": "web", "deploymentController": {"type": "EXTERNAL"}, "desiredCount": desired});
    Ok(fixture.json("CreateService", request).await?["service"].take())
}

fn set(members: Value) -> Value {
    let mut set = json!({"cluster": "default", "service": "web"});
    set.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    set
}

fn new(members: Value) -> Value {
    let mut new = set(json!({"taskDefinition": "web", "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}}));
    new.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    new
}

async fn call(fixture: &Fixture, operation: &str, body: Value) -> Result<Value, Error> {
    Ok(fixture.json(operation, body).await?["taskSet"].take())
}

#[tokio::test]
async fn a_task_set_s_life() {
    let fixture = fixture().await;
    let service = external(&fixture, 3).await.unwrap();
    assert_eq!((&service["taskSets"], &service["deployments"]), (&json!([]), &json!([])));
    assert_eq!(service["deploymentController"]["type"], "EXTERNAL");
    let tags = json!([{"key": "team", "value": "web"}]);
    let scale = json!({"value": 33.4, "unit": "PERCENT"});
    let asked = new(json!({"externalId": "x", "scale": scale, "tags": tags, "clientToken": "once"}));
    let made = call(&fixture, "CreateTaskSet", asked.clone()).await.unwrap();
    assert_eq!((&made["status"], &made["computedDesiredCount"]), (&json!("ACTIVE"), &json!(2)), "rounded up");
    assert_eq!((&made["externalId"], &made["tags"], &made["scale"]), (&json!("x"), &tags, &scale));
    assert_eq!(made["stabilityStatus"], "STABILIZING");
    let id = made["id"].as_str().unwrap();
    let arn = format!("arn:aws:ecs:us-east-1:000000000000:task-set/default/web/{id}");
    assert_eq!(made["taskSetArn"], json!(arn));
    assert_eq!(call(&fixture, "CreateTaskSet", asked).await.unwrap(), made, "the token makes it harmless");
    let other = new(json!({"clientToken": "once"}));
    let error = call(&fixture, "CreateTaskSet", other).await.unwrap_err();
    assert_eq!(refusal(&error), "InvalidParameterException: Creation of task set was not idempotent.");

    let second = call(&fixture, "CreateTaskSet", new(json!({}))).await.unwrap();
    assert_eq!(second["scale"]["value"], 100.0);
    let primary = set(json!({"primaryTaskSet": arn}));
    assert_eq!(call(&fixture, "UpdateServicePrimaryTaskSet", primary).await.unwrap()["status"], "PRIMARY");
    let primary = set(json!({"primaryTaskSet": second["id"]}));
    call(&fixture, "UpdateServicePrimaryTaskSet", primary).await.unwrap();
    let statuses = async || {
        let described = fixture.json("DescribeTaskSets", set(json!({}))).await.unwrap();
        let all = described["taskSets"].as_array().unwrap().clone();
        all.iter().map(|one| one["status"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(statuses().await, ["ACTIVE", "PRIMARY"]);
    let scaled = set(json!({"taskSet": id, "scale": {"value": 70.0}}));
    assert_eq!(call(&fixture, "UpdateTaskSet", scaled).await.unwrap()["computedDesiredCount"], 3);
    let service = update(&fixture, json!({"desiredCount": 10})).await.unwrap();
    assert_eq!(service["taskSets"][0]["computedDesiredCount"], 7, "and of the new count");

    let gone = set(json!({"taskSet": id}));
    let error = call(&fixture, "DeleteTaskSet", gone).await.unwrap_err();
    assert!(error.message.contains("scaled above 0"), "{error}");
    let gone = set(json!({"taskSet": id, "force": true}));
    assert_eq!(call(&fixture, "DeleteTaskSet", gone.clone()).await.unwrap()["status"], "DRAINING");
    assert_eq!(call(&fixture, "DeleteTaskSet", gone).await.unwrap_err().code, "TaskSetNotFoundException");
    assert_eq!(
        fixture.restarted().json("DescribeTaskSets", set(json!({}))).await.unwrap()["taskSets"][0]["status"],
        "DRAINING"
    );
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let fixture = fixture().await;
    let controller = json!({"type": "EXTERNAL"});
    for (name, value) in [
        ("taskDefinition", json!("web")),
        ("launchType", json!("EC2")),
        ("platformVersion", json!("LATEST")),
        ("deploymentConfiguration", json!({"maximumPercent": 150})),
    ] {
        let request = json!({"serviceName": "web", "deploymentController": controller, name: value});
        let error = fixture.json("CreateService", request).await.unwrap_err();
        assert!(error.message.starts_with(&format!("{name} can't be specified")), "{error}");
    }
    create(&fixture, json!({"serviceName": "rolling"})).await.unwrap();
    let error = call(&fixture, "CreateTaskSet", new(json!({"service": "rolling"}))).await.unwrap_err();
    assert!(error.message.contains("deployment controller EXTERNAL only"), "{error}");
    external(&fixture, 1).await.unwrap();
    let cases = [
        ("CreateTaskSet", new(json!({"service": "none"})), "ServiceNotFoundException"),
        ("CreateTaskSet", new(json!({"cluster": "none"})), "ClusterNotFoundException"),
        (
            "CreateTaskSet",
            new(json!({"scale": {"value": 100.5}})),
            "InvalidParameterException: The scale must be",
        ),
        (
            "CreateTaskSet",
            new(json!({"taskDefinition": "none"})),
            "ClientException: TaskDefinition not found.",
        ),
        (
            "CreateTaskSet",
            new(json!({"loadBalancers": [{"containerName": "web"}]})),
            "UnsupportedFeatureException",
        ),
        (
            "UpdateTaskSet",
            set(json!({"taskSet": "ecs-svc/1", "scale": {"value": 1.0}})),
            "TaskSetNotFoundException",
        ),
        ("DeleteTaskSet", set(json!({"taskSet": "arn:aws:ecs:x"})), "InvalidParameterException"),
        (
            "UpdateServicePrimaryTaskSet",
            set(json!({"primaryTaskSet": "ecs-svc/1"})),
            "TaskSetNotFoundException",
        ),
    ];
    for (operation, body, expected) in cases {
        let error = fixture.json(operation, body.clone()).await.unwrap_err();
        assert!(refusal(&error).starts_with(expected), "{operation} {body}: {error}");
    }
    let missing = fixture.json("DescribeTaskSets", set(json!({"taskSets": ["ecs-svc/1"]}))).await.unwrap();
    assert_eq!(missing["failures"][0]["reason"], "MISSING");
    let error = update(&fixture, json!({"taskDefinition": "web"})).await.unwrap_err();
    assert!(error.message.starts_with("taskDefinition can't be specified"), "{error}");
    fixture.json("DeleteService", json!({"service": "web", "force": true})).await.unwrap();
    let error = call(&fixture, "CreateTaskSet", new(json!({}))).await.unwrap_err();
    assert_eq!(error.code, "ServiceNotActiveException");
}
