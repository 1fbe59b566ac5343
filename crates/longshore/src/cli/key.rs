//! `longshore key`.

use clap::{Args, Subcommand};

use super::EnvFormat;

#[derive(Clone, Debug, Args)]
pub struct KeyArgs {
    #[command(subcommand)]
    pub command: KeyCommand,
}

#[derive(Clone, Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key, and print it as the environment that AWS's clients read
    #[command(after_help = "\
Policies are IAM's: a file, `-` for stdin, or one of AWS's own by its name: AdministratorAccess,
AmazonEC2ContainerRegistryFullAccess, …PowerUser (pull and push), …ReadOnly, …PullOnly. Without one the key
may do only what policies of repositories give it. The secret is shown now; later, `longshore env --key NAME`
prints it where the server runs.

Examples:
  longshore key create ci --policy AmazonEC2ContainerRegistryPowerUser
  longshore key create deployer --policy deploy.json --format json
  eval \"$(longshore key create me --policy AdministratorAccess)\"")]
    Create {
        /// As the last part of arn:aws:iam::ACCOUNT:user/NAME
        name: String,
        #[arg(long, value_name = "FILE|NAME")]
        policy: Option<String>,
        /// How to write it
        #[arg(long, value_enum, default_value_t = EnvFormat::Sh)]
        format: EnvFormat,
    },
    /// Show the keys that were made
    List {
        /// As a list of {name, arn, accessKeyId, createdAtMs, policy}
        #[arg(long)]
        json: bool,
    },
    /// Show what a key may do, or give it another policy, in force at once
    Policy {
        name: String,
        /// A file, `-` for stdin, or the name of a policy of AWS's
        #[arg(long, value_name = "FILE|NAME")]
        policy: Option<String>,
        /// Take its policy away
        #[arg(long, conflicts_with = "policy")]
        none: bool,
    },
    /// Delete a key; what it signed, and the passwords and tokens it got, are refused from now on
    Delete { name: String },
}
