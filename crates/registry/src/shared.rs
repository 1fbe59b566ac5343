//! What the OCI and the ECR side have in common: the parts of one open registry.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, header, uri::Authority as HostAndPort};
use tokio::sync::Notify;

use crate::{
    auth::{principals::Principals, request::Authority},
    blobs::{
        storage::{BlobStorage, Staged},
        upload::{UploadError, Uploads},
    },
    clock::Clock,
    digest::Digest,
    expiry::{Previews, Timetable},
    lifecycle::in_use::SharedUse,
    manifest::Manifest,
    name::Tag,
    replication::Peers,
    scan::Reports,
    state::{
        command::{CREATE_ON_PUSH, Command, CreateFor, ManifestPut, Origin, PutManifest, template_for},
        entities::RepositoryKey,
        writer::{WriteError, Writer},
    },
    upstream::Cache,
};

pub(crate) struct Shared {
    pub writer: Writer,
    pub blobs: BlobStorage,
    pub uploads: Uploads,
    pub authority: Authority,
    pub clock: Clock,
    pub advertised_host: String,
    pub scheme: String,
    pub create_on_push: bool,
    pub in_use: SharedUse,
    pub principals: Arc<dyn Principals>,
    pub timetable: Timetable,
    pub previews: Previews,
    pub reports: Reports,
    pub cache: Cache,
    pub peers: Peers,
    /// Told when an image may have to go to another server.
    pub replicating: Notify,
}

/// A manifest could not be put.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PutManifestError {
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error(transparent)]
    Upload(#[from] UploadError),
}

impl From<PutManifestError> for crate::oci::OciError {
    fn from(error: PutManifestError) -> Self {
        match error {
            PutManifestError::Write(e) => e.into(),
            PutManifestError::Upload(e) => e.into(),
        }
    }
}

impl Shared {
    pub fn now_ms(&self) -> u64 {
        (self.clock)()
    }

    /// `http://host:port`, as the client of this request spells it.
    pub fn base_for(&self, headers: &HeaderMap) -> String {
        let host = headers.get(header::HOST).and_then(|h| h.to_str().ok());
        // Only a clean authority goes back into a header: no user, no quotes.
        let host = host
            .filter(|h| h.parse::<HostAndPort>().is_ok())
            .filter(|h| !h.contains(['@', '"', '\\']))
            .unwrap_or(&self.advertised_host);
        format!("{}://{host}", self.scheme)
    }

    /// `http://host:port`, as Longshore advertises itself.
    pub fn base(&self) -> String {
        format!("{}://{}", self.scheme, self.advertised_host)
    }

    /// Makes a repository that somebody pushes to.
    pub async fn create_on_push(&self, key: &RepositoryKey) -> Result<(), WriteError> {
        self.create_for(key, CREATE_ON_PUSH, self.create_on_push).await
    }

    /// Makes a repository that something comes into: by the scenario's template, or without one too.
    pub async fn create_for(
        &self,
        key: &RepositoryKey,
        scenario: &'static str,
        always: bool,
    ) -> Result<(), WriteError> {
        if self.writer.index().repository(key).is_some() {
            return Ok(());
        }
        let command = CreateFor { key: key.clone(), scenario, always, now_ms: self.now_ms() };
        self.writer.submit(command).await?;
        // It may have come with a lifecycle policy.
        self.timetable.wake();
        Ok(())
    }

    /// Whether a push to a repository that isn't there makes it.
    pub fn creates_on_push(&self, key: &RepositoryKey) -> bool {
        let index = self.writer.index();
        self.create_on_push || template_for(&index, &key.scope, &key.name, CREATE_ON_PUSH).is_some()
    }

    /// Runs a command that names a staged blob, after its bytes have been brought to where they will be read from.
    pub async fn submit_staged<C: Command>(
        &self,
        command: C,
        mut staged: Staged,
    ) -> Result<C::Outcome, WriteError> {
        let stored = self.blobs.store(&mut staged).await;
        stored.map_err(|error| WriteError::Blob(Arc::new(error)))?;
        self.writer.submit_with(command, Some(staged)).await
    }

    /// Stores a manifest whose `digest` is that of `bytes`, and moves the tags to it.
    pub async fn put_manifest(
        &self,
        key: RepositoryKey,
        manifest: Manifest,
        digest: Digest,
        bytes: Bytes,
        tags: Vec<Tag>,
    ) -> Result<ManifestPut, PutManifestError> {
        self.put_manifest_from(key, manifest, digest, bytes, tags, Origin::Pushed).await
    }

    pub async fn put_manifest_from(
        &self,
        key: RepositoryKey,
        manifest: Manifest,
        digest: Digest,
        bytes: Bytes,
        tags: Vec<Tag>,
        origin: Origin,
    ) -> Result<ManifestPut, PutManifestError> {
        let record = manifest.record(bytes.len() as u64, self.now_ms());
        let staged = self.uploads.stage(bytes, digest.clone()).await?;
        let command = PutManifest { key, digest, record, needs: manifest.needs, tags, origin };
        let put = self.submit_staged(command, staged).await?;
        self.replicating.notify_one();
        Ok(put)
    }
}
