//! The commands, their flags, and the help that teaches them.

mod blobs;
mod instances;
mod key;
mod registry;
mod role;
mod services;
mod token;
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCandidates;
use wire::join::JoinToken;

use crate::completion;
use crate::top::Sort;
pub use blobs::BlobsArgs;
pub use instances::{DrainArgs, InstancesArgs, QueryArgs};
pub use key::{KeyArgs, KeyCommand};
pub use registry::{FindingsArgs, RegistryArgs, RegistryCommand, Severity, VerifyArgs};
pub use role::{RoleArgs, RoleCommand};
pub use services::{HaltArgs, PlanArgs};
pub use token::{TokenArgs, TokenCommand};
use values::{account, bytes, capacity_provider, duration, host, listen, size, variable};

/// Your own Elastic Container Service: the ECS and ECR APIs, real containers, on your machines.
#[derive(Debug, Parser)]
#[command(name = "longshore", version, max_term_width = 100, arg_required_else_help = true, after_help = AFTER)]
pub struct Cli {
    #[command(flatten)]
    pub site: SiteArgs,
    #[command(subcommand)]
    pub command: Command,
}

const AFTER: &str = "\
Begin with:
  longshore up                 start everything and deploy a sample service
  eval \"$(longshore env)\"      point the AWS CLI and SDKs of this shell at it
  aws ecs list-services        any AWS client works
  longshore ps                 what runs
  longshore down               stop the tasks and remove what was made on this machine

Several can run side by side, each with its own --data-dir and --listen.
`longshore explain` tells why a task or a service isn't as it should be.

Exit status: 0 where it went well, 1 where it failed (stderr says why, and what to do), 2 where the
command line is wrong. `longshore run` ends as its container does.
LONGSHORE_LOG sets what the server logs (info, debug, control=trace …).";

const CA: &str = "\
From another machine Longshore is spoken to over TLS. Its certificate authority is made with the data directory and
stays the same.

  AWS CLI, SDKs, longshore   AWS_CA_BUNDLE=ca.pem
  docker                     /etc/docker/certs.d/HOST:PORT/ca.crt
  skopeo, podman, buildah    /etc/containers/certs.d/HOST:PORT/ca.crt
  curl                       --cacert ca.pem

Example:
  longshore ca > ca.pem";

/// Which Longshore is meant.
#[derive(Clone, Debug, Default, Args)]
pub struct SiteArgs {
    /// Where state, images, logs and keys are kept [default: ./.longshore]
    #[arg(long, global = true, env = "LONGSHORE_DATA_DIR", hide_env = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address of the one endpoint [default: where this data directory's server listened last, else 127.0.0.1:4580]
    #[arg(long, global = true, env = "LONGSHORE_LISTEN", hide_env = true, value_name = "HOST:PORT", value_parser = listen)]
    pub listen: Option<SocketAddr>,
    /// Whom to trust that a server elsewhere is the one that is meant: a file with certificate authorities, in PEM
    #[arg(long, global = true, env = "AWS_CA_BUNDLE", hide_env = true, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start Longshore on this machine, and deploy the sample service
    Up(UpArgs),
    /// Stop the tasks and the server, and remove everything they made on this machine
    Down(DownArgs),
    /// Print the environment variables that point AWS clients at Longshore
    Env(EnvArgs),
    /// Print the certificate authority by which clients on other machines know this Longshore
    #[command(after_help = CA)]
    Ca,
    /// Show tasks
    Ps(PsArgs),
    /// Show what tasks use: cpu and memory, live
    Top(TopArgs),
    /// Tell the life of a task, or why a service isn't steady
    Explain(ExplainArgs),
    /// Tell what an update of a service would do, step by step, without doing it
    Plan(PlanArgs),
    /// Stop a service's tasks, and remember how many they were
    Stop(HaltArgs),
    /// Start as many tasks of a service again as it had when it was stopped
    Start(HaltArgs),
    /// Show the container instances of a cluster, and what is free on them
    Instances(InstancesArgs),
    /// Try an expression that chooses container instances
    Query(QueryArgs),
    /// Let a container instance take no new tasks, and move those of services away
    Drain(DrainArgs),
    /// Show the log lines of a task or a service
    Logs(LogsArgs),
    /// Run one container as a task and show its output
    Run(RunArgs),
    /// Print the script that completes command lines in a shell
    Completion(CompletionArgs),
    /// Show which API operations there are
    Api(ApiArgs),
    /// Make access keys that may do only what a policy allows
    Key(KeyArgs),
    /// Make tokens by which machines join
    Token(TokenArgs),
    /// Define the roles of tasks: what their containers may do
    Role(RoleArgs),
    /// Look after the registry: its files, and what scanners found
    Registry(RegistryArgs),
    /// Run the control plane, the registry and the logs, without an agent
    Server(ServerArgs),
    /// Run an agent alone: this machine takes tasks of a Longshore elsewhere
    Agent(AgentArgs),
}

