//! Registries and images that mean harm: every pull ends with a reason for people, and leaves nothing.

use crate::build::{Layer, Packing, layer, pack};
use crate::pull::{Fixture, config, fixture};
use crate::registry::Registry;
use agent::images::{Digest, ImageStore, ImagesConfig, PullErrorKind, unpack::Limits};
use serde_json::{Value, json};

/// The pull must fail like this, in one short line, and leave nothing behind.
async fn refused(f: &Fixture, tag: &str, kind: PullErrorKind, words: &str) {
    let error = f.pull(tag).await.unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    assert!(text.contains(words), "{text}");
    assert!(text.len() < 2048 && !text.contains(|c: char| c.is_control()), "{text:?}");
    for place in ["tmp", "layers", "images"] {
        assert_eq!(f.entries(place), 0, "something is left in {place} after: {text}");
    }
}

fn limited(limits: Limits) -> (tempfile::TempDir, ImageStore) {
    let directory = tempfile::tempdir().unwrap();
    let store = ImageStore::open(directory.path(), ImagesConfig { limits, ..config() }).unwrap();
    (directory, store)
}

async fn with_limits(limits: Limits) -> Fixture {
    let (directory, store) = limited(limits);
    Fixture { registry: Registry::start().await, store, directory }
}

#[tokio::test]
async fn bombs_end_at_the_store_s_limits() {
    let f = with_limits(Limits { entries: 20, bytes: 1 << 20 }).await;
    let zeros = "\0".repeat(8 << 20);
    for (tag, packing) in [("gzip", Packing::Gzip), ("zstd", Packing::Zstd), ("plain", Packing::Plain)] {
        let bomb = f.registry.add_layer(&layer(&[("zeros", &zeros)]), packing);
        f.registry.add_image("bomb", tag, "amd64", &[bomb]);
        refused(&f, &format!("bomb:{tag}"), PullErrorKind::Unpack, "larger than 1048576 bytes").await;
    }
    let names: Vec<String> = (0..30).map(|n| format!("f{n}")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let many = f.registry.add_layer(&layer(&files), Packing::Gzip);
    f.registry.add_image("bomb", "many", "amd64", &[many]);
    refused(&f, "bomb:many", PullErrorKind::Unpack, "more than 20 entries").await;
}

#[tokio::test]
async fn what_lies_about_itself() {
    let f = fixture().await;
    let archive = layer(&[("f", "text")]);
    let honest = |f: &Fixture| f.registry.add_layer(&archive, Packing::Gzip);
    // Another archive than promised, in a blob that is the promised one.
    let lie = Layer { diff_id: Digest::sha256_of(b"other"), ..honest(&f) };
    f.registry.add_image("lie", "diff", "amd64", &[lie]);
    refused(&f, "lie:diff", PullErrorKind::BadDigest, "unexpected commit digest").await;
    // Another blob under the promised name.
    let lie = honest(&f);
    let other = pack(&layer(&[("f", "evil")]), Packing::Gzip);
    let lie = Layer { size: other.len() as u64, ..lie };
    f.registry.content().blobs.insert(lie.blob.to_string(), other.into());
    f.registry.add_image("lie", "blob", "amd64", &[lie]);
    refused(&f, "lie:blob", PullErrorKind::BadDigest, "unexpected commit digest").await;
    // A size that is too small, and one that is too large.
    let lie = honest(&f);
    f.registry.add_image("lie", "small", "amd64", &[Layer { size: 3, ..lie }]);
    refused(&f, "lie:small", PullErrorKind::BadImage, "larger than 3 bytes").await;
    let lie = honest(&f);
    f.registry.add_image("lie", "large", "amd64", &[Layer { size: u64::MAX, ..lie }]);
    let error = f.pull("lie:large").await.unwrap_err();
    assert_eq!(error.kind(), PullErrorKind::Network, "{error}");
    assert_eq!((f.entries("tmp"), f.entries("layers")), (0, 0));
}

#[tokio::test]
async fn documents_that_are_none() {
    let f = fixture().await;
    let put = |tag: &str, manifest: &Value| drop(f.registry.add_manifest("doc", tag, manifest));
    let blob = |bytes: &[u8]| {
        let (digest, size) = f.registry.add_blob(bytes.to_vec());
        json!({ "digest": digest.as_str(), "size": size })
    };
    put("text", &json!("manifest"));
    put("neither", &json!({ "schemaVersion": 2 }));
    put(
        "digest",
        &json!({ "schemaVersion": 2, "config": { "digest": "../".repeat(100_000), "size": 1 }, "layers": [] }),
    );
    put("lines", &json!({ "schemaVersion": "2\n".repeat(1000) }));
    for tag in ["text", "neither", "digest", "lines"] {
        refused(&f, &format!("doc:{tag}"), PullErrorKind::BadImage, "").await;
    }
    let deep = format!("{{\"schemaVersion\":2,\"x\":{}{}}}", "[".repeat(200_000), "]".repeat(200_000));
    f.registry.content().manifests.insert("doc/deep".into(), deep.into_bytes());
    refused(&f, "doc:deep", PullErrorKind::BadImage, "").await;

    for (tag, config) in [("binary", &b"\0\xff\x01"[..]), ("list", b"[]"), ("bare", b"{}")] {
        put(tag, &json!({ "schemaVersion": 2, "config": blob(config), "layers": [] }));
        refused(&f, &format!("doc:{tag}"), PullErrorKind::BadImage, "configuration can't be read").await;
    }
    // A layer of a kind that is not kept in registries, and one that is no archive.
    let diff_id = Digest::sha256_of(b"x");
    let config =
        json!({ "os": "linux", "architecture": "amd64", "rootfs": { "diff_ids": [diff_id.as_str()] } });
    let config = blob(config.to_string().as_bytes());
    let foreign = json!({ "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                          "digest": diff_id.as_str(), "size": 1, "urls": ["http://127.0.0.1:1/"] });
    put("foreign", &json!({ "schemaVersion": 2, "config": config, "layers": [foreign] }));
    refused(&f, "doc:foreign", PullErrorKind::NotFound, "not found").await;
    let junk = blob(&[b'j'; 700]);
    put("junk", &json!({ "schemaVersion": 2, "config": config, "layers": [junk] }));
    refused(&f, "doc:junk", PullErrorKind::Unpack, "archive can't be read").await;
}

#[tokio::test]
async fn numbers_that_are_too_high() {
    let f = fixture().await;
    // An index that leads to an index, and so on.
    let mut inner = f.registry.add_image("deep", "image", "amd64", &[]);
    for n in 0..10 {
        inner = f.registry.add_index("deep", &format!("v{n}"), &[("amd64", &inner)]);
    }
    refused(&f, "deep:v9", PullErrorKind::BadImage, "nested too deeply").await;
    // Thousands of layers, all the same and all there.
    let archive = layer(&[("f", "")]);
    let layers: Vec<Layer> = (0..3000).map(|_| f.registry.add_layer(&archive, Packing::Gzip)).collect();
    f.registry.add_image("many", "v1", "amd64", &layers);
    refused(&f, "many:v1", PullErrorKind::BadImage, "more than 500 layers").await;
    // A manifest larger than any.
    let large = json!({ "schemaVersion": 2, "x": "x".repeat(5 << 20) });
    f.registry.add_manifest("large", "v1", &large);
    refused(&f, "large:v1", PullErrorKind::BadImage, "larger than 4194304 bytes").await;
}

/// Deeper than descriptors: what an earlier process left so is cleared when the store is opened.
#[tokio::test]
async fn a_deep_tree_in_the_way_does_not_keep_the_store_from_opening() {
    let directory = tempfile::tempdir().unwrap();
    let mut at = directory.path().join("tmp/layer-0/fs");
    std::fs::create_dir_all(&at).unwrap();
    let here = std::fs::File::open(&at).unwrap();
    // By steps that a path can name.
    let mut deep = here;
    for _ in 0..40 {
        use std::os::fd::AsRawFd;
        at = format!("/proc/self/fd/{}", deep.as_raw_fd()).into();
        let below = at.join("d/".repeat(100));
        std::fs::create_dir_all(&below).unwrap();
        deep = std::fs::File::open(&below).unwrap();
    }
    drop(deep);
    ImageStore::open(directory.path(), config()).unwrap();
    assert_eq!(std::fs::read_dir(directory.path().join("tmp")).unwrap().count(), 0);
}
