//! Which registries are on other servers, and how to come in there. ECR knows them by account and region; a file says
//! where that is. It is read at each use, so that a changed key needs no restart.

use std::{fs, io, path::PathBuf};

use serde::Deserialize;

use crate::state::entities::Scope;

/// A registry of another Longshore.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PeerConfig {
    pub registry_id: String,
    pub region: String,
    /// `http(s)://host:port`
    pub endpoint: String,
    pub access_key_id: String,
    pub secret_access_key: String,
    /// The certificate authority by which it is known, in PEM; those of the machine if absent.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

impl std::fmt::Debug for PeerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PeerConfig").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Peers {
    path: PathBuf,
}

impl Peers {
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// `None`: no other server has that registry. Blocks for the time of a small file.
    pub fn find(&self, scope: &Scope) -> io::Result<Option<PeerConfig>> {
        let text = match fs::read(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let all: Vec<PeerConfig> = serde_json::from_slice(&text)?;
        Ok(all.into_iter().find(|p| p.registry_id == scope.account && p.region == scope.region))
    }
}
