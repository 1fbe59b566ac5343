//! `longshore explain`: the life of a task, or why a service is not steady.
//!
//! `gather.rs` asks the API for `facts.rs`; `task.rs`, `service.rs` and `advice.rs` make a story of them, in
//! `words.rs`'s words; `story.rs` writes it. Everything but `gather.rs` is pure.

mod advice;
mod facts;
mod gather;
mod service;
mod story;
mod task;
#[cfg(test)]
mod tests;
mod words;

use std::process::ExitCode;

use anyhow::{Context, Result};
use wire::ecs;

use crate::cli::ExplainArgs;
use crate::find::{self, Found};
use crate::site::Site;
use crate::talk::Client;

/// What to do about a task that ended.
pub async fn next_steps(client: &Client, task: ecs::Task) -> Result<Vec<String>> {
    Ok(advice::of(&gather::task(client, task, "longshore".to_owned()).await?))
}

pub async fn explain(site: &Site, args: &ExplainArgs) -> Result<ExitCode> {
    let client = site.client()?;
    let program = site.program();
    let story = match find::find(&client, &args.cluster, &args.of).await? {
        Found::Task(found) => task::story(&gather::task(&client, *found, program).await?),
        Found::Service(found) => service::story(&gather::service(&client, *found, program).await?),
    };
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&story).context("write the story as JSON")?),
        false => println!("{}", story::render(&story)),
    }
    Ok(ExitCode::SUCCESS)
}
