//! What a server proves itself with. Where certificates come from is the caller's to know.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::ServerConfig;

/// The certificates of a server, as they are now.
pub trait Certificates: fmt::Debug + Send + Sync + 'static {
    /// What a client is answered with that reached us by this address of ours.
    fn config(&self, local: IpAddr) -> io::Result<Arc<ServerConfig>>;
}
