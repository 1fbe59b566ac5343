//! `longshore top`: what the tasks use, live on a terminal, one table elsewhere.
//!
//! `gather` asks, `rows.rs` decides what there is to show and in which order (pure), `screen.rs` draws.

mod rows;
mod screen;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use control::usage::{UsageAnswer, UsageRequest};

use crate::cli::TopArgs;
use crate::ps;
use crate::site::Site;
use crate::talk::{Client, now_ms, table};

pub use rows::Sort;

use rows::Row;
use screen::{Key, Screen};

const PATIENCE: Duration = Duration::from_secs(10);
const LEAST_INTERVAL: Duration = Duration::from_millis(200);

pub async fn top(site: &Site, args: &TopArgs) -> Result<ExitCode> {
    let client = site.client()?;
    if args.json {
        let rows = gather(&client, args, args.sort).await?;
        println!("{}", serde_json::to_string_pretty(&rows).context("write the rows as JSON")?);
        return Ok(ExitCode::SUCCESS);
    }
    if args.once || !Screen::is_possible() {
        let rows = gather(&client, args, args.sort).await?;
        match rows.is_empty() {
            true => eprintln!("{}", rows::nothing(args)),
            false => println!("{}", table(&rows::HEAD, rows.iter().map(Row::cells))),
        }
        return Ok(ExitCode::SUCCESS);
    }
    live(&client, args).await?;
    Ok(ExitCode::SUCCESS)
}

/// Until somebody has seen enough.
async fn live(client: &Client, args: &TopArgs) -> Result<()> {
    let (mut sort, mut containers) = (args.sort, args.containers);
    // Asked once before the screen is taken: an error then stays readable.
    gather(client, args, sort).await?;
    let mut screen = Screen::take()?;
    let mut timer = tokio::time::interval(args.interval.max(LEAST_INTERVAL));
    loop {
        tokio::select! {
            _ = timer.tick() => {}
            key = screen.key() => match key {
                Key::Quit => return Ok(()),
                Key::Sort(by) => sort = by,
                Key::Containers => containers = !containers,
                Key::Other => continue,
            },
        }
        let shown = TopArgs { containers, ..args.clone() };
        // A server that starts again is no reason to leave.
        match gather(client, &shown, sort).await {
            Ok(rows) => screen.draw(&rows::heading(&rows, &shown, sort), &rows)?,
            Err(error) => screen.draw(&crate::talk::told(&error), &[])?,
        }
    }
}

async fn gather(client: &Client, args: &TopArgs, sort: Sort) -> Result<Vec<Row>> {
    let clusters = match args.all_clusters {
        true => ps::clusters(client).await?,
        false => vec![args.cluster.clone()],
    };
    let mut tasks = vec![];
    for cluster in &clusters {
        tasks.extend(ps::tasks(client, cluster, args.service.as_deref(), false).await?);
    }
    let asked = UsageRequest { cluster: (!args.all_clusters).then(|| ps::id(&args.cluster).to_owned()) };
    let body = serde_json::to_vec(&asked).context("write the question")?;
    let answer = client.own(control::USAGE_PATH, body, PATIENCE).await?;
    let usage: UsageAnswer = serde_json::from_slice(&answer).context("read the tasks' usage")?;
    Ok(rows::of(&tasks, &usage, args.containers, sort, now_ms()))
}
