use super::{Comparison, Test, compare};
use model::{ContainerInstance, World};

/// What an expression may ask about an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    AgentConnected,
    AgentVersion,
    Attribute(String),
    Ec2InstanceId,
    RegisteredAt,
    RunningTasksCount,
    /// The groups of the tasks that the instance hosts.
    TaskGroup,
}

const ATTRIBUTE: &str = "attribute:";
pub(super) const NAMES: &str = "agentConnected, agentVersion, attribute:NAME, ec2InstanceId, registeredAt, runningTasksCount or task:group";

impl Subject {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "agentConnected" => Self::AgentConnected,
            "agentVersion" => Self::AgentVersion,
            "ec2InstanceId" => Self::Ec2InstanceId,
            "registeredAt" => Self::RegisteredAt,
            "runningTasksCount" => Self::RunningTasksCount,
            "task:group" => Self::TaskGroup,
            _ => Self::Attribute(name.strip_prefix(ATTRIBUTE).filter(|name| !name.is_empty())?.to_owned()),
        })
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::AgentConnected => "agentConnected".to_owned(),
            Self::AgentVersion => "agentVersion".to_owned(),
            Self::Attribute(name) => format!("{ATTRIBUTE}{name}"),
            Self::Ec2InstanceId => "ec2InstanceId".to_owned(),
            Self::RegisteredAt => "registeredAt".to_owned(),
            Self::RunningTasksCount => "runningTasksCount".to_owned(),
            Self::TaskGroup => "task:group".to_owned(),
        }
    }

    /// None where the instance hasn't said; several where it has several.
    pub(super) fn values(&self, world: &World, instance: &ContainerInstance) -> Vec<String> {
        let one = |value: Option<String>| value.into_iter().collect();
        match self {
            Self::AgentConnected => vec![instance.agent_connected.to_string()],
            Self::AgentVersion => one(instance.agent_version.as_ref().map(ToString::to_string)),
            // An attribute may have a name alone; it exists then, and equals nothing.
            Self::Attribute(name) => one(instance
                .attribute(name)
                .map(|found| found.value.as_deref().unwrap_or_default().to_owned())),
            Self::Ec2InstanceId => one(instance.ec2_instance_id.as_ref().map(ToString::to_string)),
            Self::RegisteredAt => vec![(instance.registered_at_ms / 1000).to_string()],
            Self::RunningTasksCount => {
                vec![world.instance_task_counts(instance.id).running.to_string()]
            }
            Self::TaskGroup => world
                .live_tasks_on(instance.id)
                .filter_map(|task| task.group.as_ref().map(ToString::to_string))
                .collect(),
        }
    }

    /// Why this can't be asked of the subject (developer guide, the subjects' valid operators, and
    /// the form of what they are compared with).
    pub(super) fn refuse(&self, test: &Test) -> Option<String> {
        let name = self.name();
        let ordered = matches!(self, Self::AgentVersion | Self::RegisteredAt | Self::RunningTasksCount);
        let fits = match test {
            Test::Compare(Comparison::Equal | Comparison::NotEqual, _) => true,
            Test::Compare(..) => ordered || matches!(self, Self::Attribute(_)),
            Test::In(..) | Test::Matches(..) => !ordered,
            Test::Exists(_) => matches!(self, Self::Attribute(_) | Self::TaskGroup | Self::Ec2InstanceId),
        };
        if !fits {
            return Some(format!("the operator is not one of {name}'s"));
        }
        let Test::Compare(_, argument) = test else { return None };
        match self {
            Self::AgentVersion if compare::Version::parse(argument).is_none() => {
                Some(format!("{name} is compared with a version like 1.14.5"))
            }
            Self::RegisteredAt if compare::seconds(argument).is_none() => Some(format!(
                "{name} is compared with a date: 2018-06-18T22:28:28+00:00, 2018-06-18T22:28:28Z, \
                 2018-06-18T22:28:28 or 2018-06-18"
            )),
            Self::RunningTasksCount if argument.parse::<u64>().is_err() => {
                Some(format!("{name} is compared with a number"))
            }
            Self::AgentConnected if !["true", "false"].contains(&argument.as_str()) => {
                Some(format!("{name} is true or false"))
            }
            _ => None,
        }
    }
}
