use super::{Draft, why};
use crate::{
    command::Registration,
    entity::*,
    event::Event,
    ids::{InstanceId, TaskId},
    refusal::Refusal,
};
use std::sync::Arc;

impl Draft {
    /// An agent that restarts registers again under its id, perhaps with other attributes and
    /// totals; its tasks are still its own.
    pub(super) fn register_instance(&mut self, new: &Registration) -> Result<(), Refusal> {
        if let Some((scope, token)) = &new.token {
            self.check_token(scope, Some(token))?;
        }
        if let Home::Cluster(cluster) = &new.home {
            self.need_active_cluster(cluster)?;
        }
        let Some(old) = self.world.instance(new.id).cloned() else {
            self.emit(Event::InstanceRegistered(Arc::new(ContainerInstance {
                id: new.id,
                home: new.home.clone(),
                status: InstanceStatus::Active,
                status_reason: None,
                attributes: new.attributes.clone(),
                custom: Vec::new(),
                total: new.total,
                reserved_ports: new.reserved_ports.clone(),
                gpus: new.gpus.clone(),
                subnet: new.subnet,
                version_info: new.version_info.clone(),
                agent_version: new.agent_version.clone(),
                ec2_instance_id: new.ec2_instance_id.clone(),
                agent_connected: false,
                disconnected_at_ms: Some(self.now_ms),
                lost: false,
                session: 0,
                registered_at_ms: self.now_ms,
                inactive_at_ms: None,
                version: 1,
                health: None,
                tags: new.tags.clone(),
                document: new.document.clone(),
            })));
            if let Some((scope, token)) = &new.token {
                self.record_token(scope, Some(token), TokenResult::Instance(new.id));
            }
            return Ok(());
        };
        if old.home != new.home {
            return Err(Refusal::InstanceElsewhere(new.id));
        }
        if old.status == InstanceStatus::Inactive {
            return Err(Refusal::InstanceInactive(new.id));
        }
        self.change_instance(new.id, |instance| {
            instance.attributes = again(&instance.attributes, &new.attributes);
            instance.total = new.total;
            instance.reserved_ports = new.reserved_ports.clone();
            instance.gpus = new.gpus.clone();
            instance.subnet = new.subnet;
            // An agent that tells its version when it connects is silent about it here.
            instance.version_info = new.version_info.clone().or(instance.version_info.take());
            instance.agent_version = new.agent_version.clone().or(instance.agent_version.take());
            instance.ec2_instance_id = new.ec2_instance_id.clone();
            instance.document = new.document.clone();
        })
    }

    /// With `force`, its tasks count as stopped: nobody will tell what becomes of them.
    pub(super) fn deregister_instance(&mut self, id: InstanceId, force: bool) -> Result<(), Refusal> {
        let instance = self.need_instance(id)?;
        if instance.status == InstanceStatus::Inactive {
            return Ok(());
        }
        let live: Vec<TaskId> = self.world.live_tasks_on(id).map(|task| task.id).collect();
        if !live.is_empty() && !force {
            return Err(Refusal::InstanceContainsTasks(id, live.len()));
        }
        let now_ms = self.now_ms;
        self.change_instance(id, |instance| {
            instance.status = InstanceStatus::Inactive;
            instance.inactive_at_ms = Some(now_ms);
            instance.agent_connected = false;
        })?;
        self.end_key_of(id);
        for task in live {
            self.end(task, Stop { code: StopCode::UserInitiated, reason: why::DEREGISTERED.into() });
        }
        Ok(())
    }

    pub(super) fn set_instance_status(&mut self, id: InstanceId, to: InstanceStatus) -> Result<(), Refusal> {
        let from = self.need_instance(id)?.status;
        match (from, to) {
            _ if from == to => Ok(()),
            (InstanceStatus::Active, InstanceStatus::Draining)
            | (InstanceStatus::Draining, InstanceStatus::Active) => {
                self.change_instance(id, |instance| instance.status = to)
            }
            _ => Err(Refusal::InvalidTransition(id, from, to)),
        }
    }

