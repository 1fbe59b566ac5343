//! What a payload or manifest means: pure decisions of agent protocol §4 and §7.

use wire::acs::{Task, TaskIdentifier, TaskManifestMessage};

use crate::engine::Known;
use crate::task::Desired;

/// Within one payload, tasks to stop come before tasks to run.
pub(super) fn in_order(mut tasks: Vec<Task>) -> Vec<Task> {
    tasks.sort_by_key(|t| t.desired_status.as_deref() != Some("STOPPED"));
    tasks
}

/// A manifest counts only if it is newer than everything seen; an older one is dropped unseen.
pub(super) fn is_news(manifest: &TaskManifestMessage, highest_seen: i64) -> bool {
    manifest.timeline > highest_seen
}

/// Tasks that run here and that the manifest does not want to run.
pub(super) fn stop_candidates(manifest: &TaskManifestMessage, known: &[Known]) -> Vec<TaskIdentifier> {
    let wanted = |arn: &str| {
        manifest.tasks.iter().any(|t| t.task_arn == arn && t.desired_status.as_deref() == Some("RUNNING"))
    };
    known
        .iter()
        .filter(|k| k.desired == Desired::Running && !wanted(&k.arn))
        .map(|k| TaskIdentifier {
            task_arn: k.arn.clone(),
            task_cluster_arn: Some(manifest.cluster_arn.clone()),
            desired_status: Some("STOPPED".into()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(arn: &str, desired: Desired) -> Known {
        Known { arn: arn.into(), cluster: None, desired }
    }

    #[test]
    fn only_running_tasks_that_nobody_wants_are_candidates() {
        let listed = |arn: &str, status: &str| TaskIdentifier {
            task_arn: arn.into(),
            task_cluster_arn: None,
            desired_status: Some(status.into()),
        };
        let manifest = TaskManifestMessage {
            timeline: 5,
            tasks: vec![listed("a", "RUNNING"), listed("b", "STOPPED")],
            ..Default::default()
        };
        let here = [known("a", Desired::Running), known("b", Desired::Running), known("c", Desired::Stopped)];
        let candidates = stop_candidates(&manifest, &here);
        assert_eq!(candidates.iter().map(|c| c.task_arn.as_str()).collect::<Vec<_>>(), ["b"]);
        assert!(is_news(&manifest, 4) && !is_news(&manifest, 5));
    }

    #[test]
    fn stops_go_first() {
        let task = |arn: &str, status: &str| Task {
            arn: arn.into(),
            desired_status: Some(status.into()),
            ..Default::default()
        };
        let tasks = in_order(vec![task("a", "RUNNING"), task("b", "STOPPED"), task("c", "RUNNING")]);
        assert_eq!(tasks.iter().map(|t| t.arn.as_str()).collect::<Vec<_>>(), ["b", "a", "c"]);
    }
}
