//! Images in other regions of their registry, and in the archive.

mod common;

use common::{Harness, OCI_INDEX, OCI_MANIFEST, code, header, password, sha256};
use serde_json::{Value, json};

async fn replicate(h: &Harness, rules: Value) -> Result<Value, wire::Error> {
    h.call("PutReplicationConfiguration", json!({"replicationConfiguration": {"rules": rules}})).await
}

fn to(region: &str) -> Value {
    json!({"region": region, "registryId": "000000000000"})
}

async fn statuses(h: &Harness, name: &str, tag: &str) -> Value {
    let image = json!({"repositoryName": name, "imageId": {"imageTag": tag}});
    h.call("DescribeImageReplicationStatus", image).await.unwrap()["replicationStatuses"].clone()
}

/// The digest of a tag in a region, as one who pulls there sees it, with all its blobs.
async fn pulled(h: &Harness, region: &str, name: &str, tag: &str) -> Option<String> {
    let password = password(&h.registry, region).await;
    let get = async |path: String| {
        h.anonymous("GET", &path).basic_auth("AWS", Some(&password)).send().await.unwrap()
    };
    let answer = get(format!("/v2/{name}/manifests/{tag}")).await;
    if answer.status() != 200 {
        return None;
    }
    let digest = header(&answer, "docker-content-digest");
    let manifest: Value = answer.json().await.unwrap();
    for blob in manifest["layers"].as_array().into_iter().flatten().chain([&manifest["config"]]) {
        if let Some(blob) = blob["digest"].as_str() {
            assert_eq!(get(format!("/v2/{name}/blobs/{blob}")).await.status(), 200);
        }
    }
    for member in manifest["manifests"].as_array().into_iter().flatten() {
        let member = member["digest"].as_str().unwrap();
        assert_eq!(get(format!("/v2/{name}/manifests/{member}")).await.status(), 200);
    }
    Some(digest)
}

#[tokio::test]
async fn a_push_is_in_the_other_regions_when_it_is_acknowledged() {
    let h = Harness::start().await;
    h.create("prod/app").await;
    h.create("dev/app").await;
    let before = h.push_image("prod/app", "before", b"before").await;
    let rules = json!([
        {"destinations": [to("eu-west-1"), to("eu-north-1")],
         "repositoryFilters": [{"filter": "prod", "filterType": "PREFIX_MATCH"}]},
        {"destinations": [to("eu-west-1")], "deleteReplication": {"enabled": false}},
    ]);
    replicate(&h, rules.clone()).await.unwrap();
    let told = h.call("DescribeRegistry", json!({})).await.unwrap();
    assert_eq!(told["replicationConfiguration"]["rules"], rules);
    let template = json!({"prefix": "prod", "appliedFor": ["REPLICATION"],
        "resourceTags": [{"Key": "from", "Value": "elsewhere"}]});
    h.call_in("eu-north-1", "CreateRepositoryCreationTemplate", template).await.unwrap();

    let app = h.push_image("prod/app", "v1", b"app").await;
    let dev = h.push_image("dev/app", "v1", b"dev").await;
    assert_eq!(pulled(&h, "eu-west-1", "prod/app", "v1").await, Some(app.clone()));
    assert_eq!(pulled(&h, "eu-north-1", "prod/app", "v1").await, Some(app.clone()));
    assert_eq!(pulled(&h, "eu-west-1", "dev/app", "v1").await, Some(dev));
    assert_eq!(pulled(&h, "eu-north-1", "dev/app", "v1").await, None);
    let arn = "arn:aws:ecr:eu-north-1:000000000000:repository/prod/app";
    let tags = h.call_in("eu-north-1", "ListTagsForResource", json!({"resourceArn": arn})).await.unwrap();
    assert_eq!(tags["tags"], json!([{"Key": "from", "Value": "elsewhere"}]));
    let complete =
        |region: &str| json!({"region": region, "registryId": "000000000000", "status": "COMPLETE"});
    assert_eq!(statuses(&h, "prod/app", "v1").await, json!([complete("eu-north-1"), complete("eu-west-1")]));
    assert_eq!(statuses(&h, "dev/app", "v1").await, json!([complete("eu-west-1")]));
    // What was there before the rules stays where it was, until it is tagged anew.
    assert_eq!(statuses(&h, "prod/app", "before").await, json!([]));
    let manifest = h.send("GET", "/v2/prod/app/manifests/before").await.text().await.unwrap();
    assert_eq!(h.put_manifest("prod/app", "again", OCI_MANIFEST, &manifest).await.status(), 201);
    assert_eq!(pulled(&h, "eu-west-1", "prod/app", "again").await, Some(before));
    // An index comes with its members.
    let size = h.send("GET", "/v2/prod/app/manifests/v1").await.bytes().await.unwrap().len();
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX,
        "manifests": [{"mediaType": OCI_MANIFEST, "digest": app, "size": size}]})
    .to_string();
    assert_eq!(h.put_manifest("prod/app", "all", OCI_INDEX, &index).await.status(), 201);
    assert_eq!(pulled(&h, "eu-north-1", "prod/app", "all").await, Some(sha256(index.as_bytes())));
    // A deletion is not replicated, and takes nothing from the other regions.
    let force = json!({"repositoryName": "prod/app", "force": true});
    h.call("DeleteRepository", force).await.unwrap();
    assert_eq!(pulled(&h, "eu-west-1", "prod/app", "v1").await, Some(app));
    let h = h.restart().await;
    assert_eq!(
        h.call("DescribeRegistry", json!({})).await.unwrap()["replicationConfiguration"]["rules"],
        rules
    );
    let load = || h.store.load().map(|s| s.entries).map_err(std::io::Error::other);
    assert_eq!(registry::verify::verify(h.dir.path(), None, load, |_| ()).unwrap().findings, []);
}

