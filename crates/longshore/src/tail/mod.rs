//! `longshore logs`: the lines of a task or of all tasks of a service.

mod follow;
mod source;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use wire::logs as api;

use crate::cli::LogsArgs;
use crate::site::Site;
use crate::talk::{Client, now_ms};

pub use follow::Follow;
pub use source::{Source, of_task};

/// How often new lines and new tasks are looked for.
const LINES_EVERY: Duration = Duration::from_millis(300);
const TASKS_EVERY: Duration = Duration::from_secs(2);
/// FilterLogEvents takes so many streams (CloudWatch Logs API reference).
const STREAMS_AT_ONCE: usize = 100;

pub async fn logs(site: &Site, args: &LogsArgs) -> Result<ExitCode> {
    let client = site.client()?;
    let since_ms =
        args.since.map(|ago| now_ms().saturating_sub(u64::try_from(ago.as_millis()).unwrap_or(u64::MAX)));
    let found = source::find(&client, args).await?;
    if found.is_empty() && !args.follow {
        bail!("{} has had no task that writes its log here (logDriver awslogs)", args.of);
    }
    match args.follow {
        false => {
            if past(&client, &found, since_ms, args.filter.as_deref()).await? == 0 {
                let narrowed = args.since.is_some() || args.filter.is_some();
                eprintln!(
                    "no lines{}; `{} {}` tells what became of it",
                    if narrowed { " that were asked for" } else { " yet" },
                    site.call("explain"),
                    args.of
                );
            }
        }
        true => tokio::select! {
            done = following(&client, args, found, since_ms) => done?,
            _ = tokio::signal::ctrl_c() => {}
        },
    }
    Ok(ExitCode::SUCCESS)
}

/// Everything that is there, in the order of time. Returns how many lines there were.
async fn past(
    client: &Client,
    sources: &[Source],
    since_ms: Option<u64>,
    filter: Option<&str>,
) -> Result<usize> {
    let mut lines = 0;
    let named = sources.len() > 1;
    let mut groups: BTreeMap<(&str, &str), Vec<&Source>> = BTreeMap::new();
    for source in sources {
        groups.entry((&source.region, &source.group)).or_default().push(source);
    }
    for ((region, group), mut sources) in groups {
        // The newest, where there are more than can be asked for at once.
        sources.sort_by_key(|source| std::cmp::Reverse(source.started_ms));
        sources.truncate(STREAMS_AT_ONCE);
        let client = client.in_region(region);
        let mut request = api::FilterLogEventsRequest {
            log_group_name: Some(group.to_owned()),
            log_stream_names: Some(sources.iter().map(|source| source.stream.clone()).collect()),
            start_time: since_ms.and_then(|ms| i64::try_from(ms).ok()),
            filter_pattern: filter.map(str::to_owned),
            ..Default::default()
        };
        loop {
            let page = match client.call::<api::ops::FilterLogEvents>(&request).await {
                Ok(page) => page,
                // No line has come yet.
                Err(error) if error.code() == Some("ResourceNotFoundException") => break,
                Err(error) => return Err(error.into()),
            };
            for event in page.events.into_iter().flatten() {
                let stream = event.log_stream_name.as_deref();
                let source = sources.iter().find(|source| Some(source.stream.as_str()) == stream);
                let label = source.filter(|_| named).map(|source| source.label.as_str());
                lines += 1;
                if !print(label, event.message.as_deref().unwrap_or_default()) {
                    return Ok(lines);
                }
            }
            request.next_token = page.next_token;
            if request.next_token.is_none() {
                break;
            }
        }
    }
    Ok(lines)
}

/// From now on (or `since_ms`), until nobody listens.
async fn following(
    client: &Client,
    args: &LogsArgs,
    found: Vec<Source>,
    since_ms: Option<u64>,
) -> Result<()> {
    let mut follow = Follow::new(client.clone(), since_ms);
    follow.add(found);
    let mut look = tokio::time::interval(TASKS_EVERY);
    let mut lines = tokio::time::interval(LINES_EVERY);
    loop {
        tokio::select! {
            _ = look.tick() => follow.add(source::find(client, args).await?),
            _ = lines.tick() => {
                for line in follow.new_lines().await? {
                    let label = follow.has_many().then_some(line.label.as_str());
                    if !print(label, &line.message) {
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// One line; false when nobody reads any more.
pub fn print(label: Option<&str>, message: &str) -> bool {
    let mut out = std::io::stdout().lock();
    let written = match label {
        Some(label) => writeln!(out, "{label}  {message}"),
        None => writeln!(out, "{message}"),
    };
    written.is_ok()
}
