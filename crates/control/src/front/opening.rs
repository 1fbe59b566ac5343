//! How a connection begins: its first byte tells TLS from plain HTTP, so that one port speaks both.
//!
//! Plain HTTP is for this machine. What comes from elsewhere without TLS is answered that it should come with it, and
//! never read further than its head: whoever listens on the way has seen it already.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use wire::Scheme;

use crate::tls::Certificates;

/// The first byte of a TLS record that opens a handshake (RFC 8446, 5.1). No method of HTTP begins with it.
const HANDSHAKE: u8 = 22;
/// From then on so long at most. It takes a few round trips.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// Whom to let in, and how.
#[derive(Clone, Debug)]
pub(crate) struct Entrance {
    pub certificates: Arc<dyn Certificates>,
    /// Who is answered without TLS.
    pub plain_from: fn(IpAddr) -> bool,
    pub handshake_time: Duration,
}

impl Entrance {
    pub fn new(certificates: Arc<dyn Certificates>) -> Self {
        let plain_from = |peer: IpAddr| peer.to_canonical().is_loopback();
        Self { certificates, plain_from, handshake_time: HANDSHAKE_TIME }
    }

    /// The TLS side of a connection whose handshake has begun.
    pub async fn secure<S>(&self, local: IpAddr, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let config = self.certificates.config(local.to_canonical()).inspect_err(|error| {
            tracing::error!(%error, "there is no certificate to answer with");
        })?;
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake took too long");
        timeout(self.handshake_time, TlsAcceptor::from(config).accept(stream)).await.map_err(late)?
    }
}

/// How a connection is spoken, once its peer has said something. `None`: it hasn't in time.
pub(super) async fn of(stream: &TcpStream, patience: Duration) -> Option<Scheme> {
    let mut first = [0];
    match timeout(patience, stream.peek(&mut first)).await {
        Ok(Ok(1)) if first[0] == HANDSHAKE => Some(Scheme::Https),
        // An end without a byte is HTTP's to understand.
        Ok(Ok(_)) => Some(Scheme::Http),
        Ok(Err(_)) | Err(_) => None,
    }
}
