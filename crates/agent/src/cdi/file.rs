//! One file: CDI's JSON, or the same in YAML.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// What a file may hold; those of real machines have some hundred kilobytes at most.
const MOST_BYTES: u64 = 16 << 20;

/// Members that aren't known here would change what a container gets, so they are refused (SPEC.md: "spec loading fails
/// on unknown fields").
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Spec {
    pub cdi_version: String,
    /// `vendor.com/class`
    pub kind: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    pub devices: Vec<Device>,
    /// For every container that has one of the devices.
    #[serde(default)]
    pub container_edits: ContainerEdits,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Device {
    pub name: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    pub container_edits: ContainerEdits,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ContainerEdits {
    /// `NAME=value` each.
    pub env: Vec<String>,
    pub device_nodes: Vec<DeviceNode>,
    pub mounts: Vec<Mount>,
    pub hooks: Vec<Hook>,
    pub additional_gids: Vec<u32>,
    pub intel_rdt: Option<IgnoredAny>,
    pub net_devices: Vec<IgnoredAny>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct DeviceNode {
    /// In the container.
    pub path: String,
    /// On the machine, where that is another.
    pub host_path: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub major: Option<i64>,
    pub minor: Option<i64>,
    pub file_mode: Option<u32>,
    pub permissions: Option<String>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mount {
    pub host_path: String,
    pub container_path: String,
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    #[serde(default)]
    pub options: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hook {
    pub hook_name: HookName,
    pub path: String,
    #[serde(default)]
    pub args: Vec<String>,
    #[serde(default)]
    pub env: Vec<String>,
    #[serde(default)]
    pub timeout: Option<i64>,
}

/// OCI runtime specification, "POSIX-platform Hooks".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HookName {
    Prestart,
    CreateRuntime,
    CreateContainer,
    StartContainer,
    Poststart,
    Poststop,
}

impl DeviceNode {
    pub fn on_the_machine(&self) -> &str {
        self.host_path.as_deref().filter(|path| !path.is_empty()).unwrap_or(&self.path)
    }
}

impl Spec {
    pub fn is_of_gpus(&self) -> bool {
        self.kind.rsplit_once('/').is_some_and(|(_, class)| class == "gpu")
    }

    fn check(self) -> Result<Self, String> {
        let version: Option<u32> = self.cdi_version.split('.').next().and_then(|major| major.parse().ok());
        if version.is_none_or(|major| major > 1) {
            return Err(format!("cdiVersion {:?} is not known", self.cdi_version));
        }
        let vendor = self.kind.split_once('/').filter(|(vendor, class)| is_name(vendor) && is_name(class));
        if vendor.is_none() {
            return Err(format!("kind {:?} is not of the form vendor.com/class", self.kind));
        }
        if self.devices.is_empty() {
            return Err("it has no devices".into());
        }
        for (n, device) in self.devices.iter().enumerate() {
            let named = |why: &str| format!("device {:?}: {why}", device.name);
            // `:` is in the names of NVIDIA's partitions: `0:1`.
            if !is_name(&device.name.replace(':', "-")) {
                return Err(named("that is no name"));
            }
            if self.devices[..n].iter().any(|other| other.name == device.name) {
                return Err(named("it is there twice"));
            }
            device.container_edits.check().map_err(|why| named(&why))?;
        }
        self.container_edits.check()?;
        Ok(self)
    }
}

impl ContainerEdits {
    fn check(&self) -> Result<(), String> {
        if let Some(bad) = self.env.iter().find(|pair| pair.find('=').is_none_or(|at| at == 0)) {
            return Err(format!("env {bad:?} is not of the form NAME=value"));
        }
        for node in &self.device_nodes {
            if !is_path(&node.path) || !is_path(node.on_the_machine()) {
                return Err(format!("the device node {:?} has no absolute path", node.path));
            }
            if node.kind.as_deref().is_some_and(|kind| !["", "b", "c", "u", "p"].contains(&kind)) {
                return Err(format!("the device node {:?} has an unknown type", node.path));
            }
            let allowed = |letters: &str| letters == "none" || letters.chars().all(|c| "rwm".contains(c));
            if !node.permissions.as_deref().is_none_or(allowed) {
                return Err(format!("the device node {:?} has unknown permissions", node.path));
            }
        }
        for mount in &self.mounts {
            if mount.host_path.is_empty() || !is_path(&mount.container_path) {
                return Err(format!("the mount on {:?} lacks a path", mount.container_path));
            }
        }
        for hook in &self.hooks {
            if !is_path(&hook.path) {
                return Err(format!("the path {:?} of a hook is not absolute", hook.path));
            }
            if hook.timeout.is_some_and(|seconds| seconds <= 0) {
                return Err(format!("the hook {:?} has a timeout that is not greater than zero", hook.path));
            }
        }
        Ok(())
    }
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.contains('\0')
}

/// Letters and digits, with `-`, `_` and `.` between.
fn is_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let outer = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.chars().all(inner) && outer(text.chars().next()) && outer(text.chars().last())
}

pub fn is_spec(path: &Path) -> bool {
    is_json(path) || is_yaml(path)
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

pub fn read(path: &Path) -> Result<Spec, String> {
    let text = |error: std::io::Error| error.to_string();
    let meta = std::fs::metadata(path).map_err(text)?;
    if !meta.is_file() {
        return Err("it is no file".into());
    }
    if meta.len() > MOST_BYTES {
        return Err(format!("it has more than {MOST_BYTES} bytes"));
    }
    let content = std::fs::read_to_string(path).map_err(text)?;
    if is_json(path) { json(&content) } else { yaml(&content) }
}

pub fn json(text: &str) -> Result<Spec, String> {
    serde_json::from_str::<Spec>(text).map_err(|error| error.to_string())?.check()
}

pub fn yaml(text: &str) -> Result<Spec, String> {
    // Modes are written as 0666, which is octal to the tools that CDI comes from.
    let options = serde_saphyr::options! { legacy_octal_numbers: true, with_snippet: false };
    let read = serde_saphyr::from_str_with_options::<Spec>(text, options);
    read.map_err(|error| error.to_string())?.check()
}
