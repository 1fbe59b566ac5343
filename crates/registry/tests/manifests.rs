//! Manifests, tags and referrers over HTTP.

mod common;

use common::{Harness, OCI_INDEX, OCI_MANIFEST, code, descriptor, header, image, sha256};
use serde_json::{Value, json};
use sha2::{Digest, Sha512};

#[tokio::test]
async fn by_tag_and_by_digest() {
    let h = Harness::start().await;
    h.create("team/app").await;
    let digest = h.push_image("team/app", "v1", b"layer").await;
    for reference in ["v1", &digest] {
        let url = format!("/v2/team/app/manifests/{reference}");
        let get = h.send("GET", &url).await;
        assert_eq!(header(&get, "content-type"), OCI_MANIFEST);
        assert_eq!(header(&get, "docker-content-digest"), digest);
        assert_eq!(sha256(&get.bytes().await.unwrap()), digest);
        let head = h.send("HEAD", &url).await;
        assert_eq!((head.status().as_u16(), header(&head, "docker-content-digest")), (200, digest.clone()));
        let fresh = h.request("GET", &url).header("if-none-match", format!("\"{digest}\"")).send();
        assert_eq!(fresh.await.unwrap().status(), 304);
    }
    let h = h.restart().await;
    let get = h.send("GET", "/v2/team/app/manifests/v1").await;
    assert_eq!(sha256(&get.bytes().await.unwrap()), digest);
}

#[tokio::test]
async fn what_a_manifest_needs_must_be_there() {
    let h = Harness::start().await;
    h.create("app").await;
    h.create("other").await;
    h.push_blob("app", b"{}").await;
    h.push_blob("other", b"layer").await;
    let manifest = image(b"{}", &[b"layer", b"layer 2"]).to_string();
    let answer = h.put_manifest("app", "v1", OCI_MANIFEST, &manifest).await;
    assert_eq!(answer.status(), 400);
    let body: Value = answer.json().await.unwrap();
    let codes: Vec<&str> =
        body["errors"].as_array().unwrap().iter().filter_map(|e| e["code"].as_str()).collect();
    assert_eq!(codes, ["MANIFEST_BLOB_UNKNOWN"; 2]);

    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX,
                       "manifests": [descriptor(OCI_MANIFEST, manifest.as_bytes())]});
    let answer = h.put_manifest("app", "v1", OCI_INDEX, &index.to_string()).await;
    assert_eq!((answer.status().as_u16(), code(answer).await.as_str()), (400, "MANIFEST_BLOB_UNKNOWN"));

    let mut wrong = image(b"{}", &[]);
    wrong["config"]["size"] = json!(77);
    let answer = h.put_manifest("app", "v1", OCI_MANIFEST, &wrong.to_string()).await;
    assert_eq!((answer.status().as_u16(), code(answer).await.as_str()), (400, "SIZE_INVALID"));
    assert_eq!(h.send("GET", "/v2/app/manifests/v1").await.status(), 404);
}

#[tokio::test]
async fn bad_manifests() {
    let h = Harness::start().await;
    h.create("app").await;
    h.push_blob("app", b"{}").await;
    let good = image(b"{}", &[]).to_string();
    let huge = format!("{good}{}", " ".repeat(5 * 1024 * 1024));
    let lie = sha256(b"lie");
    for (reference, media_type, body, status, expected) in [
        ("v1", OCI_MANIFEST, "not json", 400, "MANIFEST_INVALID"),
        ("v1", OCI_MANIFEST, "", 400, "MANIFEST_INVALID"),
        ("v1", OCI_INDEX, good.as_str(), 400, "MANIFEST_INVALID"),
        ("v1", OCI_MANIFEST, huge.as_str(), 413, "MANIFEST_INVALID"),
        (lie.as_str(), OCI_MANIFEST, good.as_str(), 400, "DIGEST_INVALID"),
        ("-v1", OCI_MANIFEST, good.as_str(), 400, "TAG_INVALID"),
        ("sha256:0", OCI_MANIFEST, good.as_str(), 400, "DIGEST_INVALID"),
    ] {
        let answer = h.put_manifest("app", reference, media_type, body).await;
        assert_eq!(answer.status(), status, "{reference}");
        assert_eq!(code(answer).await, expected, "{reference}");
    }
    let answer = h.put_manifest("APP", "v1", OCI_MANIFEST, &good).await;
    assert_eq!((answer.status().as_u16(), code(answer).await.as_str()), (400, "NAME_INVALID"));
    assert_eq!(h.put_manifest("app", "v1", OCI_MANIFEST, &good).await.status(), 201);
}

