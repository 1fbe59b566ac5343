//! Real overlays over pulled images.

use crate::build::{Layer, Packing, layer};
use crate::registry::Registry;
use agent::images::{
    Auth, Collected, ImageStore, ImagesConfig, Platform, PulledImage, RootfsError, resolve_user, unmount,
};
use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

struct Fixture {
    registry: Registry,
    store: ImageStore,
    directory: tempfile::TempDir,
}

async fn fixture() -> Fixture {
    let directory = tempfile::Builder::new().prefix("longshore-images-").tempdir().unwrap();
    let store = ImageStore::open(directory.path().join("store"), ImagesConfig::default()).unwrap();
    Fixture { registry: Registry::start().await, store, directory }
}

impl Fixture {
    async fn image(&self, tag: &str, archives: &[Vec<u8>]) -> PulledImage {
        let layers: Vec<Layer> = archives.iter().map(|a| self.registry.add_layer(a, Packing::Gzip)).collect();
        self.registry.add_image("app", tag, "amd64", &layers);
        let name = self.registry.name(&format!("app:{tag}"));
        self.store.pull(&name, Auth::ByName, &Platform::linux("amd64"), None).await.unwrap()
    }

    fn target(&self, name: &str) -> PathBuf {
        let target = self.directory.path().join(name);
        fs::create_dir_all(&target).unwrap();
        target
    }
}

/// Unmounts even when an assertion fails, so that the temporary directory can go.
struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        unmount(self.0).unwrap();
    }
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(directory).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn layers_whiteouts_and_a_writable_top() {
    let f = fixture().await;
    let image = f
        .image(
            "v1",
            &[
                layer(&[
                    ("etc/passwd", "web:x:7:8::/srv:\n"),
                    ("old", "1"),
                    ("d/a", "a"),
                    ("d/b", "b"),
                    ("o/x", "x"),
                ]),
                layer(&[(".wh.old", ""), ("d/.wh.a", ""), ("o/.wh..wh..opq", ""), ("o/y", "y")]),
                layer(&[("d/c", "c")]),
            ],
        )
        .await;
    let rootfs = f.store.prepare("task-1.web", &image, false).unwrap();
    assert!(matches!(f.store.prepare("task-1.web", &image, false), Err(RootfsError::Exists(_))));
    let target = f.target("merged");
    rootfs.mount(&target).unwrap();
    let _mounted = Mounted(&target);
    assert_eq!(names(&target), ["d", "etc", "o"]);
    assert_eq!(names(&target.join("d")), ["b", "c"]);
    assert_eq!(names(&target.join("o")), ["y"]);
    assert_eq!(resolve_user(&target, "web").unwrap().uid, 7);

    fs::write(target.join("d/b"), "changed").unwrap();
    let second = f.store.prepare("task-2.web", &image, true).unwrap();
    assert!(second.readonly);
    let other = f.target("other");
    second.mount(&other).unwrap();
    let _other = Mounted(&other);
    assert_eq!(
        fs::read_to_string(other.join("d/b")).unwrap(),
        "b",
        "what one container writes no other sees"
    );

    // The same root file system may be mounted again, with what was written.
    unmount(&target).unwrap();
    f.store.find_rootfs("task-1.web").unwrap().mount(&target).unwrap();
    assert_eq!(fs::read_to_string(target.join("d/b")).unwrap(), "changed");
}

/// The length of the names of a directory's extended attributes.
fn attributes(directory: &Path) -> isize {
    let path = std::ffi::CString::new(directory.to_str().unwrap()).unwrap();
    let mut names = [0u8; 1024];
    // SAFETY: the text is NUL-terminated, and at most the given length is written.
    unsafe { libc::listxattr(path.as_ptr(), names.as_mut_ptr().cast(), names.len()) }
}

