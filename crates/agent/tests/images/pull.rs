//! Pulls from a real HTTP registry on loopback, well-behaved and not.

use crate::build::{Layer, Packing, layer, pack};
use crate::registry::{Door, Registry};
use agent::images::{
    Auth, Basic, EcrScope, EcrToken, ImageStore, ImagesConfig, Platform, PullError, PullErrorKind, PullEvent,
    PulledImage, Resolver,
};
use axum::http::StatusCode;
use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

pub struct Fixture {
    pub registry: Registry,
    pub store: ImageStore,
    pub directory: tempfile::TempDir,
}

pub async fn fixture() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let store = ImageStore::open(directory.path(), config()).unwrap();
    Fixture { registry: Registry::start().await, store, directory }
}

pub fn config() -> ImagesConfig {
    ImagesConfig { first_backoff: Duration::from_millis(2), ..ImagesConfig::default() }
}

pub fn amd64() -> Platform {
    Platform::linux("amd64")
}

impl Fixture {
    pub async fn pull(&self, rest: &str) -> Result<PulledImage, PullError> {
        self.store.pull(&self.registry.name(rest), Auth::ByName, &amd64(), None).await
    }

    pub fn entries(&self, of: &str) -> usize {
        std::fs::read_dir(self.directory.path().join(of)).unwrap().count()
    }

    fn simple_image(&self, tag: &str) {
        let layers = [self.registry.add_layer(&layer(&[("f", tag)]), Packing::Gzip)];
        self.registry.add_image("app", tag, "amd64", &layers);
    }
}

