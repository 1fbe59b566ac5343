use super::Draft;
use crate::{entity::*, ids::InstanceId, key::ClusterKey, refusal::Refusal};
use std::sync::Arc;

impl Draft {
    pub(super) fn put_attributes(
        &mut self,
        cluster: &ClusterKey,
        attributes: &[(InstanceId, Attribute)],
    ) -> Result<(), Refusal> {
        for (id, attribute) in attributes {
            self.need_instance_of(cluster, *id)?;
            self.change_instance(*id, |instance| {
                let known = instance.custom.iter_mut().find(|known| known.name == attribute.name);
                match known {
                    Some(known) => *known = attribute.clone(),
                    None => instance.custom.push(attribute.clone()),
                }
            })?;
            let instance = self.need_instance(*id)?;
            let count =
                instance.all_attributes().values().filter(|attribute| !attribute.is_reserved()).count();
            if count > CUSTOM_ATTRIBUTES_ALLOWED {
                return Err(Refusal::TooManyAttributes(*id, count));
            }
        }
        Ok(())
    }

    /// One that the agent registered goes too, until the agent registers again.
    pub(super) fn delete_attributes(
        &mut self,
        cluster: &ClusterKey,
        names: &[(InstanceId, Arc<str>)],
    ) -> Result<(), Refusal> {
        for (id, name) in names {
            self.need_instance_of(cluster, *id)?;
            self.change_instance(*id, |instance| {
                instance.custom.retain(|known| known.name != *name);
                instance.attributes.retain(|known| known.name != *name || known.is_reserved());
            })?;
        }
        Ok(())
    }

    fn need_instance_of(&self, cluster: &ClusterKey, id: InstanceId) -> Result<(), Refusal> {
        let instance = self.need_instance(id)?;
        match instance.status {
            _ if instance.home != Home::Cluster(cluster.clone()) => Err(Refusal::InstanceNotFound(id)),
            InstanceStatus::Inactive => Err(Refusal::InstanceInactive(id)),
            _ => Ok(()),
        }
    }
}
