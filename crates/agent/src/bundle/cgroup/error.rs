//! What can go wrong with cgroups.

use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    #[error("cannot {verb} {path}")]
    Io {
        verb: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("this host has no cgroups mounted")]
    NoCgroups,
    #[error("the cgroup controller {controller} is not available on this host")]
    NoController { controller: &'static str },
    #[error("{name:?} cannot name a cgroup")]
    InvalidName { name: String },
    #[error("processes remain in {path} after they were killed")]
    Busy { path: PathBuf },
    #[error("{path} holds {text:?}, which is not what the kernel writes there")]
    Unreadable { path: PathBuf, text: String },
}
