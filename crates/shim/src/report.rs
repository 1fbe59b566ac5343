//! The report pipe: what a container's process could not do, in words, from the child to the shim.
//!
//! libcontainer's errors often lose their cause on the way from child to parent ("failed to unix syscall"), while it
//! traces the cause in the child. So its error events go into this pipe; the first is the innermost.

use std::fmt::Write as _;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

use crate::executor::EXEC;

/// Begins a line that libcontainer traced, as opposed to one that our executor wrote.
const TRACED: char = '!';
/// How long Start waits for the program to be executed, in milliseconds. Hooks may run before it.
const EXEC_PATIENCE_MS: u16 = 10_000;
/// The pipe that traced errors go to, or -1.
static PIPE: AtomicI32 = AtomicI32::new(-1);

/// The read end, kept from Create until Start has succeeded.
#[derive(Debug)]
pub struct Report(std::fs::File);

/// Makes the pipe and lets traced errors go into it until the write end is given to [`Report::written`].
pub fn open() -> io::Result<(Report, OwnedFd)> {
    let flags = nix::fcntl::OFlag::O_CLOEXEC | nix::fcntl::OFlag::O_NONBLOCK;
    let (read, write) = nix::unistd::pipe2(flags)?;
    PIPE.store(write.as_raw_fd(), Ordering::Relaxed);
    Ok((Report(read.into()), write))
}

impl Report {
    /// The child has its own copy of the write end now. Returns what was traced so far, innermost first.
    pub fn written(&mut self, write: OwnedFd) -> Vec<String> {
        PIPE.store(-1, Ordering::Relaxed);
        drop(write);
        let text = self.available();
        text.lines().filter_map(|line| line.strip_prefix(TRACED)).map(str::to_owned).collect()
    }

    /// Waits until the program is executed; says why it isn't.
    pub fn executed(&mut self) -> Result<(), String> {
        let mut text = String::new();
        loop {
            let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::from(EXEC_PATIENCE_MS)) {
                Err(nix::errno::Errno::EINTR) => continue,
                // Something before the program is slow. It isn't known to have failed.
                Ok(0) | Err(_) => return Ok(()),
                Ok(_) => {}
            }
            let more = self.available();
            let ended = more.is_empty();
            text.push_str(&more);
            if let Some(line) = text.lines().find(|line| line.starts_with(EXEC)) {
                return Err(line.to_owned());
            }
            if ended {
                // Traced errors alone: the process died on the way.
                let traced = text.lines().find_map(|line| line.strip_prefix(TRACED));
                return traced.map_or(Ok(()), |line| Err(line.to_owned()));
            }
        }
    }

    fn available(&mut self) -> String {
        let mut bytes = Vec::new();
        // Ends by WouldBlock while a writer is left; what came before is in `bytes`.
        let _ = self.0.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Takes libcontainer's error events, and nothing else.
pub struct ErrorTracer;

impl Subscriber for ErrorTracer {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(tracing::level_filters::LevelFilter::ERROR)
    }

    fn event(&self, event: &Event<'_>) {
        let fd = PIPE.load(Ordering::Relaxed);
        if fd < 0 {
            return;
        }
        let mut line = Line(String::from(TRACED));
        event.record(&mut line);
        let mut text = line.0.replace('\n', " ");
        text.push('\n');
        // SAFETY: the pipe is open while it is in `PIPE`, in the shim and in each child of that time.
        let _ = nix::unistd::write(unsafe { BorrowedFd::borrow_raw(fd) }, text.as_bytes());
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}
