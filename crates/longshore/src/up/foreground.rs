//! The server process itself: composed, ready, and on until a signal.

use std::process::ExitCode;
use std::time::Duration;

use agent::{Agent, AgentConfig, AgentHandle, Capacity};
use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use wire::Credentials;

use super::detach::{Ready, Report};
use crate::cli::{CapacityArgs, UpArgs};
use crate::data_dir::{DataDir, Keys};
use crate::server::{self, Serving};
use crate::site::{Site, credentials};
use crate::talk::Progress;
use crate::{sample, talk};

/// How long an agent in the same process may take to connect.
const CONNECT_PATIENCE: Duration = Duration::from_secs(60);
/// Network namespaces held ready.
const POOL: usize = 16;

/// Everything that runs, and how to end it.
struct Process {
    serving: Serving,
    agent: AgentHandle,
}

/// For a person or a supervisor: logs to stderr, results to stdout.
pub async fn plain(site: &Site, args: &UpArgs) -> Result<ExitCode> {
    server::log_to_stderr();
    let process = start(site, args).await?;
    eprintln!("Longshore is up at {}", process.serving.endpoint);
    let mut here = site.clone();
    here.listen = Some(process.serving.server.address);
    if !args.no_sample {
        let address = sample::deploy(&here.client()?, Progress::new()).await?;
        println!("{}", super::welcome(&here, Some(&address))?);
    } else {
        println!("{}", super::welcome(&here, None)?);
    }
    end(process).await
}

/// For [`super::detach::start`]: one line on stdout, which then is closed; logs to the log file.
pub async fn reporting(site: &Site, args: &UpArgs) -> Result<ExitCode> {
    let started = match server::log_to_file(&site.dir.log_file(), args.log_size) {
        Ok(()) => start(site, args).await,
        Err(error) => Err(error),
    };
    let report = match &started {
        Ok(process) => Report::Ready(Ready {
            pid: std::process::id(),
            listen: process.serving.server.address,
            endpoint: process.serving.endpoint.clone(),
        }),
        Err(error) => Report::Failed(talk::told(error)),
    };
    println!("{}", serde_json::to_string(&report).context("write the report")?);
    // Nothing is said on it any more; whoever reads it is not to wait for an end.
    let nowhere = std::fs::OpenOptions::new().write(true).open("/dev/null").context("open /dev/null")?;
    nix::unistd::dup2_stdout(nowhere).context("close the report's pipe")?;
    end(started?).await
}

async fn start(site: &Site, args: &UpArgs) -> Result<Process> {
    // Signals that come while it starts end it the usual way.
    let keys = server::keys(&site.dir, &args.server)?;
    let serving = server::start(&site.dir, &keys, site.listen()?, &args.server).await?;
    let config = serverless(&site.dir, &keys, &serving, &args.capacity)?;
    let agent = Agent::start(config).await.context("start the agent")?;
    tokio::time::timeout(CONNECT_PATIENCE, agent.connected())
        .await
        .with_context(|| format!("the agent has not connected after {} s", CONNECT_PATIENCE.as_secs()))?;
    tracing::info!(subnet = %agent.subnet(), "ready");
    Ok(Process { serving, agent })
}

/// Waits for a signal. Tasks keep running: the next start adopts them, `down` ends them.
async fn end(process: Process) -> Result<ExitCode> {
    let signal = ending_signal().await?;
    tracing::info!(signal, "ending; tasks keep running");
    process.agent.shutdown().await;
    process.serving.server.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// The name of the signal that asked this process to end.
pub async fn ending_signal() -> Result<&'static str> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

fn serverless(dir: &DataDir, keys: &Keys, serving: &Serving, args: &CapacityArgs) -> Result<AgentConfig> {
    let listen = serving.server.address;
    // In process: past whatever stands between the advertised address and this machine.
    let mut config = agent_config(dir, crate::site::endpoint(listen), credentials(&keys.agent), args)?;
    config.region.clone_from(&keys.region);
    config.account.clone_from(&keys.account);
    config.serverless = true;
    config.ca = Some(std::fs::read(dir.ca()).context("read the certificate authority")?);
    config.own_hosts = vec![listen.to_string(), wire::endpoint::authority(&serving.endpoint).to_owned()];
    config.own_hosts.extend(serving.hosts.iter().cloned());
    let mut capacity = Capacity::of_this_machine();
    // A FARGATE task's cpu is a ceiling: processors are promised several times, memory once.
    capacity.cpu = capacity.cpu.saturating_mul(i32::try_from(args.cpu_overcommit).unwrap_or(i32::MAX));
    config.capacity = Some(capacity);
    Ok(config)
}

/// An agent of `dir`, of an instance of the cluster `default` until the caller says otherwise.
pub fn agent_config(
    dir: &DataDir,
    endpoint: String,
    credentials: Credentials,
    args: &CapacityArgs,
) -> Result<AgentConfig> {
    let subnet = args.subnet.as_deref().map(str::parse).transpose().context("--subnet")?;
    Ok(AgentConfig {
        endpoint,
        ca: None,
        credentials,
        region: "us-east-1".to_owned(),
        account: "000000000000".to_owned(),
        own_hosts: vec![],
        cluster: None,
        serverless: false,
        capacity_providers: args.capacity_provider.clone(),
        data_dir: dir.join("agent"),
        runtime: match &args.runtime {
            Some(name) => agent::runtime::RuntimeChoice::Named(name.clone()),
            None => agent::runtime::RuntimeChoice::Longshore,
        },
        shim_path: None,
        layers: agent::images::unpack::Limits { entries: args.layer_max_entries, bytes: args.layer_max_size },
        subnet,
        instance_name: None,
        capacity: None,
        cdi_directories: agent::cdi::DIRECTORIES.map(Into::into).to_vec(),
        network_pool: POOL,
    })
}
