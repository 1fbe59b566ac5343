//! What a machine keeps of its joining: a small file for its owner's eyes.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use wire::join::JoinAnswer;

use super::{JoinError, Joined};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Kept {
    pub token: String,
    pub attempt: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<JoinAnswer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
}

/// Who this machine is, if it has joined.
pub fn joined(path: &Path) -> Result<Option<Joined>, JoinError> {
    let kept = read(path)?;
    Ok(kept.and_then(|kept| Some(Joined::of(&kept.token, kept.answer?, kept.ca))))
}

/// What to call the attempt to join with this token: as before, if there was one without an answer.
pub(super) fn attempt(path: &Path, token: &str) -> Result<String, JoinError> {
    if let Some(Kept { attempt, answer: None, token: of, .. }) = read(path)?
        && of == token
    {
        return Ok(attempt);
    }
    let attempt = hex::encode(rand::random::<[u8; 32]>());
    write(path, &Kept { token: token.to_owned(), attempt: attempt.clone(), answer: None, ca: None })?;
    Ok(attempt)
}

fn read(path: &Path) -> Result<Option<Kept>, JoinError> {
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text)
            .map(Some)
            .map_err(|source| JoinError::Content { path: path.to_owned(), source }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(JoinError::Io { what: "cannot read", path: path.to_owned(), source }),
    }
}

/// Whole or not at all, and durable on return.
pub(super) fn write(path: &Path, kept: &Kept) -> Result<(), JoinError> {
    let text = serde_json::to_vec_pretty(kept)
        .map_err(|source| JoinError::Content { path: path.to_owned(), source })?;
    let write = || -> io::Result<()> {
        let temporary = path.with_extension("new");
        let mut file =
            fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
        file.write_all(&text)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(|source| JoinError::Io { what: "cannot write", path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn an_attempt_is_the_same_until_it_is_answered() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("joined.json");
        let first = attempt(&path, "a").unwrap();
        assert_eq!(attempt(&path, "a").unwrap(), first);
        assert!(joined(&path).unwrap().is_none());
        assert_ne!(attempt(&path, "b").unwrap(), first, "another token is another attempt");
        let answer = JoinAnswer {
            access_key_id: "AKIA".into(),
            secret_access_key: "secret".into(),
            account: "0".into(),
            region: "r".into(),
            cluster: "web".into(),
        };
        write(&path, &Kept { token: "b".into(), attempt: "x".into(), answer: Some(answer), ca: None })
            .unwrap();
        let now = joined(&path).unwrap().unwrap();
        assert_eq!((now.token.as_str(), now.credentials.access_key_id.as_str()), ("b", "AKIA"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_ne!(attempt(&path, "b").unwrap(), "x", "joining anew is another attempt");
    }
}
