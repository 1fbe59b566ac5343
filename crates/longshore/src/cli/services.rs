//! The flags of the commands that are about services.

use clap::Args;
use clap_complete::engine::ArgValueCandidates;

use crate::completion;

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
The server runs the service's own planner ahead, on a copy of what it knows: what starts and stops when, which bounds are
kept, and where it would go no further. Nothing is changed. Exit status 1 where the service doesn't come to what is asked for.

Examples:
  longshore plan --service web --task-definition web          the newest revision
  longshore plan --service web --desired-count 10
  longshore plan --service web --force-new-deployment")]
pub struct PlanArgs {
    /// Its name or ARN
    #[arg(long, add = ArgValueCandidates::new(completion::services))]
    pub service: String,
    /// FAMILY, FAMILY:REVISION or an ARN [default: that of the service]
    #[arg(long, value_name = "DEFINITION")]
    pub task_definition: Option<String>,
    /// How many tasks [default: as many as now]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(i32).range(0..))]
    pub desired_count: Option<i32>,
    /// Replace the tasks though nothing else changes
    #[arg(long)]
    pub force_new_deployment: bool,
    #[arg(long, default_value = "default", add = ArgValueCandidates::new(completion::clusters))]
    pub cluster: String,
    /// The same as JSON, with the numbers of tasks
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
A stopped service is there as before, but for its tasks: its desired count is 0, and the one before stands in its resource tag
longshore:desired-count. Done twice, it finds nothing to do.

Examples:
  longshore stop web
  longshore start web")]
pub struct HaltArgs {
    /// Its name or ARN
    #[arg(add = ArgValueCandidates::new(completion::services))]
    pub service: String,
    #[arg(long, default_value = "default", add = ArgValueCandidates::new(completion::clusters))]
    pub cluster: String,
}
