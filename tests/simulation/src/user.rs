//! What people order: at random, of everything that concerns services and tasks.

mod sets;
mod stages;

use model::command::{NewDeployment, NewService, NewTask, ServiceChange};
use model::{
    Breaker, CapacityStrategyItem, Command, ConstraintKind, ControllerType, DefinitionRef, InstanceId,
    InstanceStatus, LaunchType, PlacementConstraint, PlacementStrategy, Run, SchedulingStrategy, ServiceKey,
    ServiceStatus, StopCode, StopType, StrategyKind, TaskId,
};
use plan::{Ids, Rules, Want};

use crate::control::Origin;
use crate::episode::Episode;
use crate::site::{self, FAMILIES};

const NAMES: &[&str] = &["web", "api", "queue", "cache", "mail"];
/// Both bounds with and without room between them.
const PERCENTS: &[(u32, u32)] =
    &[(100, 200), (50, 100), (0, 100), (50, 150), (75, 200), (100, 150), (0, 200), (100, 100)];

/// Where a daemon's tasks belong is a matter of what the instances are.
fn is_member_of(rule: &PlacementConstraint) -> bool {
    rule.kind == ConstraintKind::MemberOf
}

impl Episode {
    pub fn act(&mut self) {
        match self.dice.between(0, 99) {
            0..20 => self.create_service(),
            20..35 => self.scale(),
            35..50 => self.deploy(),
            50..52 => self.change_strategy(),
            52..54 => self.stop_deployment(),
            54..58 => self.delete_service(),
            58..65 => self.run_tasks(),
            65..70 => self.decide_on_sets(),
            70..75 => self.decide_on_pause(),
            75..83 => self.stop_task(),
            83..88 => self.protect(),
            88..94 => self.drain(),
            94..96 => self.name_definition_anew(),
            96..98 => self.settle_percents(),
            _ => self.switch_breaker(),
        }
    }

    fn order(&mut self, command: Command) {
        self.note(|| format!("order {command:?}"));
        self.submit(command, Origin::User);
    }

    fn create_service(&mut self) {
        let names = &NAMES[..self.weather.services as usize];
        let Some(name) = self.dice.pick(names) else { return };
        let own = self.weather.own > 0 && (self.weather.pool == 0 || self.dice.chance(50));
        let launch_type = if own { LaunchType::Ec2 } else { LaunchType::Fargate };
        let Some(family) = self.any_family(launch_type) else { return };
        let Some((minimum, maximum)) = self.dice.pick(PERCENTS) else { return };
        let deployment = self.deployment(&family, launch_type);
        let external = self.dice.chance(self.weather.external);
        let daemon = own && !external && self.dice.chance(25);
        let breaker = Breaker {
            enable: self.dice.chance(50),
            rollback: self.dice.chance(60),
            reset_on_healthy: self.dice.chance(50),
            ..Breaker::default()
        };
        let (constraints, strategy) = if own { self.any_rules() } else { (vec![], vec![]) };
        let service = NewService {
            desired_count: if daemon { 0 } else { self.any_count() },
            scheduling: if daemon { SchedulingStrategy::Daemon } else { SchedulingStrategy::Replica },
            minimum_healthy_percent: minimum,
            maximum_percent: if daemon { 100 } else { maximum },
            breaker,
            stages: if daemon || external { None } else { self.any_stages() },
            controller: if external { ControllerType::External } else { ControllerType::Ecs },
            health_check_grace_s: self.dice.chance(30).then_some(15),
            placement_constraints: constraints
                .into_iter()
                .filter(|rule| !daemon || is_member_of(rule))
                .collect(),
            placement_strategy: if daemon { vec![] } else { strategy },
            ..site::service(name, deployment)
        };
        let service = match external {
            true => NewService { deployment: None, ..service },
            false => service,
        };
        self.order(Command::CreateService { service: service.into(), token: None });
    }

    fn any_count(&mut self) -> u32 {
        self.dice.rarely_up_to(0, 12) as u32
    }

    fn any_family(&mut self, launch_type: LaunchType) -> Option<String> {
        let all = FAMILIES.iter().map(|manners| manners.family.to_owned());
        let fit: Vec<String> = all.filter(|family| site::may_be(family, launch_type)).collect();
        self.dice.pick(&fit)
    }

    fn deployment(&mut self, family: &str, launch_type: LaunchType) -> NewDeployment {
        let spot = launch_type == LaunchType::Fargate && self.dice.chance(20);
        let item =
            |provider: &str, base, weight| CapacityStrategyItem { provider: provider.into(), base, weight };
        NewDeployment {
            capacity_strategy: match spot {
                true => vec![item("FARGATE", 1, 1), item("FARGATE_SPOT", 0, 2)],
                false => vec![],
            },
            ..site::deployment(Ids::new(self.dice.id()).deployment(), self.newest(family), launch_type)
        }
    }

