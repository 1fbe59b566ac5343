//! What the control plane and an agent say to each other (ECS's agent protocol, as far as tasks are concerned).

use model::command::{ContainerReport, ReportedStatus, TaskReport};
use model::{ContainerStatus, DesiredStatus, Family, Health, InstanceId, TaskId};

/// A task as it stands in a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub task: TaskId,
    pub family: Family,
    pub desired: DesiredStatus,
}

#[derive(Debug, Clone)]
pub enum ToAgent {
    Registered,
    /// The instance was deregistered.
    Inactive,
    /// What should run there, at the beginning of a session.
    Manifest(Vec<TaskId>),
    Payload {
        message: i64,
        tasks: Vec<Told>,
    },
    /// Of the candidates, those that nobody wants.
    StopThese(Vec<TaskId>),
    /// The answer to a report.
    Taken {
        attempt: u64,
    },
}

#[derive(Debug, Clone)]
pub enum ToControl {
    Register,
    Connect,
    Acknowledge {
        message: i64,
    },
    /// What the agent runs though the manifest doesn't list it.
    Candidates(Vec<TaskId>),
    Report {
        attempt: u64,
        report: Report,
    },
    Health(TaskId, Health),
}

/// What an agent says of one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub task: TaskId,
    pub ended: Option<End>,
}

/// How its container came to an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// `None` where it never started, or nobody saw it end.
    pub code: Option<i32>,
    pub reason: Option<&'static str>,
    /// It was running before.
    pub ran: bool,
}

impl Report {
    pub fn said(&self) -> TaskReport {
        let (status, of_container) = match self.ended {
            None => (ReportedStatus::Running, ContainerStatus::Running),
            Some(_) => (ReportedStatus::Stopped, ContainerStatus::Stopped),
        };
        let end = self.ended.as_ref();
        let container = ContainerReport {
            name: "app".into(),
            status: of_container,
            runtime_id: end.is_none_or(|end| end.ran).then(|| format!("{}-app", self.task).into()),
            exit_code: end.and_then(|end| end.code),
            reason: end.and_then(|end| end.reason).map(Into::into),
            image_digest: None,
            network_bindings: None,
        };
        TaskReport { status: Some(status), containers: vec![container], ..TaskReport::default() }
    }
}

/// On the way.
#[derive(Debug, Clone)]
pub enum Letter {
    Up { from: InstanceId, session: u64, say: ToControl },
    Down { to: InstanceId, session: u64, say: ToAgent },
}

impl Letter {
    /// Letters of a session come in the order in which they were sent; calls may overtake each other.
    pub fn keeps_its_place(&self) -> bool {
        match self {
            Letter::Up { say, .. } => {
                matches!(say, ToControl::Acknowledge { .. } | ToControl::Candidates(_))
            }
            Letter::Down { say, .. } => {
                matches!(say, ToAgent::Manifest(_) | ToAgent::Payload { .. } | ToAgent::StopThese(_))
            }
        }
    }

    /// Those for which nobody asks again are lost only with their session.
    pub fn may_be_lost(&self) -> bool {
        match self {
            Letter::Up { say, .. } => !matches!(say, ToControl::Candidates(_)),
            Letter::Down { say, .. } => !matches!(say, ToAgent::Manifest(_) | ToAgent::StopThese(_)),
        }
    }
}
