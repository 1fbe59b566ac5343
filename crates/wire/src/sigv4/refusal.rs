//! Why a request is not authentic, and how AWS says so.

use crate::error::Error;
use crate::operation::Protocol;

/// Messages are those of AWS's front ends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("Missing Authentication Token")]
    MissingAuthenticationToken,
    /// The claim can't be read.
    #[error("{0}")]
    Incomplete(String),
    /// No such access key, or its session token is wrong.
    #[error("The security token included in the request is invalid.")]
    UnknownToken,
    #[error(
        "The request signature we calculated does not match the signature you provided. Check \
         your AWS Secret Access Key and signing method. Consult the service documentation for \
         details."
    )]
    Mismatch,
    #[error("Signature expired: {signed} is now earlier than {earliest} ({now} - {allowance}.)")]
    Expired { signed: String, earliest: String, now: String, allowance: String },
    #[error("Signature not yet current: {signed} is still later than {latest} ({now} + 15 min.)")]
    NotYetCurrent { signed: String, latest: String, now: String },
    /// The scope is not the request's.
    #[error("{0}")]
    Scope(String),
}

impl Refusal {
    /// The error of the front end that speaks `protocol`.
    ///
    /// JSON services answer all of these with 400, Query services with 403 but for an unreadable
    /// claim.
    pub fn to_error(&self, protocol: Protocol) -> Error {
        let (json, query) = match self {
            Self::MissingAuthenticationToken => {
                ("MissingAuthenticationTokenException", "MissingAuthenticationToken")
            }
            Self::Incomplete(_) => ("IncompleteSignatureException", "IncompleteSignature"),
            Self::UnknownToken => ("UnrecognizedClientException", "InvalidClientTokenId"),
            Self::Mismatch | Self::Expired { .. } | Self::NotYetCurrent { .. } | Self::Scope(_) => {
                ("InvalidSignatureException", "SignatureDoesNotMatch")
            }
        };
        match (protocol, self) {
            (Protocol::Json, _) => Error::new(json, self.to_string()),
            (Protocol::Query, Self::MissingAuthenticationToken) => {
                Error::new(query, "Request is missing Authentication Token")
            }
            (Protocol::Query, _) => Error::new(query, self.to_string()),
        }
    }
}
