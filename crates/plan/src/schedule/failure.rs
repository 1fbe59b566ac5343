//! What is said when there is no place.

use super::{Want, filter, filter::Demand, room::Room};
use model::{ContainerInstance, Home, InstanceId, LaunchType};
use std::{collections::BTreeMap, fmt};

/// ECS's reasons (developer guide, "API failure reasons").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureReason {
    /// Of RunTask on EC2 and EXTERNAL; the API answers with an error rather than a failure.
    NoInstances,
    /// FARGATE: the user sees no machines, so the detail has what they lack.
    Capacity,
    /// Of an instance of the pool: it is of other capacity providers.
    Provider,
    Agent,
    Attribute,
    /// Of a `memberOf` placement constraint.
    MemberOf,
    /// Of the constraint `distinctInstance`.
    Distinct,
    Gpu,
    Ports,
    Eni,
    Cpu,
    Memory,
    /// The definition is not known, or the instance that the caller chose.
    Missing,
    /// The instance that the caller chose was deregistered, or drains.
    Inactive,
}

impl FailureReason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoInstances => "No Container Instances were found in your cluster.",
            Self::Capacity | Self::Provider => {
                "Capacity is unavailable at this time. Please try again later or in a different availability zone"
            }
            Self::Agent => "AGENT",
            Self::Attribute => "ATTRIBUTE",
            Self::MemberOf => "MemberOf placement constraint unsatisfied.",
            Self::Distinct => "DistinctInstance placement constraint unsatisfied.",
            Self::Gpu => "RESOURCE:GPU",
            Self::Ports => "RESOURCE:PORTS",
            Self::Eni => "RESOURCE:ENI",
            Self::Cpu => "RESOURCE:CPU",
            Self::Memory => "RESOURCE:MEMORY",
            Self::Missing => "MISSING",
            Self::Inactive => "INACTIVE",
        }
    }
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why one want has no place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its number in the list of wants.
    pub want: usize,
    pub reason: FailureReason,
    /// For people: what was lacking, and what would help.
    pub detail: String,
    /// The instance that came closest, where the user may see instances.
    pub closest: Option<InstanceId>,
    /// How many instances were refused for what.
    pub refusals: BTreeMap<FailureReason, usize>,
}

impl Failure {
    pub(super) fn no_definition(index: usize, want: &Want) -> Self {
        Self {
            want: index,
            reason: FailureReason::Missing,
            detail: format!("there is no task definition {}", want.definition),
            closest: None,
            refusals: BTreeMap::new(),
        }
    }

    pub(super) fn no_instance(index: usize) -> Self {
        Self {
            want: index,
            reason: FailureReason::Missing,
            detail: "the cluster has no such container instance".to_owned(),
            closest: None,
            refusals: BTreeMap::new(),
        }
    }

    pub(super) fn not_active(index: usize, instance: &ContainerInstance) -> Self {
        Self {
            want: index,
            reason: FailureReason::Inactive,
            detail: format!("the container instance is {} and takes no new tasks", instance.status),
            closest: Some(instance.id),
            refusals: BTreeMap::from([(FailureReason::Inactive, 1)]),
        }
    }

    /// The caller has chosen the instance, and it refuses.
    pub(super) fn on(index: usize, demand: &Demand<'_>, room: &Room, reason: FailureReason) -> Self {
        Self {
            want: index,
            reason,
            detail: lack(reason, demand, std::slice::from_ref(room)),
            closest: Some(room.instance.id),
            refusals: BTreeMap::from([(reason, 1)]),
        }
    }

