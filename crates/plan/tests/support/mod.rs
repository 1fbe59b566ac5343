//! A service under simulated agents: the planner's steps are applied, and agents report as they
//! please. Time is a number.
#![allow(dead_code, reason = "each test file uses its own part of it")]

use model::{command::*, *};
use plan::reconcile::{self, Plan};

pub fn scope() -> Scope {
    Scope::new("000000000000", "us-east-1")
}

pub fn cluster() -> ClusterKey {
    scope().cluster("default")
}

pub fn key() -> ServiceKey {
    cluster().service("web")
}

pub fn definition(family: &str, size: Size) -> NewDefinition {
    NewDefinition {
        scope: scope(),
        family: family.into(),
        cpu: Some(size.cpu as u32),
        memory_mib: Some(size.memory_mib as u32),
        network_mode: NetworkMode::Awsvpc,
        compatibilities: vec![],
        requires_compatibilities: vec![],
        requires_attributes: vec![],
        member_of: Vec::new(),
        platform: RuntimePlatform::default(),
        containers: vec![ContainerShape {
            name: "app".into(),
            image: "app:1".into(),
            essential: true,
            cpu: 0,
            memory_mib: None,
            memory_reservation_mib: None,
            host_ports: vec![],
            gpus: 0,
            start_timeout_s: None,
            stop_timeout_s: None,
            health_checked: false,
        }],
        ephemeral_storage_gib: None,
        document: Document::default(),
        tags: Tags::default(),
        registered_by: None,
    }
}

pub fn instance(id: u128, home: Home, total: Size) -> Registration {
    Registration {
        id: InstanceId(id),
        home,
        attributes: vec![],
        total,
        reserved_ports: vec![],
        gpus: vec![],
        subnet: Some("10.90.0.0/16".parse().unwrap()),
        version_info: None,
        agent_version: None,
        ec2_instance_id: None,
        tags: Tags::default(),
        document: None,
        token: None,
    }
}

/// A task of the definition `one`, of nobody in particular.
pub fn task(id: u128, on: u128) -> NewTask {
    NewTask {
        id: TaskId(id),
        cluster: cluster(),
        definition: DefinitionRef { family: "one".into(), revision: Revision(1) },
        instance: InstanceId(on),
        launch_type: LaunchType::Ec2,
        capacity_provider: None,
        platform_version: None,
        platform_family: None,
        group: None,
        distinct_instance: false,
        started_by: None,
        service: None,
        deployment: None,
        size: None,
        gpus: None,
        overrides: None,
        network: None,
        subnet: None,
        tags: Tags::default(),
        enable_execute_command: false,
        ephemeral_storage_gib: None,
        run: None,
        document: None,
    }
}

pub fn deployment(number: u64, family: &str) -> NewDeployment {
    NewDeployment {
        id: format!("ecs-svc/{number}").into(),
        definition: DefinitionRef { family: family.into(), revision: Revision(1) },
        launch_type: LaunchType::Fargate,
        capacity_strategy: vec![],
        platform_version: None,
        platform_family: None,
        network: None,
        subnet: None,
        document: None,
    }
}

pub fn service(desired: u32, minimum: u32, maximum: u32) -> NewService {
    NewService {
        key: key(),
        desired_count: desired,
        scheduling: SchedulingStrategy::Replica,
        controller: ControllerType::Ecs,
        minimum_healthy_percent: minimum,
        maximum_percent: maximum,
        breaker: Breaker::default(),
        stages: None,
        alarms: None,
        health_check_grace_s: None,
        deployment: Some(deployment(1, "one")),
        placement_constraints: vec![],
        placement_strategy: vec![],
        propagate_tags: PropagateTags::None,
        managed_tags: false,
        enable_execute_command: false,
        tags: Tags::default(),
        created_by: None,
        document: None,
    }
}

#[derive(Debug, Default)]
pub struct Sim {
    pub world: World,
    pub now_ms: u64,
    pub seed: u128,
    /// When the last plan wants to look again.
    pub wake_at_ms: Option<u64>,
}

