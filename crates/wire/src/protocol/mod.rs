//! From a result to an HTTP response.

use crate::error::Error;
use crate::operation::Operation;

/// The body of a success.
pub fn encode_output<O: Operation>(output: &O::Output, _request_id: &str) -> Result<Vec<u8>, Error> {
    if O::INFO.output.is_none() {
        return Ok(Vec::new());
    }
    serde_json::to_vec(output)
        .map_err(|_| Error::internal(O::INFO.service, "The answer could not be encoded."))
}
