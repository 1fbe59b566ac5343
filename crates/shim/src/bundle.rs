//! The few fields of a bundle's `config.json` (OCI runtime specification) that the shim itself decides by.
//! libcontainer reads the file for everything else.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use libcontainer::oci_spec::runtime::LinuxSeccomp;
use serde::Deserialize;
use serde::de::IgnoredAny;

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
    cwd: PathBuf,
    oom_score_adj: Option<i32>,
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
    resources: Option<Resources>,
    namespaces: Option<Vec<Namespace>>,
    seccomp: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resources {
    devices: Option<Vec<DeviceRule>>,
}

/// Absent numbers mean all.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DeviceRule {
    allow: bool,
    major: Option<i64>,
    minor: Option<i64>,
    access: Option<String>,
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
        // What libcontainer takes when none is given.
        given.unwrap_or_else(|| PathBuf::from(format!(":youki:{id}")))
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

    /// Whether the rules for devices, of which there are some, let none open this character device.
    pub fn withholds(&self, major: i64, minor: i64) -> bool {
        let resources = self.linux.as_ref().and_then(|linux| linux.resources.as_ref());
        let Some(rules) = resources.and_then(|resources| resources.devices.as_deref()) else { return false };
        let opens =
            |rule: &DeviceRule| rule.access.as_deref().is_none_or(|access| access.contains(['r', 'w']));
        let means = |rule: &DeviceRule| {
            rule.major.is_none_or(|m| m == major) && rule.minor.is_none_or(|m| m == minor)
        };
        !rules.is_empty() && !rules.iter().any(|rule| rule.allow && opens(rule) && means(rule))
    }

    /// Whether a seccomp profile is asked for.
    pub fn has_seccomp(&self) -> bool {
        self.linux.as_ref().is_some_and(|linux| linux.seccomp.is_some())
    }

    /// The directory in which the first process starts.
    pub fn cwd(&self) -> Option<&Path> {
        self.process.as_ref().map(|process| process.cwd.as_path())
    }

    /// Whether libcontainer will change our own OOM score on the way.
    pub fn sets_oom_score(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.oom_score_adj.is_some())
    }
}

/// The bundle's whole seccomp profile, which a process that joins the container later must get too.
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
            "root":{"path":"/abs"},"process":{"user":{"uid":7,"gid":8},"cwd":"/w","args":["x"]},
            "linux":{"cgroupsPath":"/a/b","namespaces":[{"type":"pid"}],"seccomp":{"defaultAction":"SCMP_ACT_ERRNO"}}}"#;
        std::fs::write(dir.path().join("config.json"), config).unwrap();
        let config = Config::load(dir.path()).unwrap();
        assert_eq!(config.group(), Some("task-1"));
        assert_eq!(config.rootfs(Path::new("/b")), Path::new("/abs"));
        assert_eq!(config.owner(), Some((7, 8)));
        assert_eq!(config.cgroup("id"), Path::new("/a/b"));
        assert!(config.has_seccomp() && config.has_namespace("pid") && !config.has_namespace("network"));
        assert!(seccomp(dir.path()).unwrap().is_some());
    }

    #[test]
    fn devices_are_withheld_unless_a_rule_opens_them() {
        let config = |rules: &str| -> Config {
            serde_json::from_str(&format!(r#"{{"linux":{{"resources":{{"devices":{rules}}}}}}}"#)).unwrap()
        };
        let none = r#"[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","access":"m"}]"#;
        assert!(config(none).withholds(5, 1));
        assert!(!config(r#"[{"allow":true,"access":"rwm"}]"#).withholds(5, 1), "privileged");
        assert!(!config(r#"[{"allow":true,"type":"c","major":5,"minor":1,"access":"rw"}]"#).withholds(5, 1));
        assert!(config(r#"[{"allow":true,"type":"c","major":5,"minor":2,"access":"rw"}]"#).withholds(5, 1));
        assert!(!config("[]").withholds(5, 1) && !Config::default().withholds(5, 1), "nothing was asked for");
    }

    #[test]
    fn an_empty_configuration_has_defaults() {
        let config: Config = serde_json::from_str("{}").unwrap();
        assert_eq!(config.rootfs(Path::new("/b")), Path::new("/b/rootfs"));
        assert_eq!(config.cgroup("c"), Path::new(":youki:c"));
        assert!(config.group().is_none() && config.owner().is_none() && !config.has_seccomp());
    }
}
