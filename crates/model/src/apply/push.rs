//! A push that deploys: the revision, the deployment to it, and the mark that it was done, together or not at all.

use super::Draft;
use crate::{
    command::PushDeployment,
    entity::EVENTS_KEPT,
    ids::Revision,
    refusal::{Refusal, Stale},
};

impl Draft {
    pub(super) fn deploy_push(&mut self, wanted: &PushDeployment) -> Result<(), Refusal> {
        let key = &wanted.service;
        if self.need_service(key)?.push >= wanted.push {
            return Ok(());
        }
        let family = &wanted.definition.family;
        let last = self.world.family(&wanted.definition.scope, family).map_or(0, |f| f.last_revision.0);
        if wanted.revision != Revision(last + 1) {
            return Err(Refusal::StaleSnapshot(Stale::Revision(family.clone())));
        }
        self.register_definition(&wanted.definition);
        self.update_service(key, wanted.expected_version, &wanted.change)?;
        self.change_service(key, |service| {
            service.push = wanted.push;
            service.events.push_front(wanted.event.clone());
            service.events.truncate(EVENTS_KEPT);
        });
        Ok(())
    }
}
