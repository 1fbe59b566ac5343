//! One connection on which signed calls are made, one after the other. It speaks just enough HTTP/1.1 for that: the
//! generator shares the processors with the server that it measures, and a general client costs several times as much.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wire::client;
use wire::operation::Operation;

use crate::site::Caller;

/// Headers of an answer, at most.
const HEADERS: usize = 32;

#[derive(Debug)]
pub struct Channel {
    caller: Caller,
    endpoint: String,
    stream: TcpStream,
    /// What was read of the next answer.
    read: BytesMut,
}

impl Channel {
    pub async fn open(caller: Caller) -> anyhow::Result<Channel> {
        let stream = caller.connect().await?;
        let endpoint = format!("http://{}", caller.address());
        Ok(Channel { caller, endpoint, stream, read: BytesMut::with_capacity(8192) })
    }

    pub async fn call<O: Operation>(&mut self, input: &O::Input) -> anyhow::Result<O::Output> {
        let (status, body) = self.raw::<O>(input).await?;
        Ok(client::parse::<O>(status, &body)?)
    }

    /// The body of a success, unread.
    pub async fn body<O: Operation>(&mut self, input: &O::Input) -> anyhow::Result<Bytes> {
        match self.raw::<O>(input).await? {
            (200, body) => Ok(body),
            (status, body) => match client::parse::<O>(status, &body) {
                Err(error) => bail!("{}: {error}", O::INFO.name),
                Ok(_) => bail!("{}: status {status}", O::INFO.name),
            },
        }
    }

    async fn raw<O: Operation>(&mut self, input: &O::Input) -> anyhow::Result<(u16, Bytes)> {
        let caller = client::Caller {
            endpoint: &self.endpoint,
            credentials: self.caller.credentials(),
            region: self.caller.region(),
        };
        let signed = client::build::<O>(input, &caller, now_ms())?;
        let mut request = Vec::with_capacity(1024 + signed.body.len());
        request.extend_from_slice(signed.method.as_bytes());
        request.extend_from_slice(b" / HTTP/1.1\r\n");
        for (name, value) in &signed.headers {
            for part in [name, ": ", value, "\r\n"] {
                request.extend_from_slice(part.as_bytes());
            }
        }
        request.extend_from_slice(format!("content-length: {}\r\n\r\n", signed.body.len()).as_bytes());
        request.extend_from_slice(&signed.body);
        self.stream.write_all(&request).await?;
        self.answer().await
    }

    async fn answer(&mut self) -> anyhow::Result<(u16, Bytes)> {
        loop {
            if let Some((status, head, length)) = head(&self.read)? {
                while self.read.len() < head + length {
                    self.more().await?;
                }
                self.read.advance(head);
                return Ok((status, self.read.split_to(length).freeze()));
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        ensure!(self.stream.read_buf(&mut self.read).await? > 0, "the server closed the connection");
        Ok(())
    }
}

/// The status, where the body begins and how long it is; `None` while the head isn't whole.
fn head(read: &[u8]) -> anyhow::Result<Option<(u16, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = answer.parse(read)? else { return Ok(None) };
    let length = answer.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = std::str::from_utf8(length.context("an answer without a length")?.value)?.parse()?;
    Ok(Some((answer.code.context("an answer without a status")?, head, length)))
}

/// Milliseconds since the epoch.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
