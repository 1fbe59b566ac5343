//! What was answered is there after a restart, and what failed left nothing behind that matters.

mod common;

use std::{
    fs,
    sync::{Arc, atomic::Ordering},
};

use common::{Harness, START_MS, files, header, sha256};
use registry::{Registry, RegistryConfig};
use serde_json::json;
use store::{Fault, Faulty, MemoryStore, SqliteStore, Store};
use tempfile::TempDir;

#[tokio::test]
async fn everything_is_there_after_a_restart_on_sqlite() {
    let dir = Arc::new(TempDir::new().unwrap());
    let open = || Arc::new(SqliteStore::open(dir.path().join("registry.db")).unwrap());
    let h = Harness::open(dir.clone(), open()).await;
    h.create("app").await;
    let digest = h.push_image("app", "v1", b"layer").await;
    drop(h);
    let mut store = None;
    // The writer of the last registry still closes the file.
    for _ in 0..200 {
        match SqliteStore::open(dir.path().join("registry.db")) {
            Ok(opened) => {
                store = Some(Arc::new(opened));
                break;
            }
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        }
    }
    let h = Harness::open(dir.clone(), store.unwrap()).await;
    let get = h.send("GET", "/v2/app/manifests/v1").await;
    assert_eq!(header(&get, "docker-content-digest"), digest);
    let layer = h.send("GET", &format!("/v2/app/blobs/{}", sha256(b"layer"))).await;
    assert_eq!(layer.bytes().await.unwrap(), "layer");
}

#[tokio::test]
async fn a_failed_commit_changes_nothing_and_a_doubtful_one_is_looked_up() {
    let store = Arc::new(Faulty::new(MemoryStore::new(), []));
    let h = Harness::open(Arc::new(TempDir::new().unwrap()), store.clone()).await;
    h.create("app").await;
    let digest = sha256(b"layer");
    let url = format!("/v2/app/blobs/uploads/?digest={digest}");
    let blob = format!("/v2/app/blobs/{digest}");
    let push = || h.request("POST", &url).body("layer").send();
    for fault in [Fault::Refuse, Fault::LoseRequest] {
        store.fail_next(fault);
        assert_eq!(push().await.unwrap().status(), 500);
        assert_eq!(h.send("HEAD", &blob).await.status(), 404);
    }
    store.fail_next(Fault::LoseAnswer);
    assert_eq!(push().await.unwrap().status(), 500);
    // It did take effect: the next command finds it so, and trying again is fine.
    assert_eq!(push().await.unwrap().status(), 201);
    assert_eq!(h.send("GET", &blob).await.bytes().await.unwrap(), "layer");

    store.fail_next(Fault::LoseAnswer);
    let made = h.call("CreateRepository", json!({"repositoryName": "other"})).await;
    assert_eq!(made.unwrap_err().code, "ServerException");
    let again = h.call("CreateRepository", json!({"repositoryName": "other"})).await;
    assert_eq!(again.unwrap_err().code, "RepositoryAlreadyExistsException");
}

#[tokio::test]
async fn a_crashs_left_overs_are_swept() {
    let h = Harness::start().await;
    h.create("app").await;
    let digest = h.push_image("app", "v1", b"layer").await;
    let blobs = h.dir.path().join("blobs");
    let uploads = h.dir.path().join("uploads");
    let kept = files(&blobs);
    // As if the process had died between the rename and the commit, and while it staged a manifest.
    fs::write(blobs.join("sha256").join("0".repeat(64)), "orphan").unwrap();
    fs::write(uploads.join("67e55044-10b1-426f-9247-bb680e5fe0c8.blob"), "staged").unwrap();
    fs::write(blobs.join("sha256").join("README"), "not ours").unwrap();
    let h = h.restart().await;
    assert_eq!(files(&blobs), kept + 1);
    assert_eq!(files(&uploads), 0);
    assert_eq!(h.send("GET", &format!("/v2/app/manifests/{digest}")).await.status(), 200);
}

#[tokio::test]
async fn a_day_later_what_nothing_names_is_collected() {
    let h = Harness::start().await;
    h.create("app").await;
    h.push_image("app", "v1", b"layer").await;
    h.push_blob("app", b"never named").await;
    let ids = json!({"repositoryName": "app", "imageIds": [{"imageTag": "v1"}]});
    h.now_ms.store(START_MS + 1000, Ordering::SeqCst);
    h.call("BatchDeleteImage", ids).await.unwrap();
    assert_eq!(h.registry.collect().await.unwrap(), 0);
    h.now_ms.store(START_MS + 24 * 3600 * 1000, Ordering::SeqCst);
    assert_eq!(h.registry.collect().await.unwrap(), 1);
    h.now_ms.store(START_MS + 24 * 3600 * 1000 + 1000, Ordering::SeqCst);
    assert_eq!(h.registry.collect().await.unwrap(), 2);
    assert_eq!(files(&h.dir.path().join("blobs")), 0);
}

#[tokio::test]
async fn the_key_is_its_owners() {
    use std::os::unix::fs::PermissionsExt;
    let h = Harness::start().await;
    let mode = fs::metadata(h.dir.path().join("token.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_store_of_somebody_else_is_not_opened() {
    let store = MemoryStore::new();
    let mut batch = store::Batch::new();
    batch.put("cluster/default", "{}");
    store.commit(store::Revision(0), &batch).unwrap();
    let dir = TempDir::new().unwrap();
    let opened = Registry::open(RegistryConfig::new(dir.path(), "127.0.0.1:0"), Arc::new(store));
    let error = std::error::Error::source(&opened.unwrap_err()).unwrap().to_string();
    assert_eq!(error, "the registry's state is not what it should be");
}

#[tokio::test]
async fn create_on_push_makes_what_is_missing() {
    let dir = TempDir::new().unwrap();
    let config = RegistryConfig { create_on_push: true, ..RegistryConfig::new(dir.path(), "127.0.0.1:0") };
    let registry = Registry::open(config, Arc::new(MemoryStore::new())).unwrap();
    let request = http::Request::builder()
        .method("POST")
        .uri("/v2/new/app/blobs/uploads/")
        .header("authorization", common::basic(&common::password(&registry, "us-east-1").await))
        .body(axum::body::Body::empty())
        .unwrap();
    let answer = tower::ServiceExt::oneshot(registry.routes(), request).await.unwrap();
    assert_eq!(answer.status(), 202);
}
