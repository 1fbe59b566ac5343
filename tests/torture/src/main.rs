//! `torture`: kills the control plane, the agent and shims under load, and checks after every restart that
//! nothing that was acknowledged is lost, nothing runs twice, and nothing is left behind.
//!
//! `load.rs` asks, over the public API; `ledger.rs` holds what was answered; `blow.rs` kills; `oracle.rs`
//! compares the ledger with the API, with what the containers wrote and, by `host.rs`, with the machine.
//! It uses nothing of Longshore but the wire's client, so that it can't share a mistake.
//!
//! Start at [`torture`]. `cargo xtask torture --rounds N --seed S` runs it.

mod blow;
mod client;
mod dice;
mod host;
mod image;
mod ledger;
mod load;
mod oracle;
mod site;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Parser;

use dice::Dice;
use load::Load;
use oracle::Finding;
use site::{Shape, Site};

/// Kills in one round, at least; between two rounds everything must come to rest.
const KILLS: u32 = 20;

#[derive(Debug, Parser)]
#[command(about = "Kill Longshore's processes under load and check what it promised")]
struct Args {
    /// So often is everything let come to rest and checked; 20 kills each
    #[arg(long, default_value_t = 10)]
    rounds: u32,
    /// Decides what is asked for and who is killed [default: from the clock]
    #[arg(long)]
    seed: Option<u64>,
    /// Where the binaries are
    #[arg(long, env = "LONGSHORE_BIN", default_value = "target/bin")]
    bin: PathBuf,
    /// Where the directories and logs go; kept after a failure
    #[arg(long, default_value = "target/torture")]
    home: PathBuf,
    /// Say each blow
    #[arg(long, short)]
    verbose: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    // Fails only where a provider was chosen before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let seed = args.seed.unwrap_or_else(client::now_ms);
    println!("torture: --rounds {} --seed {seed}", args.rounds);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("torture: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(torture(&args, seed)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!(
                "torture: {error:#}\nrepeat: cargo xtask torture --rounds {} --seed {seed}",
                args.rounds
            );
            ExitCode::FAILURE
        }
    }
}

/// Half of the rounds with server and agent apart, half with `longshore up`.
async fn torture(args: &Args, seed: u64) -> anyhow::Result<()> {
    let bin = std::fs::canonicalize(&args.bin)
        .with_context(|| format!("{}: `make build` makes it", args.bin.display()))?;
    // An agent's directory must have a short path: sockets lie below it.
    let home = std::path::absolute(&args.home)?.join(format!("{seed:x}"));
    let apart = args.rounds.div_ceil(2);
    let mut kills = 0;
    for (shape, first, rounds) in [(Shape::Apart, 0, apart), (Shape::Together, apart, args.rounds - apart)] {
        if rounds > 0 {
            let home = home.join(format!("{shape:?}").to_lowercase());
            kills += world(args, seed, &bin, &home, shape, first..first + rounds).await?;
        }
    }
    std::fs::remove_dir_all(&home)?;
    println!("torture: {kills} kills survived");
    Ok(())
}

async fn world(
    args: &Args,
    seed: u64,
    bin: &Path,
    home: &Path,
    shape: Shape,
    rounds: std::ops::Range<u32>,
) -> anyhow::Result<u32> {
    let mut site = Site::start(bin, home, shape).await?;
    let outcome = rounds_of(args, seed, &mut site, rounds).await;
    // Also after a failure: it must leave nothing on the machine.
    let down = site.down();
    let left = site.host.leftovers();
    let kills = outcome?;
    down?;
    if !left.is_empty() {
        bail!("left behind by `longshore down`:\n{}", left.join("\n"));
    }
    Ok(kills)
}

async fn rounds_of(
    args: &Args,
    seed: u64,
    site: &mut Site,
    rounds: std::ops::Range<u32>,
) -> anyhow::Result<u32> {
    let load = Load::prepare(site.client()?, &mut Dice::of(seed, rounds.start, 99)).await?;
    let mut all = 0;
    for round in rounds {
        let began = std::time::Instant::now();
        let mut workers = load.begin(seed, round);
        let mut dice = Dice::of(seed, round, 100);
        let (mut kills, mut blows) = (0, vec![]);
        let mut found = vec![];
        while kills < KILLS && found.is_empty() {
            let (killed, words) = blow::strike(site, &load, &mut dice).await?;
            if args.verbose {
                println!("  {words}");
            }
            kills += killed;
            blows.push(words);
            load.go_on();
            site.answers().await?;
            found = oracle::remembered(&load).await?;
        }
        load.end();
        while let Some(worker) = workers.join_next().await {
            worker.context("a worker of the load")??;
        }
        if found.is_empty() {
            found = oracle::settle(&load, &site.host).await?;
        }
        site.lives()?;
        if !found.is_empty() {
            bail!("round {round}: {}", told(site, &load, &found, &blows));
        }
        all += kills;
        let ledger = load.ledger();
        println!(
            "round {round} ({:?}): {kills} kills; {} answers acknowledged so far, {} tasks; {:.1} s",
            site.shape,
            ledger.acknowledged,
            ledger.tasks.len(),
            began.elapsed().as_secs_f64()
        );
    }
    Ok(all)
}

/// Everything that helps to understand a failure.
fn told(site: &Site, load: &Load, findings: &[Finding], blows: &[String]) -> String {
    let ledger = load.ledger();
    let mut lines = vec![format!("{} findings", findings.len())];
    let mut findings: Vec<&Finding> = findings.iter().collect();
    findings.sort_by_key(|finding| finding.may_mend);
    for Finding { may_mend, what, task } in findings.into_iter().take(8) {
        let when = if *may_mend { "in the end" } else { "for good" };
        lines.push(format!("- {when}: {} {what}", task.as_deref().unwrap_or_default()));
        if let Some(task) = task {
            let id = ledger::id(task);
            if let Some((arn, promise)) = ledger.tasks.iter().find(|(arn, _)| arn.ends_with(id)) {
                lines.push(format!("  acknowledged: {arn}: {promise:?}"));
            }
            lines.push(format!("  its shim was killed: {}", ledger.shims_killed.contains(id)));
            lines.push(format!("  said of it:\n{}", site.said_of(id)));
        }
    }
    lines.push(format!("the blows of this round:\n  {}", blows.join("\n  ")));
    lines.join("\n")
}
