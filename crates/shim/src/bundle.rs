//! A bundle's `config.json` (OCI runtime specification): the whole of it for Create, and the few fields that are needed
//! where the rest may be missing or out of order.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use oci_spec::runtime::{LinuxSeccomp, Spec};
use serde::Deserialize;

/// Annotations that name the group whose containers share one shim: containerd's runc shim reads the first, the
/// Kubernetes CRI plugin sets the second.
const GROUP_ANNOTATIONS: [&str; 2] = ["io.containerd.runc.v2.group", "io.kubernetes.cri.sandbox-id"];

/// A bundle's configuration, as far as we look.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Config {
    annotations: Option<HashMap<String, String>>,
    root: Option<Root>,
    process: Option<ProcessPart>,
    linux: Option<LinuxPart>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Root {
    path: PathBuf,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ProcessPart {
    user: User,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct User {
    uid: u32,
    gid: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct LinuxPart {
    cgroups_path: Option<PathBuf>,
    namespaces: Option<Vec<Namespace>>,
}

#[derive(Debug, Deserialize)]
struct Namespace {
    #[serde(rename = "type")]
    kind: String,
}

/// `config.json` can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot parse {path}")]
    Parse {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
}

impl Config {
    /// Reads the configuration of `bundle`.
    pub fn load(bundle: &Path) -> Result<Self, ConfigError> {
        parse(bundle)
    }

    /// The group whose shim serves this container, or none if it has a shim of its own.
    pub fn group(&self) -> Option<&str> {
        let annotations = self.annotations.as_ref()?;
        GROUP_ANNOTATIONS.iter().find_map(|name| annotations.get(*name)).map(String::as_str)
    }

    /// The container's root directory on the host.
    pub fn rootfs(&self, bundle: &Path) -> PathBuf {
        bundle.join(self.root.as_ref().map_or(Path::new("rootfs"), |root| &root.path))
    }

    /// The cgroup's path under each hierarchy's mount point.
    pub fn cgroup(&self, id: &str) -> PathBuf {
        let given = self.linux.as_ref().and_then(|linux| linux.cgroups_path.clone());
        given.unwrap_or_else(|| PathBuf::from(format!("longshore/{id}")))
    }

    /// The user and group that the container's first process runs as, unless it has a user namespace:
    /// its ids mean nothing on the host then.
    pub fn owner(&self) -> Option<(u32, u32)> {
        let user = &self.process.as_ref()?.user;
        (!self.has_namespace("user")).then_some((user.uid, user.gid))
    }

    /// Whether the container has a namespace of this type, as the specification spells it.
    pub fn has_namespace(&self, kind: &str) -> bool {
        let namespaces = self.linux.as_ref().and_then(|linux| linux.namespaces.as_deref());
        namespaces.unwrap_or_default().iter().any(|namespace| namespace.kind == kind)
    }
}

/// The whole specification.
pub fn spec(bundle: &Path) -> Result<Spec, ConfigError> {
    parse(bundle)
}

/// The bundle's seccomp profile, which a process that joins the container later must get too.
pub fn seccomp(bundle: &Path) -> Result<Option<LinuxSeccomp>, ConfigError> {
    #[derive(Deserialize)]
    struct Whole {
        linux: Option<Linux>,
    }
    #[derive(Deserialize)]
    struct Linux {
        seccomp: Option<LinuxSeccomp>,
    }
    Ok(parse::<Whole>(bundle)?.linux.and_then(|linux| linux.seccomp))
}

fn parse<T: for<'de> Deserialize<'de>>(bundle: &Path) -> Result<T, ConfigError> {
    let path = bundle.join("config.json");
    match std::fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|source| ConfigError::Parse { path, source }),
        Err(source) => Err(ConfigError::Read { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let config = r#"{"ociVersion":"1.0.2","annotations":{"io.containerd.runc.v2.group":"task-1"},
            "root":{"path":"/abs"},"process":{"user":{"uid":7,"gid":8},"args":["x"]},
            "linux":{"cgroupsPath":"/a/b","namespaces":[{"type":"pid"}],"seccomp":{"defaultAction":"SCMP_ACT_ERRNO"}}}"#;
        std::fs::write(dir.path().join("config.json"), config).unwrap();
        let config = Config::load(dir.path()).unwrap();
        assert_eq!(config.group(), Some("task-1"));
        assert_eq!(config.rootfs(Path::new("/b")), Path::new("/abs"));
        assert_eq!(config.owner(), Some((7, 8)));
        assert_eq!(config.cgroup("id"), Path::new("/a/b"));
        assert!(config.has_namespace("pid") && !config.has_namespace("network"));
        assert!(seccomp(dir.path()).unwrap().is_some());
    }

    #[test]
    fn an_empty_configuration_has_defaults() {
        let config: Config = serde_json::from_str("{}").unwrap();
        assert_eq!(config.rootfs(Path::new("/b")), Path::new("/b/rootfs"));
        assert_eq!(config.cgroup("c"), Path::new("longshore/c"));
        assert!(config.group().is_none() && config.owner().is_none());
    }
}
