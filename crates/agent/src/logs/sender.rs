//! From the spool to PutLogEvents, in order, until it is acknowledged.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::batch::Batch;
use super::driver::Shared;
use super::lines::Partial;
use super::spool::{Sent, Spool};
use super::{AwsLogs, LogEvent, LogSink, SinkError};

/// How long lines are gathered after the first of them.
const FLUSH: Duration = Duration::from_millis(100);
/// Spool bytes taken in one go: about one full batch.
const TAKE_BYTES: u64 = 1 << 20;

pub(super) async fn run(shared: Arc<Shared>, target: AwsLogs, sink: Arc<dyn LogSink>, mut sent: Sent) {
    let mut last_ms = 0;
    loop {
        if shared.halted.load(Ordering::Acquire) {
            return;
        }
        let ended = shared.ended.load(Ordering::Acquire);
        let length = shared.marks().0;
        if length == sent.offset && !ended {
            shared.grown.notified().await;
            gather(&shared).await;
            continue;
        }
        let last_round = ended && length.saturating_sub(sent.offset) <= TAKE_BYTES;
        let mut next = sent.clone();
        let batches = match take(&shared.spool, length, &mut next, last_round, &mut last_ms) {
            Ok(batches) => batches,
            Err(error) => {
                tracing::error!(%error, "a log spool cannot be read; its lines are given up");
                next.offset = length;
                vec![]
            }
        };
        for (nth, batch) in batches.into_iter().enumerate() {
            // Once one of them is taken, so must be the others: they are noted together.
            let may_halt = || nth == 0 && shared.halted.load(Ordering::Acquire);
            if !deliver(&target, sink.as_ref(), batch, may_halt).await {
                return;
            }
        }
        sent = next;
        if let Err(error) = note(&shared, &mut sent) {
            tracing::warn!(%error, "cannot note how far a log was sent");
        }
        shared.shrunk.notify_one();
        if last_round && sent.offset >= shared.marks().0 {
            return;
        }
    }
}

/// Waits for more lines, but not after the container has ended.
async fn gather(shared: &Shared) {
    let end = tokio::time::sleep(FLUSH);
    tokio::pin!(end);
    while !shared.ended.load(Ordering::Acquire) {
        let (length, sent) = *shared.marks();
        if length - sent >= TAKE_BYTES {
            return;
        }
        tokio::select! {
            () = &mut end => return,
            () = shared.grown.notified() => {}
        }
    }
}

/// Takes records out of the spool and makes batches of the lines they complete.
fn take(
    spool: &Spool,
    length: u64,
    sent: &mut Sent,
    last_round: bool,
    last_ms: &mut u64,
) -> std::io::Result<Vec<Vec<LogEvent>>> {
    let mut batches = vec![];
    let mut batch = Batch::default();
    let mut add = |at_ms: u64, message: String| {
        if let Err(event) = batch.push(LogEvent { at_ms, message }) {
            batches.push(std::mem::take(&mut batch).into_events());
            batch.push(event).expect("an empty batch takes any event");
        }
    };
    let until = sent.offset + TAKE_BYTES;
    while sent.offset < until {
        let Some((record, next)) = spool.read(sent.offset, length)? else { break };
        *last_ms = record.at_ms.max(*last_ms);
        let stored = &mut sent.partial[usize::from(record.stream)];
        let mut partial = Partial(std::mem::take(stored));
        partial.take(&record.bytes, |message| add(*last_ms, message));
        *stored = partial.0;
        sent.offset = next;
    }
    if last_round {
        for stored in &mut sent.partial {
            Partial(std::mem::take(stored)).end(|message| add(*last_ms, message));
        }
    }
    if !batch.is_empty() {
        batches.push(batch.into_events());
    }
    Ok(batches)
}

/// Sends one batch until somebody takes it. Only a refusal of its content loses it. False: nobody has
/// taken it, and between two tries it was to stop.
async fn deliver(
    target: &AwsLogs,
    sink: &dyn LogSink,
    events: Vec<LogEvent>,
    stop: impl Fn() -> bool,
) -> bool {
    let mut pause = Duration::from_millis(50);
    while !stop() {
        match sink.put(&target.group, &target.stream, events.clone()).await {
            Ok(()) => return true,
            Err(SinkError::Refused { code, message }) => {
                tracing::error!(code, message, lines = events.len(), "log lines were refused");
                return true;
            }
            Err(SinkError::NotFound { .. }) => {
                if make_stream(target, sink).await.is_ok() {
                    continue;
                }
            }
            Err(error) => tracing::debug!(%error, "logs wait"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
    false
}

/// CreateLogStream and, if that finds no group and the options say so, CreateLogGroup before it.
pub(super) async fn make_stream(target: &AwsLogs, sink: &dyn LogSink) -> Result<(), SinkError> {
    match sink.create_stream(&target.group, &target.stream).await {
        Err(SinkError::NotFound { .. }) if target.create_group => {
            match sink.create_group(&target.group).await {
                Ok(()) | Err(SinkError::Exists { .. }) => {}
                other => return other,
            }
            match sink.create_stream(&target.group, &target.stream).await {
                Err(SinkError::Exists { .. }) => Ok(()),
                other => other,
            }
        }
        Err(SinkError::Exists { .. }) => Ok(()),
        other => other,
    }
}

/// Notes the progress; empties the spool when all of it is sent.
fn note(shared: &Shared, sent: &mut Sent) -> std::io::Result<()> {
    let mut marks = shared.marks();
    marks.1 = sent.offset;
    if marks.0 == sent.offset && Spool::worth_emptying(marks.0) {
        shared.spool.empty(sent)?;
        *marks = (0, 0);
        return Ok(());
    }
    drop(marks);
    shared.spool.note_sent(sent)
}
