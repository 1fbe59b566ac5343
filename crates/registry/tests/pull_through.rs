//! Pulls of what another registry has.

mod common;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use common::{Harness, OCI_INDEX, OCI_MANIFEST, REGION, code, header, image, password, sha256};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// A registry that counts what it is asked for, and may be slow or wrong.
struct Upstream {
    /// Media type and bytes by path.
    content: Mutex<BTreeMap<String, (String, Vec<u8>)>>,
    asked: Mutex<BTreeMap<String, usize>>,
    /// Halves of large blobs that may be sent.
    halves: Semaphore,
    breaks: AtomicUsize,
    base: String,
}

impl Upstream {
    async fn start() -> (Arc<Self>, tokio::task::JoinHandle<()>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Arc::new(Self {
            content: Mutex::default(),
            asked: Mutex::default(),
            halves: Semaphore::new(Semaphore::MAX_PERMITS),
            breaks: AtomicUsize::new(0),
            base: listener.local_addr().unwrap().to_string(),
        });
        let router = Router::new().fallback(answer).with_state(upstream.clone());
        (upstream, tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }))
    }

    fn put(&self, path: String, kind: &str, bytes: &[u8]) {
        self.content.lock().unwrap().insert(path, (kind.to_owned(), bytes.to_vec()));
    }

    fn put_manifest(&self, name: &str, tag: &str, kind: &str, manifest: &str) -> String {
        let digest = sha256(manifest.as_bytes());
        for reference in [tag, &digest] {
            self.put(format!("/v2/{name}/manifests/{reference}"), kind, manifest.as_bytes());
        }
        digest
    }

    fn put_image(&self, name: &str, tag: &str, layer: &[u8]) -> String {
        for blob in [CONFIG, layer] {
            self.put(format!("/v2/{name}/blobs/{}", sha256(blob)), "application/octet-stream", blob);
        }
        self.put_manifest(name, tag, OCI_MANIFEST, &image(CONFIG, &[layer]).to_string())
    }

    fn asked(&self, path: &str) -> usize {
        self.asked.lock().unwrap().get(path).copied().unwrap_or_default()
    }
}

async fn answer(State(upstream): State<Arc<Upstream>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    *upstream.asked.lock().unwrap().entry(path.clone()).or_default() += 1;
    let found = upstream.content.lock().unwrap().get(&path).cloned();
    let Some((kind, bytes)) = found else {
        return (http::StatusCode::NOT_FOUND, "{}").into_response();
    };
    let range = request.headers().get("range").and_then(|range| range.to_str().ok());
    let first: usize = range.map_or(0, |r| r["bytes=".len()..r.len() - 1].parse().unwrap());
    let length = bytes.len() - first;
    let is_blob = path.contains("/blobs/");
    let is_large = is_blob && bytes.len() > 1_000_000;
    let breaks = is_blob
        && upstream.breaks.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
    let halves = [bytes[first..first + length / 2].to_vec(), bytes[first + length / 2..].to_vec()];
    let body = stream::iter(halves.into_iter().enumerate()).then(move |(n, half)| {
        let upstream = upstream.clone();
        async move {
            if is_large {
                upstream.halves.acquire().await.unwrap().forget();
            }
            if breaks && n == 1 { Err(std::io::Error::other("it breaks")) } else { Ok(half) }
        }
    });
    let status = if range.is_some() { 206 } else { 200 };
    let headers = [("content-type", kind), ("content-length", length.to_string())];
    (http::StatusCode::from_u16(status).unwrap(), headers, Body::from_stream(body)).into_response()
}

use futures_util::StreamExt;

const CONFIG: &[u8] = br#"{"architecture":"amd64","os":"linux"}"#;

async fn start() -> (Harness, Arc<Upstream>, tokio::task::JoinHandle<()>) {
    let (upstream, serving) = Upstream::start().await;
    let h = Harness::start().await;
    let rule = json!({"ecrRepositoryPrefix": "up", "upstreamRegistryUrl": upstream.base});
    h.call("CreatePullThroughCacheRule", rule).await.unwrap();
    (h, upstream, serving)
}

/// Waits for what an import does after the pull was answered.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..2000 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("not so: {what}");
}

async fn is_cached(h: &Harness, name: &str, tag: &str) -> bool {
    let asked = json!({"repositoryName": name, "imageIds": [{"imageTag": tag}]});
    h.call("DescribeImages", asked).await.is_ok()
}

