//! Layers into directories: a tar stream applied as the OCI image specification's "Applying Changesets"
//! says, in the form that overlayfs reads (whiteouts as devices, opaque directories by attribute).
//!
//! A layer is written by strangers and applied by root. Two rules keep it harmless: every name is
//! resolved by the kernel beneath the layer's own directory ([`super::sys::open_in_root`]), and what a
//! layer may create is a closed list. `tree` is the file-system half, `name` and `policy` the pure half.

mod blob;
mod header;
mod name;
mod policy;
mod tree;

pub(super) use blob::ChunkReader;
pub use blob::{BlobDigests, Compression, unpack_blob};

use super::error::short;
use std::{io, io::Read, path::PathBuf};

/// How much one layer may hold. The defaults are far above real images and far below what hurts.
/// What bounds memory is not for setting: see [`header`] and `tree`.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Entries of the archive: 4,000,000.
    pub entries: u64,
    /// Bytes of the unpacked archive: 128 GiB.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 4_000_000, bytes: 128 << 30 }
    }
}

/// Why a layer can't be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    #[error("the entry '{name}' has a name that is not allowed: {reason}")]
    Name { name: String, reason: &'static str },

    #[error("an entry's headers are larger than {0} bytes")]
    Headers(u64),

    #[error("the names of the layer's directories are larger than {0} bytes")]
    Directories(usize),

    #[error("the hard link '{name}' points to '{target}', which this layer does not hold")]
    HardLink { name: String, target: String },

    #[error("the entry '{name}' is owned by {id}, which is no valid id")]
    Owner { name: String, id: u64 },

    #[error("{action} '{name}': {source}")]
    File {
        action: &'static str,
        name: String,
        #[source]
        source: io::Error,
    },

    #[error("the layer has more than {0} entries")]
    TooManyEntries(u64),

    #[error("the layer is larger than {0} bytes when unpacked")]
    TooLarge(u64),

    /// What the archive reader says may hold the archive's own bytes.
    #[error("the archive can't be read: {}", short(&.0.to_string(), 300))]
    Archive(#[source] io::Error),

    #[error("the directory {path} can't be opened: {source}")]
    Root {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

impl UnpackError {
    /// Whether the disk's space ran out.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::File { source, .. } | Self::Root { source, .. } if super::error::is_disk_full(source))
    }
}

/// What was unpacked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unpacked {
    pub entries: u64,
    /// Bytes of file contents written.
    pub bytes: u64,
    /// Entries left out: device nodes and kinds that we don't know.
    pub skipped: u64,
}

/// Applies an uncompressed tar stream to the empty directory `root`, and reads the stream to its end
/// (what follows the archive's end mark belongs to its digest).
pub fn unpack_tar(
    stream: impl Read,
    root: &std::path::Path,
    limits: Limits,
) -> Result<Unpacked, UnpackError> {
    let mut tree = tree::Tree::open(root, limits)?;
    let (stream, meter) = header::metered(stream);
    let mut archive = tar::Archive::new(stream);
    let mut entries = archive.entries().map_err(UnpackError::Archive)?;
    loop {
        meter.begin_headers();
        let next = entries.next();
        let taken = meter.end_headers()?;
        let Some(entry) = next else { break };
        let mut entry = entry.map_err(UnpackError::Archive)?;
        header::check(&entry, taken)?;
        tree.add(&mut entry)?;
        header::drain(&mut entry)?;
    }
    let unpacked = tree.finish()?;
    let mut stream = archive.into_inner();
    io::copy(&mut stream, &mut io::sink()).map_err(UnpackError::Archive)?;
    Ok(unpacked)
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
