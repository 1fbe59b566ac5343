use model::Home;
use serde_json::{Value, json};

use crate::testing::Fixture;

async fn count(fixture: &Fixture, body: Value) -> Result<usize, wire::Error> {
    let answer = fixture.json("ListContainerInstances", body).await?;
    Ok(answer["containerInstanceArns"].as_array().unwrap().len())
}

#[tokio::test]
async fn the_filter_narrows_the_list() {
    let fixture = Fixture::new().await;
    for rack in ["r1", "r1", "r2"] {
        fixture.instance(Home::Cluster(fixture.cluster("default")), &[("rack", Some(rack))]).await;
    }
    for (filter, expected) in [
        ("", 3),
        ("attribute:rack == r1", 2),
        ("attribute:rack in [r1, r2] and agentConnected == true", 3),
        ("attribute:rack =~ r[2-9] or runningTasksCount > 0", 1),
        ("not (attribute:rack exists)", 0),
    ] {
        assert_eq!(count(&fixture, json!({"filter": filter})).await.unwrap(), expected, "{filter}");
    }
    assert_eq!(
        count(&fixture, json!({"filter": "attribute:rack == r1", "status": "DRAINING"})).await.unwrap(),
        0
    );
    let error = count(&fixture, json!({"filter": "attribute:rack = r1"})).await.unwrap_err();
    assert_eq!(error.code, "InvalidParameterException");
    assert!(error.message.contains("at character 16"), "{error}");
}

#[tokio::test]
async fn a_token_is_of_its_filter() {
    let fixture = Fixture::new().await;
    for _ in 0..2 {
        fixture.instance(Home::Cluster(fixture.cluster("default")), &[]).await;
    }
    let page = json!({"filter": "agentConnected == true", "maxResults": 1});
    let token = fixture.json("ListContainerInstances", page).await.unwrap()["nextToken"].clone();
    let other = json!({"filter": "agentConnected == false", "nextToken": token});
    assert!(fixture.json("ListContainerInstances", other).await.is_err());
    let same = json!({"filter": "agentConnected == true", "nextToken": token});
    assert_eq!(count(&fixture, same).await.unwrap(), 1);
}
