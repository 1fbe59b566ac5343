//! Tasks that the planner has placed come into being. The plan was made from a snapshot, so each
//! place is looked at again.

use super::Draft;
use crate::{
    command::{NewTask, Token},
    entity::*,
    event::Event,
    refusal::{Refusal, Stale},
};
use std::{net::Ipv4Addr, sync::Arc};

impl Draft {
    pub(super) fn start_tasks(&mut self, tasks: &[NewTask], token: Option<&Token>) -> Result<(), Refusal> {
        let Some(first) = tasks.first() else { return Ok(()) };
        let scope = &first.cluster.scope;
        self.check_token(scope, token)?;
        for task in tasks {
            self.need_active_definition(&task.definition.in_scope(&task.cluster.scope))?;
            self.start(task)?;
        }
        self.record_token(scope, token, TokenResult::Tasks(tasks.iter().map(|task| task.id).collect()));
        Ok(())
    }

    pub(super) fn start(&mut self, new: &NewTask) -> Result<(), Refusal> {
        let cluster = self.need_active_cluster(&new.cluster)?;
        let definition = self.need_definition(&new.definition.in_scope(&new.cluster.scope))?;
        if self.world.task(new.id).is_some() {
            return Err(Refusal::IdInUse(new.id));
        }
        let size = new.size.unwrap_or_else(|| definition.demand());
        let host_ports: Vec<HostPort> = definition.host_ports().collect();
        let instance = self.check_place(new, size, &host_ports).map_err(Refusal::StaleSnapshot)?;
        let eni = match definition.network_mode {
            NetworkMode::Awsvpc => Some(self.interface(new, &instance).map_err(Refusal::StaleSnapshot)?),
            NetworkMode::Bridge | NetworkMode::Host | NetworkMode::None => None,
        };
        let asked = new.gpus.clone().unwrap_or_else(|| definition.gpus());
        let mut gpus = self.gpus(&instance, gpus_of(&asked)).map_err(Refusal::StaleSnapshot)?.into_iter();
        let containers = definition.containers.iter().enumerate().map(|(index, shape)| Container {
            name: shape.name.clone(),
            id: new.id.derive_uuid("container", index),
            essential: shape.essential,
            image: shape.image.clone(),
            last_status: ContainerStatus::Pending,
            runtime_id: None,
            exit_code: None,
            reason: None,
            image_digest: None,
            network_bindings: None,
            managed_agents: None,
            health: Health::Unknown,
            health_checked: shape.health_checked,
            gpus: gpus.by_ref().take(asked.get(index).map_or(0, |count| *count as usize)).collect(),
        });
        self.emit(Event::TaskCreated(Arc::new(Task {
            id: new.id,
            cluster: cluster.key.clone(),
            definition: DefinitionRef::from(&definition.key),
            launch_type: new.launch_type,
            capacity_provider: new.capacity_provider.clone(),
            platform_version: new.platform_version.clone(),
            platform_family: new.platform_family.clone(),
            instance: new.instance,
            group: new.group.clone(),
            started_by: new.started_by.clone(),
            service: new.service.clone(),
            deployment: new.deployment.clone(),
            desired_status: DesiredStatus::Running,
            last_status: TaskStatus::Provisioning,
            connectivity: Connectivity::Disconnected,
            health: Health::Unknown,
            containers: containers.collect(),
            size,
            host_ports,
            overrides: new.overrides.clone(),
            network: new.network.clone(),
            eni,
            stop: None,
            tags: new.tags.clone(),
            enable_execute_command: new.enable_execute_command,
            ephemeral_storage_gib: new.ephemeral_storage_gib,
            protected_until_ms: None,
            run: new.run.clone().map(Box::new),
            document: new.document.clone(),
            version: 1,
            acknowledged: None,
            created_at_ms: self.now_ms,
            connectivity_at_ms: None,
            pull_started_at_ms: None,
            pull_stopped_at_ms: None,
            started_at_ms: None,
            stopping_at_ms: None,
            execution_stopped_at_ms: None,
            stopped_at_ms: None,
        })));
        Ok(())
    }

    fn check_place(
        &self,
        new: &NewTask,
        size: Size,
        host_ports: &[HostPort],
    ) -> Result<Arc<ContainerInstance>, Stale> {
        let id = new.instance;
        let home = match new.launch_type {
            LaunchType::Fargate => Home::Pool,
            LaunchType::Ec2 | LaunchType::External => Home::Cluster(new.cluster.clone()),
        };
        let instance = self
            .world
            .instance(id)
            .filter(|instance| instance.is_available() && instance.home == home)
            .ok_or(Stale::InstanceUnavailable(id))?;
        if !size.fits_in(self.world.remaining(instance)) {
            return Err(Stale::Size(id));
        }
        let usage = self.world.usage(id);
        let taken = |port: &HostPort| {
            instance.reserved_ports.contains(port) || usage.is_some_and(|usage| usage.ports.contains(port))
        };
        if host_ports.iter().any(taken) {
            return Err(Stale::Port(id));
        }
        let group = new.group.as_ref().filter(|_| new.distinct_instance);
        match group.is_some_and(|group| self.world.has_of_group(id, &new.cluster, group)) {
            true => Err(Stale::Group(id)),
            false => Ok(instance.clone()),
        }
    }

    /// So many that no task has, the first that the instance named first.
    fn gpus(&self, instance: &ContainerInstance, count: usize) -> Result<Vec<Arc<str>>, Stale> {
        let free: Vec<_> = self.world.free_gpus(instance).take(count).cloned().collect();
        if free.len() < count { Err(Stale::Gpu(instance.id)) } else { Ok(free) }
    }

    fn interface(&self, new: &NewTask, instance: &ContainerInstance) -> Result<Eni, Stale> {
        let none_left = Stale::Address(instance.id);
        let Some(subnet) = instance.subnet else { return Err(none_left) };
        let seed = new.id.derive("address", 0);
        let usage = self.world.usage(instance.id).cloned().unwrap_or_default();
        let address = usage.free_address(subnet, seed).ok_or(none_left)?;
        Ok(Eni {
            attachment_id: new.id.derive_uuid("attachment", 0),
            eni_id: format!("eni-{:017x}", new.id.derive("interface", 0) >> 60).into(),
            address,
            prefix: subnet.prefix(),
            gateway: subnet.gateway(),
            mac: mac_of(address).into(),
            subnet: new.subnet.clone(),
            status: AttachmentStatus::Precreated,
        })
    }
}

/// The hardware address that goes with an address: locally administered and, like the address
/// itself, the only one of its subnet.
pub fn mac_of(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("0a:58:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}
