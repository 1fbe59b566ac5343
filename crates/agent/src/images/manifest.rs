//! The JSON documents of an image: index, manifest and configuration, in the OCI image specification's
//! and Docker's spelling, which differ only in their media types. Parsing and choosing; no I/O.

use super::{digest::Digest, error::short};
use serde::{Deserialize, Deserializer, Serialize};
use std::{collections::BTreeMap, fmt};

/// The media types we ask a registry for, the newest first.
pub const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json";

/// An operating system and a processor, in Go's names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Platform {
    pub os: String,
    pub architecture: String,
}

impl Platform {
    /// `linux/<architecture>`.
    pub fn linux(architecture: &str) -> Self {
        Self { os: "linux".to_owned(), architecture: architecture.to_owned() }
    }

    /// The machine we run on.
    pub fn host() -> Self {
        Self::linux(match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "powerpc64" => "ppc64le",
            other => other,
        })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)
    }
}

/// A pointer to content.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    #[serde(default)]
    pub media_type: String,
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    #[serde(default)]
    pub platform: Option<DescriptorPlatform>,
}

/// Which platform a descriptor in an index is for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DescriptorPlatform {
    #[serde(default)]
    pub os: String,
    #[serde(default)]
    pub architecture: String,
    #[serde(default)]
    pub variant: Option<String>,
}

/// What a registry answers to a request for a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    Index(Vec<Descriptor>),
    Image { config: Descriptor, layers: Vec<Descriptor> },
}

impl Document {
    /// Reads a manifest or an index. The kind is told by the fields: media types are missing or wrong in
    /// many real registries, and a document that has both kinds of field is refused
    /// (OCI image specification, "Image Manifest": it SHOULD be rejected as ambiguous).
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Raw {
            #[serde(default)]
            schema_version: u32,
            manifests: Option<Vec<Descriptor>>,
            config: Option<Descriptor>,
            layers: Option<Vec<Descriptor>>,
        }
        let raw: Raw = serde_json::from_slice(bytes).map_err(|error| unread("the manifest", &error))?;
        if raw.schema_version != 2 {
            return Err(format!(
                "media type \"application/vnd.docker.distribution.manifest.v1+prettyjws\" is no longer supported (schema version {})",
                raw.schema_version
            ));
        }
        match (raw.manifests, raw.config, raw.layers) {
            (Some(manifests), None, None) => Ok(Self::Index(manifests)),
            (None, Some(config), Some(layers)) => Ok(Self::Image { config, layers }),
            _ => Err("the manifest is neither an image nor an index".to_owned()),
        }
    }
}

/// The parser repeats what it found, which may be as long as the document.
fn unread(what: &str, error: &serde_json::Error) -> String {
    format!("{what} can't be read: {}", short(&error.to_string(), 300))
}

/// The descriptor in an index that is for `platform`.
///
/// Variants: a plain entry first; of arm64 also `v8` (its only one), of amd64 also `v1`. Higher amd64
/// levels are passed over, since the processor may lack them. Attestations carry the platform
/// `unknown/unknown` and so never match.
pub fn choose<'a>(manifests: &'a [Descriptor], platform: &Platform) -> Option<&'a Descriptor> {
    let matches = |wanted: Option<&str>| {
        manifests.iter().find(|descriptor| {
            descriptor.platform.as_ref().is_some_and(|p| {
                p.os == platform.os
                    && p.architecture == platform.architecture
                    && p.variant.as_deref().filter(|v| !v.is_empty()) == wanted
            })
        })
    };
    let fallback = match platform.architecture.as_str() {
        "arm64" => Some("v8"),
        "amd64" => Some("v1"),
        "arm" => Some("v7"),
        _ => None,
    };
    matches(None).or_else(|| fallback.and_then(|variant| matches(Some(variant))))
}

/// What an image says about the containers made of it. Absent lists are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
    /// `user[:group]`, names or numbers; empty means root.
    pub user: String,
    /// Empty means `/`.
    pub working_dir: String,
    /// `port/protocol`.
    pub exposed_ports: Vec<String>,
    /// A name (`SIGQUIT`, `QUIT`) or a number.
    pub stop_signal: Option<String>,
    /// Paths that are to be volumes.
    pub volumes: Vec<String>,
    pub labels: BTreeMap<String, String>,
}

/// The configuration document: [`ImageConfig`], the platform, and the layers' digests when unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigDocument {
    pub config: ImageConfig,
    /// Empty where the image doesn't say.
    pub os: String,
    /// Empty where the image doesn't say.
    pub architecture: String,
    /// Digests of the uncompressed layers, the lowest first.
    pub diff_ids: Vec<Digest>,
}

impl ConfigDocument {
    /// Reads a configuration.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let raw: RawConfig =
            serde_json::from_slice(bytes).map_err(|error| unread("the image's configuration", &error))?;
        let inner = raw.config;
        Ok(Self {
            config: ImageConfig {
                entrypoint: inner.entrypoint,
                cmd: inner.cmd,
                env: inner.env,
                user: inner.user,
                working_dir: inner.working_dir,
                exposed_ports: inner.exposed_ports.into_keys().collect(),
                stop_signal: inner.stop_signal.filter(|signal| !signal.is_empty()),
                volumes: inner.volumes.into_keys().collect(),
                labels: inner.labels,
            },
            os: raw.os,
            architecture: raw.architecture,
            diff_ids: raw.rootfs.diff_ids,
        })
    }
}

#[derive(Deserialize)]
struct RawConfig {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default, deserialize_with = "null_as_default")]
    config: RawInner,
    rootfs: RawRootfs,
}

#[derive(Deserialize)]
struct RawRootfs {
    #[serde(default, deserialize_with = "null_as_default")]
    diff_ids: Vec<Digest>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RawInner {
    #[serde(deserialize_with = "null_as_default")]
    entrypoint: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    cmd: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    env: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    user: String,
    #[serde(deserialize_with = "null_as_default")]
    working_dir: String,
    #[serde(deserialize_with = "null_as_default")]
    exposed_ports: BTreeMap<String, serde::de::IgnoredAny>,
    stop_signal: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    volumes: BTreeMap<String, serde::de::IgnoredAny>,
    #[serde(deserialize_with = "null_as_default")]
    labels: BTreeMap<String, String>,
}

/// Go writes an empty list as `null`.
fn null_as_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    input: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(input)?.unwrap_or_default())
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
