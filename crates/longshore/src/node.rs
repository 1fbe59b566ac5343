//! `longshore server` and `longshore agent`: the two halves of `up`, for more machines than one.

use std::process::ExitCode;

use agent::Agent;
use anyhow::{Context, Result};

use crate::admission::{Admission, admission};
use crate::cli::{AgentArgs, ServerArgs};
use crate::data_dir::Running;
use crate::preflight;
use crate::server;
use crate::site::Site;
use crate::up::{agent_config, ending_signal};

/// The control plane, the registry and the logs. Stays in the foreground; logs to stderr.
pub async fn server(site: &Site, args: &ServerArgs) -> Result<ExitCode> {
    server::log_to_stderr();
    let keys = server::keys(&site.dir, args)?;
    let serving = server::start(&site.dir, &keys, site.listen()?, args).await?;
    println!("{}", serving.endpoint);
    let signal = ending_signal().await?;
    tracing::info!(signal, "ending");
    serving.server.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// An agent alone. Stays in the foreground; its tasks outlive it, `longshore down` with its data
/// directory removes them.
pub async fn agent(site: &Site, args: &AgentArgs) -> Result<ExitCode> {
    preflight::check()?;
    server::log_to_stderr();
    server::raise_descriptors();
    site.dir.create()?;
    let Admission { credentials, region, account, cluster, ca } = admission(site, args).await?;
    let mut config = agent_config(&site.dir, args.endpoint.clone(), credentials, &args.capacity)?;
    config.region = region.unwrap_or(config.region);
    config.account = account.unwrap_or(config.account);
    config.ca = ca;
    config.serverless = args.serverless;
    config.cluster = cluster;
    config.instance_name.clone_from(&args.name);
    config.own_hosts = vec![wire::endpoint::authority(&args.endpoint).to_owned()];
    if !args.cdi_spec_dir.is_empty() {
        config.cdi_directories.clone_from(&args.cdi_spec_dir);
    }
    if args.serverless {
        let mut capacity = agent::Capacity::of_this_machine();
        let times = i32::try_from(args.capacity.cpu_overcommit).unwrap_or(i32::MAX);
        capacity.cpu = capacity.cpu.saturating_mul(times);
        config.capacity = Some(capacity);
    }
    let agent = Agent::start(config).await.context("start the agent")?;
    // For `down`. An agent listens nowhere.
    let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    site.dir.set_running(&Running { pid: std::process::id(), listen: nowhere })?;
    let signal = tokio::select! {
        signal = ending_signal() => signal?,
        () = async { agent.connected().await; tracing::info!("connected"); std::future::pending().await } => "",
    };
    tracing::info!(signal, "ending; tasks keep running");
    agent.shutdown().await;
    Ok(ExitCode::SUCCESS)
}
