//! What becomes of a task whose files can't all be read: whatever is left of it is stopped and removed as that of any
//! task, and the control plane is told that it has stopped, and why.

use std::path::Path;

use wire::acs::{Container, Task};

use super::plan;
use crate::state::{Damaged, Record, SavedTask, StateDir, StateError};
use crate::task::TaskState;

/// Makes every damaged task whole as far as it can be, so that what is on disk can be loaded. One of which neither file
/// can be read stays lost until a payload names it: [`anew`].
pub(crate) fn salvage(dir: &StateDir) -> Result<(), StateError> {
    for damaged in dir.set_damaged_aside()? {
        if let Some(task) = whole(damaged) {
            dir.save_whole(&task)?;
        }
    }
    Ok(())
}

fn whole(damaged: Damaged) -> Option<SavedTask> {
    let Damaged { id, payload, record, why } = damaged;
    match (payload, record) {
        (Some(payload), None) => {
            let record = anew(&payload, &why);
            Some(SavedTask { id, payload, record })
        }
        // Killed between the two files' being saved and its being told.
        (Some(payload), Some(record)) => Some(SavedTask { id, payload, record }),
        (None, Some(record)) => {
            let payload = stub(&record.state);
            let record = match record.closed_ms {
                Some(_) => record,
                None => Record { state: record.state.given_up(reason(&why)), ..record },
            };
            Some(SavedTask { id, payload, record })
        }
        (None, None) => None,
    }
}

/// The record of a task whose own can't be read any more.
pub(super) fn anew(payload: &Task, why: &str) -> Record {
    let state = TaskState::unknown(plan::spec(payload), reason(why));
    Record { state, unsent: vec![], closed_ms: None }
}

fn reason(why: &str) -> String {
    format!("TaskStateError: the agent could not read what it had written down of the task: {why}")
}

/// Enough of a payload to find the task's containers by.
fn stub(state: &TaskState) -> Task {
    let containers = state.containers.iter().map(|c| Container {
        name: c.spec.name.clone(),
        essential: c.spec.essential,
        ..Default::default()
    });
    Task { arn: state.arn.clone(), containers: containers.collect(), ..Default::default() }
}

/// The runtime's id of the container of a bundle, where nothing else tells: the last part of its cgroup's path.
pub(super) fn runtime_id_of(bundle: &Path) -> Option<String> {
    let text = std::fs::read(bundle.join("config.json")).ok()?;
    let config: serde_json::Value = serde_json::from_slice(&text).ok()?;
    let path = config.pointer("/linux/cgroupsPath")?.as_str()?;
    path.rsplit('/').next().filter(|id| !id.is_empty()).map(str::to_owned)
}
