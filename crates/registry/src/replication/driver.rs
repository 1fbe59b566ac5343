//! Brings what is on its way to where it belongs, again and again until it is there or is refused for good.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream};

use super::peer::{Peer, PushError};
use crate::{
    Shared,
    digest::Digest,
    name::Tag,
    state::{
        command::Replicated,
        entities::{RepositoryKey, Scope},
        index::Repository,
    },
};

/// Images on their way at a time.
const AT_A_TIME: usize = 4;
/// The wait after a first failure; doubled after each further one.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// How often it is looked at without being woken.
const LOOK: Duration = Duration::from_secs(5);

/// An image that must come to a registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Job {
    key: RepositoryKey,
    digest: Digest,
    to: Scope,
}

/// How often one has failed, and when it is tried again.
type Waits = HashMap<Job, (u32, Instant)>;

pub(crate) async fn keep_replicating(shared: &Arc<Shared>) {
    let mut waits = Waits::new();
    loop {
        let jobs = jobs(shared);
        waits.retain(|job, _| jobs.contains(job));
        let due = jobs.into_iter().filter(|job| waits.get(job).is_none_or(|(_, at)| *at <= Instant::now()));
        let due: Vec<Job> = due.collect();
        let done = stream::iter(due).map(|job| async move { (bring(shared, &job).await, job) });
        let mut done = std::pin::pin!(done.buffer_unordered(AT_A_TIME));
        while let Some((outcome, job)) = done.next().await {
            match outcome {
                Ok(()) => drop(waits.remove(&job)),
                Err(error) => {
                    let failures = waits.get(&job).map_or(0, |(failures, _)| *failures) + 1;
                    let wait = FIRST_WAIT.saturating_mul(1 << (failures - 1).min(16)).min(LONGEST_WAIT);
                    tracing::warn!(repository = %job.key.name, to = %job.to, %error, failures, "an image is not replicated yet");
                    waits.insert(job, (failures, Instant::now() + wait));
                }
            }
        }
        let _ = tokio::time::timeout(LOOK, shared.replicating.notified()).await;
    }
}

fn jobs(shared: &Shared) -> Vec<Job> {
    let index = shared.writer.index();
    let jobs = index.replicating().flat_map(|(key, digest)| {
        let record = index.repository(key).and_then(|repository| repository.manifests.get(digest));
        let pending =
            record.into_iter().flat_map(|record| &record.replicated).filter(|(_, r)| r.pending.is_some());
        pending.filter_map(|(place, _)| {
            Some(Job { key: key.clone(), digest: digest.clone(), to: Scope::of_place(place)? })
        })
    });
    jobs.collect()
}

/// Brings one; what was refused for good counts as done, and is noted.
async fn bring(shared: &Arc<Shared>, job: &Job) -> Result<(), String> {
    let index = shared.writer.index();
    let Some(repository) = index.repository(&job.key).cloned() else { return Ok(()) };
    let pending = repository.manifests.get(&job.digest).and_then(|r| r.replicated.get(&job.to.to_string()));
    let Some(tags) = pending.and_then(|replica| replica.pending.clone()) else { return Ok(()) };
    let failure = match push(shared, job, &repository, &tags).await {
        Ok(()) => None,
        Err(PushError::Refused { code, why }) => {
            tracing::error!(repository = %job.key.name, to = %job.to, code, why, "an image can't be replicated");
            Some(code.to_owned())
        }
        Err(PushError::Passing(why)) => return Err(why),
    };
    let (key, digest, to) = (job.key.clone(), job.digest.clone(), job.to.clone());
    let noted = shared.writer.submit(Replicated { key, digest, to, tags, failure }).await;
    noted.map_err(|error| error.to_string())
}

async fn push(shared: &Shared, job: &Job, repository: &Repository, tags: &[Tag]) -> Result<(), PushError> {
    let unknown =
        || PushError::Refused { code: "InvalidPeer", why: format!("no peer is known for {}", job.to) };
    let config = shared.peers.find(&job.to).map_err(|error| PushError::Passing(error.to_string()))?;
    let config = config.ok_or_else(unknown)?;
    let peer = Peer::enter(&config, &job.key, shared.now_ms()).await?;
    let digest = &job.digest;
    image(shared, &peer, repository, digest, digest.as_str()).await?;
    for tag in tags {
        image(shared, &peer, repository, digest, tag.as_str()).await?;
    }
    Ok(())
}

/// What a manifest needs, and then itself.
fn image<'a>(
    shared: &'a Shared,
    peer: &'a Peer<'_>,
    repository: &'a Repository,
    digest: &'a Digest,
    reference: &'a str,
) -> BoxFuture<'a, Result<(), PushError>> {
    async move {
        let Some(record) = repository.manifests.get(digest) else { return Ok(()) };
        for needed in &record.references {
            if record.is_index {
                image(shared, peer, repository, needed, needed.as_str()).await?;
            } else if let Some(blob) = repository.blobs.get(needed) {
                peer.blob(shared, needed, blob.size).await?;
            }
        }
        let bytes = shared.blobs.read_all(digest).await;
        let bytes = bytes.map_err(|error| PushError::Passing(error.to_string()))?;
        peer.manifest(reference, &record.media_type, bytes).await
    }
    .boxed()
}
