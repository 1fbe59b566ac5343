//! Tasks whose files can't all be read: a disk that was full, a machine that lost its power, a hand that slipped.
//!
//! One such task must not keep the agent from all the others. Its files are set aside for whoever wants to know, and
//! what is made of the rest is the engine's to decide.

use std::fs;
use std::path::PathBuf;

use super::{PAYLOAD, RECORD, Record, SavedTask, StateDir, StateError, make, read, write};

/// Stands in the directory of a task of which neither file can be read: it is known by its id alone.
const LOST: &str = "lost";

/// A task's files, as far as they can be read.
#[derive(Debug)]
pub struct Damaged {
    pub id: String,
    pub payload: Option<wire::acs::Task>,
    pub record: Option<Record>,
    /// What is wrong with the rest.
    pub why: String,
}

impl StateDir {
    /// Every task of which a file is there and can't be read, or couldn't by an agent that was killed over it. The bad
    /// files are set aside.
    pub fn set_damaged_aside(&self) -> Result<Vec<Damaged>, StateError> {
        let mut found = vec![];
        for id in self.ids()? {
            let mut bad = vec![];
            let payload = part(&id, PAYLOAD, self.payload(&id), &mut bad);
            let record = part(&id, RECORD, self.record(&id), &mut bad);
            let why: Vec<&str> = bad.iter().map(|(_, why)| why.as_str()).collect();
            let why = self.lost(&id).unwrap_or_else(|| why.join("; "));
            if !bad.is_empty() {
                // First of all: with one file gone, the task would be taken for one that never began.
                self.mark_lost(&id, &why)?;
            } else if self.lost(&id).is_none() {
                continue;
            }
            for (file, _) in bad {
                self.set_aside(&id, file)?;
            }
            found.push(Damaged { id, payload, record, why });
        }
        Ok(found)
    }

    fn set_aside(&self, id: &str, file: &str) -> Result<(), StateError> {
        let (path, aside) = (self.task(id).join(file), self.unreadable().join(format!("{id}.{file}")));
        make(&self.unreadable())?;
        fs::rename(&path, &aside).map_err(|source| StateError::Io {
            what: "cannot set aside",
            path,
            source,
        })?;
        tracing::error!(task = id, aside = %aside.display(), "a task's file is set aside; the task is stopped");
        Ok(())
    }

    /// Where files go that can't be read.
    pub fn unreadable(&self) -> PathBuf {
        self.root.join("unreadable")
    }

    /// Writes a task down, payload and record: one that is new, or one that was damaged or lost.
    pub fn save_whole(&self, task: &SavedTask) -> Result<(), StateError> {
        self.save_payload(&task.id, &task.payload)?;
        self.save_record(&task.id, &task.record)?;
        match fs::remove_file(self.task(&task.id).join(LOST)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(StateError::Io { what: "cannot remove", path: self.task(&task.id).join(LOST), source: e })
            }
            _ => Ok(()),
        }
    }

    fn mark_lost(&self, id: &str, why: &str) -> Result<(), StateError> {
        write(&self.task(id).join(LOST), &why)
    }

    /// Those that are lost.
    pub fn all_lost(&self) -> Result<Vec<String>, StateError> {
        Ok(self.ids()?.into_iter().filter(|id| self.lost(id).is_some()).collect())
    }

    /// Why a task is lost, if it is.
    pub fn lost(&self, id: &str) -> Option<String> {
        // Whatever it says: that it is there is what counts.
        let path = self.task(id).join(LOST);
        path.exists().then(|| read::<String>(&path).ok().flatten().unwrap_or_default())
    }
}

fn part<T>(
    id: &str,
    file: &'static str,
    read: Result<Option<T>, StateError>,
    bad: &mut Vec<(&'static str, String)>,
) -> Option<T> {
    read.unwrap_or_else(|error| {
        tracing::error!(%error, task = id, "a task's file cannot be read");
        let why = match error {
            StateError::Content { source, .. } => source.to_string(),
            other => other.to_string(),
        };
        bad.push((file, why));
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{TaskSpec, TaskState};

    fn saved(dir: &StateDir, id: &str) -> SavedTask {
        let payload = wire::acs::Task { arn: format!("arn:aws:ecs:r:0:task/c/{id}"), ..Default::default() };
        let state = TaskState::new(TaskSpec { arn: payload.arn.clone(), containers: vec![] });
        let record = Record { state, unsent: vec![], closed_ms: None };
        let task = SavedTask { id: id.into(), payload, record };
        dir.save_whole(&task).unwrap();
        task
    }

    #[test]
    fn what_can_be_read_is_and_the_rest_is_set_aside_once() {
        let root = tempfile::tempdir().unwrap();
        let dir = StateDir::open(root.path()).unwrap();
        let tasks = ["good", "record", "payload", "both"].map(|id| saved(&dir, id));
        let spoil = |id: &str, file: &str, text: &str| fs::write(dir.task(id).join(file), text).unwrap();
        spoil("record", "record.json", "");
        spoil("payload", "task.json", "{\"Arn\":");
        spoil("both", "task.json", "\0\0\0\0");
        spoil("both", "record.json", "[]");
        let mut found = dir.set_damaged_aside().unwrap();
        found.sort_by(|a, b| a.id.cmp(&b.id));
        let known: Vec<_> =
            found.iter().map(|d| (d.id.as_str(), d.payload.is_some(), d.record.is_some())).collect();
        assert_eq!(known, [("both", false, false), ("payload", false, true), ("record", true, false)]);
        assert!(found.iter().all(|damaged| !damaged.why.is_empty()));
        assert_eq!(fs::read_to_string(dir.unreadable().join("record.record.json")).unwrap(), "");
        assert_eq!(fs::read_dir(dir.unreadable()).unwrap().count(), 4);
        assert!(dir.lost("both").is_some_and(|why| why.contains("line 1")));
        // An agent that was killed here: nothing of them is forgotten or taken for whole.
        assert_eq!(dir.load().unwrap().len(), 1);
        let again = dir.set_damaged_aside().unwrap();
        assert_eq!((again.len(), fs::read_dir(dir.unreadable()).unwrap().count()), (3, 4));
        for task in &tasks[1..3] {
            dir.save_whole(task).unwrap();
        }
        let ids = |dir: &StateDir| dir.load().unwrap().into_iter().map(|task| task.id).collect::<Vec<_>>();
        assert_eq!(ids(&dir), ["good", "payload", "record"]);
        assert!(dir.set_damaged_aside().unwrap().iter().all(|damaged| damaged.id == "both"));
        dir.save_whole(&tasks[3]).unwrap();
        assert_eq!((ids(&dir).len(), dir.lost("both")), (4, None));
    }
}
