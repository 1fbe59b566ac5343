//! `load`: how many tasks a second a real server takes, with a fleet of agents that isn't real.
//!
//! `fleet.rs` registers container instances over the API and keeps for each the two websockets of ECS's
//! agent protocol; an agent acknowledges its payloads and reports its tasks RUNNING, and runs nothing.
//! `burst.rs` sends signed RunTask calls; `standing.rs` has services that stand still instead. `site.rs` starts the server, which is the product's own program
//! with its SQLite store, and kills it at the end: what was acknowledged must be there after that.
//!
//! It uses nothing of Longshore but the wire. It prints its figures as JSON; what they mean is in
//! docs/performance.md. Start at [`measure`].

mod agent;
mod asking;
mod burst;
mod channel;
mod fleet;
mod identity;
mod lines;
mod site;
mod socket;
mod standing;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::json;
use wire::ecs;

use burst::Burst;
use channel::Channel;
use fleet::Fleet;
use site::{Site, processor_time, resident_mib};
use standing::Standing;

/// How long the fleet may take to connect, or the last task to be RUNNING.
const PATIENCE: Duration = Duration::from_secs(900);
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// For everything but the sessions.
const DESCRIPTORS: u64 = 2_560;
const CLUSTER: &str = "load";
const FAMILY: &str = "load";

#[derive(Debug, Parser)]
#[command(about = "Measure durable RunTask throughput with simulated agents")]
struct Args {
    /// Where the binaries are
    #[arg(long, default_value = "target/bin")]
    bin: PathBuf,
    /// Container instances
    #[arg(long, default_value_t = 200)]
    instances: usize,
    /// Tasks to run, ten a call
    #[arg(long, default_value_t = 40_000)]
    tasks: usize,
    /// Connections that call at once
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// Instead of running tasks: so many services, which then stand still
    #[arg(long, default_value_t = 0)]
    services: usize,
    /// Tasks of each of them
    #[arg(long, default_value_t = 20)]
    each: i32,
    /// In the end, ask the full site how soon it answers, and what it keeps in memory
    #[arg(long)]
    ask: bool,
    /// Keep the server's directory, and say where it is
    #[arg(long)]
    keep: bool,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    raise_descriptors(2 * args.instances as u64 + DESCRIPTORS)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let figures = runtime.block_on(measure(&args))?;
    println!("{figures:#}");
    Ok(())
}

/// Or to as many as there may be.
fn raise_descriptors(wanted: u64) -> anyhow::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if wanted > most && setrlimit(Resource::RLIMIT_NOFILE, wanted, wanted).is_ok() {
        return Ok(());
    }
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}

/// How many instances can have a telemetry session: where a process may not have descriptors for two sockets of each,
/// some have their session of commands alone.
fn measuring(instances: usize) -> anyhow::Result<usize> {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let left = usize::try_from(limit.saturating_sub(DESCRIPTORS))?;
    ensure!(left >= instances, "{limit} descriptors are too few for {instances} instances");
    Ok(instances.min(left - instances))
}

