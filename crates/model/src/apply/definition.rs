use super::Draft;
use crate::{
    command::NewDefinition, entity::*, event::Event, ids::Revision, key::DefinitionKey, refusal::Refusal,
};
use std::sync::Arc;

impl Draft {
    /// Takes the next number of the family; numbers aren't given twice.
    pub(super) fn register_definition(&mut self, new: &NewDefinition) {
        let last =
            self.world.family(&new.scope, &new.family).map_or(Revision(0), |family| family.last_revision);
        let key = DefinitionKey {
            scope: new.scope.clone(),
            family: new.family.clone(),
            revision: Revision(last.0 + 1),
        };
        self.emit(Event::DefinitionRegistered(Arc::new(TaskDefinition {
            key,
            status: DefinitionStatus::Active,
            cpu: new.cpu,
            memory_mib: new.memory_mib,
            network_mode: new.network_mode,
            compatibilities: new.compatibilities.clone(),
            requires_compatibilities: new.requires_compatibilities.clone(),
            requires_attributes: new.requires_attributes.clone(),
            member_of: new.member_of.clone(),
            platform: new.platform.clone(),
            containers: new.containers.clone(),
            ephemeral_storage_gib: new.ephemeral_storage_gib,
            document: new.document.clone(),
            tags: new.tags.clone(),
            registered_at_ms: self.now_ms,
            registered_by: new.registered_by.clone(),
            deregistered_at_ms: None,
            delete_requested_at_ms: None,
        })));
    }

    /// What runs from it goes on running, and services go on using it.
    pub(super) fn deregister_definition(&mut self, key: &DefinitionKey) -> Result<(), Refusal> {
        let mut definition = TaskDefinition::clone(&*self.need_definition(key)?);
        if definition.status == DefinitionStatus::Active {
            definition.status = DefinitionStatus::Inactive;
            definition.deregistered_at_ms = Some(self.now_ms);
            self.emit(Event::DefinitionUpdated(definition.into()));
        }
        Ok(())
    }

    /// It stays in DELETE_IN_PROGRESS for as long as tasks or services refer to it.
    pub(super) fn delete_definition(&mut self, key: &DefinitionKey) -> Result<(), Refusal> {
        let mut definition = TaskDefinition::clone(&*self.need_definition(key)?);
        match definition.status {
            DefinitionStatus::Active => return Err(Refusal::DefinitionActive(key.clone())),
            DefinitionStatus::DeleteInProgress => {}
            DefinitionStatus::Inactive => {
                definition.status = DefinitionStatus::DeleteInProgress;
                definition.delete_requested_at_ms = Some(self.now_ms);
                self.emit(Event::DefinitionUpdated(definition.into()));
            }
        }
        Ok(())
    }

    pub(super) fn need_definition(&self, key: &DefinitionKey) -> Result<Arc<TaskDefinition>, Refusal> {
        self.world.definition(key).cloned().ok_or_else(|| Refusal::DefinitionNotFound(key.clone()))
    }

    pub(super) fn need_active_definition(&self, key: &DefinitionKey) -> Result<Arc<TaskDefinition>, Refusal> {
        let definition = self.need_definition(key)?;
        match definition.status {
            DefinitionStatus::Active => Ok(definition),
            _ => Err(Refusal::DefinitionInactive(key.clone())),
        }
    }
}
