//! What one Longshore keeps on disk, and how its commands find each other: by the data directory.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// A data directory. It need not exist until [`DataDir::create`].
#[derive(Clone, Debug)]
pub struct DataDir(PathBuf);

/// The keys that the first start generates: the person's, and those of the agent in the same process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Keys {
    pub account: String,
    pub region: String,
    pub user: Key,
    pub agent: Key,
}

/// An access key of the API.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Key {
    pub access_key_id: String,
    pub secret_access_key: String,
}

/// An access key that a person made, with what its owner may do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NamedKey {
    pub name: String,
    #[serde(flatten)]
    pub key: Key,
    pub created_at_ms: u64,
    /// An IAM policy; none allows nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// A role of tasks, with what it allows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Role {
    pub name: String,
    pub created_at_ms: u64,
    /// An IAM policy.
    pub policy: String,
}

/// Written by a server once it listens; left behind when it is killed, so `pid` may be stale.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Running {
    pub pid: u32,
    pub listen: SocketAddr,
}

impl DataDir {
    pub fn new(path: &Path) -> Result<DataDir> {
        let path = std::path::absolute(path).with_context(|| format!("data directory {}", path.display()))?;
        Ok(DataDir(path))
    }

    /// Makes the directory if it is missing, readable by its owner alone: it holds secrets.
    pub fn create(&self) -> Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)
            .map_err(|error| unusable(&self.0, error))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn log_file(&self) -> PathBuf {
        self.join("longshore.log")
    }

    /// Removes everything that Longshore keeps here, and the directory if nothing else is in it: it may
    /// have been named by mistake.
    pub fn purge(&self) -> Result<()> {
        let entries = fs::read_dir(&self.0).with_context(|| format!("read {}", self.0.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("read {}", self.0.display()))?;
            let path = entry.path();
            if !entry.file_name().to_str().is_some_and(is_ours) {
                continue;
            }
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let removed = if is_dir { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.with_context(|| format!("remove {}", path.display()))?;
        }
        match fs::remove_dir(&self.0) {
            Err(e) if e.kind() != io::ErrorKind::DirectoryNotEmpty => {
                Err(e).with_context(|| format!("remove {}", self.0.display()))
            }
            _ => Ok(()),
        }
    }

    /// The keys of this directory, made with `generate` at the first call.
    pub fn keys_or_else(&self, generate: impl FnOnce() -> Keys) -> Result<Keys> {
        if let Some(keys) = self.keys()? {
            return Ok(keys);
        }
        let keys = generate();
        write_secret(&self.join("credentials.json"), &keys)?;
        Ok(keys)
    }

    pub fn keys(&self) -> Result<Option<Keys>> {
        read_json(&self.join("credentials.json"))
    }

    /// The keys that people made, in the order of their names.
    pub fn named_keys(&self) -> Result<Vec<NamedKey>> {
        Ok(read_json(&self.join("keys.json"))?.unwrap_or_default())
    }

    pub fn set_named_keys(&self, keys: &[NamedKey]) -> Result<()> {
        write_secret(&self.join("keys.json"), &keys)
    }

    /// The certificate authority with its key, in PEM.
    pub fn authority(&self) -> Result<Option<String>> {
        let path = self.join("authority.pem");
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(unusable(&path, e)),
        }
    }

    pub fn set_authority(&self, pem: &str) -> Result<()> {
        write_for_owner(&self.join("authority.pem"), pem.as_bytes())
    }

    /// The file with the authority's certificate, for clients to be pointed at.
    pub fn ca(&self) -> PathBuf {
        self.join("ca.pem")
    }

    pub fn set_ca(&self, pem: &str) -> Result<()> {
        match fs::read(self.ca()) {
            Ok(same) if same == pem.as_bytes() => Ok(()),
            _ => write_for_owner(&self.ca(), pem.as_bytes()),
        }
    }

    /// The roles, in the order of their names.
    pub fn roles(&self) -> Result<Vec<Role>> {
        Ok(read_json(&self.join("roles.json"))?.unwrap_or_default())
    }

    pub fn set_roles(&self, roles: &[Role]) -> Result<()> {
        write_secret(&self.join("roles.json"), &roles)
    }

    pub fn running(&self) -> Result<Option<Running>> {
        let running: Option<Running> = read_json(&self.join("server.json"))?;
        Ok(running.filter(|server| process_is_longshore(server.pid)))
    }

    /// Where the last server listened, whether or not it still runs.
    pub fn last_listen(&self) -> Result<Option<SocketAddr>> {
        let running: Option<Running> = read_json(&self.join("server.json"))?;
        Ok(running.map(|server| server.listen))
    }

    pub fn set_running(&self, running: &Running) -> Result<()> {
        write_secret(&self.join("server.json"), running)
    }
}

