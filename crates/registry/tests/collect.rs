//! Blobs are collected while pushes go on, and nothing that was acknowledged is lost.

mod common;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use common::{Harness, OCI_MANIFEST, code, image, sha256};
use registry::verify::verify;

const PUSHERS: usize = 6;
const IMAGES: usize = 12;

/// Blobs are idle at once, so that each pass of the collector takes what any push has just brought. Pushers share
/// layers, and delete every other image, whose layers another may be about to name.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_collector_races_pushes_and_deletions() {
    let h = Arc::new(Harness::start_with(|config| config.idle_blobs_kept = Duration::ZERO).await);
    h.create("app").await;
    h.create("other").await;
    let over = Arc::new(AtomicBool::new(false));
    let refused = Arc::new(AtomicUsize::new(0));
    let collector = tokio::spawn({
        let (h, over) = (h.clone(), over.clone());
        async move {
            let mut collected = 0;
            let mut pauses = [1, 5, 20, 60].into_iter().cycle();
            while !over.load(Ordering::SeqCst) {
                collected += h.registry.collect().await.unwrap();
                // Now and then long enough for a push to come through.
                tokio::time::sleep(Duration::from_millis(pauses.next().unwrap())).await;
            }
            collected
        }
    });
    let pushers: Vec<_> = (0..PUSHERS)
        .map(|pusher| {
            let (h, refused) = (h.clone(), refused.clone());
            tokio::spawn(async move {
                let mut kept = Vec::new();
                for n in 0..IMAGES {
                    let name = if pusher % 2 == 0 { "app" } else { "other" };
                    let image = Image::new(pusher, n);
                    image.push(&h, name, &refused).await;
                    image.assert_whole(&h, name).await;
                    if n % 2 == 0 {
                        let path = format!("/v2/{name}/manifests/{}", image.digest());
                        assert_eq!(h.send("DELETE", &path).await.status(), 202);
                    } else {
                        kept.push((name, image));
                    }
                }
                kept
            })
        })
        .collect();
    let mut kept = Vec::new();
    for pusher in pushers {
        kept.extend(pusher.await.unwrap());
    }
    over.store(true, Ordering::SeqCst);
    let collected = collector.await.unwrap();
    // It did race: blobs went that a push had brought and no manifest named yet.
    assert!(
        collected > 0 && refused.load(Ordering::SeqCst) > 0,
        "{collected} collected, {refused:?} refused"
    );

    for (name, image) in &kept {
        image.assert_whole(&h, name).await;
    }
    h.registry.collect().await.unwrap();
    let verified =
        verify(h.dir.path(), None, || h.store.load().map(|s| s.entries).map_err(io::Error::other), |_| ());
    let verified = verified.unwrap();
    assert_eq!(verified.findings, vec![]);
    // Each kept manifest with its own layer, the layers that all share, and nothing of those that were deleted.
    assert_eq!(verified.manifests, kept.len());
    assert_eq!(verified.blobs, kept.len() * 2 + SHARED.len() + 1);
}

const CONFIG: &[u8] = br#"{"architecture":"amd64","os":"linux"}"#;
const SHARED: [&[u8]; 2] = [b"a layer of all", b"another one"];

struct Image {
    own: Vec<u8>,
}

impl Image {
    fn new(pusher: usize, n: usize) -> Self {
        Self { own: format!("layer {n} of {pusher}").into_bytes() }
    }

    fn layers(&self) -> [&[u8]; 3] {
        [SHARED[0], &self.own, SHARED[1]]
    }

    fn manifest(&self) -> String {
        image(CONFIG, &self.layers()).to_string()
    }

    fn digest(&self) -> String {
        sha256(self.manifest().as_bytes())
    }

    /// As any client: what is there already isn't pushed, and what was collected is pushed again.
    async fn push(&self, h: &Harness, name: &str, refused: &AtomicUsize) {
        loop {
            for blob in self.layers().into_iter().chain([CONFIG]) {
                let path = format!("/v2/{name}/blobs/{}", sha256(blob));
                if h.send("HEAD", &path).await.status() == 404 {
                    h.push_blob(name, blob).await;
                }
            }
            let answer = h.put_manifest(name, &self.digest(), OCI_MANIFEST, &self.manifest()).await;
            if answer.status() == 201 {
                return;
            }
            assert_eq!(code(answer).await, "MANIFEST_BLOB_UNKNOWN");
            refused.fetch_add(1, Ordering::SeqCst);
        }
    }

    async fn assert_whole(&self, h: &Harness, name: &str) {
        let manifest = h.send("GET", &format!("/v2/{name}/manifests/{}", self.digest())).await;
        assert_eq!((manifest.status().as_u16(), manifest.text().await.unwrap()), (200, self.manifest()));
        for blob in self.layers().into_iter().chain([CONFIG]) {
            let answer = h.send("GET", &format!("/v2/{name}/blobs/{}", sha256(blob))).await;
            assert_eq!((answer.status().as_u16(), &answer.bytes().await.unwrap()[..]), (200, blob));
        }
    }
}
