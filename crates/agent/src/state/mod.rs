//! What the agent must not forget: which instance it is, its tasks, and what it has not yet told.
//!
//! Small files, each replaced as a whole by a rename, under the agent's directory:
//! `instance.json`; `tasks/<id>/task.json` (the payload, written once); `tasks/<id>/record.json`
//! (the task's state together with its unsent reports, so that the two can't disagree; see [`record`]).
//!
//! A rename survives the agent's death at any moment. It is not synced on the launch path: what a
//! dying machine forgets is a task whose containers died with it, and the control plane learns of
//! that from the next manifest. The payload is synced behind the answer's back, see
//! [`StateDir::sync_payload`]. What can't be read all the same is `damaged.rs`'s.

mod damaged;
mod record;

use std::io;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::task::{StateChange, TaskState};
use crate::whole;

pub use damaged::Damaged;

const PAYLOAD: &str = "task.json";
const RECORD: &str = "record.json";

#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("{what} {path}: {source}")]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} does not hold what it should: {source}")]
    Content {
        path: PathBuf,
        #[source]
        source: serde_json::Error,
    },
    /// The last part of a task's ARN must be able to name a directory.
    #[error("{arn:?} is not a task's ARN")]
    Arn { arn: String },
}

/// Which container instance this is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    pub arn: Option<String>,
    /// With which it registers until it knows its ARN. Written down first: an agent that is killed before the
    /// answer says the same again, and is the same instance.
    #[serde(default)]
    pub token: Option<String>,
    /// The cluster it registered into: another one makes it another instance.
    pub cluster: Option<String>,
    /// Highest `seqNum` or `timeline` seen (agent protocol §7).
    pub timeline: i64,
}

/// One task's state and what the control plane has not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub state: TaskState,
    pub unsent: Vec<StateChange>,
    /// When it was over and everything was said, in ms since the epoch: from then on the record
    /// only keeps a late payload from starting the task again.
    pub closed_ms: Option<u64>,
}

/// A task as it was found on disk.
#[derive(Clone, Debug)]
pub struct SavedTask {
    pub id: String,
    pub payload: wire::acs::Task,
    pub record: Record,
}

/// The agent's directory.
#[derive(Clone, Debug)]
pub struct StateDir {
    root: PathBuf,
}

impl StateDir {
    /// Opens it, making it if need be.
    pub fn open(root: &Path) -> Result<Self, StateError> {
        let dir = StateDir { root: root.to_owned() };
        make(&dir.tasks())?;
        crate::spread::spread(&dir.tasks());
        Ok(dir)
    }

    pub fn tasks(&self) -> PathBuf {
        self.root.join("tasks")
    }

    pub fn task(&self, id: &str) -> PathBuf {
        self.tasks().join(id)
    }

    /// Where a container's bundle lies. Short: a FIFO's path is handed to shims.
    pub fn bundle(&self, id: &str, container: usize) -> PathBuf {
        self.task(id).join(container.to_string())
    }

    pub fn instance(&self) -> Result<Instance, StateError> {
        Ok(read(&self.root.join("instance.json"))?.unwrap_or_default())
    }

    pub fn save_instance(&self, instance: &Instance) -> Result<(), StateError> {
        write(&self.root.join("instance.json"), instance)
    }

    pub fn save_payload(&self, id: &str, payload: &wire::acs::Task) -> Result<(), StateError> {
        make(&self.task(id))?;
        write(&self.task(id).join(PAYLOAD), payload)
    }

    /// Makes a saved payload outlive the machine. Slow: off the launch path, on a blocking thread.
    pub fn sync_payload(&self, id: &str) -> io::Result<()> {
        for path in [self.task(id).join(PAYLOAD), self.task(id), self.tasks()] {
            std::fs::File::open(path)?.sync_all()?;
        }
        Ok(())
    }

    pub fn save_record(&self, id: &str, record: &Record) -> Result<(), StateError> {
        let path = self.task(id).join(RECORD);
        let text = serde_json::to_vec(record)
            .map_err(|source| StateError::Content { path: path.clone(), source })?;
        record::append(&path, &text).map_err(|source| StateError::Io { what: "cannot write", path, source })
    }

