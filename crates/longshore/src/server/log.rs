//! Structured logs: one JSON object a line, on stderr. A detached server's stderr is its log file.

use tracing_subscriber::EnvFilter;

/// From now on events go to stderr, filtered by `LONGSHORE_LOG`.
pub fn to_stderr() {
    let filter = EnvFilter::try_from_env("LONGSHORE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        // A detached server's log lies on the disk that may be full. To say on the same stderr that a line
        // could not be written would panic whoever logged, the writer's thread among them.
        .log_internal_errors(false)
        .with_writer(std::io::stderr);
    // Fails only where one is set already.
    let _ = subscriber.try_init();
}
