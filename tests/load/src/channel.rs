//! One connection on which signed calls are made, one after the other.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use wire::client::{self, ServiceError};
use wire::operation::Operation;

use crate::site::Caller;

#[derive(Debug)]
pub struct Channel {
    caller: Caller,
    endpoint: String,
    sender: SendRequest<Full<Bytes>>,
}

impl Channel {
    pub async fn open(caller: Caller) -> anyhow::Result<Channel> {
        let stream = TcpStream::connect(caller.address()).await.context("connect")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // It ends when the sender is dropped, or the server is gone; the next call says so.
        tokio::spawn(connection);
        let endpoint = format!("http://{}", caller.address());
        Ok(Channel { caller, endpoint, sender })
    }

    /// The server closes one that was idle for long.
    pub fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    pub async fn call<O: Operation>(&mut self, input: &O::Input) -> anyhow::Result<O::Output> {
        let (status, body) = self.raw::<O>(input).await?;
        Ok(client::parse::<O>(status, &body)?)
    }

    /// The body of a success, unread.
    pub async fn body<O: Operation>(&mut self, input: &O::Input) -> anyhow::Result<Bytes> {
        match self.raw::<O>(input).await? {
            (200, body) => Ok(body),
            (status, body) => Err(client::parse::<O>(status, &body).err().map_or_else(
                || anyhow::anyhow!("status {status}"),
                |error: ServiceError| anyhow::anyhow!("{}: {error}", O::INFO.name),
            )),
        }
    }

    async fn raw<O: Operation>(&mut self, input: &O::Input) -> anyhow::Result<(u16, Bytes)> {
        let caller = client::Caller {
            endpoint: &self.endpoint,
            credentials: self.caller.credentials(),
            region: self.caller.region(),
        };
        let signed = client::build::<O>(input, &caller, now_ms())?;
        let mut request = http::Request::builder().method(signed.method).uri("/");
        for (name, value) in &signed.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(signed.body)))?;
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status().as_u16();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }
}

/// Milliseconds since the epoch.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