    fn payload(&self, id: &str) -> Result<Option<wire::acs::Task>, StateError> {
        read(&self.task(id).join(PAYLOAD))
    }

    fn record(&self, id: &str) -> Result<Option<Record>, StateError> {
        read_by(&self.task(id).join(RECORD), record::last)
    }

    /// Forgets a task.
    pub fn remove(&self, id: &str) -> Result<(), StateError> {
        let path = self.task(id);
        match std::fs::remove_dir_all(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(StateError::Io { what: "cannot remove", path, source: e })
            }
            _ => Ok(()),
        }
    }

    fn ids(&self) -> Result<Vec<String>, StateError> {
        let path = self.tasks();
        let entries = std::fs::read_dir(&path).map_err(|source| StateError::Io {
            what: "cannot read",
            path,
            source,
        })?;
        Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    /// Every task on disk. A directory whose payload or record was never completed belongs to a
    /// payload that was not acknowledged: it is removed, the control plane sends it again. What can't be
    /// read is an error: [`StateDir::set_damaged_aside`] comes first.
    pub fn load(&self) -> Result<Vec<SavedTask>, StateError> {
        let mut saved = vec![];
        for id in self.ids()? {
            if self.lost(&id).is_some() {
                continue;
            }
            let payload = self.payload(&id)?;
            let record = self.record(&id)?;
            match (payload, record) {
                (Some(payload), Some(record)) => saved.push(SavedTask { id, payload, record }),
                _ => self.remove(&id)?,
            }
        }
        saved.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(saved)
    }
}

/// The id of a task: the last part of its ARN.
pub fn task_id(arn: &str) -> Result<&str, StateError> {
    let id = arn.rsplit('/').next().unwrap_or_default();
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if id.is_empty() || id.len() > 64 || !id.chars().all(fits) || !arn.starts_with("arn:") {
        return Err(StateError::Arn { arn: arn.to_owned() });
    }
    Ok(id)
}

fn make(path: &Path) -> Result<(), StateError> {
    std::fs::create_dir_all(path).map_err(|source| StateError::Io {
        what: "cannot create",
        path: path.to_owned(),
        source,
    })
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StateError> {
    read_by(path, json)
}

fn json<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(bytes)
}

fn read_by<T>(
    path: &Path,
    parse: impl FnOnce(&[u8]) -> serde_json::Result<T>,
) -> Result<Option<T>, StateError> {
    match std::fs::read(path) {
        Ok(bytes) => {
            parse(&bytes).map(Some).map_err(|source| StateError::Content { path: path.to_owned(), source })
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StateError::Io { what: "cannot read", path: path.to_owned(), source }),
    }
}

fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), StateError> {
    let bytes =
        serde_json::to_vec(value).map_err(|source| StateError::Content { path: path.to_owned(), source })?;
    whole::write(path, &bytes).map_err(|source| StateError::Io {
        what: "cannot write",
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::TaskSpec;

    #[test]
    fn what_was_saved_is_found_and_half_a_task_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        let payload = wire::acs::Task { arn: "arn:aws:ecs:r:0:task/c/abc".into(), ..Default::default() };
        let spec = TaskSpec { arn: payload.arn.clone(), containers: vec![] };
        let record = Record { state: TaskState::new(spec), unsent: vec![], closed_ms: None };
        state.save_payload("abc", &payload).unwrap();
        state.save_record("abc", &record).unwrap();
        state.save_payload("half", &payload).unwrap();
        state.sync_payload("abc").unwrap();
        let found = state.load().unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((&found[0].payload, &found[0].record), (&payload, &record));
        assert!(!state.task("half").exists());
    }

    #[test]
    fn an_arn_cannot_leave_the_directory() {
        assert_eq!(task_id("arn:aws:ecs:r:0:task/c/abc").unwrap(), "abc");
        for bad in ["arn:aws:ecs:r:0:task/c/..", "arn:x/", "abc", "arn:a/b\0"] {
            assert!(task_id(bad).is_err(), "{bad}");
        }
    }
}
