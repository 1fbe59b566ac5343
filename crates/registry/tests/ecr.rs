//! ECR's operations, as the API reference describes them.

mod common;

use common::{ACCOUNT, Harness, OCI_INDEX, OCI_MANIFEST, START_MS, code, image, sha256};
use serde_json::{Value, json};

fn message(error: &wire::Error) -> (&str, &str) {
    (&error.code, &error.message)
}

#[tokio::test]
async fn a_repository_is_made_described_and_deleted() {
    let h = Harness::start().await;
    let host = h.base.trim_start_matches("http://");
    let made = h.call("CreateRepository", json!({"repositoryName": "team/app"})).await.unwrap();
    let expected = json!({
        "repositoryArn": "arn:aws:ecr:us-east-1:000000000000:repository/team/app",
        "registryId": ACCOUNT,
        "repositoryName": "team/app",
        "repositoryUri": format!("{host}/team/app"),
        "createdAt": START_MS as f64 / 1000.0,
        "imageTagMutability": "MUTABLE",
        "imageScanningConfiguration": {"scanOnPush": false},
        "encryptionConfiguration": {"encryptionType": "AES256"},
    });
    assert_eq!(made["repository"], expected);

    let again = h.call("CreateRepository", json!({"repositoryName": "team/app"})).await.unwrap_err();
    assert_eq!(
        message(&again),
        (
            "RepositoryAlreadyExistsException",
            "The repository with name 'team/app' already exists in the registry with id '000000000000'"
        )
    );
    h.push_image("team/app", "v1", b"layer").await;
    let h = h.restart().await;
    let described = h.call("DescribeRepositories", json!({"repositoryNames": ["team/app"]})).await.unwrap();
    assert_eq!(described["repositories"][0]["repositoryArn"], expected["repositoryArn"]);

    let name = json!({"repositoryName": "team/app"});
    let full = h.call("DeleteRepository", name.clone()).await.unwrap_err();
    assert_eq!(
        message(&full),
        (
            "RepositoryNotEmptyException",
            "The repository with name 'team/app' in registry with id '000000000000' cannot be deleted because \
             it still contains images"
        )
    );
    let gone =
        h.call("DeleteRepository", json!({"repositoryName": "team/app", "force": true})).await.unwrap();
    assert_eq!(gone["repository"]["repositoryName"], "team/app");
    // Nothing of it is left, on disk or in the store, but that it was pushed.
    assert_eq!(common::files(&h.dir.path().join("blobs")), 0);
    assert!(h.store.load().unwrap().entries.iter().all(|entry| entry.key.starts_with("push/")));
    let none = h.call("DeleteRepository", name).await.unwrap_err();
    assert_eq!(
        message(&none),
        (
            "RepositoryNotFoundException",
            "The repository with name 'team/app' does not exist in the registry with id '000000000000'"
        )
    );
    assert_eq!(none.status(), 400);
}

