use super::*;

#[tokio::test]
async fn tags_are_given_where_asked_for() {
    let fixture = fixture().await;
    create(&fixture, json!({"tags": [{"key": "a", "value": "b"}]})).await.unwrap();
    let plain = describe(&fixture, "web").await;
    assert_eq!(plain["tags"], Value::Null);
    let asked = json!({"services": ["web"], "include": ["TAGS"]});
    let answer = fixture.json("DescribeServices", asked).await.unwrap();
    assert_eq!(answer["services"][0]["tags"], json!([{"key": "a", "value": "b"}]));
}

#[tokio::test]
async fn what_is_missing_is_a_failure() {
    let fixture = fixture().await;
    create(&fixture, json!({})).await.unwrap();
    let arn = "arn:aws:ecs:us-east-1:000000000000:service/default/gone";
    let answer = fixture.json("DescribeServices", json!({"services": ["gone", "web", arn]})).await.unwrap();
    assert_eq!(answer["services"].as_array().unwrap().len(), 1);
    let missing = json!({"arn": arn, "reason": "MISSING"});
    assert_eq!(answer["failures"], json!([missing, missing]));
}

#[tokio::test]
async fn bad_requests_are_refused() {
    let fixture = fixture().await;
    let eleven: Vec<String> = (0..11).map(|n| format!("s{n}")).collect();
    let cases = [
        ("DescribeServices", json!({"services": []}), "InvalidParameterException: Services cannot be empty."),
        (
            "DescribeServices",
            json!({"services": eleven}),
            "InvalidParameterException: Services can have at most 10",
        ),
        ("DescribeServices", json!({"services": ["a"], "cluster": "x"}), "ClusterNotFoundException"),
        ("DescribeServices", json!({"services": ["a"], "include": ["X"]}), "InvalidParameterException"),
        ("ListServices", json!({"cluster": "x"}), "ClusterNotFoundException"),
        ("ListServices", json!({"maxResults": 101}), "InvalidParameterException"),
        ("ListServices", json!({"maxResults": 0}), "InvalidParameterException"),
        ("ListServices", json!({"nextToken": "x"}), "InvalidParameterException: Invalid token"),
        ("DeleteService", json!({"service": "none"}), "ServiceNotFoundException: Service not found."),
        ("DeleteService", json!({"service": "none", "cluster": "x"}), "ClusterNotFoundException"),
    ];
    for (operation, body, expected) in cases {
        let error = fixture.json(operation, body.clone()).await.unwrap_err();
        assert!(refusal(&error).starts_with(expected), "{operation} {body}: {error}");
    }
}

#[tokio::test]
async fn lists_have_pages_and_filters() {
    let fixture = fixture().await;
    for number in 0..12 {
        let ec2 = number % 3 == 0;
        let members = json!({"serviceName": format!("s{number:02}"), "launchType": if ec2 { "EC2" } else { "FARGATE" }});
        create(&fixture, members).await.unwrap();
    }
    let list = async |body: Value| {
        let answer = fixture.json("ListServices", body).await.unwrap();
        let arns: Vec<String> = serde_json::from_value(answer["serviceArns"].clone()).unwrap();
        (arns, answer["nextToken"].as_str().map(str::to_owned))
    };
    let (first, token) = list(json!({})).await;
    assert_eq!(first.len(), 10);
    assert_eq!(first[0], "arn:aws:ecs:us-east-1:000000000000:service/default/s00");
    let (rest, end) = list(json!({"nextToken": token})).await;
    assert_eq!((rest.len(), end), (2, None));
    assert_eq!(list(json!({"launchType": "EC2"})).await.0.len(), 4);
    assert_eq!(list(json!({"launchType": "FARGATE", "maxResults": 100})).await.0.len(), 8);
    assert_eq!(list(json!({"schedulingStrategy": "DAEMON"})).await.0.len(), 0);
    assert_eq!(list(json!({"schedulingStrategy": "REPLICA", "maxResults": 50})).await.0.len(), 12);
    assert_eq!(list(json!({"resourceManagementType": "ECS"})).await.0.len(), 0);
    assert_eq!(list(json!({"resourceManagementType": "CUSTOMER", "maxResults": 5})).await.0.len(), 5);
    fixture.json("DeleteService", json!({"service": "s00", "force": true})).await.unwrap();
    assert_eq!(list(json!({"launchType": "EC2"})).await.0.len(), 3);
}

#[tokio::test]
async fn a_service_is_deleted_at_zero_or_by_force() {
    let fixture = fixture().await;
    create(&fixture, json!({})).await.unwrap();
    let error = fixture.json("DeleteService", json!({"service": "web"})).await.unwrap_err();
    assert_eq!(
        refusal(&error),
        "InvalidParameterException: The service cannot be stopped while it is scaled above 0."
    );
    update(&fixture, json!({"desiredCount": 0})).await.unwrap();
    let arn = "arn:aws:ecs:us-east-1:000000000000:service/default/web";
    let answer = fixture.json("DeleteService", json!({"service": arn})).await.unwrap();
    assert_eq!(answer["service"]["status"], "DRAINING");
    assert_eq!(answer["service"]["desiredCount"], 0);
    let error = update(&fixture, json!({"desiredCount": 1})).await.unwrap_err();
    assert_eq!(refusal(&error), "ServiceNotActiveException: Service was not ACTIVE.");
    let again = fixture.json("DeleteService", json!({"service": arn})).await.unwrap();
    assert_eq!(again["service"]["status"], "DRAINING");
}

#[tokio::test]
async fn services_survive_a_restart() {
    let fixture = fixture().await;
    let made = create(&fixture, json!({})).await.unwrap();
    let mut restored = describe(&fixture.restarted(), "web").await;
    restored["tags"] = made["tags"].clone();
    assert_eq!(restored, made);
}

#[tokio::test]
async fn others_see_nothing_of_it() {
    let fixture = fixture().await;
    create(&fixture, json!({})).await.unwrap();
    fixture.json("CreateCluster", json!({"clusterName": "c"})).await.unwrap();
    let listed = fixture.json("ListServices", json!({"cluster": "c"})).await.unwrap();
    assert_eq!(listed["serviceArns"], json!([]));
    let elsewhere = fixture.called_from("111111111111", "us-east-1");
    let error = elsewhere.json("ListServices", json!({})).await.unwrap_err();
    assert_eq!(error.code, "ClusterNotFoundException");
}
