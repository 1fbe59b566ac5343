//! Which shim: containerd's rule from a runtime's name to a program's.

use std::path::{Path, PathBuf};

use super::RuntimeError;

/// Which runtime runs the containers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RuntimeChoice {
    /// Longshore's own shim.
    #[default]
    Longshore,
    /// A name such as `io.containerd.runc.v2`, or an absolute path to a shim.
    Named(String),
}

impl RuntimeChoice {
    /// The program's file name or path: `io.containerd.NAME.vN` → `containerd-shim-NAME-vN`.
    pub fn binary(&self) -> Result<PathBuf, RuntimeError> {
        let name = match self {
            RuntimeChoice::Longshore => "io.containerd.longshore.v1",
            RuntimeChoice::Named(name) => name,
        };
        if name.starts_with('/') {
            return Ok(PathBuf::from(name));
        }
        let mut parts = name.rsplit('.');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(version), Some(name), Some(_)) if !version.is_empty() && !name.is_empty() => {
                Ok(PathBuf::from(format!("containerd-shim-{name}-{version}")))
            }
            _ => Err(RuntimeError::Name { name: name.to_owned() }),
        }
    }
}

/// Finds the program: a path as it is; a name beside this program first, then on `search_path`
/// (the PATH variable's form).
pub(super) fn locate(binary: &Path, beside: Option<&Path>, search_path: &str) -> Option<PathBuf> {
    if binary.is_absolute() {
        return Some(binary.to_owned());
    }
    beside
        .into_iter()
        .map(Path::to_owned)
        .chain(std::env::split_paths(search_path))
        .map(|dir| dir.join(binary))
        .find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_programs() {
        let of = |name: &str| RuntimeChoice::Named(name.into()).binary();
        assert_eq!(of("io.containerd.runc.v2").unwrap(), Path::new("containerd-shim-runc-v2"));
        assert_eq!(of("/opt/shim").unwrap(), Path::new("/opt/shim"));
        assert!(of("runc").is_err());
        assert!(of("io.containerd.").is_err());
        assert_eq!(RuntimeChoice::Longshore.binary().unwrap(), Path::new("containerd-shim-longshore-v1"));
    }

    #[test]
    fn a_program_beside_ours_wins() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("sh"), "").unwrap();
        let found = locate(Path::new("sh"), Some(dir.path()), "/bin:/usr/bin").unwrap();
        assert_eq!(found, dir.path().join("sh"));
        assert!(locate(Path::new("no-such-shim"), None, "/bin:/usr/bin").is_none());
    }
}
