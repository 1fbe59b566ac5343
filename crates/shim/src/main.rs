//! `containerd-shim-longshore-v1`: the small process that owns a task's containers.
//!
//! It makes them, is the parent of their processes, holds their output open, and writes down how
//! they ended before it tells anybody. It speaks containerd's shim v2 protocol (ttrpc), so that Longshore's agent and
//! containerd can both use it, and either can be killed and come back while the containers go on.
//!
//! It must never start a thread (a container's process begins as a copy of this one), never wait for a client or a daemon, never
//! read or copy a container's output, and never need anything else of Longshore: no crate of ours is used here.
//!
//! Start reading at [`start`] (how one comes to be), then [`server`] (its loop), [`service`] (what it is asked, one
//! file a group of methods) and [`container`] (how a container is made).

mod bundle;
mod cgroup;
mod cli;
mod connection;
mod container;
mod events;
mod exit_record;
mod fault;
mod frame;
mod log;
mod paths;
mod remove;
mod rootfs;
mod server;
mod service;
mod socket;
mod start;
mod stats;
mod stdio;

use std::process::ExitCode;

use cli::Action;

fn main() -> ExitCode {
    let args = match cli::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(error) => {
            eprintln!("containerd-shim-longshore-v1: {error}");
            return ExitCode::from(2);
        }
    };
    let result = match args.action {
        Action::Start => start::run(&args).map_err(|error| fault::chain(&error)),
        Action::Delete => remove::run(&args).map_err(|error| fault::chain(&error)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("containerd-shim-longshore-v1: {error}");
            ExitCode::FAILURE
        }
    }
}
