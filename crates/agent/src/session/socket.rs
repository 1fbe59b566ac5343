//! Opens the two websockets: a signed upgrade, and what a refusal means.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use wire::acs::Refusal;
use wire::sigv4::Request;
use wire::{Scheme, endpoint};

use super::Api;

/// Dial and handshake may take this long, each.
const DIAL: Duration = Duration::from_secs(30);
/// A write that takes longer means that nobody reads.
const WRITE: Duration = Duration::from_secs(180);

#[derive(Debug, thiserror::Error)]
pub(super) enum SocketError {
    #[error("websocket endpoint {url:?} is not of the form https://host/path")]
    Url { url: String },
    #[error("cannot connect to {host}: {source}")]
    Dial {
        host: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{host} took too long")]
    Slow { host: String },
    #[error("no TLS with {host}: {source}")]
    Tls {
        host: String,
        #[source]
        source: std::io::Error,
    },
    /// The control plane has forgotten this instance.
    #[error("the container instance is inactive: {message}")]
    Inactive { message: String },
    #[error("the control plane refused the session: {status} {said}")]
    Refused { status: u16, said: String },
    #[error("websocket: {source}")]
    Broken {
        #[source]
        source: Box<tungstenite::Error>,
    },
}

/// How a session ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Come back at once (close codes 1000, 1001, 1006, 1011).
    Soon,
    /// Come back after a pause.
    Later,
}

/// A TCP connection, or TLS over one.
trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Connection for S {}

pub(super) struct Socket {
    stream: WebSocketStream<Box<dyn Connection>>,
    /// Host and path with query, for TCS's signed frames.
    pub host: String,
    pub path: String,
    pub query: String,
}

impl Socket {
    /// `base`: the endpoint from DiscoverPollEndpoint; `ws` is appended to its path.
    pub async fn open(api: &Api, base: &str, query: &str) -> Result<Socket, SocketError> {
        let (scheme, host, path) = split(base).ok_or_else(|| SocketError::Url { url: base.to_owned() })?;
        let headers = [("host", host.as_str())];
        let request = Request { method: "GET", path: &path, query, headers: &headers, body: b"" };
        let signed = api.sign(&request, "ecs", crate::engine::now_ms());
        let mut upgrade = http::Request::builder()
            .uri(format!("ws://{host}{path}?{query}"))
            .header("Host", &host)
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", tungstenite::handshake::client::generate_key());
        for (name, value) in signed {
            upgrade = upgrade.header(name, value);
        }
        let upgrade = upgrade.body(()).map_err(|_| SocketError::Url { url: base.to_owned() })?;
        let connection = connect(api, base, scheme, &host).await?;
        let slow = |_| SocketError::Slow { host: host.clone() };
        match timeout(DIAL, client_async(upgrade, connection)).await.map_err(slow)? {
            Ok((stream, _)) => Ok(Socket { stream, host, path, query: query.to_owned() }),
            Err(tungstenite::Error::Http(answer)) => Err(refusal(&answer)),
            Err(source) => Err(SocketError::Broken { source: Box::new(source) }),
        }
    }

    /// The next text; how the session ended if there is none.
    pub async fn next(&mut self) -> Result<String, Ending> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                Some(Ok(Message::Close(frame))) => {
                    return Err(match frame.map(|f| f.code) {
                        None | Some(CloseCode::Normal | CloseCode::Away | CloseCode::Error) => Ending::Soon,
                        Some(_) => Ending::Later,
                    });
                }
                // Pings are answered by the library and are no sign of life (agent protocol §1).
                Some(Ok(_)) => {}
                // The connection broke off: what close code 1006 stands for.
                Some(Err(_)) | None => return Err(Ending::Soon),
            }
        }
    }

    pub async fn send(&mut self, text: String) -> Result<(), Ending> {
        match timeout(WRITE, self.stream.send(Message::text(text))).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Ending::Soon),
        }
    }

    pub async fn close(mut self) {
        let _ = timeout(Duration::from_secs(1), self.stream.close(None)).await;
    }
}

