//! The workspace's own tools: `cargo xtask codegen` writes the wire types from botocore's service
//! models, `cargo xtask check` enforces the rules of the house that no compiler knows.
//!
//! It must never be linked into anything that is shipped, and `check` must stay quick enough to be
//! run before every commit. Start reading at `codegen/mod.rs` or `check/mod.rs`.

mod check;
mod codegen;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

#[derive(Parser)]
#[command(about = "Longshore's workspace tools")]
enum Task {
    /// Generate crates/wire/src/*/generated from the pinned botocore
    Codegen {
        /// Change nothing; fail if the checked-in files differ from what would be written
        #[arg(long)]
        check: bool,
    },
    /// Enforce the rules of the house: imports, purity, length of files
    Check,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let root = workspace_root()?;
    match Task::parse() {
        Task::Codegen { check } => codegen::run(&root, check),
        Task::Check => check::run(&root),
    }
}

/// The folder of the workspace's Cargo.toml, wherever the command was started.
fn workspace_root() -> anyhow::Result<PathBuf> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    Ok(here.parent().context("xtask lies inside the workspace")?.to_owned())
}
