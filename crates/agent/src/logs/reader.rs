//! From the FIFOs into the spool.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::net::unix::pipe::Receiver;

use super::driver::Shared;
use super::spool::{MAX_CHUNK, Record};

/// Between two tries to keep what was read.
const AGAIN: Duration = Duration::from_secs(1);
/// How long a runtime that copies a container's output may still do so when the container has ended.
const COPYING: Duration = Duration::from_secs(2);
/// Between two looks at what it copies.
const LOOK: Duration = Duration::from_millis(2);

pub(super) async fn run(shared: Arc<Shared>, mut fifos: [Receiver; 2]) {
    let mut last_ms = 0;
    let mut closed = [false, false];
    let mut copied_by = None;
    // What was read and could not be kept yet: nobody else has it any more.
    let mut held: [Option<Record>; 2] = [None, None];
    loop {
        // Looked at before the FIFOs are read: what was written before the exit is read after it.
        let exited = shared.exited.load(Ordering::Acquire);
        let mut dry = true;
        for (stream, fifo) in fifos.iter().enumerate() {
            let turn = match held[stream].take() {
                Some(record) => {
                    keep(&shared, record).map(Some).map_err(|(record, error)| (Some(record), error))
                }
                None => read(&shared, fifo, stream as u8, exited, &mut last_ms),
            };
            match turn {
                Ok(n) => {
                    dry &= n.is_none_or(|n| n == 0);
                    closed[stream] |= n == Some(0);
                }
                Err((record, error)) => {
                    tracing::error!(%error, "a container's log cannot be kept");
                    held[stream] = record;
                    dry = false;
                    // The disk is full, most likely. The container waits, as with a full backlog.
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
        if shared.blocking {
            wait_for_room(&shared).await;
        }
        if !dry {
            // A busy writer must not keep others from running.
            tokio::task::yield_now().await;
        } else if exited {
            match copied_by {
                None if shared.copied.load(Ordering::Acquire) => {
                    copied_by = Some(Instant::now() + COPYING);
                    // Without our own writing side an end is seen. What is in them stays: they are open throughout.
                    match shared.fifos.each_ref().map(|path| super::driver::open_to_read(path)) {
                        [Ok(out), Ok(err)] => fifos = [out, err],
                        [Err(error), _] | [_, Err(error)] => {
                            tracing::error!(%error, "a container's last lines cannot be read");
                            break;
                        }
                    }
                }
                Some(until) if closed != [true, true] && Instant::now() < until => {
                    tokio::time::sleep(LOOK).await;
                }
                _ => break,
            }
        } else {
            tokio::select! {
                _ = fifos[0].readable() => {}
                _ = fifos[1].readable() => {}
                () = shared.exit_seen.notified() => {}
            }
        }
    }
    shared.ended.store(true, Ordering::Release);
    shared.grown.notify_one();
}

/// Reads one chunk, if there is one, and spools it. Returns how many bytes there were: 0 at the end of the file, which
/// is seen only where the FIFO is open for reading alone.
fn read(
    shared: &Shared,
    fifo: &Receiver,
    stream: u8,
    exited: bool,
    last_ms: &mut u64,
) -> Result<Option<usize>, (Option<Record>, std::io::Error)> {
    let mut bytes = vec![0; MAX_CHUNK];
    let read = if exited {
        // `try_read` asks tokio's cached readiness, which may not have heard of the last bytes yet:
        // the very end is asked of the kernel.
        nix::unistd::read(fifo, &mut bytes).map_err(std::io::Error::from)
    } else {
        fifo.try_read(&mut bytes)
    };
    let n = match read {
        Ok(0) => return Ok(Some(0)),
        Ok(n) => n,
        Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(None),
        Err(e) => return Err((None, e)),
    };
    bytes.truncate(n);
    // Events of one batch must be in order of time, whatever the clock does.
    *last_ms = now_ms().max(*last_ms);
    let record = Record { stream, at_ms: *last_ms, bytes };
    keep(shared, record).map(Some).map_err(|(record, error)| (Some(record), error))
}

/// Spools one chunk, or gives it back. Returns how many bytes there were.
fn keep(shared: &Shared, record: Record) -> Result<usize, (Record, std::io::Error)> {
    let n = record.bytes.len();
    let mut marks = shared.marks();
    if !shared.blocking && shared.is_full(*marks, n as u64) {
        return Ok(n);
    }
    match shared.spool.append(marks.0, &record) {
        Ok(length) => marks.0 = length,
        Err(error) => return Err((record, error)),
    }
    drop(marks);
    shared.grown.notify_one();
    Ok(n)
}

/// Not for a container that has ended: it writes no more than its FIFOs hold, and they go with it.
async fn wait_for_room(shared: &Shared) {
    while !shared.exited.load(Ordering::Acquire) {
        if !shared.is_full(*shared.marks(), 0) {
            return;
        }
        shared.shrunk.notified().await;
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