fn refusal(answer: &http::Response<Option<Vec<u8>>>) -> SocketError {
    let body = answer.body().as_deref().unwrap_or_default();
    let body = String::from_utf8_lossy(body);
    match Refusal::parse(&body) {
        Some(r) if r.error == "InactiveInstanceException" => SocketError::Inactive { message: r.message },
        read => {
            let said = read.map_or_else(|| body.into_owned(), |r| format!("{}: {}", r.error, r.message));
            SocketError::Refused { status: answer.status().as_u16(), said: said.chars().take(1000).collect() }
        }
    }
}

async fn connect(
    api: &Api,
    base: &str,
    scheme: Scheme,
    host: &str,
) -> Result<Box<dyn Connection>, SocketError> {
    let named = || host.to_owned();
    let name = endpoint::host(host);
    let bare = host.trim_start_matches('[').trim_end_matches(']') == name;
    let address = match scheme {
        _ if !bare => host.to_owned(),
        Scheme::Http => format!("{host}:80"),
        Scheme::Https => format!("{host}:443"),
    };
    let tcp = timeout(DIAL, TcpStream::connect(&address))
        .await
        .map_err(|_| SocketError::Slow { host: named() })?
        .map_err(|source| SocketError::Dial { host: named(), source })?;
    // A payload must not wait for the acknowledgement of the one before.
    let _ = tcp.set_nodelay(true);
    if scheme == Scheme::Http {
        return Ok(Box::new(tcp));
    }
    let url = || SocketError::Url { url: base.to_owned() };
    // What the API isn't spoken with, a session isn't either.
    let tls = api.tls().cloned().ok_or_else(url)?;
    let name = ServerName::try_from(name.to_owned()).map_err(|_| url())?;
    let stream = timeout(DIAL, TlsConnector::from(tls).connect(name, tcp))
        .await
        .map_err(|_| SocketError::Slow { host: named() })?
        .map_err(|source| SocketError::Tls { host: named(), source })?;
    Ok(Box::new(stream))
}

/// Scheme, host and path of an endpoint, the path with `ws` at its end. None of one that is spoken to without TLS on
/// another machine.
fn split(base: &str) -> Option<(Scheme, String, String)> {
    let base = base.replacen("ws", "http", usize::from(base.starts_with("ws")));
    let (scheme, rest) = match base.strip_prefix("https://") {
        Some(rest) => (Scheme::Https, rest),
        None => (Scheme::Http, base.strip_prefix("http://")?),
    };
    if endpoint::is_exposed(&base) {
        return None;
    }
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let path = path.trim_end_matches('/');
    let path = if path.is_empty() { "/ws".to_owned() } else { format!("/{path}/ws") };
    (!host.is_empty()).then(|| (scheme, host.to_owned(), path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ws_is_appended_to_the_path() {
        let want = |scheme, host: &str, path: &str| Some((scheme, host.to_owned(), path.to_owned()));
        assert_eq!(split("http://127.0.0.1:1/acs/"), want(Scheme::Http, "127.0.0.1:1", "/acs/ws"));
        assert_eq!(split("ws://localhost/acs"), want(Scheme::Http, "localhost", "/acs/ws"));
        assert_eq!(split("https://h:1/acs"), want(Scheme::Https, "h:1", "/acs/ws"));
        assert_eq!(split("wss://h"), want(Scheme::Https, "h", "/ws"));
        for none in ["ftp://h", "http://", "https:///acs", "h:1/acs"] {
            assert_eq!(split(none), None, "{none}");
        }
    }

    #[test]
    fn no_session_is_had_without_tls_on_another_machine() {
        assert_eq!(split("http://h:1/acs/"), None);
        assert_eq!(split("ws://10.0.0.5:1/acs/"), None);
    }
}
