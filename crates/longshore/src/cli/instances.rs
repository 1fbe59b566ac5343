//! The flags of the commands that are about container instances.

use clap::Args;
use clap_complete::engine::ArgValueCandidates;

use crate::completion;

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
FREE is what is left for new tasks. A filter is an expression of ECS's cluster query language; `longshore query` tells how
one is read, and which part of it rules how many out.

Examples:
  longshore instances --cluster web
  longshore instances --cluster web --filter 'attribute:rack == r1 and runningTasksCount < 3'")]
pub struct InstancesArgs {
    #[arg(long, default_value = "default", add = ArgValueCandidates::new(completion::clusters))]
    pub cluster: String,
    /// Only those that match
    #[arg(long, value_name = "EXPRESSION")]
    pub filter: Option<String>,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
An expression is one of ECS's cluster query language, in which memberOf placement constraints are written too. Shown are how
it is read, how many instances match, how many match each of the parts that must all hold, and those that match. One that
can't be read is shown with a mark below the place.

Subjects:  attribute:NAME, agentConnected, agentVersion, ec2InstanceId, registeredAt, runningTasksCount, task:group
Operators: == != > >= < <= =~ !~ in !in exists !exists, and, or, not, ( )

Examples:
  longshore query 'attribute:rack == r1 and runningTasksCount < 3' --cluster web
  longshore query 'task:group == service:web'")]
pub struct QueryArgs {
    pub expression: String,
    #[arg(long, default_value = "default", add = ArgValueCandidates::new(completion::clusters))]
    pub cluster: String,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
An instance that drains takes no new tasks. Those of services are replaced on others, within each service's healthy bounds;
tasks that were started by hand stay. `longshore instances` shows what is left.

Examples:
  longshore drain 3f2a --cluster web
  longshore drain 3f2a --cluster web --undo")]
pub struct DrainArgs {
    /// Its id, the beginning of it, or its ARN
    pub instance: String,
    #[arg(long, default_value = "default", add = ArgValueCandidates::new(completion::clusters))]
    pub cluster: String,
    /// Let it take tasks again
    #[arg(long)]
    pub undo: bool,
}