#[tokio::test]
async fn an_index_and_tags_by_parameter() {
    let h = Harness::start().await;
    h.create("app").await;
    let amd = h.push_image("app", "amd", b"amd").await;
    let arm = h.push_image("app", "arm", b"arm").await;
    let member = |digest: &str, size: usize, arch: &str| {
        json!({"mediaType": OCI_MANIFEST, "digest": digest, "size": size,
               "platform": {"os": "linux", "architecture": arch}})
    };
    let size = h.send("GET", "/v2/app/manifests/amd").await.bytes().await.unwrap().len();
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX,
                       "manifests": [member(&amd, size, "amd64"), member(&arm, size, "arm64")]})
    .to_string();
    let digest = sha256(index.as_bytes());
    let reference = format!("{digest}?tag=1.2.3&tag=latest");
    let answer = h.put_manifest("app", &reference, OCI_INDEX, &index).await;
    assert_eq!(answer.status(), 201);
    let tags: Vec<_> = answer.headers().get_all("oci-tag").iter().collect();
    assert_eq!(tags, ["1.2.3", "latest"]);
    let get = h.send("GET", "/v2/app/manifests/1.2.3").await;
    assert_eq!(header(&get, "content-type"), OCI_INDEX);

    let long = format!("sha512:{}", hex::encode(Sha512::digest(&index)));
    assert_eq!(h.put_manifest("app", &long, OCI_INDEX, &index).await.status(), 201);
    let get = h.send("GET", &format!("/v2/app/manifests/{long}")).await;
    assert_eq!(header(&get, "docker-content-digest"), long);
}

#[tokio::test]
async fn tags_in_pages() {
    let h = Harness::start().await;
    h.create("app").await;
    h.push_blob("app", b"{}").await;
    let manifest = image(b"{}", &[]).to_string();
    for tag in ["b", "a", "B", "c10", "c2"] {
        h.put_manifest("app", tag, OCI_MANIFEST, &manifest).await;
    }
    let all: Value = h.send("GET", "/v2/app/tags/list").await.json().await.unwrap();
    assert_eq!(all, json!({"name": "app", "tags": ["B", "a", "b", "c10", "c2"]}));

    let mut url = "/v2/app/tags/list?n=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = h.send("GET", &url).await;
        let link = page.headers().get("link").map(|l| l.to_str().unwrap().to_owned());
        let body: Value = page.json().await.unwrap();
        seen.extend(body["tags"].as_array().unwrap().clone());
        let Some(link) = link else { break };
        url = link.trim_start_matches('<').split('>').next().unwrap().to_owned();
    }
    assert_eq!(Value::from(seen), all["tags"]);
    let none = h.send("GET", "/v2/app/tags/list?n=0").await;
    assert!(none.headers().get("link").is_none());
    assert_eq!(none.json::<Value>().await.unwrap()["tags"], json!([]));
    let rest: Value = h.send("GET", "/v2/app/tags/list?last=b").await.json().await.unwrap();
    assert_eq!(rest["tags"], json!(["c10", "c2"]));
    assert_eq!(h.send("GET", "/v2/app/tags/list?n=x").await.status(), 400);
    assert_eq!(h.send("GET", "/v2/none/tags/list").await.status(), 404);
    let catalog: Value = h.send("GET", "/v2/_catalog").await.json().await.unwrap();
    assert_eq!(catalog, json!({"repositories": ["app"]}));
}

#[tokio::test]
async fn deleting_tags_and_manifests() {
    let h = Harness::start().await;
    h.create("app").await;
    let digest = h.push_image("app", "v1", b"layer").await;
    h.push_image("app", "v2", b"layer").await;
    assert_eq!(h.send("DELETE", "/v2/app/manifests/v1").await.status(), 202);
    assert_eq!(h.send("GET", "/v2/app/manifests/v1").await.status(), 404);
    assert_eq!(h.send("GET", "/v2/app/manifests/v2").await.status(), 200);
    assert_eq!(h.send("DELETE", &format!("/v2/app/manifests/{digest}")).await.status(), 202);
    let gone = h.send("GET", "/v2/app/manifests/v2").await;
    assert_eq!((gone.status().as_u16(), code(gone).await.as_str()), (404, "MANIFEST_UNKNOWN"));
    assert_eq!(h.send("DELETE", &format!("/v2/app/manifests/{digest}")).await.status(), 404);
    // Its blobs stay for a while: somebody may be about to push a manifest that names them.
    assert_eq!(h.send("HEAD", &format!("/v2/app/blobs/{}", sha256(b"layer"))).await.status(), 200);
}

