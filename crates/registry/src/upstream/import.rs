//! Storing an image from upstream: its blobs, then its manifests, those of an index before the index, and the tag last.
//! What fails leaves blobs that the collector takes, unless the next pull does.

use std::sync::Arc;

use futures_util::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};

use super::{
    client::{RemoteManifest, UpstreamError},
    rule::Source,
};
use crate::{
    Shared,
    manifest::Manifest,
    name::{Reference, Tag},
    shared::PutManifestError,
    state::{
        command::{CheckedUpstream, Needed, Origin, PULL_THROUGH_CACHE, Refusal},
        entities::RepositoryKey,
        writer::WriteError,
    },
};

/// Blobs of one image under way at a time.
const BLOBS_AT_A_TIME: usize = 3;
/// An index may hold indexes; nobody's holds them deeper.
const DEEPEST: usize = 4;

/// Fetches a manifest. There being one, its repository is made where it isn't here.
pub(super) async fn fetch(
    shared: &Arc<Shared>,
    key: &RepositoryKey,
    source: &Source,
    reference: &Reference,
) -> Result<Arc<RemoteManifest>, UpstreamError> {
    let manifest = shared.cache.remote(source)?.manifest(reference).await?;
    if let Err(why) = Manifest::parse(&manifest.bytes, manifest.media_type.as_deref()) {
        let (url, why) = (source.base.clone(), format!("it gave a manifest that is none: {why}"));
        return Err(UpstreamError::Unavailable { url, why });
    }
    shared.create_for(key, PULL_THROUGH_CACHE, true).await.map_err(|error| not_stored(source, &error))?;
    Ok(Arc::new(manifest))
}

/// Stores the image whose manifest has been fetched; what goes wrong is for the log.
pub(super) async fn import(
    shared: &Arc<Shared>,
    key: &RepositoryKey,
    source: &Source,
    reference: &Reference,
    manifest: &RemoteManifest,
) {
    let tag = match reference {
        Reference::Tag(tag) => Some(tag.clone()),
        Reference::Digest(_) => None,
    };
    if let Some(tag) = &tag {
        let is_here = shared.writer.index().repository(key).is_some_and(|repository| {
            repository.tags.get(tag).is_some_and(|record| record.digest == manifest.digest)
        });
        if is_here {
            let (key, tag, now_ms) = (key.clone(), tag.clone(), shared.now_ms());
            let checked = shared.writer.submit(CheckedUpstream { key, tag, now_ms }).await;
            return checked.unwrap_or_else(|error| tracing::warn!(%error, "a look upstream was not noted"));
        }
    }
    if let Err(error) = store(shared, key, source, manifest, tag, 0).await {
        tracing::warn!(repository = %key.name, %reference, %error, "an image from upstream is not cached");
    }
}

fn store<'a>(
    shared: &'a Arc<Shared>,
    key: &'a RepositoryKey,
    source: &'a Source,
    fetched: &'a RemoteManifest,
    tag: Option<Tag>,
    depth: usize,
) -> BoxFuture<'a, Result<(), UpstreamError>> {
    async move {
        let url = source.base.clone();
        let broken = |why: String| UpstreamError::Unavailable { url: url.clone(), why };
        let parsed = Manifest::parse(&fetched.bytes, fetched.media_type.as_deref());
        let manifest = parsed.map_err(|error| broken(error.to_string()))?;
        if depth > DEEPEST {
            return Err(broken("its indexes lie too deep in each other".to_owned()));
        }
        let index = shared.writer.index();
        let here = index.repository(key);
        let is_missing = |need: &&Needed| match (here, need.is_manifest) {
            (None, _) => true,
            (Some(here), true) => !here.manifests.contains_key(&need.digest),
            (Some(here), false) => !here.blobs.contains_key(&need.digest),
        };
        let missing: Vec<Needed> = manifest.needs.iter().filter(is_missing).cloned().collect();
        let (members, blobs): (Vec<Needed>, Vec<Needed>) = missing.into_iter().partition(|n| n.is_manifest);
        let flights =
            stream::iter(blobs).map(|need| shared.cache.blob(shared, key, source, &need.digest).landed());
        flights.buffer_unordered(BLOBS_AT_A_TIME).try_collect::<Vec<u64>>().await?;
        for member in members {
            let reference = Reference::Digest(member.digest);
            let member = shared.cache.remote(source)?.manifest(&reference).await?;
            store(shared, key, source, &member, None, depth + 1).await?;
        }
        let (digest, bytes) = (fetched.digest.clone(), fetched.bytes.clone());
        let tags: Vec<Tag> = tag.into_iter().collect();
        let put =
            shared.put_manifest_from(key.clone(), manifest, digest, bytes, tags, Origin::Upstream).await;
        match put {
            // The repository's own rule: the tag stays where it is.
            Err(PutManifestError::Write(WriteError::Refused(Refusal::TagImmutable { .. }))) | Ok(_) => Ok(()),
            Err(error) => Err(not_stored(source, &error)),
        }
    }
    .boxed()
}

fn not_stored(source: &Source, error: &(dyn std::error::Error + 'static)) -> UpstreamError {
    let causes: Vec<String> =
        std::iter::successors(Some(error), |e| e.source()).map(ToString::to_string).collect();
    tracing::error!(
        upstream = source.base,
        error = causes.join(": "),
        "what came from upstream could not be stored"
    );
    UpstreamError::Storing(source.base.clone())
}
