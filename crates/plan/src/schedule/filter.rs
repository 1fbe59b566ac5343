//! The filters, in the order in which an instance meets them. The further an instance comes, the
//! closer it is to what was wanted.

use super::{FailureReason, Rules, Want, room::Room, rules::Membership};
use model::{
    Attribute, Home, HostPort, InstanceStatus, LaunchType, NetworkMode, Size, TaskDefinition, World,
};

/// What one task asks of an instance.
pub(super) struct Demand<'w> {
    pub world: &'w World,
    pub want: &'w Want,
    pub definition: &'w TaskDefinition,
    pub home: Home,
    pub size: Size,
    pub ports: Vec<HostPort>,
    pub gpus: usize,
    /// Whether it needs an address of the instance's subnet.
    pub own_address: bool,
    /// The definition's and the call's.
    pub member_of: Vec<Membership>,
    pub distinct_instance: bool,
}

impl<'w> Demand<'w> {
    /// `None` when there is no such definition.
    pub fn of(world: &'w World, want: &'w Want, rules: &Rules) -> Option<Self> {
        let definition = world.definition(&want.definition.in_scope(&want.cluster.scope))?;
        let own = definition.member_of.iter().map(Membership::of);
        Some(Self {
            world,
            want,
            definition,
            home: match want.launch_type {
                LaunchType::Fargate => Home::Pool,
                LaunchType::Ec2 | LaunchType::External => Home::Cluster(want.cluster.clone()),
            },
            size: want.size.unwrap_or_else(|| definition.demand()),
            ports: definition.host_ports().collect(),
            gpus: want.gpus.unwrap_or_else(|| model::gpus_of(&definition.gpus())),
            own_address: definition.network_mode == NetworkMode::Awsvpc,
            member_of: own.chain(rules.member_of.iter().cloned()).collect(),
            distinct_instance: rules.distinct_instance,
        })
    }
}

type Filter = fn(&Room, &Demand<'_>) -> Option<FailureReason>;

/// What a placement on an instance doesn't change there, and what it may.
const STANDING: &[Filter] = &[provider, agent, attributes, member_of];
const CHANGING: &[Filter] = &[distinct, gpus, ports, address, cpu, memory];

/// Why the instance can't take the task, and how many filters let it through before; `None` when
/// all do.
pub(super) fn refusal(room: &Room, demand: &Demand<'_>) -> Option<(usize, FailureReason)> {
    let chain = STANDING.iter().chain(CHANGING);
    chain.enumerate().find_map(|(passed, filter)| filter(room, demand).map(|reason| (passed, reason)))
}

/// Whether the instance is one that such a task belongs on, be there room or an agent now or not. Nothing belongs on one
/// that is lost.
pub(super) fn belongs(room: &Room, demand: &Demand<'_>) -> bool {
    let standing: &[Filter] = &[provider, attributes, member_of];
    room.instance.status == InstanceStatus::Active
        && !room.instance.lost
        && standing.iter().all(|filter| filter(room, demand).is_none())
}

/// As [`refusal`], of an instance that has just taken such a task.
pub(super) fn refusal_of_rest(room: &Room, demand: &Demand<'_>) -> Option<FailureReason> {
    CHANGING.iter().find_map(|filter| filter(room, demand))
}

/// An agent of the pool can say which capacity providers it is of (`--capacity-provider`); one that doesn't
/// is of both that exist without being made. Launch type FARGATE means the provider of that name.
fn provider(room: &Room, demand: &Demand<'_>) -> Option<FailureReason> {
    let wanted = demand.want.capacity_provider.as_deref().unwrap_or(model::BUILT_IN_PROVIDERS[0]);
    let refused = demand.home == Home::Pool && !room.instance.capacity_providers().any(|has| has == wanted);
    refused.then_some(FailureReason::Provider)
}

fn agent(room: &Room, _: &Demand<'_>) -> Option<FailureReason> {
    let ready = room.instance.status == InstanceStatus::Active && room.instance.agent_connected;
    (!ready).then_some(FailureReason::Agent)
}

/// An instance that doesn't say what it is has what is usual: only a contradiction refuses.
fn attributes(room: &Room, demand: &Demand<'_>) -> Option<FailureReason> {
    let value = |name: &str| room.instance.attribute(name).and_then(|attribute| attribute.value.as_deref());
    let platform = &demand.definition.platform;
    let differs = |asked: &Option<std::sync::Arc<str>>, name: &str| {
        asked.as_deref().zip(value(name)).is_some_and(|(asked, has)| !same_platform(asked, has))
    };
    let lacks = |asked: &Attribute| {
        room.instance
            .attribute(&asked.name)
            .is_none_or(|has| asked.value.is_some() && asked.value != has.value)
    };
    // The pool's agents are ours and all of one make; users' instances say what they can do.
    let lacks_capability =
        demand.home != Home::Pool && demand.definition.requires_attributes.iter().any(lacks);
    let refused = differs(&platform.cpu_architecture, "ecs.cpu-architecture")
        || differs(&platform.os_family, "ecs.os-family")
        || lacks_capability;
    refused.then_some(FailureReason::Attribute)
}

/// The API says `X86_64` and `LINUX` where agents say `x86_64` and `linux`.
fn same_platform(asked: &str, has: &str) -> bool {
    asked.eq_ignore_ascii_case(has)
}

fn member_of(room: &Room, demand: &Demand<'_>) -> Option<FailureReason> {
    let includes = |one: &Membership| one.includes(demand.world, &room.instance);
    (!demand.member_of.iter().all(includes)).then_some(FailureReason::MemberOf)
}

fn distinct(room: &Room, demand: &Demand<'_>) -> Option<FailureReason> {
    (demand.distinct_instance && room.of_group > 0).then_some(FailureReason::Distinct)
}

fn gpus(room: &Room, demand: &Demand<'_>) -> Option<FailureReason> {
    (demand.gpus > room.gpus).then_some(FailureReason::Gpu)
}

fn ports(room: &Room, demand: &Demand<'_>) -> Option<FailureReason> {
    (!demand.ports.iter().all(|port| room.has_port(port))).then_some(FailureReason::Ports)
}

fn address(room: &Room, demand: &Demand<'_>) -> Option<FailureReason> {
    (demand.own_address && room.addresses == 0).then_some(FailureReason::Eni)
}

fn cpu(room: &Room, demand: &Demand<'_>) -> Option<FailureReason> {
    (demand.size.cpu > room.left.cpu).then_some(FailureReason::Cpu)
}

fn memory(room: &Room, demand: &Demand<'_>) -> Option<FailureReason> {
    (demand.size.memory_mib > room.left.memory_mib).then_some(FailureReason::Memory)
}
