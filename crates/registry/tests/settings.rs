//! What is set for a registry as a whole: account settings, unrecorded pulls, signing.

mod common;

use std::sync::Arc;

use common::{ACCOUNT, Harness};
use iam::{Kind, Principal};
use registry::Principals;
use serde_json::{Value, json};

/// Everybody is the agent, which has a name that can be excluded.
struct Agent;

impl Principals for Agent {
    fn find(&self, _: &str, account: &str) -> Option<Principal> {
        Some(Principal { account: account.into(), kind: Kind::Agent })
    }
}

#[tokio::test]
async fn mounting_can_be_switched_off() {
    let h = Harness::start().await;
    h.create("one").await;
    h.create("two").await;
    let digest = h.push_blob("one", b"layer").await;
    let mount = format!("/v2/two/blobs/uploads/?mount={digest}&from=one");
    let get = async |h: &Harness, name: &str| {
        h.call("GetAccountSetting", json!({"name": name})).await.unwrap()["value"].clone()
    };
    assert_eq!(get(&h, "BLOB_MOUNTING").await, "ENABLED");
    assert_eq!(
        (get(&h, "REGISTRY_POLICY_SCOPE").await, get(&h, "BASIC_SCAN_TYPE_VERSION").await),
        (json!("V2"), json!("AWS_NATIVE"))
    );
    let put = json!({"name": "BLOB_MOUNTING", "value": "DISABLED"});
    assert_eq!(h.call("PutAccountSetting", put.clone()).await.unwrap(), put);
    assert_eq!(h.send("POST", &mount).await.status(), 202, "an upload begins");
    let h = h.restart().await;
    assert_eq!(get(&h, "BLOB_MOUNTING").await, "DISABLED");
    h.call("PutAccountSetting", json!({"name": "BLOB_MOUNTING", "value": "ENABLED"})).await.unwrap();
    assert_eq!(h.send("POST", &mount).await.status(), 201);
    for (name, value) in [("OTHER", "V2"), ("BLOB_MOUNTING", "MAYBE"), ("REGISTRY_POLICY_SCOPE", "V1")] {
        let error = h.call("PutAccountSetting", json!({"name": name, "value": value})).await.unwrap_err();
        assert_eq!(error.code, "InvalidParameterException", "{name}");
    }
}

#[tokio::test]
async fn pulls_of_the_excluded_are_not_recorded() {
    let h = Harness::start_with(|config| config.principals = Arc::new(Agent)).await;
    h.create("app").await;
    h.push_image("app", "v1", b"layer").await;
    let pulled = async || {
        assert_eq!(h.send("GET", "/v2/app/manifests/v1").await.status(), 200);
        // The note is made beside the answer.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let images = h.call("DescribeImages", json!({"repositoryName": "app"})).await.unwrap();
        images["imageDetails"][0].get("lastRecordedPullTime").is_some()
    };
    let arn = json!({"principalArn": "arn:aws:iam::000000000000:role/longshore-agent"});
    let made = h.call("RegisterPullTimeUpdateExclusion", arn.clone()).await.unwrap();
    assert!(made["createdAt"].is_number());
    let error = h.call("RegisterPullTimeUpdateExclusion", arn.clone()).await.unwrap_err();
    assert_eq!(error.code, "ExclusionAlreadyExistsException");
    assert!(!pulled().await);
    let listed = h.call("ListPullTimeUpdateExclusions", json!({})).await.unwrap();
    assert_eq!(listed["pullTimeUpdateExclusions"], json!([arn["principalArn"]]));
    h.call("DeregisterPullTimeUpdateExclusion", arn.clone()).await.unwrap();
    let error = h.call("DeregisterPullTimeUpdateExclusion", arn).await.unwrap_err();
    assert_eq!(error.code, "ExclusionNotFoundException");
    assert!(pulled().await);
}

#[tokio::test]
async fn signing_configurations_are_kept() {
    let h = Harness::start().await;
    let unknown = |result: Result<Value, wire::Error>| {
        result.unwrap_err().code == "SigningConfigurationNotFoundException"
    };
    assert!(unknown(h.call("GetSigningConfiguration", json!({})).await));
    let profile = "arn:aws:signer:us-east-1:000000000000:/signing-profiles/app";
    let wanted = json!({"rules": [
        {"signingProfileArn": profile, "repositoryFilters": [{"filter": "app/*", "filterType": "WILDCARD_MATCH"}]},
        {"signingProfileArn": profile},
    ]});
    h.call("PutSigningConfiguration", json!({"signingConfiguration": wanted})).await.unwrap();
    let h = h.restart().await;
    let told = h.call("GetSigningConfiguration", json!({})).await.unwrap();
    assert_eq!(told, json!({"registryId": ACCOUNT, "signingConfiguration": wanted}));
    let gone = h.call("DeleteSigningConfiguration", json!({})).await.unwrap();
    assert_eq!(gone["signingConfiguration"], wanted);
    assert!(unknown(h.call("DeleteSigningConfiguration", json!({})).await));
}
