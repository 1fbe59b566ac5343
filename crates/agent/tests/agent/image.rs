//! One image: a single static busybox with links for a few of its commands.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

/// Blobs and manifests by what the registry is asked for.
#[derive(Debug)]
pub struct Image {
    pub manifest: Vec<u8>,
    pub digest: String,
    pub blobs: HashMap<String, Vec<u8>>,
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

pub fn busybox() -> Image {
    let binary = std::fs::read("/bin/busybox").expect("busybox is needed: apt-get install busybox-static");
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(binary.len() as u64);
    header.set_mode(0o755);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    tar.append_data(&mut header, "bin/busybox", binary.as_slice()).unwrap();
    for name in ["sh", "sleep", "echo", "cat", "seq", "id", "head", "tail", "true"] {
        let mut link = tar::Header::new_gnu();
        link.set_entry_type(tar::EntryType::Symlink);
        link.set_size(0);
        link.set_mode(0o777);
        link.set_uid(0);
        link.set_gid(0);
        link.set_mtime(0);
        tar.append_link(&mut link, format!("bin/{name}"), "busybox").unwrap();
    }
    for dir in ["tmp/", "etc/"] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o1777);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(0);
        tar.append_data(&mut header, dir, std::io::empty()).unwrap();
    }
    let layer = tar.into_inner().unwrap();
    let config = serde_json::json!({
        "os": "linux",
        "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
        "config": {"Entrypoint": ["/bin/sh", "-c"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
    })
    .to_string()
    .into_bytes();
    let descriptor = |kind: &str, bytes: &[u8]| serde_json::json!({"mediaType": kind, "digest": digest(bytes), "size": bytes.len()});
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer)],
    })
    .to_string()
    .into_bytes();
    let blobs = [layer, config].into_iter().map(|b| (digest(&b), b)).collect();
    Image { digest: digest(&manifest), manifest, blobs }
}
