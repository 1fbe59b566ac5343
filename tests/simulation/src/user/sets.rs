//! Task sets: services whose deployments somebody else decides on.

use model::{Command, DeploymentId, DeploymentStatus, LaunchType, ServiceKey, Tags};

use crate::episode::Episode;

impl Episode {
    pub(super) fn decide_on_sets(&mut self) {
        let Some(service) = self.any_service().filter(|key| self.is_external(key)) else {
            return self.run_tasks();
        };
        let sets = self.sets_of(&service);
        let Some(set) = self.dice.pick(&sets) else { return self.create_set(service) };
        match self.dice.between(0, 9) {
            0..3 => self.create_set(service),
            3..6 => {
                let scale = self.any_scale();
                self.order(Command::ScaleTaskSet { service, set, scale });
            }
            6..8 => self.order(Command::SetPrimaryTaskSet { service, set }),
            _ => {
                let force = self.dice.chance(70);
                self.order(Command::DeleteTaskSet { service, set, force });
            }
        }
    }

    fn sets_of(&self, service: &ServiceKey) -> Vec<DeploymentId> {
        let service = self.control.world.service(service);
        let sets = service.into_iter().flat_map(|service| &service.deployments);
        sets.filter(|set| set.status != DeploymentStatus::Draining).map(|set| set.id.clone()).collect()
    }

    fn any_scale(&mut self) -> f64 {
        f64::from(self.dice.between(0, 60) as u32)
    }

    fn create_set(&mut self, service: ServiceKey) {
        if self.sets_of(&service).len() > 2 {
            return;
        }
        let own = self.weather.own > 0 && (self.weather.pool == 0 || self.dice.chance(50));
        let launch_type = if own { LaunchType::Ec2 } else { LaunchType::Fargate };
        let Some(family) = self.any_family(launch_type) else { return };
        let deployment = self.deployment(&family, launch_type).into();
        let (external_id, tags, token) = (None, Tags::default(), None);
        let scale = self.any_scale();
        self.order(Command::CreateTaskSet { service, deployment, external_id, scale, tags, token });
    }
}
