//! The sample service: a small static HTTP server that shows which task answered.
//!
//! It listens on `PORT` (default 8080), logs one line a request to stdout, and ends with status 0
//! on SIGTERM, as a service under an orchestrator should. `GREETING` changes the headline, so that
//! a rolling update can be seen from outside.

mod http;

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Instant;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

const WORKERS: usize = 4;

struct Page {
    greeting: String,
    hostname: String,
    started: Instant,
}

impl Page {
    fn from_environment() -> Self {
        Page {
            greeting: std::env::var("GREETING").unwrap_or_else(|_| "Hello from Longshore".into()),
            hostname: std::fs::read_to_string("/proc/sys/kernel/hostname")
                .map_or_else(|_| "unknown".into(), |name| name.trim().to_owned()),
            started: Instant::now(),
        }
    }

    fn render(&self) -> String {
        format!(
            "<!doctype html><meta charset=utf-8><title>{greeting}</title>\
             <h1>{greeting}</h1><p>Answered by task <code>{hostname}</code>, up {up} s.</p>\n",
            greeting = escape(&self.greeting),
            hostname = escape(&self.hostname),
            up = self.started.elapsed().as_secs(),
        )
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn serve(stream: &TcpStream, page: &Page) -> io::Result<()> {
    stream.set_read_timeout(Some(http::IDLE))?;
    stream.set_write_timeout(Some(http::IDLE))?;
    let Some(request) = http::read_request(stream)? else {
        return http::respond(stream, "400 Bad Request", "text/plain", "bad request\n", false);
    };
    let head_only = request.method == "HEAD";
    let (status, kind, body) = match (request.method.as_str(), request.path.as_str()) {
        ("GET" | "HEAD", "/") => ("200 OK", "text/html; charset=utf-8", page.render()),
        ("GET" | "HEAD", "/healthz") => ("200 OK", "text/plain", "ok\n".to_owned()),
        ("GET" | "HEAD", _) => ("404 Not Found", "text/plain", "not found\n".to_owned()),
        _ => ("405 Method Not Allowed", "text/plain", "method not allowed\n".to_owned()),
    };
    let peer = stream.peer_addr().map_or_else(|_| "-".into(), |peer| peer.ip().to_string());
    println!("{peer} {} {} {}", request.method, request.path, &status[..3]);
    http::respond(stream, status, kind, &body, head_only)
}

fn main() -> io::Result<()> {
    let port = match std::env::var("PORT") {
        Ok(text) => text.parse::<u16>().map_err(|e| io::Error::other(format!("PORT={text:?}: {e}")))?,
        Err(_) => 8080,
    };
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let listener = TcpListener::bind(("0.0.0.0", port))?;
    println!("listening on port {port}");

    let page = Arc::new(Page::from_environment());
    let (send, receive) = sync_channel::<TcpStream>(64);
    let receive = Arc::new(std::sync::Mutex::new(receive));
    for _ in 0..WORKERS {
        let (receive, page) = (receive.clone(), page.clone());
        std::thread::spawn(move || {
            loop {
                let next = receive.lock().map_or(None, |queue| queue.recv().ok());
                let Some(stream) = next else { return };
                // A client that went away is no event for a server.
                let _ = serve(&stream, &page);
            }
        });
    }
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if send.send(stream).is_err() {
                return;
            }
        }
    });
    if let Some(signal) = signals.forever().next() {
        println!("signal {signal}: goodbye");
    }
    Ok(())
}