    /// A second connection while one seems open is a new session: the newest wins.
    pub(super) fn set_agent_connected(&mut self, id: InstanceId, connected: bool) -> Result<(), Refusal> {
        let instance = self.need_instance(id)?;
        if connected && instance.status == InstanceStatus::Inactive {
            return Err(Refusal::InstanceInactive(id));
        }
        let now_ms = self.now_ms;
        self.change_instance(id, |instance| {
            instance.agent_connected = connected;
            instance.disconnected_at_ms = (!connected).then(|| instance.disconnected_at_ms.unwrap_or(now_ms));
            instance.lost &= !connected;
            instance.session += u64::from(connected);
        })
    }

    pub(super) fn end_session(&mut self, id: InstanceId, session: u64) -> Result<(), Refusal> {
        match self.need_instance(id)?.session == session {
            true => self.set_agent_connected(id, false),
            false => Ok(()),
        }
    }

    /// What a lost machine really does is not known: it may be off, or only out of reach with everything on it running.
    /// So its tasks are STOPPING, and keep what they hold of it, until it is back and stops what isn't wanted any more, or
    /// until somebody deregisters it. Tasks of no service have nothing to take their place; they go on when it is back.
    pub(super) fn lose_instance(&mut self, id: InstanceId, away_since_ms: u64) -> Result<(), Refusal> {
        let instance = self.need_instance(id)?;
        let away = instance.status != InstanceStatus::Inactive && !instance.agent_connected;
        if !away || instance.disconnected_at_ms != Some(away_since_ms) {
            return Ok(());
        }
        self.change_instance(id, |instance| instance.lost = true)?;
        let of_services = |task: &&Arc<Task>| task.service.is_some() && task.is_wanted();
        let given_up: Vec<TaskId> =
            self.world.live_tasks_on(id).filter(of_services).map(|task| task.id).collect();
        let away_s = self.now_ms.saturating_sub(away_since_ms) / 1000;
        let reason: Arc<str> = format!(
            "Host unavailable: the agent of container instance {id} has not been connected for {away_s} s"
        )
        .into();
        for task in given_up {
            let stop = Stop { code: StopCode::ServiceSchedulerInitiated, reason: reason.clone() };
            self.request_stop(task, stop);
        }
        Ok(())
    }

    pub(super) fn drop_sessions(&mut self) {
        let active = |instance: &&Arc<ContainerInstance>| instance.status != InstanceStatus::Inactive;
        let all: Vec<InstanceId> = self.world.all_instances().filter(active).map(|i| i.id).collect();
        let now_ms = self.now_ms;
        for id in all {
            // While the server was away nobody could connect: that time is not counted. The instance was just
            // seen, so this can't be refused.
            let _ = self.change_instance(id, |instance| {
                instance.agent_connected = false;
                instance.disconnected_at_ms = Some(now_ms);
            });
        }
    }

    pub(super) fn report_agent_version(
        &mut self,
        id: InstanceId,
        agent: &Arc<str>,
        info: &Document,
    ) -> Result<(), Refusal> {
        self.change_instance(id, |instance| {
            instance.agent_version = Some(agent.clone());
            instance.version_info = Some(info.clone());
        })
    }

    pub(super) fn report_instance_health(
        &mut self,
        id: InstanceId,
        health: &Document,
    ) -> Result<(), Refusal> {
        self.change_instance(id, |instance| instance.health = Some(health.clone()))
    }

    pub(super) fn need_instance(&self, id: InstanceId) -> Result<Arc<ContainerInstance>, Refusal> {
        self.world.instance(id).cloned().ok_or(Refusal::InstanceNotFound(id))
    }

    pub(super) fn change_instance(
        &mut self,
        id: InstanceId,
        change: impl FnOnce(&mut ContainerInstance),
    ) -> Result<(), Refusal> {
        let old = self.need_instance(id)?;
        let mut instance = ContainerInstance::clone(&old);
        change(&mut instance);
        if instance != *old {
            instance.version += 1;
            self.emit(Event::InstanceUpdated(instance.into()));
        }
        Ok(())
    }
}

/// The attributes of an instance that registers again. What it can do is said anew; what its owner had it say of itself
/// is said with the first registration alone (amazon-ecs-agent, `ECS_INSTANCE_ATTRIBUTES`), and stays.
fn again(old: &[Attribute], new: &[Attribute]) -> Vec<Attribute> {
    let said = |name: &str| new.iter().any(|attribute| &*attribute.name == name);
    let kept = old.iter().filter(|attribute| !attribute.is_reserved() && !said(&attribute.name));
    new.iter().chain(kept).cloned().collect()
}
