//! Lifecycle policies through the API: put, previewed, applied.

mod common;

use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{ACCOUNT, Harness, OCI_INDEX, REGION, START_MS, descriptor, image, sha256};
use registry::UsedImage;
use serde_json::{Value, json};

const DAY_MS: u64 = 24 * 3600 * 1000;

fn newest(count: u32) -> String {
    let selection = json!({"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": count});
    json!({"rules": [{"rulePriority": 3, "selection": selection, "action": {"type": "expire"}}]}).to_string()
}

fn aged(days: u32) -> String {
    let selection = json!({
        "tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days,
    });
    json!({"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]}).to_string()
}

fn used(tag: Option<&str>, digest: Option<&str>) -> UsedImage {
    UsedImage {
        account: ACCOUNT.to_owned(),
        region: REGION.to_owned(),
        repository: "app".to_owned(),
        tag: tag.map(str::to_owned),
        digest: digest.map(str::to_owned),
    }
}

/// The repository `app` with the images v1 to v3, a second between each and the next.
async fn three_images(h: &Harness) -> [String; 3] {
    h.create("app").await;
    let mut digests = Vec::new();
    for tag in ["v1", "v2", "v3"] {
        digests.push(h.push_image("app", tag, tag.as_bytes()).await);
        h.now_ms.fetch_add(1000, Ordering::SeqCst);
    }
    digests.try_into().unwrap()
}

async fn put(h: &Harness, text: &str) -> Result<Value, wire::Error> {
    h.call("PutLifecyclePolicy", json!({"repositoryName": "app", "lifecyclePolicyText": text})).await
}

async fn on_app(h: &Harness, operation: &str) -> Result<Value, wire::Error> {
    h.call(operation, json!({"repositoryName": "app"})).await
}

/// The preview of `app`, when it has ended.
async fn preview(h: &Harness, extra: Value) -> Value {
    let mut input = json!({"repositoryName": "app"});
    input.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    for _ in 0..1000 {
        let answer = h.call("GetLifecyclePolicyPreview", input.clone()).await.unwrap();
        if answer["status"] != "IN_PROGRESS" {
            return answer;
        }
        assert!(answer.get("previewResults").is_none() && answer.get("summary").is_none());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the preview doesn't end");
}

async fn tags(h: &Harness) -> Vec<String> {
    let listed = on_app(h, "ListImages").await.unwrap();
    let ids = listed["imageIds"].as_array().unwrap().iter();
    let mut tags: Vec<String> = ids.map(|id| id["imageTag"].as_str().unwrap_or("-").to_owned()).collect();
    tags.sort();
    tags
}

#[tokio::test]
async fn a_policy_is_put_kept_and_deleted() {
    let h = Harness::start().await;
    let none = put(&h, &newest(1)).await.unwrap_err();
    assert_eq!(none.code, "RepositoryNotFoundException");
    h.create("app").await;
    let missing = "Lifecycle policy does not exist for the repository with name 'app' in the registry with id \
                   '000000000000'";
    for operation in ["GetLifecyclePolicy", "DeleteLifecyclePolicy", "StartLifecyclePolicyPreview"] {
        let error = on_app(&h, operation).await.unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.message.as_str()),
            ("LifecyclePolicyNotFoundException", missing)
        );
    }

    let text = newest(1);
    let answer = json!({"registryId": ACCOUNT, "repositoryName": "app", "lifecyclePolicyText": text});
    assert_eq!(put(&h, &text).await.unwrap(), answer);
    assert_eq!(on_app(&h, "GetLifecyclePolicy").await.unwrap(), answer, "not evaluated yet");
    assert_eq!(h.registry.expire().await, 0);
    let mut evaluated = answer.clone();
    evaluated["lastEvaluatedAt"] = json!(START_MS as f64 / 1000.0);
    let h = h.restart().await;
    assert_eq!(on_app(&h, "GetLifecyclePolicy").await.unwrap(), evaluated);

    let bad = text.replace("any", "tagged");
    let error = put(&h, &bad).await.unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        (
            "InvalidParameterException",
            "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation \
             failure: Must specify tagPrefixList or tagPatternList when tagStatus=TAGGED.'"
        )
    );
    assert_eq!(on_app(&h, "GetLifecyclePolicy").await.unwrap(), evaluated, "nothing changed");
    assert_eq!(on_app(&h, "DeleteLifecyclePolicy").await.unwrap(), evaluated);
    assert!(on_app(&h, "GetLifecyclePolicy").await.is_err());

    // A repository takes its policy with it.
    put(&h, &text).await.unwrap();
    on_app(&h, "DeleteRepository").await.unwrap();
    assert!(h.store.load().unwrap().entries.is_empty());
}

