//! What is told of images that come and go.

mod common;

use std::sync::Arc;

use common::{ACCOUNT, Harness, OCI_MANIFEST, REGION, image};
use registry::Audience;
use serde_json::{Value, json};

/// Who listens to the image actions of one region.
#[derive(Debug)]
struct Listener;

impl Audience for Listener {
    fn wants(&self, account: &str, region: &str, source: &str, detail_type: &str) -> bool {
        (account, region, source, detail_type) == (ACCOUNT, REGION, "aws.ecr", "ECR Image Action")
    }

    fn takes(&self, _: &str, _: &str, event: &Value) -> bool {
        event["detail"]["repository-name"] != "hushed"
    }
}

async fn listened() -> Harness {
    Harness::start_with(|config| config.audience = Arc::new(Listener)).await
}

/// `PUSH v1`, `DELETE -`
fn told(h: &Harness) -> Vec<String> {
    let messages = h.registry.outbox().after(0, usize::MAX);
    let detail =
        |message: &[u8]| serde_json::from_slice::<Value>(message).unwrap()["event"]["detail"].clone();
    let told = messages.iter().map(|(_, message)| detail(message));
    told.map(|d| format!("{} {}", d["action-type"].as_str().unwrap(), d["image-tag"].as_str().unwrap_or("-")))
        .collect()
}

#[tokio::test]
async fn a_push_is_told_as_the_user_guide_shows_it() {
    let h = listened().await;
    h.create("team/app").await;
    let digest = h.push_image("team/app", "v1", b"layer").await;
    let messages = h.registry.outbox().after(0, usize::MAX);
    assert_eq!(messages.len(), 1);
    let message: Value = serde_json::from_slice(&messages[0].1).unwrap();
    assert_eq!(message["about"], format!("arn:aws:ecr:{REGION}:{ACCOUNT}:repository/team/app"));
    let mut event = message["event"].clone();
    assert_eq!(event["id"].take().as_str().unwrap().len(), 36);
    let expected = json!({
        "version": "0", "id": null, "detail-type": "ECR Image Action", "source": "aws.ecr", "account": ACCOUNT,
        "time": "2026-09-21T14:13:20Z", "region": REGION, "resources": [],
        "detail": {
            "result": "SUCCESS", "repository-name": "team/app", "image-digest": digest, "action-type": "PUSH",
            "image-tag": "v1",
        },
    });
    assert_eq!(event, expected);
    assert_eq!(h.store.range("outbox/").unwrap().len(), 1, "committed with the manifest");
}

#[tokio::test]
async fn each_way_to_push_and_to_delete_is_told_once() {
    let h = listened().await;
    h.create("app").await;
    let digest = h.push_image("app", "v1", b"layer").await;
    h.push_image("app", "v1", b"layer").await;
    assert_eq!(told(&h), ["PUSH v1"], "the same again is nothing new");
    let manifest = h.send("GET", "/v2/app/manifests/v1").await.text().await.unwrap();
    let put = json!({"repositoryName": "app", "imageManifest": manifest, "imageTag": "v2"});
    h.call("PutImage", put).await.unwrap();
    h.call("BatchDeleteImage", json!({"repositoryName": "app", "imageIds": [{"imageTag": "v1"}]}))
        .await
        .unwrap();
    assert_eq!(h.send("DELETE", &format!("/v2/app/manifests/{digest}")).await.status(), 202);
    assert_eq!(told(&h), ["PUSH v1", "PUSH v2", "DELETE v1", "DELETE v2"]);

    // By its digest alone.
    let config = b"{}";
    h.push_blob("app", config).await;
    let body = image(config, &[]).to_string();
    let digest = common::sha256(body.as_bytes());
    assert_eq!(h.put_manifest("app", &digest, OCI_MANIFEST, &body).await.status(), 201);
    h.call("DeleteRepository", json!({"repositoryName": "app", "force": true})).await.unwrap();
    assert_eq!(told(&h)[4..], ["PUSH -", "DELETE -"]);
}

#[tokio::test]
async fn what_nobody_wants_is_not_stored_and_the_rest_outlives_a_restart() {
    let h = listened().await;
    h.create("hushed").await;
    h.push_image("hushed", "v1", b"layer").await;
    assert!(h.store.range("outbox/").unwrap().is_empty());
    h.create("app").await;
    h.push_image("app", "v1", b"layer").await;
    let h = h.restart().await;
    assert_eq!(told(&h), ["PUSH v1"]);
    // What was taken over goes with the next commit, whoever listens then.
    h.registry.outbox().forget(*h.registry.outbox().newest().borrow());
    h.create("other").await;
    assert!(h.store.range("outbox/").unwrap().is_empty());
}
