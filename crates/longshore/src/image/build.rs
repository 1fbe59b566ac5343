//! An image of one layer: one static program and the files a program expects of a root.

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What goes into the image. Times are zero and the order is fixed, so equal recipes have equal digests.
#[derive(Debug)]
pub struct Recipe<'a> {
    /// The program's absolute path within the image.
    pub path: &'a str,
    pub program: &'a [u8],
    /// `KEY=value`.
    pub env: &'a [&'a str],
    pub exposed_port: u16,
    /// `uid:gid` that the program runs as.
    pub user: &'a str,
}

/// A blob with its media type, ready to be pushed.
#[derive(Clone, Debug)]
pub struct Blob {
    pub media_type: &'static str,
    pub digest: String,
    pub bytes: Vec<u8>,
}

impl Blob {
    fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        Blob { media_type, digest: digest(&bytes), bytes }
    }

    fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len()})
    }
}

/// A whole image: pushing the layer, then the config, then the manifest leaves no dangling reference.
#[derive(Debug)]
pub struct Image {
    pub layer: Blob,
    pub config: Blob,
    pub manifest: Blob,
}

impl Image {
    pub fn build(recipe: &Recipe<'_>) -> io::Result<Image> {
        let tar = layer(recipe)?;
        let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::default());
        gzip.write_all(&tar)?;
        let layer = Blob::new("application/vnd.oci.image.layer.v1.tar+gzip", gzip.finish()?);
        let config = json!({
            "architecture": oci_architecture(),
            "os": "linux",
            "config": {
                "Entrypoint": [recipe.path],
                "Env": recipe.env,
                "ExposedPorts": {format!("{}/tcp", recipe.exposed_port): {}},
                "User": recipe.user,
                "WorkingDir": "/",
            },
            "rootfs": {"type": "layers", "diff_ids": [digest(&tar)]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": "longshore"}],
        });
        let config = Blob::new("application/vnd.oci.image.config.v1+json", config.to_string().into_bytes());
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config.descriptor(),
            "layers": [layer.descriptor()],
        });
        let manifest =
            Blob::new("application/vnd.oci.image.manifest.v1+json", manifest.to_string().into_bytes());
        Ok(Image { layer, config, manifest })
    }
}

fn layer(recipe: &Recipe<'_>) -> io::Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |path: &str, mode: u32, kind: tar::EntryType, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(bytes.len() as u64);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        tar.append_data(&mut header, path, bytes)
    };
    add("etc/", 0o755, tar::EntryType::Directory, b"")?;
    add("tmp/", 0o1777, tar::EntryType::Directory, b"")?;
    let passwd = b"root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n";
    add("etc/passwd", 0o644, tar::EntryType::Regular, passwd)?;
    add("etc/group", 0o644, tar::EntryType::Regular, b"root:x:0:\nnogroup:x:65534:\n")?;
    add(recipe.path.trim_start_matches('/'), 0o755, tar::EntryType::Regular, recipe.program)?;
    tar.into_inner()
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// The machine's architecture as OCI images spell it (Go's names).
fn oci_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(program: &[u8]) -> Recipe<'_> {
        Recipe { path: "/app", program, env: &["PORT=8080"], exposed_port: 8080, user: "65534:65534" }
    }

    #[test]
    fn equal_recipes_have_equal_digests_and_others_differ() {
        let [a, b, c] = [b"one", b"one", b"two"].map(|p| Image::build(&recipe(p)).unwrap().manifest.digest);
        assert_eq!(a, b);
        assert_ne!(a, c);
    }

    #[test]
    fn the_manifest_names_what_is_pushed() {
        let image = Image::build(&recipe(b"program")).unwrap();
        let manifest: Value = serde_json::from_slice(&image.manifest.bytes).unwrap();
        assert_eq!(manifest["config"]["digest"], image.config.digest);
        assert_eq!(manifest["layers"][0]["digest"], image.layer.digest);
        assert_eq!(manifest["layers"][0]["size"], image.layer.bytes.len());
    }

    #[test]
    fn the_diff_id_is_of_the_unpacked_layer() {
        let image = Image::build(&recipe(b"program")).unwrap();
        let mut tar = Vec::new();
        io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&image.layer.bytes[..]), &mut tar).unwrap();
        let config: Value = serde_json::from_slice(&image.config.bytes).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"][0], digest(&tar));
    }
}