#[tokio::test]
async fn an_index_of_every_packing_is_pulled_once() {
    let f = fixture().await;
    let big = "0123456789abcdef".repeat(40_000);
    let layers = [
        f.registry.add_layer(&layer(&[("bin/", ""), ("bin/sh", "shell")]), Packing::Gzip),
        f.registry.add_layer(&layer(&[("etc/passwd", "web:x:7:8::/srv:\n")]), Packing::Zstd),
        f.registry.add_layer(&layer(&[("big", &big)]), Packing::Plain),
    ];
    let image = f.registry.add_image("team/web", "amd", "amd64", &layers);
    let other = f.registry.add_image("team/web", "arm", "arm64", &[]);
    let index = f.registry.add_index("team/web", "v1", &[("arm64", &other), ("amd64", &image)]);

    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = events.clone();
    let progress: agent::images::Progress = Arc::new(move |event| seen.lock().unwrap().push(event));
    let name = f.registry.name("team/web:v1");
    let pulled = f.store.pull(&name, Auth::ByName, &amd64(), Some(progress)).await.unwrap();
    assert_eq!(pulled.manifest_digest, index.to_string());
    assert_eq!(pulled.config.entrypoint, ["/server"]);
    assert_eq!(pulled.config.exposed_ports, ["80/tcp"]);
    assert_eq!(pulled.layers, layers.iter().map(|l| l.diff_id.clone()).collect::<Vec<_>>());
    let whole = PullEvent::Layer {
        digest: layers[2].blob.to_string(),
        received: layers[2].size,
        size: layers[2].size,
    };
    assert!(events.lock().unwrap().contains(&whole));
    assert_eq!(f.registry.requests().len(), 6, "index, manifest, config, three layers");

    f.pull("team/web:v1").await.unwrap();
    assert_eq!(f.registry.requests(), ["HEAD /v2/team/web/manifests/v1"]);
    f.pull(&format!("team/web@{index}")).await.unwrap();
    assert_eq!(f.registry.requests(), [""; 0], "a digest that is here needs no network");

    // The tag moves: only what is new is fetched.
    let more = f.registry.add_layer(&layer(&[("new", "x")]), Packing::Gzip);
    let new_blob = more.blob.to_string();
    let [a, b, c] = layers;
    f.registry.add_image("team/web", "v1", "amd64", &[a, b, c, more]);
    assert_eq!(f.pull("team/web:v1").await.unwrap().layers.len(), 4);
    let blobs: Vec<_> = f.registry.requests().into_iter().filter(|r| r.contains("/blobs/")).collect();
    assert_eq!(blobs.len(), 2, "the configuration and one layer: {blobs:?}");
    assert!(blobs.iter().any(|request| request.ends_with(&new_blob)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn simultaneous_pulls_share_one_download() {
    let f = fixture().await;
    let layers: Vec<_> =
        (0..5).map(|n| f.registry.add_layer(&layer(&[("f", &n.to_string())]), Packing::Gzip)).collect();
    f.registry.add_image("app", "a", "amd64", &layers);
    f.registry.add_image("app", "b", "amd64", &layers[..3]);
    let pulls = (0..20).map(|n| f.pull(if n % 2 == 0 { "app:a" } else { "app:b" }));
    for pulled in futures_util::future::join_all(pulls).await {
        pulled.unwrap();
    }
    let requests = f.registry.requests();
    for layer in &layers {
        let count = requests.iter().filter(|r| r.ends_with(layer.blob.as_str())).count();
        assert_eq!(count, 1, "{requests:?}");
    }
    let resolved = requests.iter().filter(|r| r.ends_with("/manifests/a")).count();
    assert!((1..=3).contains(&resolved), "ten askers of one tag share: {requests:?}");
    assert_eq!(f.entries("tmp"), 0);
}

#[tokio::test]
async fn what_is_not_there_is_said_at_once_and_in_ecs_words() {
    let f = fixture().await;
    let error = f.pull("none:v9").await.unwrap_err();
    assert_eq!(error.kind(), PullErrorKind::NotFound);
    let name = f.registry.name("none:v9");
    assert_eq!(
        error.to_string(),
        format!(
            "pull image manifest has been retried 1 time(s): failed to resolve ref {name}: {name}: not found"
        )
    );
    assert_eq!(f.registry.requests().len(), 1);

    let error = f.pull("NOT A NAME").await.unwrap_err();
    assert_eq!(error.kind(), PullErrorKind::BadImage);

    let other = f.registry.add_image("app", "arm", "arm64", &[]);
    f.registry.add_index("app", "index", &[("arm64", &other)]);
    for tag in ["arm", "index"] {
        let error = f.pull(&format!("app:{tag}")).await.unwrap_err();
        assert_eq!(error.kind(), PullErrorKind::Platform);
        assert!(error.to_string().ends_with("descriptor matching platform 'linux/amd64'"), "{error}");
    }
}

#[tokio::test]
async fn a_registry_that_is_away_is_tried_again() {
    let f = fixture().await;
    f.simple_image("v1");
    f.registry.content().failures = vec![StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS];
    f.pull("app:v1").await.unwrap();

    f.registry.content().failures = vec![StatusCode::BAD_GATEWAY; 5];
    f.simple_image("v2");
    let error = f.pull("app:v2").await.unwrap_err();
    assert_eq!(error.kind(), PullErrorKind::Network);
    assert!(
        error.to_string().contains("retried 5 time(s)") && error.to_string().contains("502 Bad Gateway"),
        "{error}"
    );

    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = f.store.pull(&format!("{closed}/a:b"), Auth::ByName, &amd64(), None).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "pull image manifest has been retried 5 time(s): failed to resolve ref {closed}/a:b: failed to do request: \
             Get \"http://{closed}/v2/a/manifests/b\": dial tcp {closed}: connect: connection refused"
        )
    );
}

#[tokio::test]
async fn a_broken_download_goes_on_where_it_broke() {
    let f = fixture().await;
    let text: String = (0..200_000u32)
        .map(|n| char::from(b'a' + (n.wrapping_mul(2_654_435_761) >> 27) as u8 % 26))
        .collect();
    for no_ranges in [false, true] {
        let tag = if no_ranges { "a" } else { "b" };
        let layers = [f.registry.add_layer(&layer(&[(tag, &text)]), Packing::Plain)];
        f.registry.add_image("app", tag, "amd64", &layers);
        f.registry.content().no_ranges = no_ranges;
        // The first blob is the configuration; it is small, and simply asked for again.
        f.registry.content().breaks = vec![3, 70_000, 60_000];
        f.pull(&format!("app:{tag}")).await.unwrap();
        let requests = f.registry.requests();
        let resumed: Vec<_> =
            requests.iter().filter_map(|r| r.split_once(" bytes=")).map(|(_, at)| at).collect();
        match no_ranges {
            true => assert_eq!(resumed, ["70000-", "70000-"], "60000 bytes of it again were no progress"),
            false => assert_eq!(resumed, ["70000-", "130000-"]),
        }
    }
}

#[tokio::test]
async fn lies_are_errors_and_nothing_is_kept() {
    let f = fixture().await;
    let archive = layer(&[("f", "text")]);
    let honest = || f.registry.add_layer(&archive, Packing::Gzip);

    let mut other_content = honest();
    other_content.diff_id = layer_digest(&[("f", "other")]);
    f.registry.add_image("app", "diff", "amd64", &[other_content]);

    let mut other_blob = honest();
    other_blob.blob = layer_digest(&[("g", "unheard of")]);
    let served = pack(&archive, Packing::Gzip);
    f.registry.content().blobs.insert(other_blob.blob.to_string(), served.into());
    f.registry.add_image("app", "blob", "amd64", &[other_blob]);

    let mut longer = honest();
    longer.size += 10;
    f.registry.add_image("app", "short", "amd64", &[longer]);
    let mut shorter = honest();
    shorter.size -= 10;
    f.registry.add_image("app", "long", "amd64", &[shorter]);

    let (blob, size) = f.registry.add_blob(b"\x1f\x8b this is no gzip".to_vec());
    let diff_id = layer_digest(&[]);
    f.registry.add_image("app", "garbage", "amd64", &[Layer { blob, size, diff_id }]);

    let (blob, size) = f.registry.add_blob(pack(&layer(&[("gone", "")]), Packing::Gzip));
    f.registry.content().blobs.remove(blob.as_str());
    f.registry.add_image("app", "gone", "amd64", &[Layer { blob, size, diff_id: layer_digest(&[]) }]);

    for (tag, kind) in [
        ("diff", PullErrorKind::BadDigest),
        ("blob", PullErrorKind::BadDigest),
        ("short", PullErrorKind::Network),
        ("long", PullErrorKind::BadImage),
        ("garbage", PullErrorKind::Unpack),
        ("gone", PullErrorKind::NotFound),
    ] {
        let error = f.pull(&format!("app:{tag}")).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{tag}: {error}");
    }

    // A manifest that isn't what its digest says.
    f.simple_image("real");
    let pinned = layer_digest(&[("no", "such")]);
    let bytes = f.registry.content().manifests["app/real"].clone();
    f.registry.content().manifests.insert(format!("app/{pinned}"), bytes);
    assert_eq!(f.pull(&format!("app@{pinned}")).await.unwrap_err().kind(), PullErrorKind::BadDigest);

    assert_eq!((f.entries("layers"), f.entries("tmp"), f.entries("images")), (0, 0, 0));
}

fn layer_digest(files: &[(&str, &str)]) -> agent::images::Digest {
    agent::images::Digest::sha256_of(&layer(files))
}

#[tokio::test]
async fn bearer_and_basic_doors() {
    let f = fixture().await;
    f.simple_image("v1");
    let basic = Auth::Basic(Basic { username: "me".into(), password: "secret".into() });
    let header = "Basic bWU6c2VjcmV0".to_owned();
    for door in [Door::Bearer(header.clone()), Door::Basic(header.clone())] {
        f.registry.content().door = door;
        let name = f.registry.name("app:v1");
        let error = f.store.pull(&name, Auth::ByName, &amd64(), None).await.unwrap_err();
        assert_eq!(error.kind(), PullErrorKind::Auth, "{error}");
        assert!(error.to_string().contains("may require authorization"), "{error}");
        f.store.pull(&name, basic.clone(), &amd64(), None).await.unwrap();
    }
    let requests = f.registry.requests();
    assert!(
        requests.iter().any(|r| r == "GET /token?service=test&scope=repository%3Ax%3Apull"),
        "{requests:?}"
    );
}

#[tokio::test]
async fn our_own_registry_gets_its_token_unasked() {
    let registry = Registry::start().await;
    registry.content().door = Door::Basic("Basic QVdTOnRva2VuLTE=".into());
    let asked = Arc::new(AtomicU32::new(0));
    let counter = asked.clone();
    let ecr: agent::images::EcrCredentials = Arc::new(move |account, region| {
        let n = counter.fetch_add(1, Ordering::SeqCst) + 1;
        assert_eq!((account.as_str(), region.as_str()), ("000000000000", "us-east-1"));
        Box::pin(async move {
            let credentials = Basic { username: "AWS".into(), password: format!("token-{n}") };
            Ok(EcrToken { credentials, expires_at_ms: u64::MAX })
        })
    });
    let scope = EcrScope { account: "000000000000".into(), region: "us-east-1".into() };
    let resolver = Resolver {
        endpoint: Some(format!("http://{}", registry.host)),
        default_scope: Some(scope),
        ..Resolver::default()
    };
    let directory = tempfile::tempdir().unwrap();
    let store =
        ImageStore::open(directory.path(), ImagesConfig { resolver, ecr: Some(ecr), ..config() }).unwrap();
    let layers = [registry.add_layer(&layer(&[("f", "x")]), Packing::Gzip)];
    registry.add_image("app", "v1", "amd64", &layers);
    let ecr_name = "000000000000.dkr.ecr.us-east-1.amazonaws.com/app:v1";
    let pulled = store.pull(ecr_name, Auth::ByName, &amd64(), None).await.unwrap();
    assert_eq!(pulled.reference, ecr_name);
    assert_eq!(registry.requests().len(), 3, "manifest, configuration, layer, and no challenge");
    store.pull(&registry.name("app:v1"), Auth::ByName, &amd64(), None).await.unwrap();
    assert_eq!(registry.requests().len(), 1);
    assert_eq!(asked.load(Ordering::SeqCst), 1);

    // The registry forgets the token: one challenge, and a new one is had.
    registry.content().door = Door::Basic("Basic QVdTOnRva2VuLTI=".into());
    store.pull(ecr_name, Auth::ByName, &amd64(), None).await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_pull_that_nobody_waits_for_stops_and_cleans_up() {
    let f = fixture().await;
    let text = "x".repeat(4 << 20);
    let layers = [f.registry.add_layer(&layer(&[("f", &text)]), Packing::Plain)];
    f.registry.add_image("app", "v1", "amd64", &layers);
    let started = Arc::new(tokio::sync::Notify::new());
    let signal = started.clone();
    let progress: agent::images::Progress = Arc::new(move |event| {
        if matches!(event, PullEvent::Layer { .. }) {
            signal.notify_one();
        }
    });
    let name = f.registry.name("app:v1");
    let platform = amd64();
    tokio::select! {
        biased;
        () = started.notified() => {}
        _ = f.store.pull(&name, Auth::ByName, &platform, Some(progress)) => {}
    }
    // The unpacking thread removes its directory when it notices.
    while f.entries("tmp") > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    f.pull("app:v1").await.unwrap();
}

#[tokio::test]
async fn a_restart_keeps_images_and_throws_away_what_may_be_torn() {
    let f = fixture().await;
    f.simple_image("v1");
    let digest = f.pull("app:v1").await.unwrap().manifest_digest;
    let Fixture { registry, store, directory } = f;
    assert!(matches!(
        ImageStore::open(directory.path(), config()),
        Err(agent::images::OpenError::InUse { .. })
    ));
    drop(store);
    std::fs::create_dir_all(directory.path().join("tmp/layer-7/fs")).unwrap();
    let store = reopen(directory.path()).await;
    assert_eq!(store.images(), [digest]);
    assert_eq!(std::fs::read_dir(directory.path().join("tmp")).unwrap().count(), 0);
    registry.requests();
    store.pull(&registry.name("app:v1"), Auth::ByName, &amd64(), None).await.unwrap();
    assert!(registry.requests().iter().all(|r| r.contains("/manifests/v1")));
    drop(store);

    // As after a power cut: a layer that another boot had not synced, and a torn record.
    let layer = std::fs::read_dir(directory.path().join("layers")).unwrap().next().unwrap().unwrap().path();
    // The real mark goes when the layer is synced, which happens beside the pull.
    while layer.join("unsynced").exists() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    std::fs::write(layer.join("unsynced"), "another boot").unwrap();
    std::fs::write(directory.path().join("images/torn.json"), "{").unwrap();
    let store = reopen(directory.path()).await;
    assert!(!layer.exists());
    store.pull(&registry.name("app:v1"), Auth::ByName, &amd64(), None).await.unwrap();
    assert!(layer.join("fs/f").exists());
}

/// A task that was aborted may hold the old store a moment longer.
async fn reopen(directory: &Path) -> ImageStore {
    loop {
        match ImageStore::open(directory, config()) {
            Err(agent::images::OpenError::InUse { .. }) => tokio::time::sleep(Duration::from_millis(2)).await,
            other => return other.unwrap(),
        }
    }
}