#[tokio::test]
async fn referrers_of_a_manifest() {
    let h = Harness::start().await;
    h.create("app").await;
    h.push_blob("app", b"{}").await;
    let subject = image(b"{}", &[]).to_string();
    let subject_digest = sha256(subject.as_bytes());
    let url = format!("/v2/app/referrers/{subject_digest}");
    let empty = h.send("GET", &url).await;
    assert_eq!(header(&empty, "content-type"), OCI_INDEX);
    assert_eq!(empty.json::<Value>().await.unwrap()["manifests"], json!([]));

    // The referrer may come first.
    let referrer = |artifact_type: Option<&str>| {
        let mut m = image(b"{}", &[]);
        m["subject"] = descriptor(OCI_MANIFEST, subject.as_bytes());
        m["annotations"] = json!({"a": "b"});
        if let Some(t) = artifact_type {
            m["artifactType"] = json!(t);
        }
        m.to_string()
    };
    for artifact_type in [Some("application/x.sbom+json"), None] {
        let manifest = referrer(artifact_type);
        let answer = h.put_manifest("app", &sha256(manifest.as_bytes()), OCI_MANIFEST, &manifest).await;
        assert_eq!(answer.status(), 201);
        assert_eq!(header(&answer, "oci-subject"), subject_digest);
    }
    h.put_manifest("app", "v1", OCI_MANIFEST, &subject).await;
    let h = h.restart().await;
    let both: Value = h.send("GET", &url).await.json().await.unwrap();
    let mut types: Vec<&str> =
        both["manifests"].as_array().unwrap().iter().filter_map(|m| m["artifactType"].as_str()).collect();
    types.sort_unstable();
    assert_eq!(types, ["application/vnd.oci.image.config.v1+json", "application/x.sbom+json"]);
    assert_eq!(both["manifests"][0]["annotations"], json!({"a": "b"}));

    let filtered = h.send("GET", &format!("{url}?artifactType=application%2Fx.sbom%2Bjson")).await;
    assert_eq!(header(&filtered, "oci-filters-applied"), "artifactType");
    assert_eq!(filtered.json::<Value>().await.unwrap()["manifests"].as_array().unwrap().len(), 1);
    assert_eq!(h.send("GET", "/v2/app/referrers/sha256:x").await.status(), 400);
    assert_eq!(h.send("GET", &url.replace("/app/", "/none/")).await.status(), 200);
}

#[tokio::test]
async fn concurrent_pushes_of_one_tag() {
    let h = std::sync::Arc::new(Harness::start().await);
    h.create("app").await;
    let pushes = (0..24).map(|i| {
        let h = h.clone();
        tokio::spawn(async move { h.push_image("app", "latest", format!("layer {i}").as_bytes()).await })
    });
    let mut digests = Vec::new();
    for push in pushes.collect::<Vec<_>>() {
        digests.push(push.await.unwrap());
    }
    let get = h.send("GET", "/v2/app/manifests/latest").await;
    let at = header(&get, "docker-content-digest");
    assert!(digests.contains(&at));
    // Every one of them is there, whoever won the tag.
    for digest in &digests {
        assert_eq!(h.send("HEAD", &format!("/v2/app/manifests/{digest}")).await.status(), 200);
    }
}

#[tokio::test]
async fn a_push_is_told() {
    let h = Harness::start().await;
    h.create("app").await;
    let mut newest = h.registry.newest_push();
    let digest = h.push_image("app", "v1", b"layer").await;
    newest.wait_for(|number| *number == 1).await.unwrap();
    let (number, push) = h.registry.pushes_after(0).pop().unwrap();
    assert_eq!((number, push.digest.as_str(), push.tag.as_str()), (1, digest.as_str(), "v1"));
    assert!(push.is_image);
    // The same again is no news; another tag at it is.
    h.push_image("app", "v1", b"layer").await;
    assert_eq!(h.registry.pushes_after(1), []);
    h.push_image("app", "v2", b"layer").await;
    h.registry.forget_pushes(2).await.unwrap();
    assert_eq!(h.registry.pushes_after(0).iter().map(|(number, _)| *number).collect::<Vec<_>>(), [2]);
    h.push_image("app", "v1", b"other").await;
    assert_eq!(h.registry.pushes_after(2).len(), 1, "the numbers go on");
}
