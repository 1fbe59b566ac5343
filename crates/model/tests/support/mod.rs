//! A small world to try commands on.
#![allow(dead_code, reason = "each test file uses its own part of it")]

use model::{command::*, *};
use std::collections::BTreeMap;

pub fn scope() -> Scope {
    Scope::new("000000000000", "us-east-1")
}

pub fn cluster() -> ClusterKey {
    scope().cluster("default")
}

pub fn shape(name: &str, essential: bool) -> ContainerShape {
    ContainerShape {
        name: name.into(),
        image: "sample:1".into(),
        essential,
        cpu: 0,
        memory_mib: Some(128),
        memory_reservation_mib: None,
        host_ports: Vec::new(),
        gpus: 0,
        start_timeout_s: None,
        stop_timeout_s: None,
        health_checked: false,
    }
}

pub fn definition(family: &str) -> NewDefinition {
    NewDefinition {
        scope: scope(),
        family: family.into(),
        cpu: Some(256),
        memory_mib: Some(512),
        network_mode: NetworkMode::Awsvpc,
        compatibilities: vec![LaunchType::Ec2, LaunchType::Fargate],
        requires_compatibilities: vec![LaunchType::Fargate],
        requires_attributes: Vec::new(),
        member_of: Vec::new(),
        platform: RuntimePlatform::default(),
        containers: vec![shape("web", true), shape("side", false)],
        ephemeral_storage_gib: None,
        document: Document::of(&BTreeMap::from([("family", family)])).unwrap(),
        tags: Tags::default(),
        registered_by: None,
    }
}

pub fn registration(id: u128) -> Registration {
    Registration {
        id: InstanceId(id),
        home: Home::Pool,
        attributes: Vec::new(),
        total: Size::new(1024, 2048),
        reserved_ports: Vec::new(),
        gpus: Vec::new(),
        subnet: Some("10.90.0.0/29".parse().unwrap()),
        version_info: None,
        agent_version: None,
        ec2_instance_id: None,
        tags: Tags::default(),
        document: None,
        token: None,
    }
}

pub fn task(id: u128, instance: u128) -> NewTask {
    NewTask {
        id: TaskId(id),
        cluster: cluster(),
        definition: DefinitionRef { family: "web".into(), revision: Revision(1) },
        instance: InstanceId(instance),
        launch_type: LaunchType::Fargate,
        capacity_provider: None,
        platform_version: Some("1.4.0".into()),
        platform_family: Some("Linux".into()),
        group: Some("family:web".into()),
        distinct_instance: false,
        started_by: Some("me".into()),
        service: None,
        deployment: None,
        size: None,
        gpus: None,
        overrides: None,
        network: None,
        subnet: Some("subnet-1".into()),
        tags: Tags::default(),
        enable_execute_command: false,
        ephemeral_storage_gib: None,
        run: None,
        document: None,
    }
}

pub fn deployment(number: u32, family: &str) -> NewDeployment {
    NewDeployment {
        id: format!("ecs-svc/{number:019}").into(),
        definition: DefinitionRef { family: family.into(), revision: Revision(1) },
        launch_type: LaunchType::Fargate,
        capacity_strategy: Vec::new(),
        platform_version: None,
        platform_family: None,
        network: None,
        subnet: None,
        document: None,
    }
}

pub fn service(name: &str, desired_count: u32) -> NewService {
    NewService {
        key: cluster().service(name),
        desired_count,
        scheduling: SchedulingStrategy::Replica,
        controller: ControllerType::Ecs,
        minimum_healthy_percent: 100,
        maximum_percent: 200,
        breaker: Breaker::default(),
        stages: None,
        alarms: None,
        health_check_grace_s: None,
        deployment: Some(deployment(1, "web")),
        placement_constraints: Vec::new(),
        placement_strategy: Vec::new(),
        propagate_tags: PropagateTags::None,
        managed_tags: false,
        enable_execute_command: false,
        tags: Tags::default(),
        created_by: None,
        document: None,
    }
}

