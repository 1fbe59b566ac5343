//! `longshore api`: which operations there are, from the table that dispatches. Nothing is started.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use ::logs::{Logs, LogsConfig};
use anyhow::{Context, Result, bail};
use control::announce::Nobody;
use control::clock::SystemClock;
use control::keyring::{FixedKeys, NoRoles};
use control::task_keys::TaskKeys;
use control::writer::Writer;
use control::{App, Metrics};
use events::Events;
use registry::{Registry, RegistryConfig};
use store::MemoryStore;
use wire::dispatch::{Coverage, Router};

use crate::cli::ApiArgs;
use crate::talk::table;

pub async fn api(args: &ApiArgs) -> Result<ExitCode> {
    let mut rows = with_nothing(|router| router.coverage())?;
    if let Some(service) = &args.service {
        rows.retain(|row| row.service == service);
        if rows.is_empty() {
            let names: Vec<&str> = wire::SERVICES.iter().map(|service| service.name).collect();
            bail!("{service:?} is not one of {}", names.join(", "));
        }
    }
    let text = match args.json {
        true => serde_json::to_string_pretty(&rows).context("write the table as JSON")?,
        false => shown(&rows),
    };
    // `longshore api | head` closes the pipe: that's no failure.
    let _ = writeln!(std::io::stdout(), "{text}");
    Ok(ExitCode::SUCCESS)
}

fn shown(rows: &[Coverage]) -> String {
    let mark = |row: &Coverage| if row.implemented { "yes" } else { "-" };
    let cells =
        rows.iter().map(|row| vec![row.service.to_owned(), row.operation.to_owned(), mark(row).to_owned()]);
    let mut text = table(&["SERVICE", "OPERATION", "IMPLEMENTED"], cells);
    text.push('\n');
    for service in wire::SERVICES.iter().map(|service| service.name) {
        let all = rows.iter().filter(|row| row.service == service);
        let (total, have) = all.fold((0, 0), |(n, have), row| (n + 1, have + usize::from(row.implemented)));
        if total > 0 {
            text.push_str(&format!("\n{service}: {have} of {total}"));
        }
    }
    text
}

/// The router of a server over nothing: an empty memory and an empty directory that is removed again.
fn with_nothing<T>(look: impl FnOnce(&Router) -> T) -> Result<T> {
    let directory = std::env::temp_dir().join(format!("longshore-api-{:016x}", rand::random::<u64>()));
    let made = over(&directory);
    let answer = made.map(|router| look(&router));
    let _ = std::fs::remove_dir_all(&directory);
    answer
}

fn over(directory: &std::path::Path) -> Result<Router> {
    let store = || Arc::new(MemoryStore::new());
    let registry = RegistryConfig::new(directory.join("registry"), "localhost");
    let mut siblings = Registry::open(registry, store()).context("open a registry")?.operations();
    siblings.merge(
        Logs::open(LogsConfig::new(directory.join("logs")), store()).context("open logs")?.operations(),
    );
    siblings.merge(Events::open(store(), events::Clock::system()).context("open events")?.operations());
    let home = model::Scope::new("000000000000", "us-east-1");
    let (clock, metrics) = (Arc::new(SystemClock), Arc::new(Metrics::default()));
    let app = App {
        config: control::Config {
            endpoint: "http://localhost".to_owned(),
            hosts: Vec::new(),
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            stopped_task_retention_ms: 0,
            lost_after_ms: 0,
        },
        writer: Writer::open(store(), clock.clone(), metrics.clone(), Arc::new(Nobody), home)
            .context("open a state")?,
        clock,
        keyring: Arc::new(FixedKeys::default()),
        task_keys: TaskKeys::new(b"", Arc::new(NoRoles)),
        policies: Arc::new(control::access::Nothing),
        metrics,
        usage: control::usage::Usages::default(),
        hub: Arc::default(),
        placements: Arc::default(),
    };
    Ok(control::server::operations(&Arc::new(app), siblings))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_table_is_that_of_a_server_and_nothing_stays() {
        let rows = with_nothing(Router::coverage).unwrap();
        let has = |service: &str, operation: &str| {
            rows.iter().any(|row| row.service == service && row.operation == operation && row.implemented)
        };
        assert!(has("ecs", "RunTask") && has("sts", "GetCallerIdentity"));
        assert!(has("ecr", "GetAuthorizationToken") && has("logs", "PutLogEvents"));
        assert!(has("events", "PutRule") && !has("events", "StartReplay"));
        assert_eq!(
            rows.iter().filter(|row| row.service == "ecs").count(),
            wire::ecs::SERVICE.operations.len()
        );
        assert!(shown(&rows).contains("ecs: "));
    }
}
