//! What is being fetched, once for all who ask for it meanwhile.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared as SharedFuture},
};
use tokio::sync::oneshot;

use super::{
    client::{Client, Remote, RemoteManifest, UpstreamError},
    credentials::Secrets,
    flight::Flight,
    import,
    rule::Source,
};
use crate::{Shared, digest::Digest, name::Reference, state::entities::RepositoryKey};

/// A registry that wasn't there isn't asked for news of a tag that is cached for so long.
const LEFT_ALONE: Duration = Duration::from_secs(30);

type Answer = Result<Arc<RemoteManifest>, UpstreamError>;

#[derive(Debug)]
pub(crate) struct Cache {
    client: Client,
    secrets: Secrets,
    imports: UnderWay<(RepositoryKey, String), SharedFuture<BoxFuture<'static, Answer>>>,
    flights: UnderWay<(RepositoryKey, Digest), Flight>,
    /// When registries were found away.
    away: Mutex<HashMap<String, Instant>>,
}

impl Cache {
    pub fn new(secrets: Secrets) -> Self {
        Self {
            client: Client::default(),
            secrets,
            imports: UnderWay::default(),
            flights: UnderWay::default(),
            away: Mutex::default(),
        }
    }

    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// A repository upstream, with what it wants to be told.
    pub fn remote(&self, source: &Source) -> Result<Remote<'_>, UpstreamError> {
        let credentials = source.credential.as_deref().map(|arn| self.secrets.find(arn)).transpose()?;
        Ok(self.client.remote(&source.base, &source.repository, credentials))
    }

    /// What a tag or a digest means upstream. The image is imported meanwhile, and after.
    pub async fn manifest(
        &self,
        shared: &Arc<Shared>,
        key: &RepositoryKey,
        source: &Source,
        reference: &Reference,
    ) -> Answer {
        let id = (key.clone(), reference.to_string());
        let begin = || {
            let (shared, id) = (shared.clone(), id.clone());
            let (key, source, reference) = (key.clone(), source.clone(), reference.clone());
            let (sender, answer) = oneshot::channel();
            let gone = UpstreamError::Storing(source.base.clone());
            tokio::spawn(async move {
                let fetched = import::fetch(&shared, &key, &source, &reference).await;
                let _ = sender.send(fetched.clone());
                if let Ok(manifest) = fetched {
                    import::import(&shared, &key, &source, &reference, &manifest).await;
                }
                shared.cache.imports.end(&id);
            });
            answer.map(|answer| answer.unwrap_or(Err(gone))).boxed().shared()
        };
        let answer = self.imports.join(&id, begin).await;
        if matches!(answer, Err(UpstreamError::Unavailable { .. })) {
            self.away().insert(source.base.clone(), Instant::now());
        }
        answer
    }

    /// Whether there is hope to be told of news.
    pub fn may_ask(&self, source: &Source) -> bool {
        let mut away = self.away();
        away.retain(|_, since| since.elapsed() < LEFT_ALONE);
        !away.contains_key(&source.base)
    }

    /// A blob on its way here; its repository must be here.
    pub fn blob(
        &self,
        shared: &Arc<Shared>,
        key: &RepositoryKey,
        source: &Source,
        digest: &Digest,
    ) -> Flight {
        let id = (key.clone(), digest.clone());
        self.flights.join(&id, || {
            let (over, ended) = (shared.clone(), id.clone());
            Flight::begin(shared.clone(), key.clone(), source.clone(), digest.clone(), move || {
                over.cache.flights.end(&ended);
            })
        })
    }

    fn away(&self) -> MutexGuard<'_, HashMap<String, Instant>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is under way, by what it is for.
#[derive(Debug)]
struct UnderWay<K, V>(Mutex<HashMap<K, V>>);

impl<K, V> Default for UnderWay<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash, V: Clone> UnderWay<K, V> {
    fn join(&self, key: &K, begin: impl FnOnce() -> V) -> V {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()).or_insert_with(begin).clone()
    }

    fn end(&self, key: &K) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}
