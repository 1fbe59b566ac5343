//! Small images made in memory and put into the test's registry.

use super::registry::Registry;
use agent::images::Digest;
use serde_json::json;
use std::io::Write;

#[derive(Clone, Copy)]
pub enum Packing {
    Plain,
    Gzip,
    Zstd,
}

/// A layer: files by name, with `name/` for a directory.
pub fn layer(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, data) in files {
        let mut header = tar::Header::new_gnu();
        let is_directory = name.ends_with('/');
        header.set_entry_type(if is_directory { tar::EntryType::Directory } else { tar::EntryType::Regular });
        header.set_mode(if is_directory { 0o755 } else { 0o644 });
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1);
        header.set_size(data.len() as u64);
        builder.append_data(&mut header, name, data.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

pub fn pack(archive: &[u8], packing: Packing) -> Vec<u8> {
    match packing {
        Packing::Plain => archive.to_vec(),
        Packing::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(archive).unwrap();
            encoder.finish().unwrap()
        }
        Packing::Zstd => zstd::encode_all(archive, 1).unwrap(),
    }
}

/// A layer's blob and what it claims to be.
pub struct Layer {
    pub blob: Digest,
    pub size: u64,
    pub diff_id: Digest,
}

impl Registry {
    pub fn add_layer(&self, archive: &[u8], packing: Packing) -> Layer {
        let (blob, size) = self.add_blob(pack(archive, packing));
        Layer { blob, size, diff_id: Digest::sha256_of(archive) }
    }

    /// An image of one platform; the digest of its manifest.
    pub fn add_image(&self, repository: &str, tag: &str, architecture: &str, layers: &[Layer]) -> Digest {
        let config = json!({
            "os": "linux", "architecture": architecture,
            "config": { "Entrypoint": ["/server"], "Env": ["A=b"], "User": "web", "ExposedPorts": { "80/tcp": {} } },
            "rootfs": { "type": "layers", "diff_ids": layers.iter().map(|l| l.diff_id.as_str()).collect::<Vec<_>>() },
        });
        let (config, size) = self.add_blob(serde_json::to_vec(&config).unwrap());
        let descriptor = |digest: &Digest, size: u64| json!({ "digest": digest.as_str(), "size": size });
        let layers: Vec<_> = layers.iter().map(|l| descriptor(&l.blob, l.size)).collect();
        let manifest = json!({ "schemaVersion": 2, "config": descriptor(&config, size), "layers": layers });
        self.add_manifest(repository, tag, &manifest)
    }

    /// An index over manifests that are there already.
    pub fn add_index(&self, repository: &str, tag: &str, images: &[(&str, &Digest)]) -> Digest {
        let manifests: Vec<_> = images
            .iter()
            .map(|(architecture, digest)| {
                json!({ "digest": digest.as_str(), "size": 1,
                        "platform": { "os": "linux", "architecture": architecture } })
            })
            .collect();
        self.add_manifest(repository, tag, &json!({ "schemaVersion": 2, "manifests": manifests }))
    }
}