    /// Called when every instance refuses. The number of the want is the caller's to fill in.
    pub(super) fn explain(demand: &Demand<'_>, rooms: &[Room]) -> Self {
        let pool = demand.home == Home::Pool;
        let mut refusals = BTreeMap::new();
        let mut closest: Option<(usize, FailureReason, InstanceId)> = None;
        for room in rooms {
            let Some((passed, reason)) = filter::refusal(room, demand) else { continue };
            *refusals.entry(reason).or_default() += 1;
            if closest.is_none_or(|(best, ..)| passed > best) {
                closest = Some((passed, reason, room.instance.id));
            }
        }
        let reason = match closest {
            _ if pool => FailureReason::Capacity,
            Some((_, reason, _)) => reason,
            None => FailureReason::NoInstances,
        };
        Self {
            want: 0,
            reason,
            detail: detail(demand, rooms, &refusals),
            closest: closest.map(|(.., id)| id).filter(|_| !pool),
            refusals,
        }
    }
}

fn detail(demand: &Demand<'_>, rooms: &[Room], refusals: &BTreeMap<FailureReason, usize>) -> String {
    if rooms.is_empty() {
        return match demand.want.launch_type {
            LaunchType::Fargate => {
                "no serverless agent has registered; `longshore agent --serverless` starts one".to_owned()
            }
            LaunchType::Ec2 | LaunchType::External => {
                "no agent has registered into the cluster; start one, or use launch type FARGATE".to_owned()
            }
        };
    }
    let said: Vec<String> =
        refusals.iter().map(|(reason, count)| format!("{count} {}", lack(*reason, demand, rooms))).collect();
    let machines =
        if rooms.len() == 1 { "1 instance".to_owned() } else { format!("{} instances", rooms.len()) };
    format!("of {machines}: {}", said.join("; "))
}

/// The most that an instance which was refused for this reason has.
fn most(reason: FailureReason, demand: &Demand<'_>, rooms: &[Room], of: impl Fn(&Room) -> i64) -> i64 {
    let refused =
        rooms.iter().filter(|room| filter::refusal(room, demand).is_some_and(|(_, why)| why == reason));
    refused.map(of).max().unwrap_or(0).max(0)
}

fn lack(reason: FailureReason, demand: &Demand<'_>, rooms: &[Room]) -> String {
    match reason {
        FailureReason::Provider => format!(
            "of other capacity providers; `longshore agent --serverless --capacity-provider {}` starts one",
            demand.want.capacity_provider.as_deref().unwrap_or(model::BUILT_IN_PROVIDERS[0])
        ),
        FailureReason::Agent => "not ACTIVE with its agent connected".to_owned(),
        FailureReason::Attribute => "without an attribute that the task definition requires".to_owned(),
        FailureReason::MemberOf => format!(
            "excluded by {}; widen the constraint, or put the attributes on an instance",
            demand.member_of.iter().map(|one| format!("`{}`", one.text)).collect::<Vec<_>>().join(" and ")
        ),
        FailureReason::Distinct => {
            "with a task of the group already, which distinctInstance keeps apart; add an \
                                    instance, or drop the constraint"
                .to_owned()
        }
        FailureReason::Gpu => format!(
            "short of GPUs: the task asks for {} and {} are free at most; stop tasks, ask for less, or add an instance",
            demand.gpus,
            most(reason, demand, rooms, |room| room.gpus as i64)
        ),
        FailureReason::Ports => {
            "with a host port taken; let the port be chosen, or stop what has it".to_owned()
        }
        FailureReason::Eni => "without an address left; stop tasks, or widen the subnet".to_owned(),
        FailureReason::Cpu => format!(
            "short of cpu: the task asks for {} units and {} are free at most; stop tasks, ask for less, or add an \
             instance",
            demand.size.cpu,
            most(reason, demand, rooms, |room| room.left.cpu)
        ),
        FailureReason::Memory => format!(
            "short of memory: the task asks for {} MiB and {} MiB are free at most; stop tasks, ask for less, or \
             add an instance",
            demand.size.memory_mib,
            most(reason, demand, rooms, |room| room.left.memory_mib)
        ),
        FailureReason::NoInstances
        | FailureReason::Capacity
        | FailureReason::Missing
        | FailureReason::Inactive => reason.to_string(),
    }
}
