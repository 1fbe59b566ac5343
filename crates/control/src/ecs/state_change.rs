//! What the three Submit operations have in common: an agent's words to the model's reports.
//!
//! Delivery is at least once and late: what is unknown or over is acknowledged too, or the agent
//! would send it for ever (agent protocol, "State changes submitted by the agent").

use model::command::{ContainerReport, ReportedStatus};
use model::{AttachmentStatus, ClusterKey, ContainerStatus, Document, Refusal, TaskId, Uuid};
use wire::{Context, Error, arn, ecs};

use super::reference;
use crate::writer::{Committed, SubmitError};

pub(super) const ACKNOWLEDGED: &str = "ACK";

/// The task that a report is for. The ARN holds the task's own cluster, account and region, which
/// for the serverless pool are not the agent's.
pub(super) fn task(
    context: &Context,
    cluster: Option<&str>,
    task: Option<&str>,
) -> Result<(ClusterKey, TaskId), Error> {
    let malformed = || Error::invalid_parameter("The task's ARN is malformed.");
    let named = task.and_then(arn::task).ok_or_else(malformed)?;
    let id = named.name.parse().map_err(|_| malformed())?;
    let key = match (&named.arn, &named.cluster) {
        (Some(arn), Some(cluster)) => {
            model::Scope::new(arn.account.as_str(), arn.region.as_str()).cluster(cluster.as_str())
        }
        _ => reference::cluster(context, cluster)?,
    };
    Ok((key, id))
}

pub(super) fn reported(status: Option<&str>) -> Result<Option<ReportedStatus>, Error> {
    match status {
        None | Some("") => Ok(None),
        Some("PENDING") => Ok(Some(ReportedStatus::Pending)),
        Some("RUNNING") => Ok(Some(ReportedStatus::Running)),
        Some("STOPPED") => Ok(Some(ReportedStatus::Stopped)),
        Some(other) => Err(Error::invalid_parameter(format!("Invalid task status: {other}"))),
    }
}

pub(super) fn container(change: &ecs::ContainerStateChange) -> Result<ContainerReport, Error> {
    let status = match change.status.as_deref() {
        Some("RUNNING") => ContainerStatus::Running,
        Some("STOPPED") => ContainerStatus::Stopped,
        None | Some("" | "PENDING") => ContainerStatus::Pending,
        Some(other) => return Err(Error::invalid_parameter(format!("Invalid container status: {other}"))),
    };
    let bindings = change.network_bindings.as_ref().filter(|bindings| !bindings.is_empty());
    Ok(ContainerReport {
        name: change.container_name.as_deref().unwrap_or_default().into(),
        status,
        runtime_id: change.runtime_id.as_deref().map(Into::into),
        exit_code: change.exit_code,
        reason: change.reason.as_deref().filter(|reason| !reason.is_empty()).map(Into::into),
        image_digest: change.image_digest.as_deref().map(Into::into),
        network_bindings: bindings.and_then(|bindings| Document::of(bindings).ok()),
    })
}

pub(super) fn attachment(change: &ecs::AttachmentStateChange) -> Result<(Uuid, AttachmentStatus), Error> {
    let malformed = || Error::invalid_parameter("The attachment's ARN is malformed.");
    let id = change.attachment_arn.rsplit('/').next().unwrap_or_default();
    let status = change
        .status
        .parse()
        .map_err(|_| Error::invalid_parameter(format!("Invalid attachment status: {}", change.status)))?;
    Ok((id.parse().map_err(|_| malformed())?, status))
}

/// A report about what isn't known (any more) is acknowledged like any other.
pub(super) fn acknowledged(outcome: Result<Committed, SubmitError>) -> Result<Option<String>, Error> {
    match outcome {
        Ok(_) | Err(SubmitError::Refused(Refusal::TaskNotFound(_) | Refusal::ResourceNotFound)) => {
            Ok(Some(ACKNOWLEDGED.to_owned()))
        }
        Err(error) => Err(error.into()),
    }
}
