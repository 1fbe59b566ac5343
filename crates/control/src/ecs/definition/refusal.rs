//! The error of a definition that isn't taken: always `ClientException`.
//!
//! The API reference doesn't list texts. [`said`] holds those that AWS is known to answer, quoted by
//! its users in public; [`own`] those of rules whose wording isn't known to us.

use wire::Error;

/// In AWS's words.
pub(super) fn said(text: impl Into<String>) -> Error {
    Error::client(text)
}

/// AWS has the rule; the words are ours.
pub(super) fn own(text: impl Into<String>) -> Error {
    Error::client(text)
}

/// A value that its field can't have, in AWS's pattern for it.
pub(super) fn invalid_setting(field: &str, container: &str) -> Error {
    Error::client(format!("Invalid '{field}' setting for container '{container}'."))
}