/// Whether a name in a data directory is one that Longshore makes there.
fn is_ours(name: &str) -> bool {
    const NAMES: &[&str] = &["agent", "registry", "logs", "longshore.log", "taken-down"];
    const FILES: &[&str] = &["state.db", "registry.db", "logs.db", "events.db"];
    const WRITTEN: &[(&str, &str)] = &[
        ("credentials", ".json"),
        ("keys", ".json"),
        ("roles", ".json"),
        ("server", ".json"),
        ("authority", ".pem"),
        ("ca", ".pem"),
        ("joined", ".json"),
    ];
    let of = |stem: &str, ends: &[&str]| name.strip_prefix(stem).is_some_and(|rest| ends.contains(&rest));
    NAMES.contains(&name)
        || name.strip_prefix("longshore.log.").is_some_and(|n| n.parse::<u8>().is_ok())
        || FILES.iter().any(|stem| of(stem, &["", "-wal", "-shm", "-journal", ".lock"]))
        || WRITTEN.iter().any(|(stem, end)| of(stem, &[end, ".new"]))
}

/// Whether the process exists and is a Longshore: a stale file may name a pid that another program got.
fn process_is_longshore(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline"))
        .is_ok_and(|line| line.split(|b| *b == 0).next().is_some_and(|argv0| argv0.ends_with(b"longshore")))
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).with_context(|| path.display().to_string())?)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(unusable(path, e)),
    }
}

/// Why something in, or of, a data directory can't be had, and what helps.
fn unusable(path: &Path, error: io::Error) -> anyhow::Error {
    let step = match error.kind() {
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "it is, or lies in, a file; name a directory with --data-dir"
        }
        io::ErrorKind::PermissionDenied => {
            "it belongs to another user; run it again with sudo, or name a directory of yours with --data-dir"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "its file system is read-only; name another place with --data-dir"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "its disk is full; make room there",
        _ => "name another place with --data-dir",
    };
    anyhow::Error::new(error).context(format!("cannot use {}: {step}", path.display()))
}

/// As [`write_for_owner`], as JSON.
fn write_secret<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value).with_context(|| path.display().to_string())?;
    text.push(b'\n');
    write_for_owner(path, &text)
}

/// Writes a file for its owner's eyes, whole or not at all, and durable on return.
fn write_for_owner(path: &Path, text: &[u8]) -> Result<()> {
    let write = || -> io::Result<()> {
        let temporary = path.with_extension("new");
        let mut file =
            fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(|error| unusable(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        let key = Key { access_key_id: "AKIA".into(), secret_access_key: "s".into() };
        Keys { account: "000000000000".into(), region: "us-east-1".into(), user: key.clone(), agent: key }
    }

    #[test]
    fn keys_are_made_once() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = DataDir::new(&temporary.path().join("a/b")).unwrap();
        dir.create().unwrap();
        assert_eq!(dir.keys_or_else(keys).unwrap().account, "000000000000");
        let again = dir.keys_or_else(|| panic!("they are there already")).unwrap();
        assert_eq!(again.user.access_key_id, "AKIA");
    }

    #[test]
    fn only_what_is_ours_is_purged() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temporary.path()).unwrap();
        dir.keys_or_else(keys).unwrap();
        for ours in ["state.db-wal", "longshore.log", "longshore.log.4", "authority.pem", "ca.pem", "ca.new"]
        {
            fs::write(dir.join(ours), "").unwrap();
        }
        fs::create_dir_all(dir.join("agent/tasks")).unwrap();
        fs::write(dir.join("thesis.txt"), "").unwrap();
        dir.purge().unwrap();
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["thesis.txt"]);
        fs::remove_file(dir.join("thesis.txt")).unwrap();
        dir.purge().unwrap();
        assert!(!dir.path().exists());
    }

    #[test]
    fn a_dead_server_is_not_running() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temporary.path()).unwrap();
        let listen = "127.0.0.1:4580".parse().unwrap();
        // This test's own process lives, but isn't a Longshore.
        dir.set_running(&Running { pid: std::process::id(), listen }).unwrap();
        assert!(dir.running().unwrap().is_none());
        assert_eq!(dir.last_listen().unwrap(), Some(listen));
    }
}