#[tokio::test]
async fn what_was_pulled_once_is_here_without_upstream() {
    let (h, upstream, serving) = start().await;
    let digest = upstream.put_image("library/app", "v1", b"layer");
    let template = json!({"prefix": "up", "appliedFor": ["PULL_THROUGH_CACHE"],
        "resourceTags": [{"Key": "from", "Value": "upstream"}], "imageTagMutability": "MUTABLE"});
    h.call("CreateRepositoryCreationTemplate", template).await.unwrap();
    for wrong in ["up/library/other", "elsewhere/app", "up"] {
        assert_eq!(h.send("GET", &format!("/v2/{wrong}/manifests/v1")).await.status(), 404, "{wrong}");
    }
    assert!(h.call("DescribeRepositories", json!({"repositoryNames": ["up/library/other"]})).await.is_err());

    let pulled = h.send("GET", "/v2/up/library/app/manifests/v1").await;
    assert_eq!(pulled.status(), 200);
    assert_eq!(header(&pulled, "docker-content-digest"), digest);
    assert_eq!(header(&pulled, "content-type"), OCI_MANIFEST);
    assert_eq!(sha256(&pulled.bytes().await.unwrap()), digest);
    for blob in [CONFIG, b"layer"] {
        let pulled = h.send("GET", &format!("/v2/up/library/app/blobs/{}", sha256(blob))).await;
        assert_eq!(pulled.bytes().await.unwrap(), blob);
    }
    until("the image is cached", async || is_cached(&h, "up/library/app", "v1").await).await;
    let arn = "arn:aws:ecr:us-east-1:000000000000:repository/up/library/app";
    let tags = h.call("ListTagsForResource", json!({"resourceArn": arn})).await.unwrap();
    assert_eq!(tags["tags"], json!([{"Key": "from", "Value": "upstream"}]));
    // Nobody has pushed: nothing is to be deployed.
    assert!(h.registry.pushes_after(0).is_empty());
    serving.abort();
    let _ = serving.await;
    let pulled = h.send("GET", "/v2/up/library/app/manifests/v1").await;
    assert_eq!(header(&pulled, "docker-content-digest"), digest);
    let pulled = h.send("GET", &format!("/v2/up/library/app/blobs/{}", sha256(b"layer"))).await;
    assert_eq!(pulled.bytes().await.unwrap(), "layer");
    assert_eq!(h.send("GET", "/v2/up/library/app/manifests/v2").await.status(), 502);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_who_pull_at_once_ask_upstream_once_and_get_it_as_it_comes() {
    let (h, upstream, _serving) = start().await;
    let h = Arc::new(h);
    // Larger than what is read at a time, so that some of it can be seen before the rest has come.
    let layer: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    let digest = upstream.put_image("app", "v1", &layer);
    let taken = upstream.halves.forget_permits(Semaphore::MAX_PERMITS);
    let path = format!("/v2/up/app/blobs/{}", sha256(&layer));
    let pulls: Vec<_> = (0..20)
        .map(|_| {
            let (h, path) = (h.clone(), path.clone());
            tokio::spawn(async move {
                let manifest = h.send("GET", "/v2/up/app/manifests/v1").await;
                assert_eq!(manifest.status(), 200);
                let mut blob = h.send("GET", &path).await;
                let first = blob.chunk().await.unwrap().unwrap();
                let mut bytes = first.to_vec();
                bytes.extend(blob.bytes().await.unwrap());
                bytes
            })
        })
        .collect();
    // Half of the layer: nobody is done, and it was asked for once.
    upstream.halves.add_permits(1);
    until("upstream was asked", async || upstream.asked(&path.replace("/up", "")) == 1).await;
    let mut one = h.send("GET", &path).await;
    assert!(!one.chunk().await.unwrap().unwrap().is_empty(), "bytes before upstream has sent all");
    assert!(pulls.iter().all(|pull| !pull.is_finished()));
    upstream.halves.add_permits(taken / 2);
    for pull in pulls {
        assert_eq!(sha256(&pull.await.unwrap()), sha256(&layer));
    }
    until("the image is cached", async || is_cached(&h, "up/app", "v1").await).await;
    for path in ["manifests/v1", &format!("blobs/{}", sha256(&layer)), &format!("blobs/{}", sha256(CONFIG))] {
        assert_eq!(upstream.asked(&format!("/v2/app/{path}")), 1, "{path}");
    }
    let pulled = h.send("HEAD", &format!("/v2/up/app/manifests/{digest}")).await;
    assert_eq!(pulled.status(), 200);
}

#[tokio::test]
async fn an_index_comes_with_all_its_members() {
    let (h, upstream, _serving) = start().await;
    let members: Vec<Value> = [b"amd64", b"arm64"]
        .iter()
        .map(|layer| {
            let digest = upstream.put_image("app", "unused", *layer);
            let size = image(CONFIG, &[*layer]).to_string().len();
            json!({"mediaType": OCI_MANIFEST, "digest": digest, "size": size})
        })
        .collect();
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": members}).to_string();
    let digest = upstream.put_manifest("app", "v1", OCI_INDEX, &index);
    assert_eq!(header(&h.send("HEAD", "/v2/up/app/manifests/v1").await, "docker-content-digest"), digest);
    until("the index is cached", async || is_cached(&h, "up/app", "v1").await).await;
    let images = h.call("ListImages", json!({"repositoryName": "up/app"})).await.unwrap();
    assert_eq!(images["imageIds"].as_array().unwrap().len(), 3);
    let load = || h.store.load().map(|s| s.entries).map_err(std::io::Error::other);
    assert_eq!(registry::verify::verify(h.dir.path(), None, load, |_| ()).unwrap().findings, []);
}

#[tokio::test]
async fn a_tag_is_looked_up_again_after_a_day_and_not_before() {
    let (h, upstream, serving) = start().await;
    let old = upstream.put_image("app", "v1", b"old");
    let pull = async || {
        // A password is good for less than a day.
        let password = password(&h.registry, REGION).await;
        let get = h.anonymous("GET", "/v2/up/app/manifests/v1").basic_auth("AWS", Some(&password));
        header(&get.send().await.unwrap(), "docker-content-digest")
    };
    assert_eq!(pull().await, old);
    until("the image is cached", async || is_cached(&h, "up/app", "v1").await).await;
    let day = 24 * 3600 * 1000;
    h.now_ms.fetch_add(day, Ordering::SeqCst);
    let asked = || upstream.asked("/v2/app/manifests/v1");
    // It stands where it stood: that is noted, and holds for another day.
    assert_eq!((pull().await, asked()), (old.clone(), 2));
    until("it is noted", async || {
        let before = asked();
        pull().await;
        asked() == before
    })
    .await;
    let new = upstream.put_image("app", "v1", b"new");
    let before = asked();
    h.now_ms.fetch_add(day - 1, Ordering::SeqCst);
    assert_eq!((pull().await, asked()), (old, before));
    h.now_ms.fetch_add(1, Ordering::SeqCst);
    assert_eq!(pull().await, new);
    until("the new one is cached", async || {
        let images = json!({"repositoryName": "up/app", "imageIds": [{"imageTag": "v1"}]});
        h.call("DescribeImages", images).await.unwrap()["imageDetails"][0]["imageDigest"] == json!(new)
    })
    .await;
    // Upstream is away: what is here is served.
    serving.abort();
    let _ = serving.await;
    h.now_ms.fetch_add(day, Ordering::SeqCst);
    assert_eq!(pull().await, new);
}

#[tokio::test]
async fn a_broken_connection_is_gone_on_with_and_wrong_bytes_reach_nobody_whole() {
    let (h, upstream, _serving) = start().await;
    let layer = vec![7; 2_000_000];
    upstream.put_image("app", "v1", &layer);
    upstream.breaks.store(2, Ordering::SeqCst);
    assert_eq!(h.send("GET", "/v2/up/app/manifests/v1").await.status(), 200);
    let pulled = h.send("GET", &format!("/v2/up/app/blobs/{}", sha256(&layer))).await;
    assert_eq!(pulled.bytes().await.unwrap(), layer);
    until("the image is cached", async || is_cached(&h, "up/app", "v1").await).await;

    upstream.put_image("evil", "v1", b"what was meant");
    let wrong = format!("/v2/evil/blobs/{}", sha256(b"what was meant"));
    upstream.put(wrong, "application/octet-stream", b"what was sent!");
    let path = format!("/v2/up/evil/blobs/{}", sha256(b"what was meant"));
    assert_eq!(h.send("GET", "/v2/up/evil/manifests/v1").await.status(), 200);
    let pulled = h.send("GET", &path).await;
    assert!(pulled.status() == 502 || pulled.bytes().await.is_err(), "it looks whole");
    let digest = sha256(image(CONFIG, &[b"another"]).to_string().as_bytes());
    upstream.put(format!("/v2/evil/manifests/{digest}"), OCI_MANIFEST, b"{}");
    assert_eq!(h.send("GET", &format!("/v2/up/evil/manifests/{digest}")).await.status(), 502);
    assert!(!is_cached(&h, "up/evil", "v1").await);
}

#[tokio::test]
async fn upstream_s_credentials_come_from_a_file_that_is_read_anew() {
    let upstream = Harness::start().await;
    upstream.create("team/app").await;
    let digest = upstream.push_image("team/app", "v1", b"layer").await;
    let h = Harness::start().await;
    let arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:ecr-pullthroughcache/peer-a1B2c3";
    let rule = json!({"ecrRepositoryPrefix": "peer", "upstreamRegistryUrl": upstream.base, "credentialArn": arn,
        "upstreamRepositoryPrefix": "team"});
    let refused = h.call("CreatePullThroughCacheRule", rule.clone()).await.unwrap_err();
    assert_eq!(refused.code, "SecretNotFoundException");
    let secrets = h.dir.path().join("upstream-secrets.json");
    let write = |password: &str| {
        let text = json!({"ecr-pullthroughcache/peer": {"username": "AWS", "accessToken": password}});
        std::fs::write(&secrets, text.to_string()).unwrap();
    };
    write("wrong");
    h.call("CreatePullThroughCacheRule", rule).await.unwrap();
    let validate = async || {
        h.call("ValidatePullThroughCacheRule", json!({"ecrRepositoryPrefix": "peer"})).await.unwrap()
    };
    let told = validate().await;
    assert_eq!(told["isValid"], json!(false));
    assert!(told["failure"].as_str().unwrap().contains("authentication required"), "{told}");
    let refused = h.send("GET", "/v2/peer/app/manifests/v1").await;
    assert_eq!((refused.status().as_u16(), code(refused).await.as_str()), (403, "DENIED"));
    write(&upstream.password);
    assert_eq!(validate().await["isValid"], json!(true));
    let pulled = h.send("GET", "/v2/peer/app/manifests/v1").await;
    assert_eq!(header(&pulled, "docker-content-digest"), digest);
}

#[tokio::test]
async fn rules_are_told_and_changed_as_ecr_does() {
    let h = Harness::start().await;
    let create = |prefix: &str, url: &str| json!({"ecrRepositoryPrefix": prefix, "upstreamRegistryUrl": url});
    let made = h.call("CreatePullThroughCacheRule", create("quay/", "quay.io")).await.unwrap();
    assert_eq!((&made["ecrRepositoryPrefix"], &made["upstreamRegistry"]), (&json!("quay"), &json!("quay")));
    assert_eq!(made["upstreamRepositoryPrefix"], json!("ROOT"));
    h.call("CreatePullThroughCacheRule", create("ROOT", "http://10.0.0.1:5000")).await.unwrap();
    for (prefix, url, code) in [
        ("quay", "ghcr.io", "PullThroughCacheRuleAlreadyExistsException"),
        ("other", "quay.io/path", "InvalidParameterException"),
        ("other", "111122223333.dkr.ecr.us-east-1.amazonaws.com", "UnsupportedUpstreamRegistryException"),
    ] {
        let refused = h.call("CreatePullThroughCacheRule", create(prefix, url)).await.unwrap_err();
        assert_eq!(refused.code, code, "{prefix} {url}");
    }
    let page = h.call("DescribePullThroughCacheRules", json!({"maxResults": 1})).await.unwrap();
    assert_eq!(page["pullThroughCacheRules"][0]["ecrRepositoryPrefix"], json!("ROOT"));
    let rest = json!({"maxResults": 1, "nextToken": page["nextToken"]});
    let rest = h.call("DescribePullThroughCacheRules", rest).await.unwrap();
    assert_eq!(rest["pullThroughCacheRules"][0]["upstreamRegistryUrl"], json!("quay.io"));
    assert_eq!(rest["nextToken"], Value::Null);
    let role = json!({"ecrRepositoryPrefix": "quay", "customRoleArn": "arn:aws:iam::000000000000:role/x"});
    h.call("UpdatePullThroughCacheRule", role).await.unwrap();
    let named = json!({"ecrRepositoryPrefixes": ["quay"]});
    let told = h.call("DescribePullThroughCacheRules", named.clone()).await.unwrap();
    assert_eq!(told["pullThroughCacheRules"][0]["customRoleArn"], json!("arn:aws:iam::000000000000:role/x"));
    h.call("DeletePullThroughCacheRule", json!({"ecrRepositoryPrefix": "quay"})).await.unwrap();
    for (operation, input) in [
        ("DescribePullThroughCacheRules", named),
        ("DeletePullThroughCacheRule", json!({"ecrRepositoryPrefix": "quay"})),
        ("UpdatePullThroughCacheRule", json!({"ecrRepositoryPrefix": "quay"})),
        ("ValidatePullThroughCacheRule", json!({"ecrRepositoryPrefix": "quay"})),
    ] {
        let refused = h.call(operation, input).await.unwrap_err();
        assert_eq!(refused.code, "PullThroughCacheRuleNotFoundException", "{operation}");
    }
    let h = h.restart().await;
    let told = h.call("DescribePullThroughCacheRules", json!({})).await.unwrap();
    assert_eq!(told["pullThroughCacheRules"].as_array().unwrap().len(), 1);
}
