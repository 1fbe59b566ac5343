//! One blob on its way from upstream: written to a file, and read from there by everybody who asked for it meanwhile.
//!
//! Readers get a byte only after the one behind it has come, and the last ones after the digest has been verified: who
//! was given a whole blob was given the right one.

use std::{fs, io, os::unix::fs::FileExt, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::{sync::watch, task::spawn_blocking};

use super::{
    client::{Remote, UpstreamError, failed},
    rule::Source,
};
use crate::{
    Shared,
    digest::{Digest, Hasher},
    state::{command::LinkBlob, entities::RepositoryKey},
};

/// Bytes gathered before they are hashed and written, and read at a time.
const CHUNK: usize = 512 * 1024;
/// How often a broken download is gone on with.
const ATTEMPTS: u32 = 5;

#[derive(Clone, Debug)]
pub(crate) struct Flight {
    /// `None` where there is no file to be written to: then the state says so.
    file: Option<Arc<fs::File>>,
    state: watch::Receiver<State>,
}

#[derive(Clone, Debug)]
enum State {
    /// Upstream hasn't answered yet.
    Asked,
    /// So many bytes may be read, of as many as upstream said.
    Coming {
        readable: u64,
        size: Option<u64>,
    },
    /// It is stored, and has so many bytes.
    Stored(u64),
    Failed(UpstreamError),
}

impl Flight {
    /// Begins it. `over` is called when it has ended, one way or the other.
    pub fn begin(
        shared: Arc<Shared>,
        key: RepositoryKey,
        source: Source,
        digest: Digest,
        over: impl FnOnce() + Send + 'static,
    ) -> Self {
        let (sender, state) = watch::channel(State::Asked);
        let (path, file) = shared.uploads.scratch();
        let (reader, writer) = match file {
            Ok((reader, writer)) => (Some(Arc::new(reader)), Some(writer)),
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "a blob from upstream can't be stored");
                (None, None)
            }
        };
        tokio::spawn(async move {
            let flown = match writer {
                Some(writer) => {
                    Landing { shared: &shared, sender: &sender, path, writer }.fly(key, &source, digest).await
                }
                None => Err(UpstreamError::Storing(source.base.clone())),
            };
            // Whoever asks from now on must not be led here.
            over();
            sender.send_replace(match flown {
                Ok(size) => State::Stored(size),
                Err(error) => State::Failed(error),
            });
        });
        Self { file: reader, state }
    }

    /// Waits until it is stored; how many bytes it has.
    pub async fn landed(mut self) -> Result<u64, UpstreamError> {
        loop {
            match self.state.borrow_and_update().clone() {
                State::Stored(size) => return Ok(size),
                State::Failed(error) => return Err(error),
                State::Asked | State::Coming { .. } => {}
            }
            self.changed().await?;
        }
    }

    /// Waits until upstream has answered; how many bytes it says there are.
    pub async fn size(&mut self) -> Result<Option<u64>, UpstreamError> {
        loop {
            match self.state.borrow_and_update().clone() {
                State::Stored(size) => return Ok(Some(size)),
                State::Coming { size, .. } => return Ok(size),
                State::Failed(error) => return Err(error),
                State::Asked => {}
            }
            self.changed().await?;
        }
    }

    /// The bytes, as they come.
    pub fn bytes(self) -> impl Stream<Item = io::Result<Bytes>> + Send {
        stream::try_unfold((self, 0), |(mut flight, at)| async move {
            Ok(flight.next(at).await?.map(|bytes| {
                let next = at + bytes.len() as u64;
                (bytes, (flight, next))
            }))
        })
    }

    async fn next(&mut self, at: u64) -> io::Result<Option<Bytes>> {
        loop {
            let readable = match self.state.borrow_and_update().clone() {
                State::Asked => 0,
                State::Coming { readable, .. } => readable,
                State::Stored(size) if size == at => return Ok(None),
                State::Stored(size) => size,
                State::Failed(error) => return Err(io::Error::other(error)),
            };
            if let (true, Some(file)) = (readable > at, self.file.clone()) {
                let length = usize::try_from(readable - at).unwrap_or(CHUNK).min(CHUNK);
                let read = move || {
                    let mut bytes = vec![0; length];
                    file.read_exact_at(&mut bytes, at).map(|()| Bytes::from(bytes))
                };
                return spawn_blocking(read).await.map_err(io::Error::other)?.map(Some);
            }
            self.changed().await.map_err(io::Error::other)?;
        }
    }

    async fn changed(&mut self) -> Result<(), UpstreamError> {
        let changed = self.state.changed().await;
        changed.map_err(|_| UpstreamError::Storing("the upstream registry".to_owned()))
    }
}