    fn newest(&self, family: &str) -> DefinitionRef {
        let newest = self.control.world.latest_definition(&site::scope(), &family.into());
        newest.map_or(DefinitionRef { family: family.into(), revision: model::Revision(1) }, |definition| {
            DefinitionRef::from(&definition.key)
        })
    }

    fn any_rules(&mut self) -> (Vec<PlacementConstraint>, Vec<PlacementStrategy>) {
        let mut constraints = Vec::new();
        if self.dice.chance(25) {
            constraints
                .push(PlacementConstraint { kind: ConstraintKind::DistinctInstance, expression: None });
        }
        if self.dice.chance(20) {
            let expression = self.dice.pick(&["attribute:rack == a", "attribute:rack in [a, b]"]);
            constraints.push(PlacementConstraint {
                kind: ConstraintKind::MemberOf,
                expression: expression.map(Into::into),
            });
        }
        let by = |kind, field: &str| PlacementStrategy { kind, field: Some(field.into()) };
        let strategies = [
            by(StrategyKind::Spread, "attribute:rack"),
            by(StrategyKind::Spread, "instanceId"),
            by(StrategyKind::Binpack, "memory"),
            by(StrategyKind::Binpack, "cpu"),
            PlacementStrategy { kind: StrategyKind::Random, field: None },
        ];
        let wanted = self.dice.between(0, 2);
        let strategy = (0..wanted).filter_map(|_| self.dice.pick(&strategies)).collect();
        (constraints, strategy)
    }

    fn any_service(&mut self) -> Option<ServiceKey> {
        let services = self.control.world.all_services();
        let active = services.filter(|service| service.status == ServiceStatus::Active);
        let keys: Vec<ServiceKey> = active.map(|service| service.key.clone()).collect();
        self.dice.pick(&keys)
    }

    fn is_external(&self, key: &ServiceKey) -> bool {
        let service = self.control.world.service(key);
        service.is_some_and(|service| service.controller == ControllerType::External)
    }

    fn is_daemon(&self, key: &ServiceKey) -> bool {
        let service = self.control.world.service(key);
        service.is_some_and(|service| service.scheduling == SchedulingStrategy::Daemon)
    }

    pub fn change(&mut self, key: ServiceKey, change: ServiceChange) {
        let Some(service) = self.control.world.service(&key) else { return };
        let expected_version = service.version;
        self.order(Command::UpdateService { key, expected_version, change: change.into() });
    }

    fn scale(&mut self) {
        let Some(key) = self.any_service().filter(|key| !self.is_daemon(key)) else { return };
        let desired_count = Some(self.any_count());
        self.change(key, ServiceChange { desired_count, ..ServiceChange::default() });
    }

    fn deploy(&mut self) {
        let Some(key) = self.any_service() else { return };
        let anew = self.dice.chance(30);
        self.deploy_to(key, anew);
    }

    /// To the same definition, or to another.
    pub fn deploy_to(&mut self, key: ServiceKey, anew: bool) {
        if self.is_external(&key) {
            return;
        }
        let Some(primary) = self.control.world.service(&key).and_then(|service| service.primary()).cloned()
        else {
            return;
        };
        let family = match anew {
            true => Some(primary.definition.family.to_string()),
            false => self.any_family(primary.launch_type),
        };
        let Some(family) = family else { return };
        let deployment = Some(self.deployment(&family, primary.launch_type));
        let scales = !self.is_daemon(&key) && self.dice.chance(20);
        let desired_count = scales.then(|| self.any_count());
        self.change(key, ServiceChange { deployment, desired_count, ..ServiceChange::default() });
    }

    fn stop_deployment(&mut self) {
        let Some(key) = self.any_service() else { return };
        let Some(stop) = self.dice.pick(StopType::ALL) else { return };
        let world = &self.control.world;
        let newest = world.service(&key).and_then(|service| world.newest_service_deployment(service));
        let Some(deployment) = newest.map(|record| record.deployment.clone()) else { return };
        self.order(Command::StopDeployment { service: key, deployment, stop });
    }

    fn delete_service(&mut self) {
        let Some(key) = self.any_service() else { return };
        let force = self.dice.chance(70);
        self.order(Command::DeleteService { key, force });
    }