/// What a server is told; kept by the data directory from its first start.
#[derive(Clone, Debug, Args)]
pub struct ServerArgs {
    /// Twelve digits [default: 000000000000]
    #[arg(long, value_parser = account)]
    pub account: Option<String>,
    /// The region of the generated credentials [default: us-east-1]
    #[arg(long)]
    pub region: Option<String>,
    /// host:port by which clients and agents reach the endpoint, where --listen doesn't say it
    #[arg(long, value_name = "HOST:PORT", value_parser = host)]
    pub advertise: Option<String>,
    /// A further name or address by which others reach the endpoint; can be given several times. Those of the machine
    /// are known
    #[arg(long, value_name = "HOST[:PORT]", value_parser = host)]
    pub tls_name: Vec<String>,
    /// How long stopped tasks can be described
    #[arg(long, value_parser = duration, default_value = "24h", value_name = "TIME")]
    pub stopped_task_retention: Duration,
    /// How long a machine may be out of reach before services start other tasks in place of its own
    #[arg(long, value_parser = duration, default_value = "5m", value_name = "TIME")]
    pub lost_after: Duration,
    /// Make a missing repository when somebody pushes to it (ECR refuses)
    #[arg(long)]
    pub create_on_push: bool,
    #[command(flatten)]
    pub blobs: BlobsArgs,
    /// How often the lifecycle policies of repositories are applied; a new one is applied at once
    #[arg(long, value_parser = duration, default_value = "1h", value_name = "TIME")]
    pub expire_every: Duration,
    /// All logs together; above it the oldest events go, compressed size counted
    #[arg(long, value_parser = bytes, default_value = "10GiB", value_name = "SIZE", env = "LONGSHORE_MAX_LOG_SIZE", hide_env = true)]
    pub max_log_size: u64,
}

