//! The signing key on disk: `<data_dir>/token.key`, 32 random bytes, readable by its owner only.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rand::Rng;

use super::token::SigningKey;
use crate::blobs::storage::BlobError;

/// Reads the key, or makes one. Passwords outlive a restart because of it. Blocks.
pub fn load_or_create(data_dir: &Path) -> Result<SigningKey, BlobError> {
    let path = data_dir.join("token.key");
    match fs::read(&path) {
        Ok(bytes) => {
            if let Ok(secret) = <[u8; 32]>::try_from(bytes.as_slice()) {
                return Ok(SigningKey::new(secret));
            }
            // Torn by a crash before anything was signed with it, or tampered with: start anew.
            tracing::warn!(path = %path.display(), "the token key is damaged; a new one is made");
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(BlobError::file("read", &path)(e)),
    }
    let mut secret = [0; 32];
    rand::rng().fill_bytes(&mut secret);
    let new = data_dir.join("token.key.new");
    let written = (|| {
        let _ = fs::remove_file(&new);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(&secret)?;
        file.sync_all()?;
        fs::rename(&new, &path)
    })();
    written.map_err(BlobError::file("write", &path))?;
    Ok(SigningKey::new(secret))
}
