//! Deciding: what a command would make happen.
//!
//! `apply` is total and pure. One file decides for one kind of command; each works on a [`Draft`],
//! where a later decision of the same command sees the events of the earlier ones. `life.rs` has the
//! life cycle of a task, which several of them move along.

mod attribute;
mod cluster;
mod definition;
mod failures;
mod forget;
mod history;
mod hook;
mod instance;
mod join;
mod life;
mod protect;
mod push;
mod report;
mod run;
mod service;
mod setting;
mod start;
mod step;
mod tag;
mod task_set;
mod token;
mod transaction;
mod why;

use crate::{command::Command, entity::TaskSet, event::Event, refusal::Refusal, world::World};

pub use failures::holds_from_ms;
pub use life::path;
pub use protect::{Unprotectable, unprotectable};
pub use service::{completed_reason, in_progress_reason};
pub use start::mac_of;
pub use transaction::Transaction;
pub use why::{DEREGISTERED, ESSENTIAL_CONTAINER_EXITED, FAILED_TO_START, STOPPED_BY_USER};

/// A task that ends by itself this soon after RUNNING counts as failing when its service decides
/// how fast to replace it. ECS throttles only tasks that never reach RUNNING, whose cost is a
/// minute each; here one costs milliseconds and an unthrottled loop would burn the machine.
pub const QUICK_EXIT_MS: u64 = 10_000;

/// After this long without a failure, earlier ones no longer hold a deployment back.
pub const FAILURES_FORGOTTEN_MS: u64 = 10 * 60 * 1000;

/// The events that `command` brings about at `now_ms` (milliseconds since the epoch); none when it
/// changes nothing. A refused command changes nothing.
pub fn apply(world: &World, command: &Command, now_ms: u64) -> Result<Vec<Event>, Refusal> {
    let mut transaction = Transaction::on(world);
    transaction.decide(command, now_ms)?;
    Ok(transaction.into_parts().1)
}

/// As [`apply`], and takes the events into `world`.
pub fn transact(world: &mut World, command: &Command, now_ms: u64) -> Result<Vec<Event>, Refusal> {
    let mut transaction = Transaction::on(world);
    transaction.decide(command, now_ms)?;
    let (after, events) = transaction.into_parts();
    *world = after;
    Ok(events)
}

/// A world to come: the present one with the events decided so far.
pub(crate) struct Draft {
    pub world: World,
    pub now_ms: u64,
    events: Vec<Event>,
}

impl Draft {
    fn emit(&mut self, event: Event) {
        self.world.evolve(&event);
        self.events.push(event);
    }
}

/// What it emits before it refuses is for the caller to take back.
fn decide(draft: &mut Draft, command: &Command) -> Result<(), Refusal> {
    match command {
        Command::CreateCluster { key, change, tags } => draft.create_cluster(key, change, tags)?,
        Command::UpdateCluster { key, change } => draft.update_cluster(key, change)?,
        Command::DeleteCluster { key } => draft.delete_cluster(key)?,
        Command::RegisterTaskDefinition(new) => draft.register_definition(new),
        Command::DeregisterTaskDefinition { key } => draft.deregister_definition(key)?,
        Command::DeleteTaskDefinition { key } => draft.delete_definition(key)?,
        Command::StartTasks { tasks, token } => draft.start_tasks(tasks, token.as_ref())?,
        Command::StopTask { cluster, task, code, reason } => {
            draft.stop_task(cluster, *task, *code, reason.clone())?;
        }
        Command::RegisterInstance(registration) => draft.register_instance(registration)?,
        Command::DeregisterInstance { id, force } => draft.deregister_instance(*id, *force)?,
        Command::CreateJoinToken(token) => draft.create_join_token(token)?,
        Command::RevokeJoinToken { id } => draft.revoke_join_token(id)?,
        Command::Join(join) => draft.join(join)?,
        Command::SetInstanceStatus { id, status } => draft.set_instance_status(*id, *status)?,
        Command::PutAttributes { cluster, attributes } => draft.put_attributes(cluster, attributes)?,
        Command::DeleteAttributes { cluster, names } => draft.delete_attributes(cluster, names)?,
        Command::TimeOut { task } => draft.time_out(*task),
        Command::Retry { of, task } => draft.retry(*of, task)?,
        Command::ProtectTasks { cluster, tasks, until_ms } => draft.protect_tasks(cluster, tasks, *until_ms),
        Command::PutAccountSetting(setting) => draft.put_setting(setting),
        Command::DeleteAccountSetting(key) => draft.delete_setting(key),
        Command::SetAgentConnected { id, connected } => draft.set_agent_connected(*id, *connected)?,
        Command::EndSession { id, session } => draft.end_session(*id, *session)?,
        Command::LoseInstance { id, away_since_ms } => draft.lose_instance(*id, *away_since_ms)?,
        Command::ReportAgentVersion { id, agent, info } => draft.report_agent_version(*id, agent, info)?,
        Command::DropSessions => draft.drop_sessions(),
        Command::AcknowledgePayload { instance, tasks } => draft.acknowledge(*instance, tasks),
        Command::ReportTask { cluster, task, report } => draft.report_task(cluster, *task, report)?,
        Command::ReportContainer { cluster, task, report } => {
            draft.report_container(cluster, *task, report)?
        }
        Command::ReportAttachment { instance, attachment, status } => {
            draft.report_attachment(*instance, *attachment, *status);
        }
        Command::ReportHealth { task, containers } => draft.report_health(*task, containers)?,
        Command::ReportInstanceHealth { id, health } => draft.report_instance_health(*id, health)?,
        Command::CreateService { service, token } => draft.create_service(service, token.as_ref())?,
        Command::UpdateService { key, expected_version, change } => {
            draft.update_service(key, *expected_version, change)?
        }
        Command::DeployPush(wanted) => draft.deploy_push(wanted)?,
        Command::DeleteService { key, force } => draft.delete_service(key, *force)?,
        Command::ServiceStep(step) => draft.step_service(step)?,
        Command::StopDeployment { service, deployment, stop } => {
            draft.stop_deployment(service, deployment, *stop)?
        }
        Command::CreateTaskSet { service, deployment, external_id, scale, tags, token } => {
            let set = TaskSet {
                external_id: external_id.clone(),
                scale: *scale,
                tags: tags.clone(),
                stable: false,
                stable_at_ms: draft.now_ms,
            };
            draft.create_task_set(service, deployment, set, token.as_ref())?;
        }
        Command::ScaleTaskSet { service, set, scale } => draft.scale_task_set(service, set, *scale)?,
        Command::SetPrimaryTaskSet { service, set } => draft.set_primary_task_set(service, set)?,
        Command::DeleteTaskSet { service, set, force } => draft.delete_task_set(service, set, *force)?,
        Command::AnswerHook { service, run, answer } => draft.answer_hook(service, run, answer),
        Command::ContinueDeployment { service, deployment, hook, action } => {
            draft.continue_deployment(service, deployment, hook, *action)?
        }
        Command::Tag { resource, tags } => draft.tag(resource, |old| old.with(tags.iter().cloned()))?,
        Command::Untag { resource, keys } => draft.tag(resource, |old| old.without(keys))?,
        Command::Forget(things) => things.iter().for_each(|thing| draft.forget(thing)),
    }
    Ok(())
}
