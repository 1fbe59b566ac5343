//! What upstream registries want to be told, by the names of the secrets that AWS has it in. Longshore has no Secrets
//! Manager: a file on the server's disk is read at each use, so that a changed password needs no restart.

use std::{collections::BTreeMap, fs, io, path::PathBuf};

use serde::Deserialize;

/// As a secret of ECR's pull through cache is written (ECR user guide, "Storing your upstream repository credentials").
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Credentials {
    pub username: String,
    pub access_token: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    #[error("the secret '{name}' is not in '{}'", path.display())]
    Unknown { name: String, path: PathBuf },
    #[error("the secrets in '{}' can't be read: {why}", path.display())]
    Unreadable { path: PathBuf, why: String },
}

/// The file: an object of secrets by their names.
#[derive(Clone, Debug)]
pub(crate) struct Secrets {
    path: PathBuf,
}

impl Secrets {
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The secret that an ARN names. Blocks for the time of a small file.
    pub fn find(&self, arn: &str) -> Result<Credentials, CredentialsError> {
        let unreadable = |why: String| CredentialsError::Unreadable { path: self.path.clone(), why };
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => b"{}".to_vec(),
            Err(error) => return Err(unreadable(error.to_string())),
        };
        let mut all: BTreeMap<String, Credentials> =
            serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
        let name = name_of(arn);
        let found = all.remove(name).or_else(|| all.remove(without_suffix(name)));
        found.ok_or_else(|| CredentialsError::Unknown { name: name.to_owned(), path: self.path.clone() })
    }
}

/// `arn:aws:secretsmanager:region:account:secret:NAME`
fn name_of(arn: &str) -> &str {
    arn.splitn(7, ':').nth(6).unwrap_or(arn)
}

/// AWS ends a secret's ARN with six characters at random, which are no part of its name.
fn without_suffix(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((front, end)) if end.len() == 6 && end.bytes().all(|b| b.is_ascii_alphanumeric()) => front,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_by_its_arn_with_and_without_the_suffix() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = Secrets::new(dir.path().join("secrets.json"));
        let arn = |end: &str| {
            format!("arn:aws:secretsmanager:eu-west-1:000000000000:secret:ecr-pullthroughcache/{end}")
        };
        assert!(matches!(secrets.find(&arn("hub")), Err(CredentialsError::Unknown { .. })));
        let text = r#"{"ecr-pullthroughcache/hub": {"username": "me", "accessToken": "secret"}}"#;
        fs::write(&secrets.path, text).unwrap();
        for end in ["hub", "hub-a1B2c3"] {
            assert_eq!(secrets.find(&arn(end)).unwrap().access_token, "secret");
        }
        assert!(matches!(secrets.find(&arn("hub-a1B2c3d")), Err(CredentialsError::Unknown { .. })));
        fs::write(&secrets.path, "{").unwrap();
        assert!(matches!(secrets.find(&arn("hub")), Err(CredentialsError::Unreadable { .. })));
        assert!(
            !format!("{:?}", Credentials { username: "me".into(), access_token: "secret".into() })
                .contains("secret")
        );
    }
}
