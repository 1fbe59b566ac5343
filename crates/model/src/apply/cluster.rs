use super::Draft;
use crate::{command::ClusterChange, entity::*, event::Event, key::ClusterKey, refusal::Refusal};
use std::sync::Arc;

impl Draft {
    pub(super) fn need_active_cluster(&self, key: &ClusterKey) -> Result<Arc<Cluster>, Refusal> {
        self.world.active_cluster(key).cloned().ok_or_else(|| Refusal::ClusterNotFound(key.clone()))
    }

    /// Creating what exists changes nothing; creating what was deleted begins anew.
    pub(super) fn create_cluster(
        &mut self,
        key: &ClusterKey,
        change: &ClusterChange,
        tags: &Tags,
    ) -> Result<(), Refusal> {
        if self.world.active_cluster(key).is_some() {
            return Ok(());
        }
        if tags.len() > TAGS_ALLOWED {
            return Err(Refusal::TooManyTags(tags.len()));
        }
        let mut cluster = Cluster {
            key: key.clone(),
            status: ClusterStatus::Active,
            settings: None,
            configuration: None,
            capacity_providers: Vec::new(),
            default_strategy: Vec::new(),
            service_connect_defaults: None,
            tags: tags.clone(),
            created_at_ms: self.now_ms,
            inactive_at_ms: None,
        };
        change_cluster(&mut cluster, change);
        self.emit(Event::ClusterCreated(cluster.into()));
        Ok(())
    }

    pub(super) fn update_cluster(&mut self, key: &ClusterKey, change: &ClusterChange) -> Result<(), Refusal> {
        let old = self.need_active_cluster(key)?;
        let mut cluster = Cluster::clone(&old);
        change_cluster(&mut cluster, change);
        if cluster != *old {
            self.emit(Event::ClusterUpdated(cluster.into()));
        }
        Ok(())
    }

    pub(super) fn delete_cluster(&mut self, key: &ClusterKey) -> Result<(), Refusal> {
        let mut cluster = Cluster::clone(&*self.need_active_cluster(key)?);
        let home = Home::Cluster(key.clone());
        if self.world.instances(&home).any(|instance| instance.status != InstanceStatus::Inactive) {
            return Err(Refusal::ClusterContainsContainerInstances(key.clone()));
        }
        if self.world.services(key).any(|service| service.status != ServiceStatus::Inactive) {
            return Err(Refusal::ClusterContainsServices(key.clone()));
        }
        let live = |desired| self.world.tasks(key, desired).any(|task| task.is_live());
        if live(DesiredStatus::Running) || live(DesiredStatus::Stopped) {
            return Err(Refusal::ClusterContainsTasks(key.clone()));
        }
        cluster.status = ClusterStatus::Inactive;
        cluster.inactive_at_ms = Some(self.now_ms);
        self.emit(Event::ClusterDeleted(cluster.into()));
        Ok(())
    }
}

fn change_cluster(cluster: &mut Cluster, change: &ClusterChange) {
    fn set<T: Clone>(field: &mut T, to: &Option<T>) {
        if let Some(to) = to {
            *field = to.clone();
        }
    }
    set(&mut cluster.settings, &change.settings);
    set(&mut cluster.configuration, &change.configuration);
    set(&mut cluster.capacity_providers, &change.capacity_providers);
    set(&mut cluster.default_strategy, &change.default_strategy);
    set(&mut cluster.service_connect_defaults, &change.service_connect_defaults);
}
