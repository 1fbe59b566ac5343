use serde_json::{Value, json};

use crate::testing::Fixture;

const USER: &str = "arn:aws:iam::000000000000:user/ann";
const ROOT: &str = "arn:aws:iam::000000000000:root";

async fn list(fixture: &Fixture, body: Value) -> Vec<(String, String)> {
    let (mut all, mut token) = (Vec::new(), Value::Null);
    loop {
        let mut body = body.clone();
        body["nextToken"] = token;
        let answer = fixture.json("ListAccountSettings", body).await.unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let settings = answer["settings"].as_array().unwrap().clone();
        assert!(settings.len() <= 10);
        all.extend(settings.iter().map(|one| (text(&one["name"]), text(&one["value"]))));
        match answer.get("nextToken") {
            Some(next) => token = next.clone(),
            None => return all,
        }
    }
}

async fn insights(fixture: &Fixture, principal: &str) -> String {
    let body = json!({"name": "containerInsights", "effectiveSettings": true, "principalArn": principal});
    list(fixture, body).await[0].1.clone()
}

#[tokio::test]
async fn what_holds_where_nothing_was_set() {
    let fixture = Fixture::new().await;
    let all = list(&fixture, json!({"effectiveSettings": true})).await;
    let text: Vec<String> = all.iter().map(|(name, value)| format!("{name} {value}")).collect();
    insta::assert_snapshot!(text.join("\n"), @r"
    awsvpcTrunking disabled
    containerInsights disabled
    containerInstanceLongArnFormat enabled
    defaultLogDriverMode blocking
    fargateEventWindows disabled
    fargateFIPSMode disabled
    fargateTaskRetirementWaitPeriod 7
    guardDutyActivate off
    serviceLongArnFormat enabled
    tagResourceAuthorization on
    taskLongArnFormat enabled
    ");
    assert_eq!(list(&fixture, json!({})).await, []);
    let guard = json!({"name": "guardDutyActivate", "effectiveSettings": true});
    let answer = fixture.json("ListAccountSettings", guard).await.unwrap();
    assert_eq!(answer["settings"][0]["type"], json!("aws_managed"));
}

#[tokio::test]
async fn a_user_s_own_stands_before_the_account_s() {
    let fixture = Fixture::new().await;
    let put = json!({"name": "containerInsights", "value": "enabled"});
    let answer = fixture.json("PutAccountSettingDefault", put).await.unwrap();
    let expected =
        json!({"name": "containerInsights", "value": "enabled", "principalArn": ROOT, "type": "user"});
    assert_eq!(answer["setting"], expected);
    assert_eq!(insights(&fixture, USER).await, "enabled");
    let put = json!({"name": "containerInsights", "value": "enhanced", "principalArn": USER});
    fixture.json("PutAccountSetting", put).await.unwrap();
    assert_eq!(
        (insights(&fixture, USER).await, insights(&fixture, ROOT).await),
        ("enhanced".into(), "enabled".into())
    );
    let own = json!({"principalArn": USER, "name": "containerInsights"});
    assert_eq!(list(&fixture, own.clone()).await.len(), 1);
    let other = json!({"principalArn": USER, "name": "containerInsights", "value": "enabled"});
    assert_eq!(list(&fixture, other).await, []);
    let gone = fixture.json("DeleteAccountSetting", own).await.unwrap();
    assert_eq!(gone["setting"]["value"], json!("enabled"), "the account's holds again");
    let elsewhere = fixture.called_from("000000000000", "eu-west-1");
    assert_eq!(insights(&elsewhere, ROOT).await, "disabled", "settings are a region's");
    assert_eq!(insights(&fixture.restarted(), ROOT).await, "enabled");
}

#[tokio::test]
async fn container_insights_is_for_clusters_that_are_made_then() {
    let fixture = Fixture::new().await;
    let insights = |answer: Value| answer["cluster"]["settings"][0]["value"].clone();
    let make = async |name: &str| fixture.json("CreateCluster", json!({"clusterName": name})).await.unwrap();
    assert_eq!(insights(make("before").await), json!("disabled"));
    let put = json!({"name": "containerInsights", "value": "enhanced"});
    fixture.json("PutAccountSetting", put).await.unwrap();
    assert_eq!(insights(make("after").await), json!("enhanced"));
    assert_eq!(insights(make("before").await), json!("disabled"));
    let own = json!({"clusterName": "own", "settings": [{"name": "containerInsights", "value": "disabled"}]});
    assert_eq!(insights(fixture.json("CreateCluster", own).await.unwrap()), json!("disabled"));
}

#[tokio::test]
async fn what_cannot_be_set() {
    let fixture = Fixture::new().await;
    for body in [
        json!({"name": "containerInsights", "value": "ENABLED"}),
        json!({"name": "serviceLongArnFormat", "value": "disabled"}),
        json!({"name": "guardDutyActivate", "value": "on"}),
        json!({"name": "fargateTaskRetirementWaitPeriod", "value": "3"}),
        json!({"name": "fargateTaskRetirementWaitPeriod", "value": "0", "principalArn": USER}),
        json!({"name": "defaultLogDriverMode", "value": "non_blocking"}),
        json!({"name": "awsvpcTrunking", "value": "enabled", "principalArn": "ann"}),
        json!({"name": "awsvpcTrunking", "value": "enabled", "principalArn": "arn:aws:iam::111111111111:root"}),
        json!({"name": "awsvpcTrunking", "value": "enabled", "principalArn": "arn:aws:iam::000000000000:user/"}),
        json!({"name": "awsvpcTrunking", "value": "enabled", "principalArn": "arn:aws:sts::000000000000:assumed-role/a/b"}),
    ] {
        let error = fixture.json("PutAccountSetting", body.clone()).await.expect_err(&body.to_string());
        assert_eq!(error.code, "InvalidParameterException", "{body}: {error}");
    }
    for body in [json!({"value": "enabled"}), json!({"maxResults": 11}), json!({"nextToken": "x"})] {
        let error = fixture.json("ListAccountSettings", body.clone()).await.expect_err(&body.to_string());
        assert_eq!(error.code, "InvalidParameterException", "{body}: {error}");
    }
    for name in ["serviceLongArnFormat", "fargateFIPSMode", "tagResourceAuthorization"] {
        let value = if name == "tagResourceAuthorization" { "off" } else { "enabled" };
        fixture.json("PutAccountSettingDefault", json!({"name": name, "value": value})).await.unwrap();
    }
    assert_eq!(list(&fixture, json!({"principalArn": ROOT})).await.len(), 3);
}