pub fn said(name: &str, status: ContainerStatus) -> ContainerReport {
    ContainerReport {
        name: name.into(),
        status,
        runtime_id: Some(format!("{name}-1").into()),
        exit_code: (status == ContainerStatus::Stopped).then_some(0),
        reason: None,
        image_digest: None,
        network_bindings: None,
    }
}

pub fn report(status: ReportedStatus, containers: Vec<ContainerReport>) -> TaskReport {
    TaskReport { status: Some(status), containers, ..TaskReport::default() }
}

/// A world, what is stored of it, and a clock that each command moves by a second.
#[derive(Debug, Default)]
pub struct Bench {
    pub world: World,
    pub stored: BTreeMap<String, Vec<u8>>,
    pub now_ms: u64,
}

impl Bench {
    /// Cluster `default`, definition `web:1`, instance 1 in the pool, connected.
    pub fn ready() -> Self {
        let mut bench = Bench::default();
        let key = cluster();
        bench.run(Command::CreateCluster { key, change: ClusterChange::default(), tags: Tags::default() });
        bench.run(Command::RegisterTaskDefinition(definition("web").into()));
        bench.run(Command::RegisterInstance(registration(1).into()));
        bench.run(Command::SetAgentConnected { id: InstanceId(1), connected: true });
        bench
    }

    pub fn run(&mut self, command: Command) -> Vec<Event> {
        self.attempt(&command).unwrap_or_else(|refusal| panic!("{command:?}: {refusal}"))
    }

    pub fn attempt(&mut self, command: &Command) -> Result<Vec<Event>, Refusal> {
        self.now_ms += 1000;
        let events = apply(&self.world, command, self.now_ms)?;
        for event in &events {
            self.world.evolve(event);
        }
        for (key, value) in changes(&self.world, &events) {
            match value {
                Some(value) => self.stored.insert(key, value),
                None => self.stored.remove(&key),
            };
        }
        Ok(events)
    }

    pub fn start(&mut self, id: u128) -> Vec<Event> {
        self.run(Command::StartTasks { tasks: vec![task(id, 1)], token: None })
    }

    pub fn acknowledge(&mut self, id: u128, desired: DesiredStatus) -> Vec<Event> {
        self.run(Command::AcknowledgePayload { instance: InstanceId(1), tasks: vec![(TaskId(id), desired)] })
    }

    pub fn report(&mut self, id: u128, report: TaskReport) -> Vec<Event> {
        self.run(Command::ReportTask { cluster: cluster(), task: TaskId(id), report })
    }

    pub fn task(&self, id: u128) -> &Task {
        self.world.task(TaskId(id)).expect("the test started it")
    }

    pub fn running(&mut self, id: u128) {
        self.start(id);
        self.acknowledge(id, DesiredStatus::Running);
        let both = vec![said("web", ContainerStatus::Running), said("side", ContainerStatus::Running)];
        self.report(id, report(ReportedStatus::Running, both));
    }
}

/// The events in short: one line each.
pub fn told(events: &[Event]) -> String {
    let line = |event: &Event| match event {
        Event::TaskMoved { status, at_ms, .. } => format!("{status} at {at_ms}"),
        Event::TaskDesiredStopped { stop, .. } => format!("desired STOPPED: {} {:?}", stop.code, stop.reason),
        Event::ContainerChanged { container, .. } => {
            let code = container.exit_code.map(|code| format!(" exit {code}")).unwrap_or_default();
            format!("{} {}{code}", container.name, container.last_status)
        }
        Event::AttachmentMoved { status, .. } => format!("interface {status}"),
        Event::TaskAcknowledged { desired, .. } => format!("acknowledged {desired}"),
        Event::TaskCreated(task) => {
            format!(
                "created {} {}",
                task.last_status,
                task.eni.as_ref().map_or("".into(), |eni| eni.address.to_string())
            )
        }
        other => format!("{other:?}").split([' ', '(', '{']).next().unwrap_or_default().to_owned(),
    };
    events.iter().map(line).collect::<Vec<_>>().join("\n")
}