#[tokio::test]
async fn a_tag_that_may_not_move_there_is_a_failure_and_the_push_is_good() {
    let h = Harness::start().await;
    h.create("app").await;
    let there = json!({"repositoryName": "app", "imageTagMutability": "IMMUTABLE"});
    h.call_in("eu-west-1", "CreateRepository", there).await.unwrap();
    replicate(&h, json!([{"destinations": [to("eu-west-1")]}])).await.unwrap();
    let first = h.push_image("app", "v1", b"first").await;
    let second = h.push_image("app", "v1", b"second").await;
    assert_eq!(pulled(&h, "us-east-1", "app", "v1").await, Some(second));
    assert_eq!(pulled(&h, "eu-west-1", "app", "v1").await, Some(first));
    assert_eq!(
        statuses(&h, "app", "v1").await,
        json!([{"region": "eu-west-1", "registryId": "000000000000", "status": "FAILED",
            "failureCode": "ImageTagAlreadyExists"}])
    );
}

#[tokio::test]
async fn rules_that_can_t_be_kept_are_refused() {
    let h = Harness::start().await;
    let many: Vec<Value> = (0..26).map(|n| to(&format!("region-{n}"))).collect();
    for rules in [
        json!([{"destinations": [to("us-east-1")]}]),
        json!([{"destinations": [{"region": "eu-west-1", "registryId": "111122223333"}]}]),
        json!([{"destinations": [to("eu-west-1")], "deleteReplication": {"enabled": true}}]),
        json!([{"destinations": many}]),
    ] {
        let refused = replicate(&h, rules.clone()).await.unwrap_err();
        assert_eq!(refused.code, "InvalidParameterException", "{rules}");
    }
    let told = h.call("DescribeRegistry", json!({})).await.unwrap();
    assert_eq!(told["replicationConfiguration"]["rules"], json!([]));
}

