//! The serving process: one thread around poll(2), over the socket, SIGCHLD and the clients.
//!
//! One thread is not thrift alone: a container's process begins as a copy of this one, and a lock that another thread
//! held at that moment would stay locked in the copy for ever.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::connection::Connection;
use crate::service::{Caller, Service};

/// A shim that has neither a container nor a client for so long was forgotten by whoever started it.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);
/// How long things must be quiet before memory is given back.
const QUIET: Duration = Duration::from_millis(300);
/// Pause between attempts to reach a daemon that is away.
const RETRY: Duration = Duration::from_secs(2);

/// Serves until Shutdown, or until forgotten.
pub fn serve(listener: &UnixListener, service: &mut Service) -> io::Result<()> {
    let mut children = SigSet::empty();
    children.add(Signal::SIGCHLD);
    children.thread_block()?;
    let signals = SignalFd::with_flags(&children, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
    listener.set_nonblocking(true)?;
    let mut server = Server { connections: BTreeMap::new(), next: 0 };
    let mut busy = Instant::now();
    while !service.finished {
        let ready = server.poll(listener, &signals, service)?;
        if ready.is_empty() {
            if service.untidy {
                service.untidy = false;
                give_memory_back();
            }
            service.publisher.advance();
            let idle = service.is_empty() && server.connections.is_empty();
            if idle && busy.elapsed() >= FORGOTTEN_AFTER {
                return Ok(());
            }
            if !idle {
                busy = Instant::now();
            }
            continue;
        }
        busy = Instant::now();
        for source in ready {
            match source {
                Source::Children => {
                    while let Ok(Some(_)) = signals.read_signal() {}
                    service.reap();
                }
                Source::Listener => server.accept(listener),
                Source::Publisher => service.publisher.advance(),
                Source::Input => service.check_inputs(),
                Source::Client(id) => server.turn(id, service),
            }
            server.send_late(service);
        }
    }
    Ok(())
}

/// What poll found ready.
#[derive(Debug, Clone, Copy)]
enum Source {
    Children,
    Listener,
    Publisher,
    Input,
    Client(u64),
}

struct Server {
    connections: BTreeMap<u64, Connection>,
    next: u64,
}

impl Server {
    /// Waits for something to do. Empty when it is time to look around.
    fn poll(
        &self,
        listener: &UnixListener,
        signals: &SignalFd,
        service: &Service,
    ) -> io::Result<Vec<Source>> {
        let mut sources = vec![Source::Children, Source::Listener];
        let mut fds = vec![
            PollFd::new(signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(listener.as_fd(), PollFlags::POLLIN),
        ];
        if let Some((fd, writing)) = service.publisher.watch() {
            sources.push(Source::Publisher);
            fds.push(PollFd::new(fd, interest(writing)));
        }
        for (id, connection) in &self.connections {
            let (fd, writing) = connection.watch();
            sources.push(Source::Client(*id));
            fds.push(PollFd::new(fd, interest(writing)));
        }
        for fd in service.inputs() {
            sources.push(Source::Input);
            fds.push(PollFd::new(fd, PollFlags::POLLIN));
        }
        let patience = if service.untidy {
            Some(QUIET)
        } else if service.publisher.waiting() {
            Some(RETRY)
        } else if service.is_empty() && self.connections.is_empty() {
            Some(FORGOTTEN_AFTER)
        } else {
            None
        };
        let timeout = patience.map_or(PollTimeout::NONE, |patience| {
            PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut fds, timeout) {
            Ok(_) => {}
            Err(nix::errno::Errno::EINTR) => return Ok(Vec::new()),
            Err(errno) => return Err(errno.into()),
        }
        let ready = sources.into_iter().zip(&fds).filter(|(_, fd)| fd.any().unwrap_or(true));
        Ok(ready.map(|(source, _)| source).collect())
    }

    fn accept(&mut self, listener: &UnixListener) {
        while let Ok((stream, _)) = listener.accept() {
            if stream.set_nonblocking(true).is_ok() {
                self.next += 1;
                self.connections.insert(self.next, Connection::new(stream));
            }
        }
    }

    /// One client's turn: its unread answers, then its requests.
    fn turn(&mut self, id: u64, service: &mut Service) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let mut alive = connection.write() && connection.read();
        while alive && let Some(asked) = connection.next_request() {
            let caller = Caller { connection: id, stream: asked.stream };
            let answer = match asked.request {
                Ok(request) => service.call(caller, &request.service, &request.method, &request.payload),
                Err(fault) => Some(Err(fault)),
            };
            if let Some(answer) = answer {
                alive = connection.answer(asked.stream, answer);
            }
        }
        if !alive {
            self.connections.remove(&id);
        }
    }

    /// Answers those who waited. A client that has gone meanwhile asks again when it is back.
    fn send_late(&mut self, service: &mut Service) {
        for (caller, payload) in std::mem::take(&mut service.late) {
            if let Some(connection) = self.connections.get_mut(&caller.connection)
                && !connection.answer(caller.stream, Ok(payload))
            {
                self.connections.remove(&caller.connection);
            }
        }
    }
}

fn interest(writing: bool) -> PollFlags {
    if writing { PollFlags::POLLIN | PollFlags::POLLOUT } else { PollFlags::POLLIN }
}

/// Making a container takes a few hundred kilobytes that nobody needs while it runs.
fn give_memory_back() {
    // SAFETY: glibc's own function, without arguments that could be wrong.
    unsafe { libc::malloc_trim(0) };
}