#[tokio::test]
async fn images_expire_when_the_policy_is_due() {
    let h = Harness::start().await;
    let [one, ..] = three_images(&h).await;
    assert_eq!(h.registry.expire().await, 0, "without a policy");
    put(&h, &newest(2)).await.unwrap();
    assert_eq!(h.registry.expire().await, 1);
    assert_eq!(tags(&h).await, ["v2", "v3"]);
    assert_eq!(h.send("GET", &format!("/v2/app/manifests/{one}")).await.status(), 404);
    let layer = sha256(b"v1");
    assert_eq!(
        h.send("HEAD", &format!("/v2/app/blobs/{layer}")).await.status(),
        200,
        "until it is collected"
    );

    h.push_image("app", "v4", b"v4").await;
    assert_eq!(h.registry.expire().await, 0, "only at its interval");
    let h = h.restart().await;
    h.now_ms.store(START_MS + 3600 * 1000, Ordering::SeqCst);
    assert_eq!(h.registry.expire().await, 0, "which a restart doesn't shorten");
    h.now_ms.store(START_MS + 2 * 3600 * 1000, Ordering::SeqCst);
    assert_eq!(h.registry.expire().await, 1);
    assert_eq!(tags(&h).await, ["v3", "v4"]);
    h.now_ms.fetch_add(DAY_MS, Ordering::SeqCst);
    h.registry.collect().await.unwrap();
    // For the password to be good.
    h.now_ms.fetch_sub(DAY_MS, Ordering::SeqCst);
    assert_eq!(h.send("HEAD", &format!("/v2/app/blobs/{layer}")).await.status(), 404);
    // What the images that are left share is still there.
    assert_eq!(h.send("GET", "/v2/app/manifests/v3").await.status(), 200);
    let config = sha256(br#"{"architecture":"amd64","os":"linux"}"#);
    assert_eq!(h.send("HEAD", &format!("/v2/app/blobs/{config}")).await.status(), 200);
}

#[tokio::test]
async fn images_expire_by_age() {
    let h = Harness::start().await;
    three_images(&h).await;
    h.send("DELETE", "/v2/app/manifests/v1").await;
    put(&h, &aged(3)).await.unwrap();
    h.now_ms.store(START_MS + 3 * DAY_MS, Ordering::SeqCst);
    assert_eq!(h.registry.expire().await, 0);
    h.now_ms.fetch_add(3600 * 1000, Ordering::SeqCst);
    assert_eq!(h.registry.expire().await, 1);
    assert_eq!(tags(&h).await, ["v2", "v3"]);
}

#[tokio::test]
async fn what_is_in_use_does_not_expire() {
    let h = Harness::start().await;
    let [_, two, _] = three_images(&h).await;
    put(&h, &newest(1)).await.unwrap();
    h.in_use.set(None);
    assert_eq!(h.registry.expire().await, 0, "what is in use isn't known yet");
    assert!(on_app(&h, "GetLifecyclePolicy").await.unwrap().get("lastEvaluatedAt").is_none());
    on_app(&h, "StartLifecyclePolicyPreview").await.unwrap();
    assert_eq!(preview(&h, json!({})).await["status"], "FAILED");

    h.in_use.set(Some(vec![used(Some("v1"), None), used(None, Some(&two))]));
    on_app(&h, "StartLifecyclePolicyPreview").await.unwrap();
    assert_eq!(preview(&h, json!({})).await["summary"], json!({"expiringImageTotalCount": 0}));
    assert_eq!(h.registry.expire().await, 0);
    assert_eq!(tags(&h).await, ["v1", "v2", "v3"]);
    // The tag in use stands at another image now.
    h.push_image("app", "v1", b"v3").await;
    h.in_use.set(Some(vec![used(Some("v1"), None)]));
    put(&h, &newest(1)).await.unwrap();
    assert_eq!(h.registry.expire().await, 2);
    assert_eq!(tags(&h).await, ["v1", "v3"]);
}

#[tokio::test]
async fn an_index_goes_with_its_images_or_stays_with_them() {
    let h = Harness::start().await;
    three_images(&h).await;
    let config = br#"{"architecture":"amd64","os":"linux"}"#;
    let member = image(config, &[b"v1"]).to_string();
    let index = json!({
        "schemaVersion": 2, "mediaType": OCI_INDEX,
        "manifests": [descriptor(common::OCI_MANIFEST, member.as_bytes())],
    });
    assert_eq!(h.put_manifest("app", "all", OCI_INDEX, &index.to_string()).await.status(), 201);
    put(&h, &newest(2)).await.unwrap();
    assert_eq!(h.registry.expire().await, 1, "the oldest is held by the newest");
    assert_eq!(tags(&h).await, ["all", "v1", "v3"]);
    h.push_image("app", "v4", b"v4").await;
    h.now_ms.fetch_add(2 * 3600 * 1000, Ordering::SeqCst);
    h.push_image("app", "v5", b"v5").await;
    h.push_image("app", "v6", b"v6").await;
    assert_eq!(h.registry.expire().await, 4);
    assert_eq!(tags(&h).await, ["v5", "v6"]);
}

#[tokio::test]
async fn a_preview_changes_nothing_and_is_read_in_pages() {
    let h = Harness::start().await;
    let digests = three_images(&h).await;
    h.send("DELETE", "/v2/app/manifests/v2").await;
    let none = on_app(&h, "GetLifecyclePolicyPreview").await.unwrap_err();
    assert_eq!(none.code, "LifecyclePolicyPreviewNotFoundException");
    let text = newest(1);
    let start = json!({"repositoryName": "app", "lifecyclePolicyText": text});
    let started = h.call("StartLifecyclePolicyPreview", start.clone()).await.unwrap();
    let mut head = json!({"registryId": ACCOUNT, "repositoryName": "app", "lifecyclePolicyText": text});
    head["status"] = json!("IN_PROGRESS");
    assert_eq!(started, head);

    let answer = preview(&h, json!({})).await;
    let result = |at: usize, tags: Option<&str>| {
        let mut result = json!({
            "imageDigest": digests[at], "imagePushedAt": (START_MS + at as u64 * 1000) as f64 / 1000.0,
            "action": {"type": "EXPIRE"}, "appliedRulePriority": 3, "storageClass": "STANDARD",
        });
        if let Some(tag) = tags {
            result["imageTags"] = json!([tag]);
        }
        result
    };
    let (first, second) = (result(0, Some("v1")), result(1, None));
    head["status"] = json!("COMPLETE");
    head["previewResults"] = json!([first, second]);
    head["summary"] = json!({"expiringImageTotalCount": 2});
    assert_eq!(answer, head);
    let results = async |extra| preview(&h, extra).await["previewResults"].clone();
    assert_eq!(results(json!({"filter": {"tagStatus": "TAGGED"}})).await, json!([first]));
    assert_eq!(results(json!({"filter": {"tagStatus": "UNTAGGED"}})).await, json!([second]));
    assert_eq!(results(json!({"imageIds": [{"imageTag": "v1"}, {"imageTag": "v3"}]})).await, json!([first]));
    assert_eq!(results(json!({"imageIds": [{"imageDigest": digests[1]}]})).await, json!([second]));
    let page = preview(&h, json!({"maxResults": 1})).await;
    assert_eq!(page["previewResults"], json!([first]));
    let token = page["nextToken"].clone();
    let last = preview(&h, json!({"maxResults": 1, "nextToken": token})).await;
    assert_eq!((&last["previewResults"], last.get("nextToken")), (&json!([second]), None));

    // Another preview has other pages.
    h.call("StartLifecyclePolicyPreview", start).await.unwrap();
    preview(&h, json!({})).await;
    for bad in [
        json!({"nextToken": token}),
        json!({"nextToken": "nonsense"}),
        json!({"maxResults": 101}),
        json!({"maxResults": 1, "imageIds": [{"imageTag": "v1"}]}),
    ] {
        let mut input = json!({"repositoryName": "app"});
        input.as_object_mut().unwrap().extend(bad.as_object().unwrap().clone());
        let error = h.call("GetLifecyclePolicyPreview", input).await.unwrap_err();
        assert_eq!(error.code, "InvalidParameterException", "{bad}");
    }
    assert_eq!(tags(&h).await, ["-", "v1", "v3"], "nothing was deleted");
    assert!(on_app(&h, "GetLifecyclePolicy").await.is_err(), "nor put");

    // A repository that is made anew has none.
    h.call("DeleteRepository", json!({"repositoryName": "app", "force": true})).await.unwrap();
    let error = on_app(&h, "GetLifecyclePolicyPreview").await.unwrap_err();
    assert_eq!(error.code, "RepositoryNotFoundException");
    h.now_ms.fetch_add(1, Ordering::SeqCst);
    h.create("app").await;
    let error = on_app(&h, "GetLifecyclePolicyPreview").await.unwrap_err();
    assert_eq!(error.code, "LifecyclePolicyPreviewNotFoundException");
}

#[allow(clippy::await_holding_lock, reason = "the lock is what the preview waits for")]
#[tokio::test]
async fn one_preview_at_a_time() {
    let h = Harness::start().await;
    three_images(&h).await;
    let start = json!({"repositoryName": "app", "lifecyclePolicyText": newest(1)});
    {
        let _held = h.in_use.0.lock().unwrap();
        h.call("StartLifecyclePolicyPreview", start.clone()).await.unwrap();
        let again = h.call("StartLifecyclePolicyPreview", start.clone()).await.unwrap_err();
        assert_eq!(again.code, "LifecyclePolicyPreviewInProgressException");
        let answer = on_app(&h, "GetLifecyclePolicyPreview").await.unwrap();
        assert_eq!((&answer["status"], answer.get("summary")), (&json!("IN_PROGRESS"), None));
    }
    assert_eq!(preview(&h, json!({})).await["summary"]["expiringImageTotalCount"], 2);
    h.call("StartLifecyclePolicyPreview", start).await.unwrap();
}
