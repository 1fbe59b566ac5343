//! Uploads: `uploads/<uuid>/{session.json,data}`. The file is the truth: its length is the offset, so a
//! session survives a crash, and its hash is made anew when it is taken up again.

use std::{
    collections::HashMap,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use futures_util::Stream;
use tokio::{sync::Mutex as AsyncMutex, task::spawn_blocking};
use uuid::Uuid;

use super::{
    bucket::is_note,
    session::{Owner, Session, create_session, resume_session},
    storage::{BlobError, Staged},
};
use crate::{
    digest::{Algorithm, Digest},
    state::entities::RepositoryKey,
};

/// An upload nobody touched for so long is removed.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// The same when there are as many uploads as there may be: who lets thousands lie loses them first.
const STALE_WHEN_FULL: Duration = Duration::from_secs(600);

#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    #[error("there is no such upload")]
    Unknown,
    #[error("the upload is at byte {offset}, the chunk begins at {first}")]
    OutOfOrder { offset: u64, first: u64 },
    #[error("the request said {said} bytes, {came} came")]
    WrongLength { said: u64, came: u64 },
    /// The client went away or broke the framing.
    #[error("the request's body ended early")]
    Body(#[source] axum::Error),
    #[error("the upload's bytes have the digest '{actual}', not '{said}'")]
    DigestMismatch { said: Digest, actual: Digest },
    #[error(transparent)]
    Storage(#[from] BlobError),
    #[error("there are {0} uploads under way, as many as there may be; end or cancel some")]
    TooMany(usize),
    #[error("the upload's task ended")]
    Task(#[from] tokio::task::JoinError),
}

/// How the bytes of one request are to be taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected {
    /// Where the chunk begins, when the client says so. Then it is taken whole or not at all.
    pub first: Option<u64>,
    /// How many bytes the client announced.
    pub length: Option<u64>,
}

type Shared = Arc<AsyncMutex<Session>>;
type Sessions = Arc<Mutex<HashMap<Uuid, Open>>>;

/// An upload that a request may go on with.
#[derive(Clone, Debug)]
struct Open {
    owner: RepositoryKey,
    session: Shared,
    /// When a request last asked for it.
    touched: Instant,
}

/// Every upload under way.
#[derive(Clone, Debug)]
pub struct Uploads {
    root: PathBuf,
    most: usize,
    /// What is finished stays in its session until it is stored ([`super::storage::BlobStorage::takes_long`]).
    in_place: bool,
    sessions: Sessions,
}

/// A finished upload whose bytes are still to be brought elsewhere: meanwhile nobody else goes on with it. Dropped, it
/// is removed.
#[derive(Debug)]
pub struct Held {
    id: Uuid,
    dir: PathBuf,
    sessions: Sessions,
    keeps: bool,
}

impl Held {
    /// Leaves it as an upload that its client may finish once more.
    pub fn keep(&mut self) {
        self.keeps = true;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.keeps
            && let Err(error) = fs::remove_dir_all(&self.dir)
        {
            tracing::warn!(dir = %self.dir.display(), %error, "an ended upload stays until a later start");
        }
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl Uploads {
    /// Opens `<data_dir>/uploads`, where at most `most` may be under way, and removes what was left there
    /// long ago. Blocks.
    pub fn open(data_dir: &Path, most: usize, in_place: bool) -> Result<Self, BlobError> {
        let root = data_dir.join("uploads");
        fs::create_dir_all(&root).map_err(BlobError::file("create", &root))?;
        let entries = fs::read_dir(&root).map_err(BlobError::file("list", &root))?;
        for entry in entries {
            let path = entry.map_err(BlobError::file("list", &root))?.path();
            if is_left_over(&path) {
                let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
            }
        }
        Ok(Self { root, most, in_place, sessions: Arc::default() })
    }

    /// Removes the uploads that nobody has touched for a day; gives how many. One in use is left.
    pub async fn expire(&self) -> Result<usize, UploadError> {
        let expired = self.expire_older(STALE).await?;
        // Those of an earlier process that no request has asked for since.
        let (root, sessions) = (self.root.clone(), self.sessions.clone());
        let forgotten = spawn_blocking(move || {
            let mut removed = 0;
            for entry in fs::read_dir(&root).map_err(BlobError::file("list", &root))?.flatten() {
                let id = entry.file_name().to_str().and_then(|name| name.parse::<Uuid>().ok());
                let known = |id| sessions.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&id);
                if id.is_some_and(|id| !known(id)) && is_stale(&entry.path()) {
                    removed += usize::from(fs::remove_dir_all(entry.path()).is_ok());
                }
            }
            Ok::<_, BlobError>(removed)
        });
        Ok(expired + forgotten.await??)
    }

    async fn expire_older(&self, than: Duration) -> Result<usize, UploadError> {
        let stale: Vec<(Uuid, Shared)> = self
            .sessions()
            .iter()
            .filter(|(_, open)| open.touched.elapsed() >= than)
            .map(|(id, open)| (*id, open.session.clone()))
            .collect();
        let mut expired = 0;
        for (id, session) in stale {
            let Ok(mut session) = session.try_lock_owned() else { continue };
            if !session.closed {
                session.closed = true;
                spawn_blocking(move || session.discard()).await?;
                expired += 1;
            }
            self.sessions().remove(&id);
        }
        Ok(expired)
    }

    async fn admit(&self) -> Result<(), UploadError> {
        if self.sessions().len() < self.most {
            return Ok(());
        }
        match self.expire_older(STALE_WHEN_FULL).await? {
            0 => Err(UploadError::TooMany(self.most)),
            _ => Ok(()),
        }
    }

    /// Begins an upload into a repository.
    pub async fn begin(&self, key: &RepositoryKey, algorithm: Algorithm) -> Result<Uuid, UploadError> {
        self.admit().await?;
        let id = Uuid::new_v4();
        let dir = self.root.join(id.to_string());
        let owner = Owner {
            scope: key.scope.clone(),
            repository: key.name.clone(),
            algorithm: algorithm.as_str().to_owned(),
        };
        let session = spawn_blocking(move || create_session(dir, &owner, algorithm)).await??;
        let session = Arc::new(AsyncMutex::new(session));
        self.sessions().insert(id, Open { owner: key.clone(), session, touched: Instant::now() });
        Ok(id)
    }

    /// How many bytes the upload has.
    pub async fn offset(&self, key: &RepositoryKey, id: Uuid) -> Result<u64, UploadError> {
        let session = self.find(key, id).await?;
        let session = session.lock().await;
        session.is_open()?;
        Ok(session.offset)
    }

    /// Appends a body; gives the new offset. Runs to its end even when the caller is dropped, so that file,
    /// offset and hash stay in step.
    pub async fn append<S>(
        &self,
        key: &RepositoryKey,
        id: Uuid,
        body: S,
        expected: Expected,
    ) -> Result<u64, UploadError>
    where
        S: Stream<Item = Result<Bytes, axum::Error>> + Send + Unpin + 'static,
    {
        let session = self.find(key, id).await?;
        tokio::spawn(async move {
            let mut session = session.lock_owned().await;
            session.is_open()?;
            session.append(body, expected).await
        })
        .await?
    }

    /// Ends the upload: its bytes must have this digest. On a mismatch nothing is kept.
    pub async fn finish(
        &self,
        key: &RepositoryKey,
        id: Uuid,
        said: Digest,
    ) -> Result<(Staged, u64), UploadError> {
        let session = self.find(key, id).await?;
        let mut session = session.lock_owned().await;
        session.is_open()?;
        session.closed = true;
        if self.in_place {
            let (dir, sessions) = (self.root.join(id.to_string()), self.sessions.clone());
            let held = Held { id, dir, sessions, keeps: false };
            return spawn_blocking(move || session.finish_in_place(said, held)).await?;
        }
        let staged = self.root.join(format!("{id}.blob"));
        let outcome = spawn_blocking(move || session.finish(said, staged)).await?;
        self.sessions().remove(&id);
        outcome
    }

    /// Cancels the upload.
    pub async fn cancel(&self, key: &RepositoryKey, id: Uuid) -> Result<(), UploadError> {
        let session = self.find(key, id).await?;
        let mut session = session.lock_owned().await;
        session.is_open()?;
        session.closed = true;
        spawn_blocking(move || session.discard()).await?;
        self.sessions().remove(&id);
        Ok(())
    }

    /// Stages bytes that are in memory already (manifests). Their digest is taken as given.
    pub async fn stage(&self, bytes: Bytes, digest: Digest) -> Result<Staged, UploadError> {
        let path = self.root.join(format!("{}.blob", Uuid::new_v4()));
        Ok(spawn_blocking(move || {
            let mut file = fs::File::create_new(&path).map_err(BlobError::file("create", &path))?;
            file.write_all(&bytes)
                .and_then(|()| file.sync_data())
                .map_err(BlobError::file("write", &path))?;
            Ok::<_, BlobError>(Staged::new(path, digest))
        })
        .await??)
    }

    /// A new file for bytes that no client sends, to be read and to be written. The next start removes it.
    pub fn scratch(&self) -> (PathBuf, io::Result<(fs::File, fs::File)>) {
        let path = self.root.join(format!("{}.blob", Uuid::new_v4()));
        let opened = fs::File::create_new(&path).and_then(|writer| Ok((fs::File::open(&path)?, writer)));
        (path, opened)
    }

    /// Such a file, which is to hold the bytes of `digest`; dropped, it is removed.
    pub fn staged(&self, path: PathBuf, digest: Digest) -> Staged {
        Staged::new(path, digest)
    }

    fn sessions(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Open>> {
        // No holder of this lock can panic half way.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session of this repository, from memory or, after a restart, from disk.
    async fn find(&self, key: &RepositoryKey, id: Uuid) -> Result<Shared, UploadError> {
        if let Some(open) = self.sessions().get_mut(&id) {
            if open.owner != *key {
                return Err(UploadError::Unknown);
            }
            open.touched = Instant::now();
            return Ok(open.session.clone());
        }
        let dir = self.root.join(id.to_string());
        let (owner, session) = spawn_blocking(move || resume_session(dir)).await??;
        let owner = RepositoryKey { scope: owner.scope, name: owner.repository };
        if owner != *key {
            return Err(UploadError::Unknown);
        }
        let mut sessions = self.sessions();
        // Two requests may have read it at once: the first one's session is everybody's.
        let new = || Open { owner, session: Arc::new(AsyncMutex::new(session)), touched: Instant::now() };
        Ok(sessions.entry(id).or_insert_with(new).session.clone())
    }
}

/// At a start: a staged blob belongs to a request of a process that is gone, and without a file of bytes nobody can go on.
fn is_left_over(path: &Path) -> bool {
    // What it tells of is to be given up first.
    if is_note(path) {
        return false;
    }
    path.extension().is_some_and(|e| e == "blob") || !path.join("data").exists() || is_stale(path)
}

/// Whether nobody has touched the upload for long. One that is just being made has no file of bytes yet.
fn is_stale(path: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|about| about.modified());
    let touched = modified(&path.join("data")).or_else(|_| modified(path));
    touched.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > STALE))
}
