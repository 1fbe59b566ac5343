//! What is over may be forgotten. When its time has come is the planner's to say (`plan::reap`);
//! here only what nothing depends on any more is let go.

use super::Draft;
use crate::{command::Forgettable, entity::*, event::Event, key::DefinitionKey};

impl Draft {
    pub(super) fn forget(&mut self, thing: &Forgettable) {
        let world = &self.world;
        let event = match thing {
            Forgettable::Task(id) => world
                .task(*id)
                .filter(|task| !task.is_live() && task.retry_at_ms().is_none())
                .map(|task| Event::TaskForgotten { cluster: task.cluster.clone(), task: *id }),
            Forgettable::Cluster(key) => world
                .cluster(key)
                .filter(|cluster| cluster.status == ClusterStatus::Inactive)
                .filter(|_| world.tasks(key, DesiredStatus::Stopped).next().is_none())
                .filter(|_| world.services(key).next().is_none())
                .map(|_| Event::ClusterForgotten(key.clone())),
            Forgettable::Service(key) => world
                .service(key)
                .filter(|service| service.status == ServiceStatus::Inactive)
                .map(|_| Event::ServiceForgotten(key.clone())),
            Forgettable::Instance(id) => world
                .instance(*id)
                .filter(|instance| instance.status == InstanceStatus::Inactive)
                .filter(|_| world.live_tasks_on(*id).next().is_none())
                .map(|instance| Event::InstanceForgotten { home: instance.home.clone(), id: *id }),
            Forgettable::Definition(key) => world
                .definition(key)
                .filter(|definition| definition.status == DefinitionStatus::DeleteInProgress)
                .filter(|_| !self.is_used(key))
                .map(|_| Event::DefinitionForgotten(key.clone())),
            Forgettable::Token(key) => world
                .tokens
                .get(key)
                .filter(|token| token.expires_at_ms <= self.now_ms)
                .map(|_| Event::TokenForgotten(key.clone())),
        };
        if let Some(Event::ServiceForgotten(key)) = &event {
            self.forget_history(key);
        }
        if let Some(event) = event {
            self.emit(event);
        }
    }

    fn is_used(&self, key: &DefinitionKey) -> bool {
        self.world.is_definition_used(key)
    }
}
