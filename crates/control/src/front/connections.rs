//! Accepting connections: HTTP/1.1, over TLS or, from this machine, without; with bounds on how many there are, how long a head may take and be,
//! and how slowly an answer may be read. `docs/decisions/0024` has the bounds and why they are these.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;
use wire::Scheme;

use super::lingering::{lend, linger};
use super::opening::{self, Entrance};
use super::patient::Patient;
use super::{head, plain};

/// A client must have sent a request's head by then; so long may a connection be idle, too.
const HEAD_TIME: Duration = Duration::from_secs(75);
/// The same when three quarters of the connections are taken: who holds many without a word, holds most of
/// them for a short time.
const HEAD_TIME_CROWDED: Duration = Duration::from_secs(10);
/// More is answered 431.
const HEADERS: usize = 100;
/// How long an answer may wait for its reader.
const READER_TIME: Duration = Duration::from_secs(60);
/// How long requests under way may take to end when the server goes down.
const GRACE: Duration = Duration::from_secs(2);
/// Connections at a time that are told there is no room; further ones are just closed.
const REFUSALS: usize = 64;
const REFUSAL_TIME: Duration = Duration::from_secs(1);

/// What connections may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    most: usize,
    head_time: Duration,
    head_time_crowded: Duration,
}

impl Bounds {
    /// At most so many connections.
    pub fn new(most: usize) -> Self {
        Self { most, head_time: HEAD_TIME, head_time_crowded: HEAD_TIME_CROWDED }
    }
}

/// What is behind the door.
#[derive(Clone)]
struct House {
    entrance: Entrance,
    router: axum::Router,
    /// For who should come over TLS, and didn't.
    refusing: axum::Router,
}

/// Serves `router` until `stop` turns true; then lets requests under way end, within bounds.
pub(crate) async fn serve(
    listener: TcpListener,
    router: axum::Router,
    entrance: Entrance,
    bounds: Bounds,
    mut stop: watch::Receiver<bool>,
) {
    let bounded = |router: axum::Router| router.layer(axum::middleware::from_fn(head::bounded));
    let house = House { entrance, router: bounded(router), refusing: bounded(plain::router()) };
    let most = bounds.most;
    let room = Arc::new(Semaphore::new(most));
    let refusals = Arc::new(Semaphore::new(REFUSALS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        while connections.try_join_next().is_some() {}
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                not_accepted(&error).await;
                continue;
            }
        };
        watch_peer(&stream);
        if let Ok(permit) = room.clone().try_acquire_owned() {
            let crowded = room.available_permits() < most / 4;
            let head_time = if crowded { bounds.head_time_crowded } else { bounds.head_time };
            let (house, stop) = (house.clone(), stop.clone());
            connections.spawn(async move {
                connection(stream, peer, house, head_time, stop).await;
                drop(permit);
            });
        } else if let Ok(permit) = refusals.clone().try_acquire_owned() {
            tracing::warn!(most, "a connection is refused: there are too many");
            let entrance = house.entrance.clone();
            connections.spawn(async move {
                let _ = tokio::time::timeout(REFUSAL_TIME, refuse(stream, &entrance, most)).await;
                drop(permit);
            });
        }
    }
    let _ = tokio::time::timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
}

/// Accepting fails when file descriptors run out: wait for some to be closed.
async fn not_accepted(error: &io::Error) {
    tracing::warn!(%error, "a connection could not be accepted");
    tokio::time::sleep(Duration::from_millis(50)).await;
}

/// A peer that is gone without a word (half-open) is noticed within two minutes, whoever waits for it.
fn watch_peer(stream: &TcpStream) {
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15))
        .with_retries(4);
    if let Err(error) = SockRef::from(stream).set_tcp_keepalive(&keepalive) {
        tracing::debug!(%error, "a connection without keepalive");
    }
    // Answers are small and awaited: never hold one back for more to come.
    let _ = stream.set_nodelay(true);
}

/// Says that there is no room, in a form that every client here reads and tries again after.
async fn refuse(mut stream: TcpStream, entrance: &Entrance, most: usize) -> io::Result<()> {
    let body = format!(
        r#"{{"__type":"ServiceUnavailableException","message":"All {most} connections are in use. Close idle ones, or try again."}}"#
    );
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/x-amz-json-1.1\r\nretry-after: 1\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    // Who says nothing for so long isn't waited for.
    if let Some(Scheme::Https) = opening::of(&stream, REFUSAL_TIME / 2).await {
        let mut stream = entrance.secure(stream.local_addr()?.ip(), stream).await?;
        stream.write_all(answer.as_bytes()).await?;
        return stream.shutdown().await;
    }
    stream.write_all(answer.as_bytes()).await?;
    linger(stream).await;
    Ok(())
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    house: House,
    head_time: Duration,
    mut stop: watch::Receiver<bool>,
) {
    let scheme = tokio::select! {
        scheme = opening::of(&stream, head_time) => scheme,
        _ = stop.wait_for(|stop| *stop) => None,
    };
    let (Some(scheme), Ok(local)) = (scheme, stream.local_addr()) else { return };
    let (stream, mut back) = lend(stream);
    let stream = Patient::new(stream, READER_TIME);
    let House { entrance, router, refusing } = house;
    let come = Come { peer, scheme, head_time, stop };
    let ended = match scheme {
        Scheme::Http if !(entrance.plain_from)(peer.ip()) => answer(stream, refusing, come).await,
        Scheme::Http => answer(stream, router, come).await,
        Scheme::Https => match entrance.secure(local.ip(), stream).await {
            Ok(stream) => answer(stream, router, come).await,
            Err(error) => {
                tracing::debug!(%peer, %error, "a TLS handshake failed");
                Ok(())
            }
        },
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection ended early");
    }
    // A websocket's isn't back: whoever holds it closes it in its own way.
    if let Ok(socket) = back.try_recv() {
        linger(socket).await;
    }
}

/// How somebody came, and how long they are waited for.
struct Come {
    peer: SocketAddr,
    scheme: Scheme,
    head_time: Duration,
    stop: watch::Receiver<bool>,
}

async fn answer<S>(stream: S, router: axum::Router, come: Come) -> hyper::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Come { peer, scheme, head_time, mut stop } = come;
    // Policies may ask whence and how a request comes, and answers name us as it did.
    let router = router.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(scheme);
        request
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_time)
        .max_buf_size(head::BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
        .with_upgrades();
    tokio::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => ended,
        () = async { drop(stop.wait_for(|stop| *stop).await) } => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}

#[cfg(test)]
mod tests;