#[tokio::test]
async fn repositories_in_pages() {
    let h = Harness::start().await;
    for name in ["c", "a/x", "b0", "a", "d1"] {
        let made = h.call("CreateRepository", json!({"repositoryName": format!("r{name}")})).await;
        made.unwrap();
    }
    let mut seen = Vec::new();
    let mut token = Value::Null;
    loop {
        let mut input = json!({"maxResults": 2});
        if !token.is_null() {
            input["nextToken"] = token;
        }
        let page = h.call("DescribeRepositories", input).await.unwrap();
        let names = page["repositories"].as_array().unwrap().iter();
        seen.extend(names.map(|r| r["repositoryName"].as_str().unwrap().to_owned()));
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(seen, ["ra", "ra/x", "rb0", "rc", "rd1"]);
    for bad in [
        json!({"nextToken": "nonsense"}),
        json!({"repositoryNames": ["ra"], "maxResults": 1}),
        json!({"maxResults": 0}),
        json!({"maxResults": 1001}),
    ] {
        let error = h.call("DescribeRepositories", bad).await.unwrap_err();
        assert_eq!(error.code, "InvalidParameterException");
    }
    let error = h.call("DescribeRepositories", json!({"repositoryNames": ["ra", "nope"]})).await.unwrap_err();
    assert_eq!(error.code, "RepositoryNotFoundException");
    let foreign = json!({"repositoryNames": ["ra"], "registryId": "111111111111"});
    let error = h.call("DescribeRepositories", foreign).await.unwrap_err();
    assert!(error.message.ends_with("in the registry with id '111111111111'"), "{error}");
}

#[tokio::test]
async fn bad_repositories() {
    let h = Harness::start().await;
    for name in ["", "a", "UPPER", "a//b", "../../etc", "-a", "a b", &"x".repeat(257)] {
        let error = h.call("CreateRepository", json!({"repositoryName": name})).await.unwrap_err();
        assert_eq!(error.code, "InvalidParameterException", "{name}");
    }
    let with = |extra: Value| {
        let mut input = json!({"repositoryName": "app"});
        input.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        input
    };
    let many: Vec<Value> = (0..51).map(|i| json!({"Key": format!("k{i}"), "Value": "v"})).collect();
    for (extra, code) in [
        (json!({"imageTagMutability": "SOMETIMES"}), "InvalidParameterException"),
        (json!({"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION"}), "InvalidParameterException"),
        (json!({"registryId": "111111111111"}), "InvalidParameterException"),
        (json!({"tags": many}), "TooManyTagsException"),
        (json!({"tags": [{"Key": "aws:x", "Value": "v"}]}), "InvalidTagParameterException"),
    ] {
        assert_eq!(h.call("CreateRepository", with(extra)).await.unwrap_err().code, code);
    }
    let listed = h.call("DescribeRepositories", json!({})).await.unwrap();
    assert_eq!(listed["repositories"], json!([]));
}

#[tokio::test]
async fn images_listed_and_described() {
    let h = Harness::start().await;
    h.create("app").await;
    let one = h.push_image("app", "v1", b"layer one").await;
    h.push_image("app", "latest", b"layer one").await;
    let two = h.push_image("app", "v2", b"layer number two").await;
    h.send("DELETE", "/v2/app/manifests/v2").await;

    let list = async |extra: Value| {
        let mut input = json!({"repositoryName": "app"});
        input.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let answer = h.call("ListImages", input).await.unwrap();
        let mut ids = answer["imageIds"].as_array().unwrap().clone();
        ids.sort_by_key(Value::to_string);
        ids
    };
    let tagged = vec![
        json!({"imageDigest": one, "imageTag": "latest"}),
        json!({"imageDigest": one, "imageTag": "v1"}),
    ];
    let untagged = vec![json!({"imageDigest": two})];
    assert_eq!(list(json!({})).await.len(), 3);
    assert_eq!(list(json!({"filter": {"tagStatus": "TAGGED"}})).await, tagged);
    assert_eq!(list(json!({"filter": {"tagStatus": "UNTAGGED"}})).await, untagged);
    assert!(list(json!({"filter": {"imageStatus": "ARCHIVED"}})).await.is_empty());

    let mut seen = Vec::new();
    let mut input = json!({"repositoryName": "app", "maxResults": 1});
    loop {
        let page = h.call("ListImages", input.clone()).await.unwrap();
        seen.extend(page["imageIds"].as_array().unwrap().clone());
        match page.get("nextToken") {
            Some(token) => input["nextToken"] = token.clone(),
            None => break,
        }
    }
    assert_eq!(seen.len(), 3);

    // Pulling is noted; looking is not.
    h.send("HEAD", "/v2/app/manifests/v1").await;
    let describe = json!({"repositoryName": "app", "imageIds": [{"imageTag": "v1"}, {"imageTag": "latest"}]});
    let answer = h.call("DescribeImages", describe.clone()).await.unwrap();
    assert_eq!(answer["imageDetails"].as_array().unwrap().len(), 1);
    assert!(answer["imageDetails"][0].get("lastRecordedPullTime").is_none());
    h.send("GET", "/v2/app/manifests/v1").await;
    let mut detail = Value::Null;
    for _ in 0..200 {
        detail = h.call("DescribeImages", describe.clone()).await.unwrap()["imageDetails"][0].clone();
        if detail.get("lastRecordedPullTime").is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let at = START_MS as f64 / 1000.0;
    assert_eq!(
        detail,
        json!({
            "registryId": ACCOUNT, "repositoryName": "app", "imageDigest": one,
            "imageTags": ["latest", "v1"],
            "imageSizeInBytes": r#"{"architecture":"amd64","os":"linux"}"#.len() + b"layer one".len(),
            "imagePushedAt": at, "lastRecordedPullTime": at,
            "imageManifestMediaType": OCI_MANIFEST,
            "artifactMediaType": "application/vnd.oci.image.config.v1+json",
            "imageStatus": "ACTIVE",
        })
    );
    let absent = json!({"repositoryName": "app", "imageIds": [{"imageTag": "none"}]});
    let error = h.call("DescribeImages", absent).await.unwrap_err();
    assert_eq!(
        message(&error),
        (
            "ImageNotFoundException",
            "The image with imageId {imageDigest:'null', imageTag:'none'} does not exist within the repository \
             with name 'app' in the registry with id '000000000000'"
        )
    );
    let both = json!({"repositoryName": "app", "imageIds": [{"imageTag": "v1", "imageDigest": two}]});
    assert_eq!(h.call("DescribeImages", both).await.unwrap_err().code, "ImageNotFoundException");
}

#[tokio::test]
async fn an_immutable_tag_stays() {
    let h = Harness::start().await;
    let input = json!({"repositoryName": "app", "imageTagMutability": "IMMUTABLE"});
    let made = h.call("CreateRepository", input).await.unwrap();
    assert_eq!(made["repository"]["imageTagMutability"], "IMMUTABLE");
    let first = h.push_image("app", "v1", b"one").await;
    // The same image again is no overwriting.
    h.push_image("app", "v1", b"one").await;
    h.push_blob("app", b"two").await;
    let other = image(br#"{"architecture":"amd64","os":"linux"}"#, &[b"two"]).to_string();
    let answer = h.put_manifest("app", "v1", OCI_MANIFEST, &other).await;
    assert_eq!(answer.status(), 400);
    let body: Value = answer.json().await.unwrap();
    let text = "The image tag 'v1' already exists in the 'app' repository and cannot be overwritten because \
                the repository is immutable.";
    assert_eq!(
        (&body["errors"][0]["code"], &body["errors"][0]["message"]),
        (&json!("TAG_INVALID"), &json!(text))
    );
    let put = json!({"repositoryName": "app", "imageManifest": other, "imageTag": "v1"});
    let error = h.call("PutImage", put.clone()).await.unwrap_err();
    assert_eq!(message(&error), ("ImageTagAlreadyExistsException", text));
    assert_eq!(h.send("HEAD", "/v2/app/manifests/v1").await.headers()["docker-content-digest"], first);

    let change = json!({"repositoryName": "app", "imageTagMutability": "MUTABLE"});
    h.call("PutImageTagMutability", change).await.unwrap();
    assert!(h.call("PutImage", put).await.is_ok());
}

#[tokio::test]
async fn images_through_the_api() {
    let h = Harness::start().await;
    h.create("app").await;
    let digest = h.push_image("app", "v1", b"layer").await;
    let get = json!({"repositoryName": "app",
                     "imageIds": [{"imageTag": "v1"}, {"imageTag": "none"}, {"imageDigest": "x"}, {}]});
    let got = h.call("BatchGetImage", get).await.unwrap();
    let manifest = got["images"][0]["imageManifest"].as_str().unwrap().to_owned();
    assert_eq!(sha256(manifest.as_bytes()), digest);
    let codes: Vec<&str> =
        got["failures"].as_array().unwrap().iter().filter_map(|f| f["failureCode"].as_str()).collect();
    assert_eq!(codes, ["ImageNotFound", "InvalidImageDigest", "MissingDigestAndTag"]);

    let put = |tag: &str| json!({"repositoryName": "app", "imageManifest": manifest, "imageTag": tag});
    let answer = h.call("PutImage", put("stable")).await.unwrap();
    assert_eq!(answer["image"]["imageId"], json!({"imageDigest": digest, "imageTag": "stable"}));
    let again = h.call("PutImage", put("stable")).await.unwrap_err();
    assert_eq!(again.code, "ImageAlreadyExistsException");
    let mut wrong = put("x");
    wrong["imageDigest"] = json!(sha256(b""));
    assert_eq!(h.call("PutImage", wrong).await.unwrap_err().code, "ImageDigestDoesNotMatchException");
    let missing = json!({"repositoryName": "app", "imageManifest": image(b"?", &[]).to_string()});
    assert_eq!(h.call("PutImage", missing).await.unwrap_err().code, "LayersNotFoundException");

    let delete = async |ids: Value| {
        let input = json!({"repositoryName": "app", "imageIds": ids});
        h.call("BatchDeleteImage", input).await.unwrap()
    };
    // One of two tags: the image stays. The last: it goes.
    let answer = delete(json!([{"imageTag": "stable"}])).await;
    assert_eq!(answer["imageIds"], json!([{"imageDigest": digest, "imageTag": "stable"}]));
    assert_eq!(h.send("GET", "/v2/app/manifests/v1").await.status(), 200);
    delete(json!([{"imageTag": "v1"}])).await;
    assert_eq!(h.send("GET", &format!("/v2/app/manifests/{digest}")).await.status(), 404);
    let answer = delete(json!([{"imageTag": "v1"}])).await;
    assert_eq!(answer["failures"][0]["failureCode"], "ImageNotFound");
}

#[tokio::test]
async fn an_indexs_members_go_with_it_only() {
    let h = Harness::start().await;
    h.create("app").await;
    let member = h.push_image("app", "amd", b"amd").await;
    let size = h.send("GET", "/v2/app/manifests/amd").await.bytes().await.unwrap().len();
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX,
        "manifests": [{"mediaType": OCI_MANIFEST, "digest": member, "size": size}]})
    .to_string();
    h.put_manifest("app", "v1", OCI_INDEX, &index).await;
    let describe = json!({"repositoryName": "app", "imageIds": [{"imageTag": "v1"}, {"imageTag": "amd"}]});
    let details = h.call("DescribeImages", describe).await.unwrap()["imageDetails"].clone();
    // An index is as large as its largest member.
    assert_eq!(details[0]["imageSizeInBytes"], details[1]["imageSizeInBytes"]);

    let delete = async |ids: Value| {
        h.call("BatchDeleteImage", json!({"repositoryName": "app", "imageIds": ids})).await.unwrap()
    };
    let refused = delete(json!([{"imageDigest": member}])).await;
    assert_eq!(refused["failures"][0]["failureCode"], "ImageReferencedByManifestList");
    let digest = sha256(index.as_bytes());
    let reason = format!("Requested image referenced by manifest list: [{digest}]");
    assert_eq!(refused["failures"][0]["failureReason"], reason);
    // In one call, whatever their order.
    let both = delete(json!([{"imageDigest": member}, {"imageTag": "v1"}])).await;
    assert_eq!((both["failures"].clone(), both["imageIds"].as_array().unwrap().len()), (json!([]), 2));
}

#[tokio::test]
async fn layers_through_the_api() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let h = Harness::start().await;
    h.create("app").await;
    let begun = h.call("InitiateLayerUpload", json!({"repositoryName": "app"})).await.unwrap();
    let id = begun["uploadId"].as_str().unwrap();
    let part = |first: usize, bytes: &str| {
        json!({"repositoryName": "app", "uploadId": id, "partFirstByte": first,
               "partLastByte": first + bytes.len() - 1, "layerPartBlob": STANDARD.encode(bytes)})
    };
    let digest = sha256(b"hello world");
    let complete = json!({"repositoryName": "app", "uploadId": id, "layerDigests": [digest]});
    let empty = h.call("CompleteLayerUpload", complete.clone()).await.unwrap_err();
    assert_eq!(empty.code, "EmptyUploadException");
    let sent = h.call("UploadLayerPart", part(0, "hello ")).await.unwrap();
    assert_eq!(sent["lastByteReceived"], 5);
    let gap = h.call("UploadLayerPart", part(9, "x")).await.unwrap_err();
    assert_eq!(
        (gap.code.as_str(), &gap.details["lastValidByteReceived"]),
        ("InvalidLayerPartException", &json!(5))
    );
    h.call("UploadLayerPart", part(6, "world")).await.unwrap();
    let done = h.call("CompleteLayerUpload", complete.clone()).await.unwrap();
    assert_eq!(done["layerDigest"], digest);
    let over = h.call("CompleteLayerUpload", complete).await.unwrap_err();
    assert_eq!(over.code, "UploadNotFoundException");

    let check = json!({"repositoryName": "app", "layerDigests": [digest, sha256(b"none"), "x"]});
    let checked = h.call("BatchCheckLayerAvailability", check).await.unwrap();
    assert_eq!(checked["layers"][0]["layerAvailability"], "AVAILABLE");
    assert_eq!(checked["layers"][0]["layerSize"], 11);
    assert_eq!(checked["layers"][1]["layerAvailability"], "UNAVAILABLE");
    assert_eq!(checked["failures"][0]["failureCode"], "InvalidLayerDigest");

    let url = json!({"repositoryName": "app", "layerDigest": digest});
    let url =
        h.call("GetDownloadUrlForLayer", url).await.unwrap()["downloadUrl"].as_str().unwrap().to_owned();
    // The URL is enough, for this layer alone.
    let get = h.anonymous("GET", &url).send().await.unwrap();
    assert_eq!(get.bytes().await.unwrap(), "hello world");
    let elsewhere = url.replace(&format!("/blobs/{digest}"), "/tags/list");
    let answer = h.anonymous("GET", &elsewhere).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), code(answer).await.as_str()), (401, "UNAUTHORIZED"));
    assert_eq!(h.anonymous("DELETE", &url).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn the_referrers_of_an_image() {
    let h = Harness::start().await;
    h.create("app").await;
    let digest = h.push_image("app", "v1", b"layer").await;
    h.push_blob("app", b"{}").await;
    let mut artifacts = Vec::new();
    for (n, kind) in ["sbom", "signature", "signature"].iter().enumerate() {
        let mut manifest = image(b"{}", &[]);
        manifest["artifactType"] = json!(format!("application/vnd.example.{kind}"));
        manifest["annotations"] = json!({"n": n.to_string()});
        manifest["subject"] = json!({"mediaType": OCI_MANIFEST, "digest": digest, "size": 1});
        let manifest = manifest.to_string();
        let name = sha256(manifest.as_bytes());
        assert_eq!(h.put_manifest("app", &name, OCI_MANIFEST, &manifest).await.status(), 201);
        artifacts.push(json!({
            "digest": name,
            "mediaType": OCI_MANIFEST,
            "artifactType": format!("application/vnd.example.{kind}"),
            "size": manifest.len(),
            "annotations": {"n": n.to_string()},
            "artifactStatus": "ACTIVE",
        }));
    }
    artifacts.sort_by_key(|a| a["digest"].to_string());
    let ask = |extra: Value| {
        let mut input = json!({"repositoryName": "app", "subjectId": {"imageDigest": digest}});
        input.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        h.call("ListImageReferrers", input)
    };
    assert_eq!(ask(json!({})).await.unwrap(), json!({"referrers": artifacts}));
    let first = ask(json!({"maxResults": 2})).await.unwrap();
    assert_eq!(first["referrers"].as_array().unwrap(), &artifacts[..2]);
    let token = json!({"nextToken": first["nextToken"]});
    assert_eq!(ask(token.clone()).await.unwrap(), json!({"referrers": artifacts[2..]}));

    let of_type =
        |kind: &str| json!({"filter": {"artifactTypes": [format!("application/vnd.example.{kind}")]}});
    let listed = |answer: Value| answer["referrers"].as_array().unwrap().len();
    for (kind, count) in [("sbom", 1), ("signature", 2), ("none", 0)] {
        assert_eq!(listed(ask(of_type(kind)).await.unwrap()), count, "{kind}");
    }
    for (status, count) in [("ACTIVE", 3), ("ANY", 3), ("ARCHIVED", 0), ("ACTIVATING", 0)] {
        let filter = json!({"filter": {"artifactStatus": status}});
        assert_eq!(listed(ask(filter).await.unwrap()), count, "{status}");
    }
    // Without a referrer, or without the image itself, there is nothing to list.
    let other = json!({"subjectId": {"imageDigest": sha256(b"none")}});
    assert_eq!(ask(other).await.unwrap(), json!({"referrers": []}));

    let mut elsewhere = of_type("sbom");
    elsewhere["nextToken"] = token["nextToken"].clone();
    for bad in [
        elsewhere,
        json!({"subjectId": {"imageDigest": "v1"}}),
        json!({"subjectId": {}}),
        json!({"maxResults": 51}),
    ] {
        assert_eq!(ask(bad).await.unwrap_err().code, "InvalidParameterException");
    }
    let error = ask(json!({"repositoryName": "none"})).await.unwrap_err();
    assert_eq!(error.code, "RepositoryNotFoundException");
}

#[tokio::test]
async fn tags_of_a_repository() {
    let h = Harness::start().await;
    h.create("app").await;
    let arn = "arn:aws:ecr:us-east-1:000000000000:repository/app";
    let tags = json!([{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}]);
    h.call("TagResource", json!({"resourceArn": arn, "tags": tags})).await.unwrap();
    h.call("UntagResource", json!({"resourceArn": arn, "tagKeys": ["b"]})).await.unwrap();
    let listed = h.call("ListTagsForResource", json!({"resourceArn": arn})).await.unwrap();
    assert_eq!(listed["tags"], json!([{"Key": "a", "Value": "1"}]));
    for (bad, code) in [
        ("nonsense", "InvalidParameterException"),
        ("arn:aws:ecr:eu-west-1:000000000000:repository/app", "InvalidParameterException"),
        ("arn:aws:ecr:us-east-1:000000000000:repository/none", "RepositoryNotFoundException"),
    ] {
        let error = h.call("ListTagsForResource", json!({"resourceArn": bad})).await.unwrap_err();
        assert_eq!(error.code, code);
    }
}

#[tokio::test]
async fn a_token_says_where_and_until_when() {
    let h = Harness::start().await;
    let answer = h.call("GetAuthorizationToken", json!({})).await.unwrap();
    let data = &answer["authorizationData"][0];
    assert_eq!(data["proxyEndpoint"], h.base);
    assert_eq!(data["expiresAt"], (START_MS + 12 * 3600 * 1000) as f64 / 1000.0);
}
