//! `longshore token`.

use std::time::Duration;

use clap::{Args, Subcommand};
use clap_complete::engine::ArgValueCandidates;

use super::values::duration;
use crate::completion;

#[derive(Clone, Debug, Args)]
pub struct TokenArgs {
    #[command(subcommand)]
    pub command: TokenCommand,
}

#[derive(Clone, Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token by which a machine becomes a container instance, and print it
    #[command(after_help = "\
The machine exchanges it for a key of its own, which may do what the agent of that one instance needs and nothing
else, and needs no token any more. Deregistering the instance ends the key. The token says by which certificate
authority this server is known, so the machine needs nothing else. It is shown now and never again.

Examples:
  longshore token create                          one machine, within an hour, into the cluster default
  longshore token create --cluster web --uses 10 --ttl 1d
  longshore agent --endpoint https://10.0.0.5:4580 --token \"$(cat token)\"        on the machine")]
    Create {
        #[arg(long, default_value = "default", add = ArgValueCandidates::new(completion::clusters))]
        cluster: String,
        /// How long machines may join with it
        #[arg(long, value_parser = duration, default_value = "1h", value_name = "TIME")]
        ttl: Duration,
        /// How many machines may join with it
        #[arg(long, default_value_t = 1, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
        uses: u32,
    },
    /// Show the tokens that machines can still join with
    List {
        /// As a list of {id, cluster, usesLeft, createdAtMs, expiresAtMs}
        #[arg(long)]
        json: bool,
    },
    /// Let nobody join with a token any more; machines that have registered stay
    Revoke {
        /// As `longshore token list` shows it: the part after `longshore.`
        id: String,
    },
}
