use model::Home;
use serde_json::{Value, json};

use crate::testing::Fixture;

async fn machine(fixture: &Fixture) -> String {
    let home = Home::Cluster(fixture.cluster("default"));
    fixture.instance(home, &[("ecs.os-type", Some("linux")), ("rack", Some("r1"))]).await.to_string()
}

fn attribute(target: &str, name: &str, value: Option<&str>) -> Value {
    let mut whole = json!({"name": name, "targetId": target, "targetType": "container-instance"});
    if let Some(value) = value {
        whole["value"] = value.into();
    }
    whole
}

async fn put(fixture: &Fixture, attributes: Vec<Value>) -> Result<Value, wire::Error> {
    fixture.json("PutAttributes", json!({"attributes": attributes})).await
}

/// `name=value`, in the order of the list.
async fn list(fixture: &Fixture, more: Value) -> Vec<String> {
    let mut body = json!({"targetType": "container-instance"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = fixture.json("ListAttributes", body).await.unwrap();
    let text = |one: &Value| {
        format!("{}={}", one["name"].as_str().unwrap(), one["value"].as_str().unwrap_or_default())
    };
    answer["attributes"].as_array().unwrap().iter().map(text).collect()
}

#[tokio::test]
async fn put_list_delete() {
    let fixture = Fixture::new().await;
    let one = machine(&fixture).await;
    let arn = format!("arn:aws:ecs:us-east-1:000000000000:container-instance/default/{one}");
    let by_arn = json!({"name": "stack", "value": "a b:c", "targetId": arn});
    let answer = put(&fixture, vec![by_arn.clone(), attribute(&one, "ssd", None)]).await.unwrap();
    assert_eq!(answer["attributes"][0], by_arn);
    put(&fixture, vec![attribute(&one, "rack", Some("r2"))]).await.unwrap();
    assert_eq!(list(&fixture, json!({})).await, ["ecs.os-type=linux", "rack=r2", "ssd=", "stack=a b:c"]);
    assert_eq!(list(&fixture, json!({"attributeName": "rack"})).await, ["rack=r2"]);
    assert_eq!(
        list(&fixture, json!({"attributeName": "rack", "attributeValue": "r1"})).await,
        Vec::<String>::new()
    );

    let described = json!({"containerInstances": [one]});
    let described = fixture.json("DescribeContainerInstances", described).await.unwrap();
    assert_eq!(described["containerInstances"][0]["attributes"].as_array().unwrap().len(), 4);

    let names = vec![attribute(&one, "stack", None), attribute(&one, "none", None)];
    let answer = fixture.json("DeleteAttributes", json!({"attributes": names})).await.unwrap();
    assert_eq!(answer["attributes"].as_array().unwrap().len(), 1, "what was there");
    assert_eq!(list(&fixture, json!({})).await, ["ecs.os-type=linux", "rack=r2", "ssd="]);
}

#[tokio::test]
async fn pages() {
    let fixture = Fixture::new().await;
    machine(&fixture).await;
    machine(&fixture).await;
    let (mut seen, mut token) = (0, None);
    loop {
        let body = json!({"targetType": "container-instance", "maxResults": 3, "nextToken": token});
        let answer = fixture.json("ListAttributes", body).await.unwrap();
        seen += answer["attributes"].as_array().unwrap().len();
        match answer.get("nextToken") {
            Some(next) => token = Some(next.clone()),
            None => break,
        }
    }
    assert_eq!(seen, 4);
}

#[tokio::test]
async fn what_is_wrong_changes_nothing() {
    let fixture = Fixture::new().await;
    let one = machine(&fixture).await;
    let good = attribute(&one, "a", Some("1"));
    let ten: Vec<Value> = (0..10).map(|n| attribute(&one, &format!("a{n}"), Some("1"))).collect();
    for (bad, code) in [
        (attribute(&one, "", Some("1")), "InvalidParameterException"),
        (attribute(&one, "a b", Some("1")), "InvalidParameterException"),
        (attribute(&one, &"n".repeat(129), Some("1")), "InvalidParameterException"),
        (attribute(&one, "b", Some("")), "InvalidParameterException"),
        (attribute(&one, "b", Some(" 1")), "InvalidParameterException"),
        (attribute(&one, "b", Some("1;")), "InvalidParameterException"),
        (attribute(&one, "b", Some(&"v".repeat(129))), "InvalidParameterException"),
        (attribute(&one, "ecs.os-type", Some("windows")), "InvalidParameterException"),
        (attribute(&one, "longshore.capacity", Some("serverless")), "InvalidParameterException"),
        (attribute(&one, "a", Some("2")), "InvalidParameterException"),
        (attribute("x", "b", Some("1")), "InvalidParameterException"),
        (json!({"name": "b", "value": "1"}), "InvalidParameterException"),
        (json!({"name": "b", "value": "1", "targetId": one}), "InvalidParameterException"),
        (attribute(&"0".repeat(32), "b", Some("1")), "TargetNotFoundException"),
    ] {
        let error = put(&fixture, vec![good.clone(), bad.clone()]).await.expect_err(&bad.to_string());
        assert_eq!(error.code, code, "{bad}: {error}");
    }
    // With the agent's own there would be eleven.
    assert_eq!(put(&fixture, ten.clone()).await.unwrap_err().code, "AttributeLimitExceededException");
    let eleven = ten.into_iter().chain([good]).collect();
    assert_eq!(put(&fixture, eleven).await.unwrap_err().code, "InvalidParameterException");
    assert_eq!(put(&fixture, vec![]).await.unwrap_err().code, "InvalidParameterException");
    let delete = json!({"attributes": [attribute(&one, "ecs.os-type", None)]});
    assert_eq!(fixture.json("DeleteAttributes", delete).await.unwrap_err().code, "InvalidParameterException");
    let value = json!({"targetType": "container-instance", "attributeValue": "r1"});
    assert_eq!(fixture.json("ListAttributes", value).await.unwrap_err().code, "InvalidParameterException");
    assert_eq!(list(&fixture, json!({})).await, ["ecs.os-type=linux", "rack=r1"]);
}
