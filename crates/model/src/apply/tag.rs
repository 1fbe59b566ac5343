use super::Draft;
use crate::{command::Resource, entity::*, event::Event, refusal::Refusal};

impl Draft {
    pub(super) fn tag(
        &mut self,
        resource: &Resource,
        change: impl FnOnce(&Tags) -> Tags,
    ) -> Result<(), Refusal> {
        let old = tags_of(self, resource).ok_or(Refusal::ResourceNotFound)?;
        let tags = change(&old);
        if tags.len() > TAGS_ALLOWED {
            return Err(Refusal::TooManyTags(tags.len()));
        }
        if tags == old {
            return Ok(());
        }
        let world = &self.world;
        let event = match resource {
            Resource::Cluster(key) => world
                .cluster(key)
                .map(|cluster| Event::ClusterUpdated(Cluster { tags, ..Cluster::clone(cluster) }.into())),
            Resource::Service(key) => world.service(key).map(|old| {
                let version = old.version + 1;
                Event::ServiceUpdated(Service { tags, version, ..Service::clone(old) }.into())
            }),
            Resource::Task(_, id) => Some(Event::TaskTagged { task: *id, tags }),
            Resource::Definition(key) => world.definition(key).map(|old| {
                Event::DefinitionUpdated(TaskDefinition { tags, ..TaskDefinition::clone(old) }.into())
            }),
            Resource::Instance(_, id) => world.instance(*id).map(|old| {
                let version = old.version + 1;
                let instance = ContainerInstance { tags, version, ..ContainerInstance::clone(old) };
                Event::InstanceUpdated(instance.into())
            }),
        };
        if let Some(event) = event {
            self.emit(event);
        }
        Ok(())
    }
}

/// `None` when there is no such resource, or it is deleted.
fn tags_of(draft: &Draft, resource: &Resource) -> Option<Tags> {
    let world = &draft.world;
    match resource {
        Resource::Cluster(key) => world.active_cluster(key).map(|cluster| cluster.tags.clone()),
        Resource::Service(key) => world
            .service(key)
            .filter(|service| service.status != ServiceStatus::Inactive)
            .map(|service| service.tags.clone()),
        Resource::Task(cluster, id) => world.task_in(cluster, *id).map(|task| task.tags.clone()),
        Resource::Definition(key) => world.definition(key).map(|definition| definition.tags.clone()),
        Resource::Instance(cluster, id) => world
            .instance(*id)
            .filter(|instance| instance.home == Home::Cluster(cluster.clone()))
            .filter(|instance| instance.status != InstanceStatus::Inactive)
            .map(|instance| instance.tags.clone()),
    }
}
