//! A signed websocket of the agent protocol.

use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use wire::sigv4::{Request, Signer, sign};

use crate::channel::now_ms;
use crate::site::Caller;

/// There are two sockets for each instance; what they usually hold is small.
const READ_BUFFER: usize = 4 * 1024;

#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<TcpStream>,
    caller: Caller,
    path: String,
    query: String,
}

impl Socket {
    /// `endpoint` as DiscoverPollEndpoint gives it; `ws` is appended to its path.
    pub async fn open(caller: Caller, endpoint: &str, query: String) -> anyhow::Result<Socket> {
        let rest = endpoint.strip_prefix("http://").context("an endpoint over http")?;
        let path = rest.split_once('/').map_or("", |(_, path)| path).trim_end_matches('/');
        let path = if path.is_empty() { "/ws".to_owned() } else { format!("/{path}/ws") };
        let host = caller.address().to_owned();
        let mut upgrade = http::Request::builder()
            .uri(format!("ws://{host}{path}?{query}"))
            .header("Host", &host)
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", tungstenite::handshake::client::generate_key());
        for (name, value) in signature(&caller, &path, &query, b"") {
            upgrade = upgrade.header(name, value);
        }
        let tcp = caller.connect().await?;
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER);
        let (stream, _) = client_async_with_config(upgrade.body(())?, tcp, Some(config))
            .await
            .context("the websocket's handshake")?;
        Ok(Socket { stream, caller, path, query })
    }

    /// The next text; `None` when the other side has closed.
    pub async fn next(&mut self) -> anyhow::Result<Option<Utf8Bytes>> {
        loop {
            match self.stream.next().await.transpose()? {
                Some(Message::Text(text)) => return Ok(Some(text)),
                Some(Message::Close(_)) | None => return Ok(None),
                Some(_) => {}
            }
        }
    }

    pub async fn send(&mut self, text: String) -> anyhow::Result<()> {
        Ok(self.stream.send(Message::text(text)).await?)
    }

    /// With a header block in front, whose signature is that of a GET with the text as its body (TCS).
    pub async fn send_signed(&mut self, json: &str) -> anyhow::Result<()> {
        let mut block = vec![("Host".to_owned(), self.caller.address().to_owned())];
        block.extend(signature(&self.caller, &self.path, &self.query, json.as_bytes()));
        self.send(wire::tcs::join(&block, json)).await
    }
}

fn signature(caller: &Caller, path: &str, query: &str, body: &[u8]) -> Vec<(String, String)> {
    let headers = [("host", caller.address())];
    let request = Request { method: "GET", path, query, headers: &headers, body };
    let signer = Signer {
        credentials: caller.credentials(),
        region: caller.region(),
        service: wire::ecs::SERVICE.signing_name,
        now_ms: now_ms(),
    };
    sign(&request, &signer)
}