impl Sim {
    /// A pool of `instances`, each with room for `room` tasks of 256 units and 512 MiB.
    pub fn new(instances: u128, room: i64) -> Self {
        let mut sim = Sim { now_ms: 1_000_000, ..Sim::default() };
        let change = ClusterChange::default();
        sim.run(Command::CreateCluster { key: cluster(), change, tags: Tags::default() });
        for family in ["one", "two", "three"] {
            sim.run(Command::RegisterTaskDefinition(definition(family, Size::new(256, 512)).into()));
        }
        for id in 1..=instances {
            sim.join(instance(id, Home::Pool, Size::new(256 * room, 512 * room)));
        }
        sim
    }

    pub fn join(&mut self, registration: Registration) {
        let id = registration.id;
        self.run(Command::RegisterInstance(registration.into()));
        self.run(Command::SetAgentConnected { id, connected: true });
    }

    pub fn with(mut self, service: NewService) -> Self {
        self.run(Command::CreateService { service: service.into(), token: None });
        self
    }

    pub fn run(&mut self, command: Command) -> Vec<Event> {
        transact(&mut self.world, &command, self.now_ms)
            .unwrap_or_else(|refusal| panic!("{command:?}: {refusal}"))
    }

    pub fn update(&mut self, change: ServiceChange) {
        let expected_version = self.service().version;
        self.run(Command::UpdateService { key: key(), expected_version, change: change.into() });
    }

    pub fn service(&self) -> &Service {
        self.world.service(&key()).unwrap()
    }

    pub fn look(&mut self) -> Option<Plan> {
        self.seed += 1;
        let plan = reconcile::service(&self.world, &key(), self.now_ms, self.seed);
        self.wake_at_ms = plan.as_ref().and_then(|plan| plan.wake_at_ms);
        plan
    }

    /// Plans and applies once.
    pub fn tick(&mut self) -> Plan {
        let plan = self.look().unwrap_or_default();
        if let Some(step) = &plan.step {
            self.run(Command::ServiceStep(step.clone().into()));
        }
        plan
    }

    /// Plans and applies until nothing is left to do at this moment.
    pub fn settle(&mut self) {
        for _ in 0..50 {
            if self.tick().step.is_none() {
                return;
            }
        }
        panic!("the planner never comes to rest");
    }

    /// What the agent says of one task next, if it goes well.
    pub fn progress(&mut self, id: TaskId) {
        let Some(task) = self.world.task(id).cloned().filter(|task| task.is_live()) else { return };
        let (status, container) = match task.desired_status {
            DesiredStatus::Running => (ReportedStatus::Running, ContainerStatus::Running),
            DesiredStatus::Stopped => (ReportedStatus::Stopped, ContainerStatus::Stopped),
        };
        self.report(id, status, container, (container == ContainerStatus::Stopped).then_some(143), None);
    }

    /// The task ends by itself; it never started if `reason` is given.
    pub fn fail(&mut self, id: TaskId, reason: Option<&str>) {
        let code = reason.is_none().then_some(1);
        self.report(id, ReportedStatus::Stopped, ContainerStatus::Stopped, code, reason);
    }

    fn report(
        &mut self,
        id: TaskId,
        status: ReportedStatus,
        container: ContainerStatus,
        exit_code: Option<i32>,
        reason: Option<&str>,
    ) {
        let container = ContainerReport {
            name: "app".into(),
            status: container,
            runtime_id: None,
            exit_code,
            reason: reason.map(Into::into),
            image_digest: None,
            network_bindings: None,
        };
        let report =
            TaskReport { status: Some(status), containers: vec![container], ..TaskReport::default() };
        self.run(Command::ReportTask { cluster: cluster(), task: id, report });
    }

    /// What the health check of its container says.
    pub fn health(&mut self, task: TaskId, health: Health) {
        self.run(Command::ReportHealth { task, containers: vec![("app".into(), health)] });
    }

    pub fn drain(&mut self, id: InstanceId, on: bool) {
        let status = if on { InstanceStatus::Draining } else { InstanceStatus::Active };
        self.run(Command::SetInstanceStatus { id, status });
    }

