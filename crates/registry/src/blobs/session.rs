//! One upload's file. Its length is the offset; hash, offset and file move together.

use std::{
    fs, io,
    io::{Seek, Write},
    path::PathBuf,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use super::{
    storage::{BlobError, Staged, hash_file},
    upload::{Expected, Held, UploadError},
};
use crate::{
    digest::{Algorithm, Digest, Hasher},
    name::RepositoryName,
    state::entities::Scope,
};

/// Bytes gathered before they are hashed and written. With the reader's frame, the memory of one upload.
const WRITE_CHUNK: usize = 512 * 1024;
/// A client that sends nothing for so long is gone, or as good as.
const FRAME_TIME: Duration = Duration::from_secs(60);

/// What `session.json` holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Owner {
    pub scope: Scope,
    pub repository: RepositoryName,
    /// The algorithm the client announced (`digest-algorithm`).
    pub algorithm: String,
}

#[derive(Debug)]
pub(super) struct Session {
    dir: PathBuf,
    file: fs::File,
    pub offset: u64,
    /// None: must be made from the file.
    hasher: Option<Hasher>,
    /// Ended or cancelled: whoever still waits for it finds nothing.
    pub closed: bool,
}

pub(super) fn create_session(
    dir: PathBuf,
    owner: &Owner,
    algorithm: Algorithm,
) -> Result<Session, UploadError> {
    fs::create_dir(&dir).map_err(BlobError::file("create", &dir))?;
    let about = dir.join("session.json");
    let json =
        serde_json::to_vec(owner).map_err(io::Error::from).map_err(BlobError::file("describe", &about))?;
    fs::write(&about, json).map_err(BlobError::file("write", &about))?;
    let data = dir.join("data");
    let file = fs::File::create_new(&data).map_err(BlobError::file("create", &data))?;
    Ok(Session { dir, file, offset: 0, hasher: Some(Hasher::new(algorithm)), closed: false })
}

pub(super) fn resume_session(dir: PathBuf) -> Result<(Owner, Session), UploadError> {
    let about = fs::read(dir.join("session.json")).map_err(|_| UploadError::Unknown)?;
    let owner = serde_json::from_slice(&about).map_err(|_| UploadError::Unknown)?;
    let data = dir.join("data");
    let mut file =
        fs::OpenOptions::new().read(true).write(true).open(&data).map_err(|_| UploadError::Unknown)?;
    let offset = file.seek(io::SeekFrom::End(0)).map_err(BlobError::file("seek in", &data))?;
    let session = Session { dir, file, offset, hasher: None, closed: false };
    Ok((owner, session))
}

impl Session {
    pub fn is_open(&self) -> Result<(), UploadError> {
        // Found before another request ended it, locked after.
        if self.closed { Err(UploadError::Unknown) } else { Ok(()) }
    }

    pub async fn append<S>(&mut self, mut body: S, expected: Expected) -> Result<u64, UploadError>
    where
        S: Stream<Item = Result<Bytes, axum::Error>> + Unpin,
    {
        let begin = self.offset;
        if let Some(first) = expected.first
            && first != begin
        {
            return Err(UploadError::OutOfOrder { offset: begin, first });
        }
        let before = self.hasher.clone();
        let taken = self.take(&mut body).await;
        let came = self.offset - begin;
        let outcome = match (taken, expected.length) {
            (Err(error), _) => Err(error),
            (Ok(()), Some(said)) if said != came => Err(UploadError::WrongLength { said, came }),
            (Ok(()), _) => return Ok(self.offset),
        };
        // A chunk with a range is taken whole or not at all, so that its client can send it again.
        if expected.first.is_some() {
            self.offset = begin;
            self.hasher = before;
        }
        // What a failed write left beyond the offset goes too.
        let length = self.offset;
        let path = self.dir.join("data");
        self.file
            .set_len(length)
            .and_then(|()| self.file.seek(io::SeekFrom::Start(length)).map(|_| ()))
            .map_err(BlobError::file("shorten", &path))?;
        outcome
    }

    /// Takes the body up to its end, gathered into chunks.
    async fn take<S>(&mut self, body: &mut S) -> Result<(), UploadError>
    where
        S: Stream<Item = Result<Bytes, axum::Error>> + Unpin,
    {
        let mut frames: Vec<Bytes> = Vec::new();
        let mut gathered = 0;
        loop {
            let frame = match tokio::time::timeout(FRAME_TIME, body.next()).await {
                Ok(frame) => frame,
                Err(_) => Some(Err(axum::Error::new(io::Error::from(io::ErrorKind::TimedOut)))),
            };
            let (ended, failed) = match frame {
                Some(Ok(bytes)) => {
                    gathered += bytes.len();
                    frames.push(bytes);
                    (false, None)
                }
                Some(Err(error)) => (true, Some(error)),
                None => (true, None),
            };
            if gathered >= WRITE_CHUNK || (ended && gathered > 0) {
                self.write(std::mem::take(&mut frames), gathered as u64).await?;
                gathered = 0;
            }
            match failed {
                Some(error) => return Err(UploadError::Body(error)),
                None if ended => return Ok(()),
                None => {}
            }
        }
    }

    /// Hashes and writes, away from the async threads.
    async fn write(&mut self, frames: Vec<Bytes>, length: u64) -> Result<(), UploadError> {
        let path = self.dir.join("data");
        let mut file = self.file.try_clone().map_err(BlobError::file("open", &path))?;
        let hasher = self.hasher.take();
        let hasher = spawn_blocking(move || {
            let mut hasher = hasher;
            for frame in frames {
                file.write_all(&frame).map_err(BlobError::file("write", &path))?;
                if let Some(h) = &mut hasher {
                    h.update(&frame);
                }
            }
            Ok::<_, BlobError>(hasher)
        })
        .await??;
        self.hasher = hasher;
        self.offset += length;
        Ok(())
    }

    /// Verifies, syncs, and moves the bytes out of the session. Blocks.
    pub fn finish(&mut self, said: Digest, target: PathBuf) -> Result<(Staged, u64), UploadError> {
        let outcome = self.verify(said).and_then(|digest| {
            let data = self.dir.join("data");
            self.file
                .sync_data()
                .and_then(|()| fs::rename(&data, &target))
                .map_err(BlobError::file("keep", &data))?;
            Ok((Staged::new(target, digest), self.offset))
        });
        self.discard();
        outcome
    }

    /// The same, but the bytes stay where they are, and with them what can be gone on with after a crash. Blocks.
    pub fn finish_in_place(&mut self, said: Digest, mut held: Held) -> Result<(Staged, u64), UploadError> {
        let data = self.dir.join("data");
        let digest = self.verify(said)?;
        // The disk's fault, not the client's: it may try again.
        self.file.sync_data().map_err(BlobError::file("sync", &data)).inspect_err(|_| held.keep())?;
        Ok((Staged::held(data, digest, held), self.offset))
    }

    fn verify(&mut self, said: Digest) -> Result<Digest, UploadError> {
        let ready = self.hasher.take().filter(|h| h.algorithm() == said.algorithm());
        let actual = match ready {
            Some(hasher) => hasher.finish(),
            None => hash_file(&self.dir.join("data"), said.algorithm())?.0,
        };
        if actual == said { Ok(said) } else { Err(UploadError::DigestMismatch { said, actual }) }
    }

    /// Removes the session's directory. Blocks.
    pub fn discard(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.dir) {
            tracing::warn!(dir = %self.dir.display(), %error, "an ended upload stays until a later start");
        }
    }
}
