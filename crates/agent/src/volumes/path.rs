//! Where in a container something may be mounted.

use std::path::{Component, Path};

/// What the runtime itself mounts. A volume there would hide what masks the host from the container.
pub(super) const RESERVED: [&str; 3] = ["/proc", "/sys", "/dev"];

/// Why a path can't be a mount point.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("mount path {0:?} must be absolute")]
    Relative(String),
    #[error("mount path {0:?}: the destination can't be '/'")]
    Root(String),
    #[error("{0:?} cannot be mounted because it is inside {1}")]
    Inside(String, &'static str),
    #[error("mount path {0:?} has a NUL in it")]
    Nul(String),
}

/// A mount point in its one spelling, by the text alone: what links in the image make of it is looked
/// at when they are there (`store.rs`).
pub fn destination(text: &str) -> Result<String, PathError> {
    if !text.starts_with('/') {
        return Err(PathError::Relative(text.to_owned()));
    }
    if text.contains('\0') {
        return Err(PathError::Nul(text.to_owned()));
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    if parts.is_empty() {
        return Err(PathError::Root(text.to_owned()));
    }
    let clean = format!("/{}", parts.join("/"));
    if let Some(inside) = reserved(Path::new(&clean)).filter(|_| !is_below_devices(&clean)) {
        return Err(PathError::Inside(text.to_owned(), inside));
    }
    Ok(clean)
}

/// `/dev/shm` and the like may be a volume's: they come after `/dev` itself, which is fresh and so has
/// no links. Anything deeper could go through a link of the first one's.
pub fn is_below_devices(clean: &str) -> bool {
    clean.strip_prefix("/dev/").is_some_and(|rest| !rest.contains('/'))
}

/// Which of the runtime's own directories a path lies in.
pub(super) fn reserved(path: &Path) -> Option<&'static str> {
    RESERVED.into_iter().find(|kernels| path.starts_with(kernels))
}

/// Parents before what lies in them; otherwise by name, so that the same mounts make the same text.
pub(super) fn depth(clean: &str) -> usize {
    Path::new(clean).components().filter(|part| matches!(part, Component::Normal(_))).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling() {
        for (text, clean) in [
            ("/a", "/a"),
            ("//a/./b/", "/a/b"),
            ("/a/../../b", "/b"),
            ("/dev/shm", "/dev/shm"),
            ("/devel", "/devel"),
        ] {
            assert_eq!(destination(text).as_deref(), Ok(clean));
        }
    }

    #[test]
    fn the_runtime_s_own_places_are_refused() {
        for text in ["/proc", "/proc/sys", "/a/../proc/1", "/sys/fs/cgroup", "/dev", "/dev/shm/x"] {
            assert!(matches!(destination(text), Err(PathError::Inside(..))), "{text}");
        }
        assert!(matches!(destination("a"), Err(PathError::Relative(_))));
        assert!(matches!(destination("/a/.."), Err(PathError::Root(_))));
        assert!(matches!(destination("/a\0"), Err(PathError::Nul(_))));
    }
}
