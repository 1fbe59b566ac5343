//! Manifests: reading one, and what it says that it needs. Pure.
//!
//! Four kinds: Docker's image manifest v2 and manifest list, OCI's image manifest and index.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    digest::{Digest, InvalidDigest},
    name::clip,
    state::{command::Needed, entities::ManifestRecord},
};

/// The largest manifest taken (OCI distribution spec, "Pushing Manifests": at least 4 megabytes).
pub const MANIFEST_MAX: usize = 4 * 1024 * 1024;

pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

#[derive(Debug, thiserror::Error)]
pub enum InvalidManifest {
    #[error("the manifest is not the JSON that it should be: {}", clip(&.0.to_string()))]
    Json(#[from] serde_json::Error),
    #[error("the media type '{}' is none that this registry stores", clip(.0))]
    MediaType(String),
    #[error("the manifest calls itself '{}' but was sent as '{}'", clip(inside), clip(outside))]
    MediaTypeMismatch { inside: String, outside: String },
    #[error("the manifest names no media type, and its content tells none")]
    NoMediaType,
    #[error("the schema version is {0}, not 2")]
    SchemaVersion(u64),
    #[error(transparent)]
    Digest(#[from] InvalidDigest),
    #[error("an image manifest needs a config")]
    NoConfig,
}

/// What a manifest says.
#[derive(Debug, PartialEq, Eq)]
pub struct Manifest {
    pub media_type: String,
    pub is_index: bool,
    pub needs: Vec<Needed>,
    /// Config's and layers' sizes together, in bytes, those fetched from elsewhere left out.
    pub content_size: u64,
    pub artifact_type: Option<String>,
    pub subject: Option<Digest>,
    pub annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    schema_version: u64,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    #[serde(default)]
    size: u64,
}

impl Descriptor {
    fn needed(&self, is_manifest: bool) -> Result<Needed, InvalidDigest> {
        Ok(Needed { digest: self.digest.parse()?, size: self.size, is_manifest })
    }

    /// Layers that are not meant to be pushed (OCI image spec, "Non-Distributable Layers").
    fn is_elsewhere(&self) -> bool {
        self.media_type.contains(".nondistributable.") || self.media_type.contains(".foreign.")
    }
}

impl Manifest {
    /// Reads a manifest that was sent with this `Content-Type` (parameters are ignored).
    pub fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Self, InvalidManifest> {
        let raw: Raw = serde_json::from_slice(bytes)?;
        if raw.schema_version != 2 {
            return Err(InvalidManifest::SchemaVersion(raw.schema_version));
        }
        let media_type = media_type(&raw, content_type)?;
        let is_index = match media_type.as_str() {
            OCI_MANIFEST | DOCKER_MANIFEST => false,
            OCI_INDEX | DOCKER_LIST => true,
            _ => return Err(InvalidManifest::MediaType(media_type)),
        };
        let mut needs = Vec::new();
        let mut content_size = 0u64;
        if is_index {
            for member in raw.manifests.iter().flatten() {
                needs.push(member.needed(true)?);
            }
        } else {
            let config = raw.config.as_ref().ok_or(InvalidManifest::NoConfig)?;
            let layers = raw.layers.iter().flatten().filter(|l| !l.is_elsewhere());
            for blob in std::iter::once(config).chain(layers) {
                needs.push(blob.needed(false)?);
                content_size = content_size.saturating_add(blob.size);
            }
        }
        let config_type = raw.config.map(|c| c.media_type).filter(|_| !is_index);
        let non_empty = |s: &String| !s.is_empty();
        Ok(Self {
            media_type,
            is_index,
            needs,
            content_size,
            artifact_type: raw.artifact_type.filter(non_empty).or(config_type).filter(non_empty),
            subject: raw.subject.map(|s| s.digest.parse()).transpose()?,
            annotations: raw.annotations.unwrap_or_default(),
        })
    }

    /// The record of this manifest in a repository; `size` is that of its own bytes.
    pub fn record(&self, size: u64, now_ms: u64) -> ManifestRecord {
        let annotations = match self.subject {
            Some(_) => self.annotations.clone(),
            None => BTreeMap::new(),
        };
        ManifestRecord {
            media_type: self.media_type.clone(),
            size,
            pushed_at_ms: now_ms,
            pulled_at_ms: None,
            references: self.needs.iter().map(|n| n.digest.clone()).collect(),
            content_size: self.content_size,
            artifact_type: self.artifact_type.clone(),
            subject: self.subject.clone(),
            annotations,
            is_index: self.is_index,
            ..ManifestRecord::default()
        }
    }
}

/// The type that header and body agree on; without either, what the content shows.
fn media_type(raw: &Raw, content_type: Option<&str>) -> Result<String, InvalidManifest> {
    let outside = content_type
        .map(|t| t.split(';').next().unwrap_or_default().trim())
        // What clients send that have not thought about it.
        .filter(|t| !matches!(*t, "" | "application/json" | "application/octet-stream"));
    match (raw.media_type.as_deref().filter(|t| !t.is_empty()), outside) {
        (Some(inside), Some(outside)) if inside != outside => {
            Err(InvalidManifest::MediaTypeMismatch { inside: inside.to_owned(), outside: outside.to_owned() })
        }
        (Some(t), _) | (None, Some(t)) => Ok(t.to_owned()),
        (None, None) if raw.manifests.is_some() => Ok(OCI_INDEX.to_owned()),
        (None, None) if raw.config.is_some() => Ok(OCI_MANIFEST.to_owned()),
        (None, None) => Err(InvalidManifest::NoMediaType),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn parse(v: serde_json::Value, t: Option<&str>) -> Result<Manifest, InvalidManifest> {
        Manifest::parse(v.to_string().as_bytes(), t)
    }

    fn descriptor(media_type: &str, size: u64) -> serde_json::Value {
        let digest = Digest::of(format!("{media_type}{size}").as_bytes());
        json!({"mediaType": media_type, "digest": digest, "size": size})
    }

    #[test]
    fn an_image() {
        let m = parse(
            json!({"schemaVersion": 2, "config": descriptor("application/x.config", 10),
                   "layers": [descriptor("application/x.layer", 20),
                              descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar", 99)],
                   "subject": descriptor(OCI_MANIFEST, 5), "annotations": {"a": "b"}}),
            Some("application/vnd.oci.image.manifest.v1+json; charset=utf-8"),
        )
        .unwrap();
        assert_eq!(m.needs.len(), 2);
        assert_eq!(m.content_size, 30);
        assert_eq!(m.artifact_type.as_deref(), Some("application/x.config"));
        assert!(m.subject.is_some());
        assert_eq!(m.record(1, 2).annotations.len(), 1);
    }

    #[test]
    fn an_index_has_no_artifact_type_of_its_own() {
        let m = parse(
            json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [descriptor(OCI_MANIFEST, 7)]}),
            None,
        )
        .unwrap();
        assert!(m.is_index && m.needs[0].is_manifest && m.artifact_type.is_none());
    }

    #[test]
    fn refusals() {
        let config = descriptor("c", 1);
        for (body, sent_as) in [
            (json!({"schemaVersion": 1, "config": config}), OCI_MANIFEST),
            (json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}), OCI_MANIFEST),
            (json!({"schemaVersion": 2, "config": config}), "application/x-unknown"),
            (json!({"schemaVersion": 2, "layers": []}), OCI_MANIFEST),
            (json!({"schemaVersion": 2, "config": {"digest": "sha256:../..", "size": 1}}), OCI_MANIFEST),
            (json!({"schemaVersion": 2, "config": {"digest": Digest::of(b""), "size": -1}}), OCI_MANIFEST),
            (json!([]), OCI_MANIFEST),
            (json!({"schemaVersion": 2}), ""),
        ] {
            assert!(parse(body.clone(), Some(sent_as)).is_err(), "{body}");
        }
    }

    /// An error is told to a client and logged: it must not be as long as the manifest, nor many lines.
    #[test]
    fn an_error_repeats_little_of_what_it_is_about() {
        let long = "a\n".repeat(10_000);
        for body in [
            json!({"schemaVersion": 2, "mediaType": long}),
            json!({"schemaVersion": long}),
            json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": {"digest": long}}),
        ] {
            let error = parse(body, Some(OCI_MANIFEST)).unwrap_err().to_string();
            assert!(error.len() < 1024 && !error.contains('\n'), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, t in proptest::option::of(any::<String>())) {
            let _ = Manifest::parse(&bytes, t.as_deref());
        }
    }
}
