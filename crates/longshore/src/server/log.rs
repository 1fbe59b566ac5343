//! Structured logs: one JSON object a line. In the foreground they go to stderr; a detached server writes
//! its log file, which is bounded (`rotate.rs`).

use std::path::Path;
use std::sync::Mutex;

use anyhow::{Context, Result};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::rotate::Rotating;

/// From now on events go to stderr, filtered by `LONGSHORE_LOG`.
pub fn to_stderr() {
    write_to(std::io::stderr);
}

/// From now on events go to the file at `path`, and stderr with them: a panic's words are found there too.
pub fn to_file(path: &Path, limit_bytes: u64) -> Result<()> {
    let file =
        Rotating::with_stderr(path, limit_bytes).with_context(|| format!("open {}", path.display()))?;
    write_to(Mutex::new(file));
    Ok(())
}

fn write_to<W: for<'a> MakeWriter<'a> + Send + Sync + 'static>(writer: W) {
    let filter = EnvFilter::try_from_env("LONGSHORE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        // A detached server's log lies on the disk that may be full. To say on the same stderr that a line
        // could not be written would panic whoever logged, the writer's thread among them.
        .log_internal_errors(false)
        .with_writer(writer);
    // Fails only where one is set already.
    let _ = subscriber.try_init();
}
