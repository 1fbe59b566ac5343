//! Who asks, and on whose account.

use std::fmt;
use std::net::IpAddr;

/// How a connection is spoken. Whoever accepts one puts it beside each of its requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    #[default]
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// As a URL begins.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }
}

/// What the front end knows of a verified request before its body is decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// Twelve digits: the account that the access key belongs to.
    pub account: String,
    /// From the request's credential scope.
    pub region: String,
    pub access_key_id: String,
    pub principal_arn: String,
    /// The same as in the answer's `x-amzn-RequestId`.
    pub request_id: String,
    /// The `Host` that the client spoke to, port included: answers that hold an address of ours
    /// (`repositoryUri`, `proxyEndpoint`) use it.
    pub source_host: Option<String>,
    /// How the client spoke to it.
    pub scheme: Scheme,
    /// Whence the request came, for policies that ask.
    pub source_ip: Option<IpAddr>,
    pub user_agent: Option<String>,
}

impl Context {
    /// `https://host:port`, as the client of this call spells it.
    pub fn origin(&self) -> Option<String> {
        Some(format!("{}://{}", self.scheme.as_str(), self.source_host.as_ref()?))
    }
}

/// What a client signs with. `Debug` hides the secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}