#[tokio::test]
async fn what_is_archived_is_told_and_not_pulled_until_it_is_brought_back_or_pushed_again() {
    let h = Harness::start().await;
    h.create("app").await;
    let digest = h.push_image("app", "v1", b"layer").await;
    let manifest = h.send("GET", "/v2/app/manifests/v1").await.text().await.unwrap();
    let class = async |class: &str| {
        let input =
            json!({"repositoryName": "app", "imageId": {"imageDigest": digest}, "targetStorageClass": class});
        h.call("UpdateImageStorageClass", input).await
    };
    let described = async || {
        let input = json!({"repositoryName": "app", "imageIds": [{"imageTag": "v1"}]});
        h.call("DescribeImages", input).await.unwrap()["imageDetails"][0].clone()
    };
    let listed = async |status: &str| {
        let input = json!({"repositoryName": "app", "filter": {"imageStatus": status}});
        h.call("ListImages", input).await.unwrap()["imageIds"].as_array().unwrap().len()
    };
    assert_eq!(class("ARCHIVE").await.unwrap()["imageStatus"], json!("ARCHIVED"));
    let gone = h.send("GET", "/v2/app/manifests/v1").await;
    assert_eq!((gone.status().as_u16(), code(gone).await.as_str()), (404, "MANIFEST_UNKNOWN"));
    let input = json!({"repositoryName": "app", "imageIds": [{"imageTag": "v1"}]});
    let failed = h.call("BatchGetImage", input).await.unwrap();
    assert_eq!(failed["failures"][0]["failureCode"], json!("ImageInaccessible"));
    let scan = json!({"repositoryName": "app", "imageId": {"imageTag": "v1"}});
    assert_eq!(h.call("StartImageScan", scan).await.unwrap_err().code, "ImageArchivedException");
    assert_eq!((listed("ACTIVE").await, listed("ARCHIVED").await, listed("ANY").await), (0, 1, 1));
    assert_eq!(h.call("ListImages", json!({"repositoryName": "app"})).await.unwrap()["imageIds"], json!([]));
    assert_eq!(described().await["imageStatus"], json!("ARCHIVED"));
    assert!(described().await["lastArchivedAt"].is_number());
    assert_eq!(h.registry.expire().await, 0);
    assert_eq!(class("ARCHIVE").await.unwrap()["imageStatus"], json!("ARCHIVED"));

    assert_eq!(class("STANDARD").await.unwrap()["imageStatus"], json!("ACTIVE"));
    assert_eq!(h.send("GET", "/v2/app/manifests/v1").await.status(), 200);
    assert!(described().await["lastActivatedAt"].is_number());
    class("ARCHIVE").await.unwrap();
    assert_eq!(h.put_manifest("app", "v1", OCI_MANIFEST, &manifest).await.status(), 201);
    assert_eq!(described().await["imageStatus"], json!("ACTIVE"));

    let size = manifest.len();
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX,
        "manifests": [{"mediaType": OCI_MANIFEST, "digest": digest, "size": size}]})
    .to_string();
    assert_eq!(h.put_manifest("app", "all", OCI_INDEX, &index).await.status(), 201);
    assert_eq!(class("ARCHIVE").await.unwrap_err().code, "ImageStorageClassUpdateNotSupportedException");
    let unknown =
        json!({"repositoryName": "app", "imageId": {"imageTag": "v9"}, "targetStorageClass": "ARCHIVE"});
    assert_eq!(h.call("UpdateImageStorageClass", unknown).await.unwrap_err().code, "ImageNotFoundException");
}

#[tokio::test]
async fn that_nothing_was_signed_is_said_by_each_profile() {
    let h = Harness::start().await;
    h.create("prod/app").await;
    h.push_image("prod/app", "v1", b"layer").await;
    let status = async || {
        let input = json!({"repositoryName": "prod/app", "imageId": {"imageTag": "v1"}});
        h.call("DescribeImageSigningStatus", input).await.unwrap()["signingStatuses"].clone()
    };
    assert_eq!(status().await, json!([]));
    let profile = |name: &str| format!("arn:aws:signer:us-east-1:000000000000:/signing-profiles/{name}");
    let filter = |filter: &str| json!([{"filter": filter, "filterType": "WILDCARD_MATCH"}]);
    let rules = json!({"signingConfiguration": {"rules": [
        {"signingProfileArn": profile("one"), "repositoryFilters": filter("prod/*")},
        {"signingProfileArn": profile("other"), "repositoryFilters": filter("dev/*")},
    ]}});
    h.call("PutSigningConfiguration", rules).await.unwrap();
    let told = status().await;
    assert_eq!(told.as_array().unwrap().len(), 1);
    assert_eq!(
        (&told[0]["signingProfileArn"], &told[0]["status"]),
        (&json!(profile("one")), &json!("FAILED"))
    );
    assert!(told[0]["failureReason"].as_str().unwrap().contains("nothing was signed"));
}
