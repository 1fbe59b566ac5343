//! The workspace's own tools: `cargo xtask codegen` writes the wire types from botocore's service
//! models, `cargo xtask check` enforces the rules of the house that no compiler knows, `cargo xtask
//! torture` and `cargo xtask simulate` start `tests/torture` and `tests/simulation`.
//!
//! It must never be linked into anything that is shipped, and `check` must stay quick enough to be
//! run before every commit. Start reading at `codegen/mod.rs` or `check/mod.rs`.

mod check;
mod codegen;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

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
    /// Simulate services on failing machines (tests/simulation): --steps N --seed S --episode N
    #[command(disable_help_flag = true)]
    Simulate {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Kill Longshore's processes under load (tests/torture): --rounds N --seed S
    #[command(disable_help_flag = true)]
    Torture {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
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
        Task::Simulate { args } => start(&root, "simulation", &args),
        Task::Torture { args } => start(&root, "torture", &args),
    }
}

/// A program of its own: this one needs neither a runtime nor what is under test.
fn start(root: &Path, package: &str, args: &[String]) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root).args(["run", "--locked", "--quiet", "-p", package, "--"]).args(args);
    let status = command.status().context("run cargo")?;
    anyhow::ensure!(status.success(), "the {package} has found something");
    Ok(())
}

/// The folder of the workspace's Cargo.toml, wherever the command was started.
fn workspace_root() -> anyhow::Result<PathBuf> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    Ok(here.parent().context("xtask lies inside the workspace")?.to_owned())
}
