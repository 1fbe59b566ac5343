//! Connections of every bad kind against a server on loopback that knows one page.

use axum::routing::{get, post};
use tokio::io::AsyncReadExt;

use super::*;

mod secure;

struct Site {
    address: std::net::SocketAddr,
    stop: watch::Sender<bool>,
    serving: tokio::task::JoinHandle<()>,
}

impl Site {
    async fn start(most: usize) -> Self {
        Self::bounded(Bounds::new(most)).await
    }

    async fn bounded(bounds: Bounds) -> Self {
        Self::entered(bounds, Entrance::new(Arc::new(secure::Own::new()))).await
    }

    async fn entered(bounds: Bounds, entrance: Entrance) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let router = axum::Router::new()
            .route("/", get(|| async { "here" }))
            .route(
                "/scheme",
                get(|axum::Extension(scheme): axum::Extension<Scheme>| async move { scheme.as_str() }),
            )
            .route("/echo", post(|body: axum::body::Bytes| async { body }));
        let serving = tokio::spawn(serve(listener, router, entrance, bounds, stopped));
        Self { address, stop, serving }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// What is answered to `text` until the server closes the connection.
    async fn ask(&self, text: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn page(&self) -> String {
        self.ask("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await
    }

    async fn end(self) {
        self.stop.send(true).unwrap();
        self.serving.await.unwrap();
    }
}

#[tokio::test]
async fn beyond_the_most_an_answer_says_so_and_room_comes_back() {
    let site = Site::start(3).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = site.connect().await;
        // Answered, and so accepted; then idle.
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut first = [0; 15];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200 OK");
        held.push(stream);
    }
    let refused = site.page().await;
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert!(refused.contains("retry-after: 1\r\n") && refused.contains("All 3 connections"), "{refused}");
    drop(held.pop());
    // The server learns of the closing by itself.
    loop {
        match site.page().await {
            answer if answer.ends_with("here") => break,
            answer => assert!(answer.is_empty() || answer.contains("503"), "{answer}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    site.end().await;
}

#[tokio::test]
async fn too_many_headers_and_what_is_no_http_are_told_so() {
    let site = Site::start(8).await;
    let many: String = (0..=HEADERS).map(|n| format!("x-{n}: 1\r\n")).collect();
    let answer = site.ask(&format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    for nonsense in [
        "\0\0\0\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let answer = site.ask(nonsense).await;
        assert!(
            answer.starts_with("HTTP/1.1 400 ") || answer.starts_with("HTTP/1.1 505 "),
            "{nonsense:?}: {answer}"
        );
    }
    assert!(site.page().await.ends_with("here"));
    site.end().await;
}

/// A head of exactly `bytes`.
fn head_of(bytes: usize) -> String {
    let (start, end) = ("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-long: ", "\r\n\r\n");
    format!("{start}{}{end}", "a".repeat(bytes - start.len() - end.len()))
}

/// However the segments fall, and however much more was sent than is read.
#[tokio::test]
async fn a_head_is_bounded_to_the_byte() {
    let site = Site::start(8).await;
    assert!(site.ask(&head_of(head::BYTES)).await.ends_with("here"));
    for more in [1, 10, 1000, 100_000, 10_000_000] {
        let answer = site.ask(&head_of(head::BYTES + more)).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{more} more: {answer}");
    }
    site.end().await;
}

/// The answer of who reads no body comes through though megabytes are under way.
#[tokio::test]
async fn a_refusal_arrives_while_the_body_is_sent() {
    let site = Site::start(8).await;
    for _ in 0..20 {
        let bytes = 8 * 1024 * 1024;
        let body = "a".repeat(bytes);
        let answer =
            site.ask(&format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {bytes}\r\n\r\n{body}")).await;
        assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    }
    site.end().await;
}

/// Two requests in one segment get two answers, in order; what is smuggled behind a body's length is
/// its own request and no part of the body.
#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let site = Site::start(8).await;
    let answer = site
        .ask(
            "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nfirst\
             POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 6\r\n\r\nsecond",
        )
        .await;
    let (first, second) = (answer.find("first").unwrap(), answer.find("second").unwrap());
    assert!(first < second && answer.matches("HTTP/1.1 200 OK").count() == 2, "{answer}");
    site.end().await;
}

/// A head that doesn't end is given up, and so is who says nothing at all.
#[tokio::test]
async fn a_head_without_end_is_given_up() {
    let short = Duration::from_millis(50);
    let site = Site::bounded(Bounds { head_time: short, head_time_crowded: short, ..Bounds::new(8) }).await;
    for text in ["", "GET / HTTP/1.1\r\nhost: x\r\n"] {
        let answer = site.ask(text).await;
        assert!(!answer.contains("200 OK"), "{answer}");
    }
    site.end().await;
}

/// When it is crowded, who says nothing is given up sooner.
#[tokio::test]
async fn a_crowd_is_given_less_time() {
    let bounds = Bounds { head_time_crowded: Duration::from_millis(50), ..Bounds::new(4) };
    let site = Site::bounded(bounds).await;
    let held = [site.connect().await, site.connect().await, site.connect().await];
    let answer = site.ask("").await;
    assert!(!answer.contains("200 OK"), "the fourth of four is closed: {answer}");
    drop(held);
    site.end().await;
}