    pub fn drains(&self) -> bool {
        self.world.all_instances().any(|instance| instance.status == InstanceStatus::Draining)
    }

    /// Wanted tasks that are protected now.
    pub fn protected(&self) -> Vec<TaskId> {
        let kept = |task: &&std::sync::Arc<Task>| {
            task.desired_status == DesiredStatus::Running && task.is_protected(self.now_ms)
        };
        self.world.live_tasks_of(&key()).filter(kept).map(|task| task.id).collect()
    }

    pub fn live(&self) -> Vec<TaskId> {
        self.world.live_tasks_of(&key()).map(|task| task.id).collect()
    }

    pub fn healthy(&self) -> usize {
        self.world.live_tasks_of(&key()).filter(|task| task.is_healthy()).count()
    }

    pub fn wanted(&self) -> usize {
        self.world.live_tasks_of(&key()).filter(|task| task.desired_status == DesiredStatus::Running).count()
    }

    /// Every task does what it is asked to.
    pub fn obey(&mut self) {
        self.live().into_iter().for_each(|id| self.progress(id));
    }

    /// Rounds of planning and obeying until the service is steady, drained or stuck.
    pub fn come_to_rest(&mut self) {
        for _ in 0..200 {
            self.settle();
            let before = self.world.clone();
            self.obey();
            if before == self.world {
                return;
            }
            self.now_ms += 100;
        }
        panic!("no rest");
    }

    /// Asks for the end of the service's newest deployment.
    pub fn stop(&mut self, stop: StopType) -> Result<(), Refusal> {
        let deployment = self.newest().deployment.clone();
        let command = Command::StopDeployment { service: key(), deployment, stop };
        transact(&mut self.world, &command, self.now_ms).map(|_| ())
    }

    /// The record of the newest deployment.
    pub fn newest(&self) -> &ServiceDeployment {
        self.world.newest_service_deployment(self.service()).unwrap()
    }

    /// The records of the service's deployments, oldest first: what each went from and to, with the tasks that are
    /// requested, running and pending, what the circuit breaker saw, and what became of it.
    pub fn history(&self) -> String {
        let counts = |c: RevisionCounts| format!("{}/{}/{}", c.requested, c.running, c.pending);
        let line = |record: &std::sync::Arc<ServiceDeployment>| {
            let now = self.world.deployment_history(record);
            let from = record.sources.iter().zip(&now.sources);
            let from: Vec<String> = from
                .map(|(source, now)| format!("{} {}", source.deployment.revision(), counts(*now)))
                .collect();
            let to = format!("{} {}", record.deployment.revision(), counts(now.target));
            let watch = match now.watch.status {
                WatchStatus::Disabled => String::new(),
                status => format!(" {status} {}/{}", now.watch.failures, now.watch.threshold),
            };
            let back = record.rollback.as_ref().map(|back| match &back.to {
                Some(to) => format!(" back to {}", to.revision()),
                None => " back to none".to_owned(),
            });
            let back = back.unwrap_or_default();
            let reason = record.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            format!("[{}] to [{to}]{watch}{back} {}{reason}", from.join(", "), record.status)
        };
        self.world.service_deployments(&key()).map(line).collect::<Vec<_>>().join("\n")
    }

    /// The service's events, oldest first, with task ids numbered in the order of their appearance.
    pub fn story(&self) -> String {
        let mut seen: Vec<String> = Vec::new();
        let mut lines = Vec::new();
        for event in self.service().events.iter().rev() {
            let mut line = event.message.to_string();
            let ids: Vec<String> = line.split("(task ").skip(1).map(|rest| rest[..32].to_owned()).collect();
            for id in ids {
                let number = seen.iter().position(|known| *known == id).unwrap_or_else(|| {
                    seen.push(id.clone());
                    seen.len() - 1
                });
                line = line.replace(&id, &format!("#{}", number + 1));
            }
            lines.push(line);
        }
        lines.join("\n")
    }
}
