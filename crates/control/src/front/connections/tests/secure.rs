//! TLS and plain HTTP on one port.

use std::net::IpAddr;

use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::tls::Certificates;

/// A certificate for `localhost` that has signed itself.
#[derive(Debug)]
pub(super) struct Own {
    config: Arc<ServerConfig>,
    root: CertificateDer<'static>,
}

impl Own {
    pub fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.unwrap().with_no_client_auth();
        let config = config.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        Self { config: Arc::new(config), root: made.cert.der().clone() }
    }

    fn client(&self) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        TlsConnector::from(Arc::new(config.unwrap().with_root_certificates(roots).with_no_client_auth()))
    }
}

impl Certificates for Own {
    fn config(&self, _: IpAddr) -> io::Result<Arc<ServerConfig>> {
        Ok(self.config.clone())
    }
}

async fn secured(site: &Site, own: &Own) -> TlsStream<TcpStream> {
    let name = ServerName::try_from("localhost").unwrap();
    own.client().connect(name, site.connect().await).await.unwrap()
}

async fn asked<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, text: &str) -> String {
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

const SCHEME: &str = "GET /scheme HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn one_port_speaks_both() {
    let own = Arc::new(Own::new());
    let site = Site::entered(Bounds::new(8), Entrance::new(own.clone())).await;
    let told = asked(secured(&site, &own).await, SCHEME).await;
    assert!(told.starts_with("HTTP/1.1 200 ") && told.ends_with("\r\n\r\nhttps"), "{told}");
    let told = site.ask(SCHEME).await;
    assert!(told.starts_with("HTTP/1.1 200 ") && told.ends_with("\r\n\r\nhttp"), "{told}");
    site.end().await;
}

/// To whoever isn't here, in the form that their client reads; and TLS lets them in.
#[tokio::test]
async fn without_tls_nobody_from_elsewhere_is_let_in() {
    let own = Arc::new(Own::new());
    let entrance = Entrance { plain_from: |_| false, ..Entrance::new(own.clone()) };
    let site = Site::entered(Bounds::new(8), entrance).await;
    let bytes = 4 << 20;
    let body = "a".repeat(bytes);
    for (head, status, form) in [
        (
            "POST / HTTP/1.1\r\nhost: h:1\r\nx-amz-target: A.ListClusters",
            "400",
            r#""__type":"AccessDeniedException""#,
        ),
        ("POST / HTTP/1.1\r\nhost: h:1", "403", "<Code>AccessDenied</Code>"),
        ("PUT /v2/a/manifests/b HTTP/1.1\r\nhost: h:1", "403", r#"{"errors":[{"code":"DENIED""#),
        ("POST /echo HTTP/1.1\r\nhost: h:1", "403", "<Code>AccessDenied</Code>"),
    ] {
        let answer = site.ask(&format!("{head}\r\ncontent-length: {bytes}\r\n\r\n{body}")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(form), "{answer}");
        assert!(answer.contains("https://h:1,") && answer.contains("longshore ca"), "{answer}");
    }
    let told = asked(secured(&site, &own).await, SCHEME).await;
    assert!(told.ends_with("https"), "{told}");
    site.end().await;
}

/// A handshake that stops in the middle, or isn't one, holds nothing for long, and nobody else up.
#[tokio::test]
async fn a_handshake_without_end_is_given_up() {
    let own = Arc::new(Own::new());
    let entrance = Entrance { handshake_time: Duration::from_millis(50), ..Entrance::new(own.clone()) };
    let site = Site::entered(Bounds::new(8), entrance).await;
    for begun in [&b"\x16"[..], b"\x16\x03\x01\x02\x00\x01\x00", b"\x16GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = site.connect().await;
        stream.write_all(begun).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    }
    let told = asked(secured(&site, &own).await, SCHEME).await;
    assert!(told.ends_with("https"), "{told}");
    site.end().await;
}

#[tokio::test]
async fn that_there_is_no_room_is_told_over_tls_too() {
    let own = Arc::new(Own::new());
    let site = Site::entered(Bounds::new(1), Entrance::new(own.clone())).await;
    let mut held = site.connect().await;
    held.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut first = [0; 15];
    held.read_exact(&mut first).await.unwrap();
    let told = asked(secured(&site, &own).await, "").await;
    assert!(told.starts_with("HTTP/1.1 503 ") && told.contains("All 1 connections"), "{told}");
    site.end().await;
}
