//! Verifying names what is wrong, and nothing that is not.

mod common;

use std::{
    fs, io,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

use common::{Harness, OCI_INDEX, OCI_MANIFEST, sha256};
use registry::verify::{Finding, Verified, verify};
use serde_json::json;
use store::Batch;

fn look(h: &Harness) -> Verified {
    let load = || h.store.load().map(|s| s.entries).map_err(io::Error::other);
    verify(h.dir.path(), None, load, |_| ()).unwrap()
}

fn file(h: &Harness, digest: &str) -> PathBuf {
    h.dir.path().join("blobs").join(digest.replace(':', "/"))
}

fn told(verified: &Verified) -> Vec<String> {
    verified.findings.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn what_is_whole_is_whole() {
    let h = Harness::start().await;
    assert_eq!(look(&h), Verified { repositories: 0, manifests: 0, blobs: 0, bytes: 0, findings: vec![] });
    h.create("app").await;
    let digest = h.push_image("app", "v1", b"layer").await;
    let index = json!({"schemaVersion": 2, "manifests": [
        {"mediaType": OCI_MANIFEST, "digest": digest, "size": fs::metadata(file(&h, &digest)).unwrap().len()}]});
    assert_eq!(h.put_manifest("app", "multi", OCI_INDEX, &index.to_string()).await.status(), 201);
    h.push_blob("app", b"").await;
    // An upload that is under way is no left-over.
    h.begin("app").await;
    let verified = look(&h);
    assert_eq!(told(&verified), Vec::<String>::new());
    assert!(verified.is_whole());
    assert_eq!((verified.repositories, verified.manifests, verified.blobs), (1, 2, 5));
}

#[tokio::test]
async fn what_the_disk_lost_is_named_with_who_needs_it() {
    let h = Harness::start().await;
    for name in ["app", "other"] {
        h.create(name).await;
    }
    let digest = h.push_image("app", "v1", b"layer").await;
    h.push_image("app", "v2", b"another").await;
    h.push_image("other", "latest", b"layer").await;
    let (layer, another) = (sha256(b"layer"), sha256(b"another"));
    fs::write(file(&h, &layer), b"lazer").unwrap();
    fs::remove_file(file(&h, &another)).unwrap();
    fs::remove_file(file(&h, &digest)).unwrap();
    fs::create_dir(file(&h, &digest)).unwrap();
    let orphan = file(&h, &sha256(b"orphan"));
    fs::write(&orphan, b"orphan").unwrap();

    let verified = look(&h);
    assert!(!verified.is_whole());
    let place = "000000000000/us-east-1";
    let mut expected = vec![
        format!(
            "blob {layer} is damaged\n    {} has the digest {}\n    needed by {place}/app: v1\n    \
             needed by {place}/other: latest",
            file(&h, &layer).display(),
            sha256(b"lazer")
        ),
        format!("blob {another} is missing\n    needed by {place}/app: v2"),
        format!(
            "blob {digest} is missing\n    needed by {place}/app: v1\n    needed by {place}/other: latest"
        ),
        format!("left over: {}", orphan.display()),
        format!("left over: {}", file(&h, &digest).display()),
    ];
    let mut told = told(&verified);
    told.sort();
    expected.sort();
    assert_eq!(told, expected);

    // What the help says mends it: away with what is wrong, and pushed again.
    fs::remove_file(file(&h, &layer)).unwrap();
    fs::remove_dir(file(&h, &digest)).unwrap();
    for blob in [&layer, &another] {
        assert_eq!(h.send("HEAD", &format!("/v2/app/blobs/{blob}")).await.status(), 404);
    }
    h.push_image("app", "v1", b"layer").await;
    h.push_image("app", "v2", b"another").await;
    fs::remove_file(&orphan).unwrap();
    assert_eq!(look(&h).findings, vec![]);
}

#[tokio::test]
async fn a_blob_of_another_length_is_no_blob_to_push_on() {
    let h = Harness::start().await;
    h.create("app").await;
    let digest = h.push_blob("app", b"layer").await;
    let path = format!("/v2/app/blobs/{digest}");
    assert_eq!(h.send("HEAD", &path).await.status(), 200);
    fs::write(file(&h, &digest), b"lay").unwrap();
    assert_eq!(h.send("HEAD", &path).await.status(), 404);
    assert!(matches!(look(&h).findings.as_slice(), [Finding::DamagedBlob { .. }]));
}

#[tokio::test]
async fn images_that_lack_something_and_records_that_do_not_read() {
    let h = Harness::start().await;
    h.create("app").await;
    let digest = h.push_image("app", "v1", b"layer").await;
    let index = json!({"schemaVersion": 2, "manifests": [
        {"mediaType": OCI_MANIFEST, "digest": digest, "size": fs::metadata(file(&h, &digest)).unwrap().len()}]});
    h.put_manifest("app", "multi", OCI_INDEX, &index.to_string()).await;
    let layer = sha256(b"layer");
    // OCI lets a client delete what an image needs.
    assert_eq!(h.send("DELETE", &format!("/v2/app/blobs/{layer}")).await.status(), 202);
    let mut batch = Batch::new();
    batch.put(
        "tag/000000000000/us-east-1/app:gone",
        json!({
        "digest": sha256(b"gone"), "pushed_at_ms": 1})
        .to_string(),
    );
    batch.put("blob/nonsense", "{}");
    batch.put(format!("manifest/000000000000/us-east-1/app@{}", sha256(b"x")), "{");
    let revision = h.store.load().unwrap().revision;
    h.store.commit(revision, &batch).unwrap();

    let verified = look(&h);
    assert!(!verified.is_whole());
    let told = told(&verified);
    let has = |start: &str| told.iter().filter(|line| line.starts_with(start)).count();
    assert_eq!(told.len(), 4, "{told:?}");
    assert_eq!(has("record 'blob/nonsense' does not read as the registry's: "), 1, "{told:?}");
    assert_eq!(has("record 'manifest/000000000000/us-east-1/app@sha256:"), 1, "{told:?}");
    assert_eq!(has("tag 'gone' of 000000000000/us-east-1/app stands at sha256:"), 1, "{told:?}");
    let lacks = format!("image 000000000000/us-east-1/app: v1 lacks what it needs:\n    {layer}");
    assert_eq!(has(&lacks), 1, "{told:?}");
}

/// What is pushed and deleted while it looks is never taken for damage.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn beside_a_registry_at_work() {
    let h = Harness::start().await;
    h.create("app").await;
    h.push_image("app", "kept", b"kept").await;
    let over = AtomicBool::new(false);
    let work = async {
        let mut n = 0u64;
        while !over.load(Ordering::Relaxed) {
            let layer = format!("layer {n}");
            let digest = h.push_image("app", "moving", layer.as_bytes()).await;
            assert_eq!(h.send("DELETE", &format!("/v2/app/manifests/{digest}")).await.status(), 202);
            let blob = format!("/v2/app/blobs/{}", sha256(layer.as_bytes()));
            assert_eq!(h.send("DELETE", &blob).await.status(), 202);
            n += 1;
        }
        n
    };
    let looking = async {
        let mut all = Vec::new();
        for _ in 0..8 {
            let (dir, store) = (h.dir.clone(), h.store.clone());
            let verified = tokio::task::spawn_blocking(move || {
                let load = || store.load().map(|s| s.entries).map_err(io::Error::other);
                verify(dir.path(), None, load, |_| ()).unwrap()
            });
            all.push(verified.await.unwrap());
        }
        over.store(true, Ordering::Relaxed);
        all
    };
    let (pushes, all) = tokio::join!(work, looking);
    assert!(pushes > 0);
    for verified in all {
        assert!(verified.is_whole(), "{:?}", told(&verified));
    }
}
