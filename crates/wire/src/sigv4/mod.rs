//! AWS Signature Version 4: signing, presigning and verifying, over the raw path and query.
//!
//! Rules: "Create a signed AWS API request" in the IAM user guide. Everything is a pure function
//! of its arguments; the caller brings the time and the secrets. Verification never trusts a
//! parsed URI: what was signed is what stood on the request line.
//!
//! Start at [`verify`] and [`sign`]; `canonical` is what both share.

mod canonical;
mod claim;
mod refusal;
mod sign;
mod stamp;
mod verify;

pub use refusal::Refusal;
pub use sign::{Signer, presign, sign};
pub use verify::{MAX_SKEW_MS, Verified, plausible, verify};

/// The only algorithm.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// A request as it stands on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a str,
    /// Still percent-encoded; empty counts as `/`.
    pub path: &'a str,
    /// Still percent-encoded, without the `?`.
    pub query: &'a str,
    /// In the order of the request, repeated names repeated. Names in any case.
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// Every value of the header `name` (any case), in order.
    pub(crate) fn header_values<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        let of_name = move |(have, _): &&(&str, &'a str)| have.eq_ignore_ascii_case(name);
        self.headers.iter().filter(of_name).map(|(_, value)| *value)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&'a str> {
        self.header_values(name).next()
    }
}
