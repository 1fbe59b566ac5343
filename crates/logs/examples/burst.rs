//! How fast a burst is taken in and read back: `cargo run --release -p logs --example burst [MB]`.
//! Calls the operations without HTTP, four clients, batches as the awslogs driver makes them.

use std::sync::Arc;
use std::time::Instant;

use logs::{Logs, LogsConfig};
use store::SqliteStore;
use wire::Context;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let megabytes: usize = std::env::args().nth(1).map_or(Ok(200), |text| text.parse())?;
    let directory = tempfile::tempdir_in(".")?;
    let store = Arc::new(SqliteStore::open(directory.path().join("logs.db"))?);
    let logs = Logs::open(LogsConfig::new(directory.path().join("logs")), store)?;
    let router = logs.operations();
    let context = Context { account: "0".into(), region: "r".into(), ..Context::default() };
    router.call("logs", "CreateLogGroup", context.clone(), br#"{"logGroupName":"g"}"#).await?;
    let now_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis();
    let event = serde_json::json!({"timestamp": now_ms as u64, "message": "x".repeat(100)});
    let events = vec![event; 8_000];

    let started = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..4 {
        let (router, context) = (router.clone(), context.clone());
        let stream = format!("s{client}");
        let create = serde_json::json!({"logGroupName": "g", "logStreamName": stream}).to_string();
        router.call("logs", "CreateLogStream", context.clone(), create.as_bytes()).await?;
        let put = serde_json::json!({"logGroupName": "g", "logStreamName": stream, "logEvents": events});
        let body = put.to_string().into_bytes();
        clients.spawn(async move {
            for _ in 0..megabytes * 1_000_000 / 800_000 / 4 {
                let answer = router.call("logs", "PutLogEvents", context.clone(), &body).await;
                answer.map_err(|error| error.to_string())?;
            }
            Ok::<(), String>(())
        });
    }
    for outcome in clients.join_all().await {
        outcome?;
    }
    let seconds = started.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status")?;
    let memory = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    println!(
        "{megabytes} MB of messages in {seconds:.2} s: {:.0} MB/s; {memory}",
        megabytes as f64 / seconds
    );
    Ok(())
}
