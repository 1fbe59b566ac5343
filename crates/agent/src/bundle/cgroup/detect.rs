//! Which cgroups the host has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    V1,
    V2,
}

/// Where controllers are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Layout {
    /// The root of each controller's tree; controllers mounted together share one. The name is empty for
    /// version 2's tree of a hybrid host, as in /proc/PID/cgroup: it limits nothing, but runc makes a cgroup
    /// there too.
    V1 {
        controllers: BTreeMap<String, PathBuf>,
    },
    V2 {
        root: PathBuf,
    },
}

impl Layout {
    pub fn version(&self) -> Version {
        match self {
            Self::V1 { .. } => Version::V1,
            Self::V2 { .. } => Version::V2,
        }
    }

    /// The root of every tree, each once.
    pub fn roots(&self) -> Vec<&Path> {
        match self {
            Self::V1 { controllers } => {
                let distinct: BTreeSet<&Path> = controllers.values().map(PathBuf::as_path).collect();
                distinct.into_iter().collect()
            }
            Self::V2 { root } => vec![root],
        }
    }
}

/// Reads the text of /proc/self/mountinfo (proc(5)). `None` if no cgroups are mounted.
///
/// A host with any controller on version 1 is a version 1 host: in the hybrid arrangement the
/// version 2 tree beside them has no controllers.
pub fn detect(mountinfo: &str) -> Option<Layout> {
    let mut controllers = BTreeMap::new();
    let mut unified = None;
    for line in mountinfo.lines() {
        // id parent device root mountpoint options [tags…] - type source super-options
        let Some((mount, file_system)) = line.split_once(" - ") else { continue };
        let Some(mountpoint) = mount.split(' ').nth(4) else { continue };
        let mut fields = file_system.split(' ');
        match fields.next() {
            Some("cgroup2") if unified.is_none() => unified = Some(unescape(mountpoint)),
            Some("cgroup") => {
                let options = fields.nth(1).unwrap_or_default();
                for option in options.split(',') {
                    let name = option.strip_prefix("name=").unwrap_or(option);
                    if !matches!(name, "rw" | "ro" | "" | "xattr" | "clone_children" | "noprefix")
                        && !name.starts_with("release_agent")
                    {
                        controllers.entry(name.to_owned()).or_insert_with(|| unescape(mountpoint));
                    }
                }
            }
            _ => {}
        }
    }
    if controllers.contains_key("memory") || controllers.contains_key("cpu") {
        controllers.extend(unified.map(|root| (String::new(), root)));
        Some(Layout::V1 { controllers })
    } else {
        unified.map(|root| Layout::V2 { root })
    }
}

/// The kernel writes blanks and backslashes of a path as three octal digits.
fn unescape(text: &str) -> PathBuf {
    let mut path = text.to_owned();
    for (escaped, plain) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")] {
        path = path.replace(escaped, plain);
    }
    PathBuf::from(path)
}
