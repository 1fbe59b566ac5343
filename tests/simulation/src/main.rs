//! `simulation`: model and plan on a memory store, with agents, machines, messages and people that all come from a
//! seed. Processes and machines die, links break, messages are lost, late or doubled, commits fail, images come slowly,
//! tasks fail in every way that they can; after every commit the promises are checked, and at the end of each episode
//! everything must come right, and then to nothing.
//!
//! An episode follows from its seed and number alone: what fails once fails again. It uses `model`, `plan` and `store`
//! as they are, and nothing else of Longshore.
//!
//! Start at `episode.rs`; `promises.rs` has what is checked. `cargo xtask simulate --steps N --seed S` runs it.

mod control;
mod daemon;
mod dice;
mod episode;
mod hooks;
mod letters;
mod machine;
mod promises;
mod rest;
mod session;
mod site;
mod tally;
mod truth;
mod user;
mod weather;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, anyhow};
use clap::Parser;

use episode::Episode;
use tally::Tally;

#[derive(Debug, Parser)]
#[command(about = "Simulate services on failing machines and check what they are promised")]
struct Args {
    /// At least so many steps, each something that happens somewhere
    #[arg(long, default_value_t = 1_000_000)]
    steps: u64,
    /// Decides everything
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Plays this episode alone, and says what happened in it last
    #[arg(long)]
    episode: Option<u64>,
    /// Lines of that
    #[arg(long, default_value_t = 100)]
    lines: usize,
}

/// Episodes that are begun together: so many are played to their end however many workers there are, so that a seed
/// means the same episodes everywhere.
const BATCH: u64 = 16;

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(number) = args.episode {
        return play_one(&args, number);
    }
    println!("simulation: --steps {} --seed {}", args.steps, args.seed);
    let (mut steps, mut number, mut tally) = (0, 0, Tally::default());
    while steps < args.steps {
        for (number, outcome) in (number..).zip(play_batch(args.seed, number)) {
            match outcome {
                Ok((of_one, its_tally)) => {
                    steps += of_one;
                    tally.add(&its_tally);
                }
                Err(error) => {
                    eprintln!("simulation: episode {number}: {error:#}");
                    eprintln!("repeat: cargo xtask simulate --seed {} --episode {number}", args.seed);
                    return ExitCode::FAILURE;
                }
            }
        }
        number += BATCH;
    }
    print!("{tally}");
    println!("simulation: {steps} steps of {number} episodes, and every promise was kept");
    ExitCode::SUCCESS
}

/// Each episode's steps and what happened in it, in the order of their numbers.
fn play_batch(seed: u64, first: u64) -> Vec<anyhow::Result<(u64, Tally)>> {
    let next = AtomicU64::new(first);
    let work = || {
        let mut played = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= first + BATCH {
                return played;
            }
            let mut episode = Episode::new(seed, number, false);
            let outcome = play(&mut episode);
            let outcome = outcome.with_context(|| format!("{} ms from its beginning", episode.age_ms()));
            played.push((number, outcome.map(|()| (episode.steps, episode.tally))));
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let mut played: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
    });
    played.sort_by_key(|(number, _)| *number);
    played.into_iter().map(|(_, outcome)| outcome).collect()
}

fn play_one(args: &Args, number: u64) -> ExitCode {
    let mut episode = Episode::new(args.seed, number, true);
    println!("{:#?}", episode.weather);
    let outcome = play(&mut episode);
    let trace = episode.trace.take().unwrap_or_default();
    trace.iter().skip(trace.len().saturating_sub(args.lines)).for_each(|line| println!("{line}"));
    print!("{}", episode.tally);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("simulation: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A panic of what is under test is a finding like any other.
fn play(episode: &mut Episode) -> anyhow::Result<()> {
    catch_unwind(AssertUnwindSafe(|| episode.play())).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(anyhow!("a panic: {}", text.unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests;
