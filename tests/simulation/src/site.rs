//! What there is at the beginning: a cluster, task definitions, machines. A family's name says how its tasks behave.

use model::command::{ClusterChange, NewDefinition, NewDeployment, NewService, NewTask, Registration};
use model::{
    Attribute, Breaker, ClusterKey, Command, ContainerShape, ControllerType, DefinitionRef, DeploymentId,
    Document, Home, HostPort, InstanceId, LaunchType, NetworkMode, PropagateTags, RuntimePlatform,
    SchedulingStrategy, Scope, Size, Tags, TaskId, Transport,
};

use crate::dice::Dice;

/// How the tasks of a family behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manners {
    pub family: &'static str,
    pub size: (i64, i64),
    /// Its container has a health check.
    pub checked: bool,
    /// Of a hundred tasks, so many never start, hang in start, end by themselves with an error, fall ill.
    pub unstartable: u64,
    pub hangs: u64,
    pub crashes: u64,
    pub falls_ill: u64,
    /// It ends by itself, well.
    pub ends: bool,
    /// It doesn't listen to SIGTERM.
    pub stubborn: bool,
    pub port: Option<u16>,
    pub gpus: u32,
}

const PLAIN: Manners = Manners {
    family: "plain",
    size: (256, 512),
    checked: false,
    unstartable: 0,
    hangs: 0,
    crashes: 0,
    falls_ill: 0,
    ends: false,
    stubborn: false,
    port: None,
    gpus: 0,
};

pub const FAMILIES: &[Manners] = &[
    PLAIN,
    Manners { family: "small", size: (128, 64), ..PLAIN },
    Manners { family: "large", size: (1024, 2048), ..PLAIN },
    Manners { family: "checked", checked: true, ..PLAIN },
    Manners { family: "sickly", checked: true, falls_ill: 30, ..PLAIN },
    Manners { family: "shaky", crashes: 20, unstartable: 10, hangs: 2, ..PLAIN },
    Manners { family: "broken", unstartable: 100, ..PLAIN },
    Manners { family: "short", crashes: 100, ..PLAIN },
    Manners { family: "stubborn", stubborn: true, ..PLAIN },
    Manners { family: "batch", ends: true, crashes: 30, ..PLAIN },
    Manners { family: "port", port: Some(8080), ..PLAIN },
    Manners { family: "gpu", gpus: 1, crashes: 10, ..PLAIN },
];

/// A machine has room for every family, and a good number of most.
const MACHINE: Size = Size { cpu: 4096, memory_mib: 8192 };
/// Those of a machine of one's own: fewer than there is room for tasks that want one.
const GPUS: [&str; 3] = ["GPU-a", "GPU-b", "GPU-c"];

pub fn manners(family: &str) -> Manners {
    FAMILIES.iter().copied().find(|manners| manners.family == family).unwrap_or(PLAIN)
}

pub fn scope() -> Scope {
    Scope::new("000000000000", "us-east-1")
}

pub fn cluster() -> ClusterKey {
    scope().cluster("default")
}

pub fn create_cluster() -> Command {
    Command::CreateCluster { key: cluster(), change: ClusterChange::default(), tags: Tags::default() }
}

pub fn definition(manners: &Manners) -> Command {
    let host_ports = manners.port.map(|port| HostPort { port, transport: Transport::Tcp });
    let definition = NewDefinition {
        scope: scope(),
        family: manners.family.into(),
        cpu: Some(manners.size.0 as u32),
        memory_mib: Some(manners.size.1 as u32),
        network_mode: if manners.port.is_some() { NetworkMode::Bridge } else { NetworkMode::Awsvpc },
        compatibilities: vec![],
        requires_compatibilities: vec![],
        requires_attributes: vec![],
        member_of: vec![],
        platform: RuntimePlatform::default(),
        containers: vec![ContainerShape {
            name: "app".into(),
            image: "app:1".into(),
            essential: true,
            cpu: 0,
            memory_mib: None,
            memory_reservation_mib: None,
            host_ports: host_ports.into_iter().collect(),
            gpus: manners.gpus,
            start_timeout_s: None,
            stop_timeout_s: None,
            health_checked: manners.checked,
        }],
        ephemeral_storage_gib: None,
        document: Document::default(),
        tags: Tags::default(),
        registered_by: None,
    };
    Command::RegisterTaskDefinition(definition.into())
}

/// Whether tasks of the family can be of this launch type.
pub fn may_be(family: &str, launch_type: LaunchType) -> bool {
    let manners = manners(family);
    launch_type != LaunchType::Fargate || manners.port.is_none() && manners.gpus == 0
}

/// What the agent of a new machine says of it.
pub fn registration(dice: &mut Dice, id: InstanceId, home: Home) -> Registration {
    let rack = dice.pick(&["a", "b", "c"]).map(Into::into);
    let gpus = if home == Home::Pool { &GPUS[..0] } else { &GPUS };
    Registration {
        id,
        home,
        attributes: vec![Attribute { name: "rack".into(), value: rack }],
        total: MACHINE,
        reserved_ports: vec![],
        gpus: gpus.iter().map(|id| (*id).into()).collect(),
        // So few addresses that they run out now and then.
        subnet: "10.90.0.0/27".parse().ok(),
        version_info: None,
        agent_version: None,
        ec2_instance_id: None,
        tags: Tags::default(),
        document: None,
        token: None,
    }
}

/// One that is wanted by nobody in particular.
pub fn task(id: TaskId, instance: InstanceId, definition: DefinitionRef, launch_type: LaunchType) -> NewTask {
    NewTask {
        id,
        cluster: cluster(),
        definition,
        instance,
        launch_type,
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

pub fn deployment(id: DeploymentId, definition: DefinitionRef, launch_type: LaunchType) -> NewDeployment {
    NewDeployment {
        id,
        definition,
        launch_type,
        capacity_strategy: vec![],
        platform_version: None,
        platform_family: None,
        network: None,
        subnet: None,
        document: None,
    }
}

/// Of one task, in ECS's own way.
pub fn service(name: &str, deployment: NewDeployment) -> NewService {
    NewService {
        key: cluster().service(name),
        desired_count: 1,
        scheduling: SchedulingStrategy::Replica,
        controller: ControllerType::Ecs,
        minimum_healthy_percent: 100,
        maximum_percent: 200,
        breaker: Breaker::default(),
        stages: None,
        alarms: None,
        health_check_grace_s: None,
        deployment: Some(deployment),
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
