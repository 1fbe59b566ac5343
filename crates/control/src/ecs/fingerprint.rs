//! Telling a repeated call from another one with the same `clientToken`.

use std::sync::Arc;

use serde::Serialize;
use sha2::{Digest, Sha256};
use wire::Error;

/// Equal for equal parameters, in whatever order a client wrote them down.
pub(crate) fn of(parameters: &impl Serialize) -> Result<Arc<str>, Error> {
    let text =
        serde_json::to_vec(parameters).map_err(|_| Error::server("The request could not be recorded."))?;
    Ok(hex::encode(Sha256::digest(&text)).into())
}