/// What an agent is told.
#[derive(Clone, Debug, Default, Args)]
pub struct CapacityArgs {
    /// The tasks' subnet, in CIDR form [default: a free one, kept]
    #[arg(long, value_name = "CIDR")]
    pub subnet: Option<String>,
    /// FARGATE tasks' cpu is a ceiling here, not a reservation: so many times the machine's processors
    /// may be promised
    #[arg(long, default_value_t = 16, value_name = "TIMES", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub cpu_overcommit: u32,
    /// The shim to run containers with: a containerd runtime name or a path [default: Longshore's own]
    #[arg(long, value_name = "NAME")]
    pub runtime: Option<String>,
    /// Take only FARGATE tasks of this capacity provider, which may have a name of your own; can be given
    /// several times [default: FARGATE and FARGATE_SPOT]
    #[arg(long, value_name = "NAME", value_parser = capacity_provider)]
    pub capacity_provider: Vec<String>,
    /// What one layer of an image may hold when unpacked; a larger one is not pulled
    #[arg(long, default_value = "128GiB", value_name = "SIZE", value_parser = bytes)]
    pub layer_max_size: u64,
    /// How many files, directories and links one layer may hold
    #[arg(long, default_value_t = 4_000_000, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub layer_max_entries: u64,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  longshore up
  longshore up --no-sample --listen 127.0.0.1:5000 --data-dir /var/lib/longshore
  longshore up --foreground --no-sample      for a service supervisor such as systemd

Started again, it finds clusters, definitions, services and running tasks as they were. FARGATE sizes
bound what a task may use; memory is promised once, processors --cpu-overcommit times.")]
pub struct UpArgs {
    /// Don't deploy the sample service
    #[arg(long)]
    pub no_sample: bool,
    /// Stay in the foreground and log to stderr
    #[arg(long)]
    pub foreground: bool,
    /// How long the log file may get before the next begins; four older ones are kept. In the foreground
    /// the log goes to stderr, unbounded
    #[arg(long, value_parser = size, default_value = "16MiB", value_name = "SIZE")]
    pub log_size: u64,
    /// Say on stdout, as one line of JSON, when the server is ready or why not
    #[arg(long, hide = true)]
    pub report: bool,
    #[command(flatten)]
    pub server: ServerArgs,
    #[command(flatten)]
    pub capacity: CapacityArgs,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
State, images, logs and shared volumes stay: the next `longshore up` starts the services' tasks again. Works also when
the server was killed. Done twice, it finds nothing to do.")]
pub struct DownArgs {
    /// Remove the data directory too: state, images, logs, shared volumes and keys
    #[arg(long)]
    pub purge: bool,
    /// How long tasks may take to stop
    #[arg(long, value_parser = duration, default_value = "40s", value_name = "TIME")]
    pub timeout: Duration,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  eval \"$(longshore env)\"
  longshore env --format fish | source
  docker run --env-file <(longshore env --format docker) --network host amazon/aws-cli ecs list-clusters")]
pub struct EnvArgs {
    /// How to write them
    #[arg(long, value_enum, default_value_t = EnvFormat::Sh)]
    pub format: EnvFormat,
    /// The key of agents, for `longshore agent` on another machine
    #[arg(long)]
    pub agent: bool,
    /// A key that `longshore key create` made
    #[arg(long, value_name = "NAME", conflicts_with = "agent")]
    pub key: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EnvFormat {
    Sh,
    Fish,
    Json,
    Docker,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
A machine joins with a token, once: it gets a key of its own, kept in its data directory (joined.json), and is the same
instance after every restart. Or else credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, the region from
AWS_REGION (where the server runs, `longshore env --agent` prints them), and --ca names the file with the server's
certificate authority, which `longshore ca` prints there. Another machine is spoken to over TLS alone.

Examples:
  longshore agent --endpoint https://10.0.0.5:4580 --token longshore.3f2a…     an instance of the token's cluster
  longshore agent --endpoint https://10.0.0.5:4580 --ca ca.pem --cluster web   the same, with keys (EC2)
  longshore agent --endpoint https://10.0.0.5:4580 --ca ca.pem --serverless    takes FARGATE tasks
  longshore agent --endpoint https://10.0.0.5:4580 --ca ca.pem --serverless --capacity-provider walled \\
      --runtime io.containerd.kata.v2               tasks whose strategy names `walled`, in Kata's shim")]
pub struct AgentArgs {
    /// The control plane [default: AWS_ENDPOINT_URL]
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL", hide_env = true)]
    pub endpoint: String,
    /// What `longshore token create` printed, here or in LONGSHORE_TOKEN; not needed once the machine has joined
    #[arg(long, value_name = "TOKEN", env = "LONGSHORE_TOKEN", hide_env = true, hide_env_values = true)]
    pub token: Option<JoinToken>,
    /// Join the pool that takes FARGATE tasks
    #[arg(long, conflicts_with_all = ["cluster", "token"])]
    pub serverless: bool,
    /// Register as a container instance of this cluster [default: default]
    #[arg(long)]
    pub cluster: Option<String>,
    /// A name for people
    #[arg(long)]
    pub name: Option<String>,
    /// Where the machine's GPUs are described, by CDI; can be given several times [default: /etc/cdi and /var/run/cdi]
    #[arg(long, value_name = "DIR", conflicts_with = "serverless")]
    pub cdi_spec_dir: Vec<PathBuf>,
    #[command(flatten)]
    pub capacity: CapacityArgs,
}

#[derive(Clone, Debug, Args)]
pub struct PsArgs {
    #[arg(long, default_value = "default", add = ArgValueCandidates::new(completion::clusters))]
    pub cluster: String,
    /// Stopped tasks too
    #[arg(long, short)]
    pub all: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
CPU% is of one core: 200 are two busy ones. OF LIMIT is the share of the cpu that the task may use, MEM%
that of its memory. Each figure is the average since the agent's report before, which comes every few
seconds; `-` where there is none yet, or none that is younger than a minute.

On a terminal the table is live: c, m, a, n sort, t shows containers, q ends. Elsewhere, and with --once,
it is printed once.

Examples:
  longshore top
  longshore top --cluster web --sort memory --containers
  longshore top --json | jq '.[] | select(.cpuPercentOfLimit > 90)'")]
pub struct TopArgs {
    #[arg(long, default_value = "default", add = ArgValueCandidates::new(completion::clusters))]
    pub cluster: String,
    /// The tasks of all clusters
    #[arg(long, conflicts_with_all = ["cluster", "service"])]
    pub all_clusters: bool,
    /// The tasks of this service only
    #[arg(long, add = ArgValueCandidates::new(completion::services))]
    pub service: Option<String>,
    /// A row for each container too
    #[arg(long, short = 't')]
    pub containers: bool,
    /// What comes first: the greatest cpu, memory or age, or names in their order
    #[arg(long, value_enum, default_value_t)]
    pub sort: Sort,
    /// Print the table once, on a terminal too
    #[arg(long)]
    pub once: bool,
    /// As a list of rows with plain numbers
    #[arg(long)]
    pub json: bool,
    /// From one look to the next
    #[arg(long, value_parser = duration, default_value = "2s", value_name = "TIME")]
    pub interval: Duration,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Of a task: who asked for it, where it was placed, each step with its time and how long it took, how its
containers ended and what their exit codes mean, their last log lines, and what to do next. Of a service:
its deployments, why tasks are missing, which of its tasks failed and why.

Examples:
  longshore explain 3f2a                a task, running or stopped, by the first digits of its id
  longshore explain web                 the service web
  longshore explain arn:aws:ecs:us-east-1:000000000000:task/web/3f2a0c11d0e4…")]
pub struct ExplainArgs {
    /// A task's id, its beginning or its ARN, or a service's name or ARN
    #[arg(value_name = "TASK|SERVICE", add = ArgValueCandidates::new(completion::tasks_and_services))]
    pub of: String,
    #[arg(long, default_value = "default", add = ArgValueCandidates::new(completion::clusters))]
    pub cluster: String,
    /// The same as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  longshore logs sample -f
  longshore logs 3f2a --since 10m      a task, by the first digits of its id")]
pub struct LogsArgs {
    /// A service's name, or a task's id, its beginning or its ARN
    #[arg(value_name = "TASK|SERVICE", add = ArgValueCandidates::new(completion::tasks_and_services))]
    pub of: String,
    /// Go on until interrupted
    #[arg(long, short)]
    pub follow: bool,
    /// Lines that are no older
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub since: Option<Duration>,
    /// Of this container only
    #[arg(long)]
    pub container: Option<String>,
    /// Lines that match a CloudWatch Logs filter pattern: 'ERROR -debug', '{ $.level = "error" }',
    /// '[ip, ..., status = 5*, bytes]'; not with --follow
    #[arg(long, value_name = "PATTERN", conflicts_with = "follow")]
    pub filter: Option<String>,
    #[arg(long, default_value = "default", add = ArgValueCandidates::new(completion::clusters))]
    pub cluster: String,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
The image is a repository of Longshore's own registry, or any other's full name. The task runs on FARGATE
with an address of its own. Exit status: the container's; 125 where it could not be run, 126 where its
command could not be executed, 127 where it was not found. Ctrl-C stops the task.

Examples:
  longshore run web:latest
  longshore run public.ecr.aws/docker/library/busybox -e WHO=world -- sh -c 'echo hello $WHO'
  longshore run --cpu 1024 --memory 2048 batch:v3 -- /bin/job --all")]
pub struct RunArgs {
    /// A repository here, as in web:latest, or an image of any registry
    #[arg(add = ArgValueCandidates::new(completion::images))]
    pub image: String,
    /// What to run in place of the image's command
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
    /// 1024 to a processor
    #[arg(long, default_value_t = 256)]
    pub cpu: u32,
    /// In MiB
    #[arg(long, default_value_t = 512)]
    pub memory: u32,
    /// A variable of the container's environment
    #[arg(long = "env", short = 'e', value_name = "KEY=VALUE", value_parser = variable)]
    pub env: Vec<(String, String)>,
    /// Names the family `run-NAME` [default: from the image]
    #[arg(long)]
    pub name: Option<String>,
    /// Print the task's id and don't wait for its end
    #[arg(long, short)]
    pub detach: bool,
    #[arg(long, default_value = "default", add = ArgValueCandidates::new(completion::clusters))]
    pub cluster: String,
}

#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Tab then completes commands, flags, and what the server has: tasks, services, clusters, repositories.

  bash   echo 'source <(longshore completion bash)' >> ~/.bashrc
  zsh    echo 'source <(longshore completion zsh)' >> ~/.zshrc       (after compinit)
  fish   longshore completion fish > ~/.config/fish/completions/longshore.fish")]
pub struct CompletionArgs {
    #[arg(value_enum)]
    pub shell: Shell,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Shell {
    pub fn name(self) -> &'static str {
        match self {
            Shell::Bash => "bash",
            Shell::Zsh => "zsh",
            Shell::Fish => "fish",
        }
    }
}

#[derive(Clone, Debug, Args)]
pub struct ApiArgs {
    /// As a list of {service, operation, implemented}
    #[arg(long)]
    pub json: bool,
    /// Of this service only
    #[arg(long)]
    pub service: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definitions_hold_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_flags_stand_anywhere_and_the_command_after_dashes() {
        let words = ["longshore", "run", "-e", "A=b=c", "--data-dir", "/d", "web:1", "--", "sh", "-c", "x"];
        let cli = Cli::try_parse_from(words).unwrap();
        assert_eq!(cli.site.data_dir.as_deref(), Some(std::path::Path::new("/d")));
        let Command::Run(run) = cli.command else { panic!("another command") };
        assert_eq!(run.env, [("A".to_owned(), "b=c".to_owned())]);
        assert_eq!(run.command, ["sh", "-c", "x"]);
    }

    #[test]
    fn usage_errors_are_status_2() {
        for words in
            [&["longshore", "nope"][..], &["longshore", "up", "--account", "12"], &["longshore", "run"]]
        {
            assert_eq!(Cli::try_parse_from(words).unwrap_err().exit_code(), 2);
        }
    }
}
