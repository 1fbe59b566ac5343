//! A layer's download: a stream of chunks that goes on where it broke.

use super::{
    super::{digest::Digest, error::RequestError},
    Failed, Repository, transport,
};
use bytes::Bytes;
use reqwest::{Method, StatusCode, header};
use std::time::Instant;
use tokio::sync::mpsc;

/// A registry that gives a few bytes and breaks, again and again, doesn't get for ever.
const MOST_CONNECTIONS: u32 = 200;

impl Repository {
    /// Sends the blob's bytes into `sink`, in order, each once. A broken connection is taken up again at
    /// the byte where it broke (`Range`; a registry without ranges is read again from the start and the
    /// known part dropped). Attempts are counted anew whenever there was progress.
    ///
    /// More bytes than `size`, or an end before them, is an error. The content isn't checked here.
    pub async fn stream_blob(
        &self,
        digest: &Digest,
        size: u64,
        sink: &mpsc::Sender<Bytes>,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), Failed> {
        let url = self.url("blobs", digest.as_str());
        let mut received = 0;
        let mut attempts = 1;
        let mut connections = 0;
        let mut began = Instant::now();
        loop {
            connections += 1;
            let before = received;
            let outcome = self.stream_once(&url, size, &mut received, sink, progress).await;
            let error = match outcome {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if received > before {
                attempts = 1;
                began = Instant::now();
            }
            if !error.is_transient() || self.is_enough(attempts, began) || connections >= MOST_CONNECTIONS {
                return Err(Failed { attempts, error });
            }
            tracing::debug!(%url, received, size, attempts, %error, "a layer's download broke and will go on");
            tokio::time::sleep(self.client.backoff(attempts)).await;
            attempts += 1;
        }
    }

    async fn stream_once(
        &self,
        url: &str,
        size: u64,
        received: &mut u64,
        sink: &mpsc::Sender<Bytes>,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), RequestError> {
        let range = match *received {
            0 => None,
            from => Some((header::RANGE, format!("bytes={from}-"))),
        };
        let mut answer = self.send(Method::GET, url, range.as_slice()).await?;
        let mut skip = *received;
        if answer.status() == StatusCode::PARTIAL_CONTENT {
            let from = answer
                .headers()
                .get(header::CONTENT_RANGE)
                .and_then(|v| v.to_str().ok())
                .and_then(range_start);
            if from != Some(*received) {
                return Err(RequestError::Protocol {
                    url: url.to_owned(),
                    reason: format!("asked for bytes from {received}, got from {from:?}"),
                });
            }
            skip = 0;
        }
        while let Some(mut chunk) = answer.chunk().await.map_err(|e| transport::failed("GET", url, e))? {
            if skip > 0 {
                let known = skip.min(chunk.len() as u64);
                skip -= known;
                chunk = chunk.slice(known as usize..);
            }
            if chunk.is_empty() {
                continue;
            }
            if *received + chunk.len() as u64 > size {
                return Err(RequestError::TooLarge { url: url.to_owned(), limit: size });
            }
            let length = chunk.len() as u64;
            sink.send(chunk).await.map_err(|_| RequestError::Canceled)?;
            *received += length;
            progress(*received);
        }
        match *received == size {
            true => Ok(()),
            false => {
                Err(RequestError::Truncated { url: url.to_owned(), received: *received, expected: size })
            }
        }
    }
}

/// `bytes 100-199/200` → 100.
fn range_start(text: &str) -> Option<u64> {
    text.trim().strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}