async fn measure(args: &Args) -> anyhow::Result<serde_json::Value> {
    ensure!(args.tasks.is_multiple_of(burst::COUNT), "--tasks must be a multiple of {}", burst::COUNT);
    let mut home = tempfile::Builder::new().prefix("longshore-load-").tempdir()?;
    if args.keep {
        home.disable_cleanup(true);
        eprintln!("load: {}", home.path().display());
    }
    let mut site = Site::start(&args.bin, home.path()).await?;
    let user = site.caller(false)?;
    let mut asking = Channel::open(user.clone()).await?;
    prepare(&mut asking).await?;

    let measuring = measuring(args.instances)?;
    let fleet = Fleet::connect(&user, args.instances, measuring).await?;
    wait(|| async { fleet.ready() }, "the fleet to connect").await?;

    if args.services > 0 {
        let Args { services, each, clients, .. } = *args;
        return Standing { services, each, clients }.measure(&site, &user, &fleet).await;
    }
    let burst = Burst { caller: user.clone(), calls: args.tasks / burst::COUNT, clients: args.clients };
    let used = || Ok::<_, anyhow::Error>((processor_time(site.pid())?, processor_time(std::process::id())?));
    let (server_before, own_before) = used()?;
    let begun = Instant::now();
    let taken = burst.run().await?;
    let reported = fleet.reported();
    // Who says nothing for that long is hung up on.
    let mut asking = Channel::open(user.clone()).await?;
    let mut running = 0;
    while running < args.tasks {
        ensure!(begun.elapsed() < PATIENCE, "{running} of {} tasks are RUNNING", args.tasks);
        ensure!(fleet.failures() == 0, "agents were refused {} times", fleet.failures());
        tokio::time::sleep(Duration::from_millis(10)).await;
        running = counts(&mut asking).await?.0;
    }
    let all_running = begun.elapsed();
    let (server_after, own_after) = used()?;
    let asked = match args.ask {
        true => Some(asking::measure(&mut asking).await?),
        false => None,
    };
    // Asking starts some, and stops one.
    let tasks = args.tasks + asked.as_ref().map_or(0, |_| asking::CALLS - 1);
    let memory = resident_mib(site.pid())?;
    drop(asking);
    drop(fleet);

    // What was acknowledged outlives whoever acknowledged it.
    let restart = site.kill_and_restart().await?;
    let (running, pending) = counts(&mut Channel::open(user).await?).await?;
    ensure!(running + pending == tasks, "{running} + {pending} of {tasks} tasks are left");

    let tasks = args.tasks as f64;
    let us_a_task =
        |before: Duration, after: Duration| ((after - before).as_secs_f64() * 1e6 / tasks).round();
    let ms = |of: Duration| (of.as_secs_f64() * 1e4).round() / 10.0;
    let mut figures = json!({
        "load_tasks": args.tasks,
        "load_instances": args.instances,
        "load_telemetry_sessions": measuring,
        "load_server_rss_mib": memory,
        "load_clients": args.clients,
        "load_acknowledged_tasks_per_s": (tasks / taken.took.as_secs_f64()).round(),
        "load_call_ms_p50": ms(taken.percentile(0.5)),
        "load_call_ms_p99": ms(taken.percentile(0.99)),
        "load_running_when_acknowledged": reported,
        "load_running_tasks_per_s": (tasks / all_running.as_secs_f64()).round(),
        "load_all_running_s": (all_running.as_secs_f64() * 100.0).round() / 100.0,
        "load_server_cpu_us_per_task": us_a_task(server_before, server_after),
        "load_generator_cpu_us_per_task": us_a_task(own_before, own_after),
        "load_restart_s": (restart.as_secs_f64() * 100.0).round() / 100.0,
    });
    if let Some(asked) = asked {
        figures["load_api_ms_p50_p99"] = asked;
    }
    Ok(figures)
}

/// The cluster and the one task definition.
async fn prepare(asking: &mut Channel) -> anyhow::Result<()> {
    asking
        .call::<ecs::ops::CreateCluster>(&ecs::CreateClusterRequest {
            cluster_name: Some(CLUSTER.to_owned()),
            ..Default::default()
        })
        .await?;
    let definition = serde_json::from_value(json!({
        "family": FAMILY, "cpu": "128", "memory": "256", "networkMode": "host",
        "containerDefinitions": [{
            "name": "app", "image": "example.com/app:1", "essential": true, "command": ["serve"],
            "environment": [{"name": "MODE", "value": "production"}],
        }],
    }))?;
    asking.call::<ecs::ops::RegisterTaskDefinition>(&definition).await?;
    Ok(())
}

/// How many tasks are RUNNING, and how many on their way there.
async fn counts(asking: &mut Channel) -> anyhow::Result<(usize, usize)> {
    let input =
        ecs::DescribeClustersRequest { clusters: Some(vec![CLUSTER.to_owned()]), ..Default::default() };
    let answer = asking.call::<ecs::ops::DescribeClusters>(&input).await?;
    let cluster = answer.clusters.unwrap_or_default().into_iter().next().context("no cluster")?;
    let number = |count: Option<i32>| usize::try_from(count.unwrap_or(0));
    Ok((number(cluster.running_tasks_count)?, number(cluster.pending_tasks_count)?))
}

async fn wait<F: Future<Output = anyhow::Result<bool>>>(
    mut done: impl FnMut() -> F,
    what: &str,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !done().await? {
        ensure!(begun.elapsed() < PATIENCE, "gave up waiting for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
