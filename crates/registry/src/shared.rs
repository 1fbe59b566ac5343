//! What the OCI and the ECR side have in common: the parts of one open registry.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, header, uri::Authority as HostAndPort};
use tokio::sync::Notify;
use wire::{Context, Scheme};

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
    pub one_host: bool,
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

    /// A host as a client spells it, if it can go back into an answer, else the one that Longshore advertises.
    fn host<'a>(&'a self, spelled: Option<&'a str>) -> &'a str {
        // Only a clean authority goes back into a header: no user, no quotes.
        spelled
            .filter(|host| host.parse::<HostAndPort>().is_ok())
            .filter(|host| !host.contains(['@', '"', '\\']))
            .unwrap_or(&self.advertised_host)
    }

    /// `https://host:port`, as the client of this request spells it.
    pub fn base_for(&self, headers: &HeaderMap, scheme: Scheme) -> String {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        format!("{}://{}", scheme.as_str(), self.host(host))
    }

    /// The same of a call.
    pub fn base(&self, context: &Context) -> String {
        format!("{}://{}", context.scheme.as_str(), self.host(context.source_host.as_deref()))
    }

    /// The host in the names of images.
    pub fn image_host<'a>(&'a self, context: &'a Context) -> &'a str {
        match self.one_host {
            true => &self.advertised_host,
            false => self.host(context.source_host.as_deref()),
        }
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
