//! The registry's readers as the fuzz targets call them. No part of its interface.

use crate::{manifest::Manifest, oci::repository_of_path as named};

/// What a manifest that was taken says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    pub media_type: String,
    pub is_index: bool,
    /// Digests of what must be there.
    pub needs: Vec<String>,
}

/// Reads a manifest that was sent with this `Content-Type`.
pub fn manifest(bytes: &[u8], content_type: Option<&str>) -> Result<Pushed, String> {
    let manifest = Manifest::parse(bytes, content_type).map_err(|error| error.to_string())?;
    Ok(Pushed {
        media_type: manifest.media_type,
        is_index: manifest.is_index,
        needs: manifest.needs.iter().map(|needed| needed.digest.to_string()).collect(),
    })
}

/// The repository that a request's path names, if it means anything.
pub fn repository_of_path(path: &str) -> Option<String> {
    named(path)
}
