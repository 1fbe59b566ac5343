//! Entry names: from a tar header's bytes to a parent and a last component. Pure.

use super::UnpackError;
use crate::images::error::short;
use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

/// A name within the layer: relative, without `.` and `..`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    /// Components joined by `/`; empty for the layer's root.
    bytes: Vec<u8>,
}

/// linux/limits.h: a component, a path.
const NAME_MAX: usize = 255;
const PATH_MAX: usize = 4096;

impl Name {
    /// Reads a name as archives have it. A leading `/` and `./` mean the layer's root, as for every
    /// unpacker; a `..` has no business in a layer and is refused, even one that would stay inside.
    pub fn parse(raw: &[u8]) -> Result<Self, UnpackError> {
        let refuse = |reason| Err(UnpackError::Name { name: told(raw), reason });
        if raw.contains(&0) {
            return refuse("it holds a NUL");
        }
        let mut bytes = Vec::with_capacity(raw.len());
        for component in raw.split(|&b| b == b'/') {
            match component {
                b"" | b"." => continue,
                b".." => return refuse("it holds '..'"),
                _ if component.len() > NAME_MAX => return refuse("a component is longer than 255 bytes"),
                _ => {}
            }
            if !bytes.is_empty() {
                bytes.push(b'/');
            }
            bytes.extend_from_slice(component);
        }
        if bytes.len() >= PATH_MAX {
            return refuse("it is longer than 4095 bytes");
        }
        Ok(Self { bytes })
    }

    /// The name of the directory above, and the last component. `None` for the root.
    pub fn split(&self) -> Option<(Self, &OsStr)> {
        if self.bytes.is_empty() {
            return None;
        }
        let (parent, last) = match self.bytes.iter().rposition(|&b| b == b'/') {
            Some(slash) => (&self.bytes[..slash], &self.bytes[slash + 1..]),
            None => (&[][..], &self.bytes[..]),
        };
        Some((Self { bytes: parent.to_vec() }, OsStr::from_bytes(last)))
    }

    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.bytes))
    }

    /// For messages.
    pub fn shown(&self) -> String {
        told(&self.bytes)
    }
}

/// A stranger's bytes as a part of a line that a person reads.
fn told(raw: &[u8]) -> String {
    short(&String::from_utf8_lossy(raw), 200)
}

/// What a last component asks for (OCI image specification, "Whiteouts").
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mark<'a> {
    /// An entry like any other.
    None,
    /// `.wh.NAME`: NAME of the layers below is not there.
    Whiteout(&'a OsStr),
    /// `.wh..wh..opq`: nothing of the layers below is in this directory.
    Opaque,
    /// Another `.wh..wh.…`: AUFS's own book-keeping.
    Ignored,
    /// A whiteout of nothing, of `.` or of `..`.
    Invalid,
}

pub(super) fn mark(last: &OsStr) -> Mark<'_> {
    let Some(hidden) = last.as_bytes().strip_prefix(b".wh.") else { return Mark::None };
    match hidden {
        b".wh..opq" => Mark::Opaque,
        b"" | b"." | b".." => Mark::Invalid,
        _ if hidden.starts_with(b".wh.") => Mark::Ignored,
        _ => Mark::Whiteout(OsStr::from_bytes(hidden)),
    }
}