/// What a download needs.
struct Landing<'a> {
    shared: &'a Shared,
    sender: &'a watch::Sender<State>,
    path: std::path::PathBuf,
    writer: fs::File,
}

impl Landing<'_> {
    async fn fly(
        mut self,
        key: RepositoryKey,
        source: &Source,
        digest: Digest,
    ) -> Result<u64, UpstreamError> {
        // Removed unless it becomes a blob.
        let staged = self.shared.uploads.staged(self.path.clone(), digest.clone());
        let remote = self.shared.cache.remote(source)?;
        let mut got = Got { hasher: Some(Hasher::new(digest.algorithm())), ..Got::default() };
        let mut attempts = 0;
        while let Err(error) = self.download(&remote, &digest, &mut got).await {
            attempts += 1;
            if attempts == ATTEMPTS || !matches!(error, UpstreamError::Unavailable { .. }) {
                return Err(error);
            }
            tracing::debug!(%error, %digest, "a download from upstream is gone on with");
            tokio::time::sleep(std::time::Duration::from_millis(200) * attempts).await;
        }
        let url = remote.url("blobs", digest.as_str());
        if got.hasher.take().map(Hasher::finish).as_ref() != Some(&digest) {
            return Err(UpstreamError::OtherContent { url, digest });
        }
        let size = got.length;
        let stored = async {
            let file = self.writer;
            let synced = spawn_blocking(move || file.sync_data()).await.map_err(io::Error::other).flatten();
            synced.map_err(|error| error.to_string())?;
            let command = LinkBlob { key, digest, size, now_ms: self.shared.now_ms() };
            self.shared.submit_staged(command, staged).await.map_err(|error| error.to_string())
        };
        stored.await.map_err(|error| not_stored(&url, &error))?;
        Ok(size)
    }

    /// Takes the rest of the blob.
    async fn download(
        &mut self,
        remote: &Remote<'_>,
        digest: &Digest,
        got: &mut Got,
    ) -> Result<(), UpstreamError> {
        let url = remote.url("blobs", digest.as_str());
        let answer = remote.blob(digest, got.length).await?;
        got.size = got.size.or(answer.content_length());
        self.sender.send_replace(State::Coming { readable: got.readable, size: got.size });
        let mut frames = answer.bytes_stream();
        let mut gathered = Vec::new();
        loop {
            let frame = frames.next().await.transpose().map_err(|error| failed(&url, &error))?;
            let is_end = frame.is_none();
            gathered.extend(frame);
            let length: usize = gathered.iter().map(Bytes::len).sum();
            if length >= CHUNK || is_end {
                self.write(std::mem::take(&mut gathered), length, got)
                    .await
                    .map_err(|e| not_stored(&url, &e))?;
            }
            if is_end {
                return match got.size.is_some_and(|size| got.length < size) {
                    true => Err(UpstreamError::Unavailable { url, why: "the connection broke".to_owned() }),
                    false => Ok(()),
                };
            }
        }
    }

    async fn write(&mut self, frames: Vec<Bytes>, length: usize, got: &mut Got) -> Result<(), String> {
        let mut file = self.writer.try_clone().map_err(|error| error.to_string())?;
        let mut hasher = got.hasher.take();
        let write = move || {
            for frame in frames {
                io::Write::write_all(&mut file, &frame)?;
                hasher.iter_mut().for_each(|hasher| hasher.update(&frame));
            }
            Ok::<_, io::Error>(hasher)
        };
        let written = spawn_blocking(write).await.map_err(io::Error::other).flatten();
        got.hasher = written.map_err(|error| error.to_string())?;
        // One chunk behind: the last is shown when all is verified.
        got.readable = got.length;
        got.length += length as u64;
        self.sender.send_replace(State::Coming { readable: got.readable, size: got.size });
        Ok(())
    }
}

fn not_stored(url: &str, error: &str) -> UpstreamError {
    tracing::error!(url, error, "a blob from upstream could not be stored");
    UpstreamError::Storing(url.to_owned())
}

/// What has come.
#[derive(Default)]
struct Got {
    hasher: Option<Hasher>,
    /// Bytes written.
    length: u64,
    /// Bytes shown to readers.
    readable: u64,
    /// What upstream said there are in all.
    size: Option<u64>,
}
