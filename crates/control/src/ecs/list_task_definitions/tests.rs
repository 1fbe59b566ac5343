use serde_json::{Value, json};

use crate::testing::Fixture;

/// `web:1` (INACTIVE), `web:2` to `web:11`, `web-admin:1`, `api:1` (INACTIVE), `old:1` (going).
async fn several() -> Fixture {
    let fixture = Fixture::new().await;
    let families = std::iter::repeat_n("web", 11).chain(["web-admin", "api", "old"]);
    for family in families {
        let containers = json!([{"name": "app", "image": "nginx", "memory": 64}]);
        let request = json!({"family": family, "containerDefinitions": containers});
        fixture.json("RegisterTaskDefinition", request).await.unwrap();
    }
    for name in ["web:1", "api:1", "old:1"] {
        fixture.json("DeregisterTaskDefinition", json!({"taskDefinition": name})).await.unwrap();
    }
    fixture.json("DeleteTaskDefinitions", json!({"taskDefinitions": ["old:1"]})).await.unwrap();
    fixture
}

fn names(answer: &Value) -> Vec<String> {
    let arns = answer["taskDefinitionArns"].as_array().expect("a list").iter();
    arns.map(|arn| arn.as_str().expect("an ARN").split_once('/').expect("a resource").1.to_owned()).collect()
}

async fn list(fixture: &Fixture, body: Value) -> Vec<String> {
    names(&fixture.json("ListTaskDefinitions", body).await.unwrap())
}

async fn families(fixture: &Fixture, body: Value) -> Value {
    fixture.json("ListTaskDefinitionFamilies", body).await.unwrap()["families"].clone()
}

#[tokio::test]
async fn active_ones_are_listed_by_family_and_number() {
    let fixture = several().await;
    let mut expected: Vec<String> = (2..=11).map(|revision| format!("web:{revision}")).collect();
    expected.push("web-admin:1".to_owned());
    assert_eq!(list(&fixture, json!({})).await, expected);
    expected.reverse();
    assert_eq!(list(&fixture, json!({"sort": "DESC"})).await, expected);
}

#[tokio::test]
async fn filters_narrow_the_list() {
    let fixture = several().await;
    // The family's whole name, not a beginning of it.
    assert_eq!(list(&fixture, json!({"familyPrefix": "web-admin"})).await, ["web-admin:1"]);
    assert_eq!(list(&fixture, json!({"familyPrefix": "web"})).await.len(), 10);
    assert_eq!(list(&fixture, json!({"familyPrefix": "we"})).await, Vec::<String>::new());
    assert_eq!(list(&fixture, json!({"status": "INACTIVE"})).await, ["api:1", "web:1"]);
    assert_eq!(list(&fixture, json!({"status": "DELETE_IN_PROGRESS"})).await, ["old:1"]);
    assert_eq!(
        list(&fixture.called_from("000000000000", "eu-west-1"), json!({})).await,
        Vec::<String>::new()
    );
    let error = fixture.json("ListTaskDefinitions", json!({"status": "GONE"})).await.unwrap_err();
    assert_eq!(error.code, "InvalidParameterException");
}

#[tokio::test]
async fn pages_follow_one_another_both_ways() {
    let fixture = several().await;
    for sort in ["ASC", "DESC"] {
        let whole = list(&fixture, json!({"sort": sort})).await;
        let (mut pages, mut token) = (Vec::new(), Value::Null);
        loop {
            let request = json!({"sort": sort, "maxResults": 3, "nextToken": token});
            let page = fixture.json("ListTaskDefinitions", request).await.unwrap();
            pages.extend(names(&page));
            match page.get("nextToken") {
                Some(next) => token = next.clone(),
                None => break,
            }
        }
        assert_eq!(pages, whole, "{sort}");
    }
    let first = fixture.json("ListTaskDefinitions", json!({"maxResults": 1})).await.unwrap();
    let other = json!({"sort": "DESC", "nextToken": first["nextToken"]});
    assert_eq!(fixture.json("ListTaskDefinitions", other).await.unwrap_err().message, "Invalid token");
    let error = fixture.json("ListTaskDefinitions", json!({"maxResults": 101})).await.unwrap_err();
    assert_eq!(error.code, "InvalidParameterException");
}

#[tokio::test]
async fn a_family_is_active_while_a_revision_is() {
    let fixture = several().await;
    assert_eq!(families(&fixture, json!({})).await, json!(["api", "old", "web", "web-admin"]));
    assert_eq!(families(&fixture, json!({"status": "ALL"})).await, json!(["api", "old", "web", "web-admin"]));
    assert_eq!(families(&fixture, json!({"status": "ACTIVE"})).await, json!(["web", "web-admin"]));
    assert_eq!(families(&fixture, json!({"status": "INACTIVE"})).await, json!(["api", "old"]));
    assert_eq!(families(&fixture, json!({"familyPrefix": "we"})).await, json!(["web", "web-admin"]));
    let page = fixture.json("ListTaskDefinitionFamilies", json!({"maxResults": 3})).await.unwrap();
    let next = json!({"maxResults": 3, "nextToken": page["nextToken"]});
    assert_eq!(families(&fixture, next).await, json!(["web-admin"]));
}
