//! `longshore role`.

use clap::{Args, Subcommand};

#[derive(Clone, Debug, Args)]
pub struct RoleArgs {
    #[command(subcommand)]
    pub command: RoleCommand,
}

#[derive(Clone, Debug, Subcommand)]
pub enum RoleCommand {
    /// Say what tasks may do that have the role, in force at once
    #[command(after_help = "\
A task definition names a role as taskRoleArn, for what its containers do, and as executionRoleArn, for images and
logs. A task role that isn't defined may do nothing; an execution role that isn't has
AmazonECSTaskExecutionRolePolicy.

Examples:
  longshore role put web --policy web.json
  longshore role put pull --policy AmazonECSTaskExecutionRolePolicy")]
    Put {
        /// As the last part of arn:aws:iam::ACCOUNT:role/NAME
        name: String,
        /// A file, `-` for stdin, or the name of a policy of AWS's
        #[arg(long, value_name = "FILE|NAME")]
        policy: String,
    },
    /// Show the roles
    List {
        /// As a list of {name, arn, createdAtMs, policy}
        #[arg(long)]
        json: bool,
    },
    /// Delete a role; tasks that have it may do nothing by it from now on
    Delete { name: String },
}
