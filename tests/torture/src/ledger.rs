//! What was acknowledged: the promises that no kill may break.

use std::collections::{BTreeMap, BTreeSet};

/// What a task's one container does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// Ends by itself with this code.
    Ends { code: i32 },
    /// Runs until SIGTERM, and then ends with this code.
    Stays { code: i32 },
}

/// A task whose RunTask was acknowledged.
#[derive(Clone, Debug)]
pub struct Promise {
    pub course: Course,
    /// The reason of a StopTask that was acknowledged.
    pub stopped: Option<String>,
    /// A StopTask is under way: it may or may not have been taken yet.
    pub stopping: bool,
    /// What DescribeTasks said when it had stopped and was found right. It must say that for ever.
    pub settled: Option<String>,
}

/// A service as its last acknowledged call left it.
#[derive(Clone, Debug, Default)]
pub struct Aim {
    pub desired: i64,
    pub definition: String,
}

#[derive(Debug, Default)]
pub struct Ledger {
    /// By ARN.
    pub tasks: BTreeMap<String, Promise>,
    pub services: BTreeMap<String, Aim>,
    pub definitions: BTreeSet<String>,
    /// The image's digest under each tag.
    pub tags: BTreeMap<String, String>,
    /// Ids of tasks whose shim we killed.
    pub shims_killed: BTreeSet<String>,
    /// Answers that were acknowledged, of every kind.
    pub acknowledged: u64,
}

impl Ledger {
    /// Tasks that should still run, as far as anybody was told.
    pub fn live(&self) -> Vec<&String> {
        let live = self.tasks.iter().filter(|(arn, promise)| {
            matches!(promise.course, Course::Stays { .. })
                && promise.stopped.is_none()
                && !promise.stopping
                && promise.settled.is_none()
                && !self.shims_killed.contains(id(arn))
        });
        live.map(|(arn, _)| arn).collect()
    }
}

/// A task's id: the last part of its ARN.
pub fn id(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
