//! `longshore`: the program that puts the parts together, and the commands for people.
//!
//! `server/` composes the control plane, the registry, the log service and an agent into one process;
//! `up.rs` starts and `down.rs` ends it. The other commands are clients of the public API like any
//! program of AWS's users (`talk/`): none reaches into the server's state, but `registry verify`, which only looks.
//!
//! It must decide nothing about tasks, and keep no state but the data directory's (`data_dir.rs`).
//!
//! Start at `cli.rs` (what there is), then `up.rs`.

mod admission;
mod api;
mod ca;
mod cli;
mod completion;
mod data_dir;
mod down;
mod environment;
mod explain;
mod find;
mod findings;
mod halt;
mod image;
mod instances;
mod key;
mod node;
mod plan;
mod preflight;
mod ps;
mod query;
mod role;
mod run;
mod sample;
mod server;
mod site;
mod tail;
mod talk;
mod token;
mod top;
mod up;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Fails only where a provider was chosen before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    completion::answer_shell();
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::new(error).context("start the runtime")),
    };
    match runtime.block_on(carry_out(cli)) {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

async fn carry_out(cli: Cli) -> anyhow::Result<ExitCode> {
    let site = site::Site::new(&cli.site)?;
    match cli.command {
        Command::Up(args) => up::up(&site, &args).await,
        Command::Down(args) => down::down(&site, &args).await,
        Command::Env(args) => environment::environment(&site, &args),
        Command::Ca => ca::ca(&site),
        Command::Server(args) => node::server(&site, &args).await,
        Command::Agent(args) => node::agent(&site, &args).await,
        Command::Ps(args) => ps::ps(&site, &args).await,
        Command::Top(args) => top::top(&site, &args).await,
        Command::Explain(args) => explain::explain(&site, &args).await,
        Command::Plan(args) => plan::plan(&site, &args).await,
        Command::Instances(args) => instances::instances(&site, &args).await,
        Command::Query(args) => query::query(&site, &args).await,
        Command::Drain(args) => instances::drain(&site, &args).await,
        Command::Stop(args) => halt::stop(&site, &args).await,
        Command::Start(args) => halt::start(&site, &args).await,
        Command::Logs(args) => tail::logs(&site, &args).await,
        Command::Run(args) => run::run(&site, &args).await,
        Command::Completion(args) => completion::completion(&args),
        Command::Api(args) => api::api(&args).await,
        Command::Key(args) => key::key(&site, &args).await,
        Command::Token(args) => token::token(&site, &args).await,
        Command::Role(args) => role::role(&site, &args).await,
        Command::Registry(args) => match args.command {
            cli::RegistryCommand::Verify(args) => verify::verify(&site, &args).await,
            cli::RegistryCommand::Findings(args) => findings::findings(&site, &args).await,
        },
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("longshore: {}", talk::told(error));
    ExitCode::FAILURE
}