#[tokio::test]
async fn removed_directories_serve_again_clean() {
    let f = fixture().await;
    let image = f.image("v1", &[layer(&[("./", ""), ("f", "x")])]).await;
    let target = f.target("merged");
    let _mounted = Mounted(&target);
    for round in 0..3 {
        let rootfs = f.store.prepare("key", &image, false).unwrap();
        rootfs.mount(&target).unwrap();
        assert_eq!(names(&target), ["f"], "round {round}");
        assert_eq!(fs::metadata(&target).unwrap().mode() & 0o7777, 0o755);
        assert_eq!(attributes(&target), 0);
        fs::remove_file(target.join("f")).unwrap();
        fs::create_dir(target.join("made")).unwrap();
        fs::write(target.join("made/file"), "x").unwrap();
        fs::set_permissions(&target, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        if round == 1 {
            let path = std::ffi::CString::new(target.to_str().unwrap()).unwrap();
            // SAFETY: both texts are NUL-terminated and the value has one byte.
            let set = unsafe {
                libc::setxattr(path.as_ptr(), c"trusted.mine".as_ptr(), c"x".as_ptr().cast(), 1, 0)
            };
            assert_eq!(set, 0);
        }
        f.store.remove_rootfs("key").unwrap();
        assert_eq!(names(&target), [""; 0], "it is unmounted");
    }
    f.store.remove_rootfs("key").unwrap();
    assert_eq!(f.store.list_rootfs(), [""; 0]);
    assert_eq!(names(&f.directory.path().join("store/rootfs")).len(), 1, "one spare");
}

#[tokio::test]
async fn many_layers_repeated_layers_and_none() {
    let f = fixture().await;
    let mut archives: Vec<Vec<u8>> = (0..120).map(|n| layer(&[(format!("f{n:03}").as_str(), "x")])).collect();
    archives.push(archives[0].clone());
    archives.push(archives[5].clone());
    for (tag, archives, count) in [("many", archives, 120), ("none", vec![], 0)] {
        let image = f.image(tag, &archives).await;
        let target = f.target(tag);
        f.store.prepare(tag, &image, false).unwrap().mount(&target).unwrap();
        let _mounted = Mounted(&target);
        assert_eq!(names(&target).len(), count);
        fs::create_dir(target.join("proc")).unwrap();
    }
}

#[tokio::test]
async fn a_long_way_down_still_mounts() {
    let registry = Registry::start().await;
    let directory = tempfile::Builder::new().prefix("longshore-images-").tempdir().unwrap();
    let deep = directory.path().join("d".repeat(120)).join("e".repeat(120));
    let store = ImageStore::open(&deep, ImagesConfig::default()).unwrap();
    let f = Fixture { registry, store, directory };
    let archives: Vec<Vec<u8>> = (0..40).map(|n| layer(&[(n.to_string().as_str(), "x")])).collect();
    let image = f.image("v1", &archives).await;
    let target = f.target("merged");
    f.store.prepare("key", &image, false).unwrap().mount(&target).unwrap();
    let _mounted = Mounted(&target);
    assert_eq!(names(&target).len(), 40);
}

#[tokio::test]
async fn keys_that_are_paths_are_refused() {
    let f = fixture().await;
    let image = f.image("v1", &[]).await;
    for key in ["", ".", "..", "../x", "a/b", ".spare-1", "a\0b", &"x".repeat(129)] {
        assert!(matches!(f.store.prepare(key, &image, false), Err(RootfsError::Key(_))), "{key:?}");
        assert!(matches!(f.store.remove_rootfs(key), Err(RootfsError::Key(_))));
        assert!(f.store.find_rootfs(key).is_none());
    }
}

#[tokio::test]
async fn a_restart_finds_root_file_systems_and_removes_mounted_ones() {
    let f = fixture().await;
    let image = f.image("v1", &[layer(&[("f", "x")])]).await;
    let target = f.target("merged");
    f.store.prepare("running", &image, false).unwrap().mount(&target).unwrap();
    let mounted = target.clone();
    let _mounted = Mounted(&mounted);
    f.store.prepare("half", &image, false).unwrap();
    let Fixture { store, directory, registry: _registry } = f;
    drop((image, store));
    let store = loop {
        match ImageStore::open(directory.path().join("store"), ImagesConfig::default()) {
            Err(agent::images::OpenError::InUse { .. }) => {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await
            }
            other => break other.unwrap(),
        }
    };
    assert_eq!(store.list_rootfs(), ["half", "running"]);
    assert_eq!(
        fs::read_to_string(target.join("f")).unwrap(),
        "x",
        "the container's files stay where they are"
    );
    // Layers of a container that runs aren't collected, though nobody wants the image any more.
    assert_eq!(store.collect(&|_| false).unwrap(), Collected { images: 1, layers: 0 });
    store.remove_rootfs("running").unwrap();
    store.remove_rootfs("half").unwrap();
    assert_eq!(names(&target), [""; 0]);
    assert_eq!(store.collect(&|_| false).unwrap(), Collected { images: 0, layers: 1 });
}

#[tokio::test]
async fn collecting_keeps_what_is_wanted_in_hand_or_shared() {
    let f = fixture().await;
    let (shared, a, b) = (layer(&[("s", "")]), layer(&[("a", "")]), layer(&[("b", "")]));
    let image_a = f.image("a", &[shared.clone(), a]).await;
    let image_b = f.image("b", &[shared, b]).await;
    let kept = image_a.manifest_digest.clone();
    drop(image_a);
    assert_eq!(f.store.collect(&|digest| digest == kept).unwrap(), Collected { images: 1, layers: 0 });
    let rootfs = f.store.prepare("b", &image_b, false).unwrap();
    drop(image_b);
    assert_eq!(f.store.collect(&|digest| digest == kept).unwrap(), Collected { images: 0, layers: 0 });
    assert!(rootfs.lower.iter().all(|lower| lower.exists()));
    f.store.remove_rootfs("b").unwrap();
    assert_eq!(f.store.collect(&|digest| digest == kept).unwrap(), Collected { images: 0, layers: 1 });
    assert_eq!(f.store.images(), [kept]);
}
