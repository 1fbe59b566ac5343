//! A log service with a clock that the test moves, called as the endpoint calls it.

#![allow(dead_code, reason = "each test file uses its own part of it")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use logs::{Clock, Logs, LogsConfig};
use serde_json::{Value, json};
use store::{SqliteStore, Store};
use wire::dispatch::Router;

/// 2027-01-15T08:00:00Z.
pub const NOW: i64 = 1_800_000_000_000;

pub struct World {
    pub logs: Logs,
    pub router: Router,
    pub now_ms: Arc<AtomicU64>,
}

impl World {
    pub fn open(directory: &Path) -> World {
        let store = SqliteStore::open(directory.join("logs.db")).unwrap();
        World::with_store(directory, Arc::new(store))
    }

    pub fn with_store(directory: &Path, store: Arc<dyn Store>) -> World {
        World::configured(directory, store, |_| {})
    }

    /// With small segments and nothing that has to rest before it is packed.
    pub fn packing(directory: &Path) -> World {
        let store = SqliteStore::open(directory.join("logs.db")).unwrap();
        World::configured(directory, Arc::new(store), |config| {
            config.segment_bytes = 20_000;
            config.quiet = std::time::Duration::ZERO;
            config.quiet_bytes = 1;
        })
    }

    pub fn configured(
        directory: &Path,
        store: Arc<dyn Store>,
        configure: impl FnOnce(&mut LogsConfig),
    ) -> World {
        let now_ms = Arc::new(AtomicU64::new(NOW as u64));
        let clock = Arc::clone(&now_ms);
        let mut config = LogsConfig {
            clock: Clock::new(move || clock.load(Ordering::SeqCst)),
            ..LogsConfig::new(directory.join("logs"))
        };
        configure(&mut config);
        let logs = Logs::open(config, store).unwrap();
        let router = logs.operations();
        World { logs, router, now_ms }
    }

    pub fn pass(&self, ms: u64) {
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
    }

    pub async fn call_in(&self, region: &str, operation: &str, input: Value) -> Result<Value, wire::Error> {
        let context = wire::Context {
            account: "000000000000".into(),
            region: region.into(),
            ..wire::Context::default()
        };
        let body = self.router.call("logs", operation, context, &serde_json::to_vec(&input).unwrap()).await?;
        if body.is_empty() {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_slice(&body).unwrap())
    }

    pub async fn call(&self, operation: &str, input: Value) -> Result<Value, wire::Error> {
        self.call_in("us-east-1", operation, input).await
    }

    pub async fn ok(&self, operation: &str, input: Value) -> Value {
        self.call(operation, input).await.unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    /// The error's code and message.
    pub async fn error(&self, operation: &str, input: Value) -> String {
        match self.call(operation, input).await {
            Ok(answer) => panic!("{operation} answered {answer}"),
            Err(error) => format!("{} {}: {}", error.status(), error.code, error.message),
        }
    }

    pub async fn stream(&self, group: &str, stream: &str) {
        let _ = self.call("CreateLogGroup", json!({"logGroupName": group})).await;
        self.ok("CreateLogStream", json!({"logGroupName": group, "logStreamName": stream})).await;
    }

    /// Puts events at `NOW` plus the given offsets.
    pub async fn put(&self, group: &str, stream: &str, events: &[(i64, &str)]) -> Value {
        let event = |(at, message): &(i64, &str)| json!({"timestamp": NOW + at, "message": message});
        let events: Vec<_> = events.iter().map(event).collect();
        let input = json!({"logGroupName": group, "logStreamName": stream, "logEvents": events});
        self.ok("PutLogEvents", input).await
    }
}

pub fn messages(answer: &Value) -> Vec<&str> {
    answer["events"].as_array().unwrap().iter().map(|event| event["message"].as_str().unwrap()).collect()
}