    fn run_tasks(&mut self) {
        let own = self.weather.own > 0 && (self.weather.pool == 0 || self.dice.chance(50));
        let launch_type = if own { LaunchType::Ec2 } else { LaunchType::Fargate };
        let Some(family) = self.any_family(launch_type) else { return };
        let (constraints, strategy) = if own { self.any_rules() } else { (vec![], vec![]) };
        let group: Option<model::Group> = self.dice.pick(&[None, Some("jobs")]).flatten().map(Into::into);
        let run = self.dice.chance(40).then(|| Run {
            timeout_ms: self.dice.chance(60).then(|| self.dice.between(1_000, 120_000)),
            retries: self.dice.between(0, 4) as u32,
            attempt: 1,
            constraints: constraints.clone(),
            strategy: strategy.clone(),
            timed_out: false,
            next: None,
        });
        let count = self.dice.between(1, 10);
        let want = Want {
            cluster: site::cluster(),
            definition: self.newest(&family),
            launch_type,
            size: None,
            gpus: None,
            capacity_provider: None,
        };
        let wants: Vec<Want> = (0..count).map(|_| want.clone()).collect();
        let mut rules = Rules::of(&constraints, &strategy);
        rules.group = group.clone().map(|group| (site::cluster(), group));
        let seed = self.dice.id();
        let placement = plan::place(&self.control.world, &wants, &rules, seed);
        if !placement.failures.is_empty() {
            self.tally.count("tasks without a place");
        }
        let mut ids = Ids::new(seed);
        let task = |id: TaskId, instance: InstanceId| NewTask {
            group: group.clone(),
            distinct_instance: rules.distinct_instance,
            run: run.clone(),
            ..site::task(id, instance, want.definition.clone(), launch_type)
        };
        let tasks: Vec<NewTask> =
            placement.placed.iter().map(|placed| task(ids.task(), placed.instance)).collect();
        self.order(Command::StartTasks { tasks, token: None });
    }

    fn any_task(&mut self) -> Option<TaskId> {
        let live: Vec<TaskId> =
            self.control.world.all_tasks().filter(|task| task.is_live()).map(|task| task.id).collect();
        self.dice.pick(&live)
    }

    fn stop_task(&mut self) {
        let Some(task) = self.any_task() else { return };
        let (cluster, code, reason) = (site::cluster(), StopCode::UserInitiated, "enough".into());
        self.order(Command::StopTask { cluster, task, code, reason });
    }

    fn protect(&mut self) {
        let Some(task) = self.any_task() else { return };
        let until_ms = self.dice.chance(80).then(|| self.now_ms + self.dice.between(1_000, 300_000));
        self.order(Command::ProtectTasks { cluster: site::cluster(), tasks: vec![task], until_ms });
    }

    fn drain(&mut self) {
        let ids: Vec<InstanceId> = self.machines.keys().copied().collect();
        let Some(id) = self.dice.pick(&ids) else { return };
        let status = if self.dice.chance(60) { InstanceStatus::Draining } else { InstanceStatus::Active };
        self.order(Command::SetInstanceStatus { id, status });
    }

    /// A further revision; sometimes the last one is given up.
    fn name_definition_anew(&mut self) {
        let Some(manners) = self.dice.pick(FAMILIES) else { return };
        if self.dice.chance(50) {
            let key = self.newest(manners.family).in_scope(&site::scope());
            self.order(Command::DeregisterTaskDefinition { key });
        }
        self.order(site::definition(&manners));
    }

    fn settle_percents(&mut self) {
        let Some(key) = self.any_service() else { return };
        let Some((minimum, maximum)) = self.dice.pick(PERCENTS) else { return };
        let change = ServiceChange {
            minimum_healthy_percent: Some(minimum),
            maximum_percent: Some(if self.is_daemon(&key) { 100 } else { maximum }),
            ..ServiceChange::default()
        };
        self.change(key, change);
    }

    fn switch_breaker(&mut self) {
        let Some(key) = self.any_service() else { return };
        let breaker = Breaker { enable: self.dice.chance(50), rollback: true, ..Breaker::default() };
        self.change(key, ServiceChange { breaker: Some(breaker), ..ServiceChange::default() });
    }

    /// A machine that doesn't answer is given up, and another one takes its place.
    pub fn operator_looks(&mut self, id: InstanceId) {
        let machine = &self.machines[&id];
        if machine.is_linked() || self.is_deregistered(id) {
            return;
        }
        self.tally.count("machines given up");
        let home = machine.registration.home.clone();
        self.order(Command::DeregisterInstance { id, force: true });
        self.new_machine(home);
    }

    pub fn is_deregistered(&self, id: InstanceId) -> bool {
        let instance = self.control.world.instance(id);
        instance.is_none_or(|instance| instance.status == InstanceStatus::Inactive)
    }
}
