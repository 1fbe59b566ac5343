//! Clients that lie, race, climb and never end.

mod common;

use common::{Harness, OCI_MANIFEST, basic, code, files, sha256};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request with bytes that no HTTP library sends; the answer as text.
async fn raw(h: &Harness, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(h.base.strip_prefix("http://").unwrap()).await.unwrap();
    let head = format!("{head}\r\nhost: x\r\nauthorization: {}\r\nconnection: close\r\n", basic(&h.password));
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn uploads_are_bounded_and_room_comes_back() {
    let h = Harness::start_with(|config| config.most_uploads = 20).await;
    h.create("app").await;
    let mut locations = Vec::new();
    for _ in 0..20 {
        locations.push(h.begin("app").await);
    }
    let answer = h.send("POST", "/v2/app/blobs/uploads/").await;
    assert_eq!((answer.status().as_u16(), code(answer).await.as_str()), (429, "TOOMANYREQUESTS"));
    let error = h.call("InitiateLayerUpload", json!({"repositoryName": "app"})).await.unwrap_err();
    assert_eq!(error.code, "ThrottlingException");
    // Whoever is at it goes on.
    let answer = h.request("PATCH", &locations[0]).body("abc").send().await.unwrap();
    assert_eq!(answer.status(), 202);
    assert_eq!(h.send("DELETE", &locations[1]).await.status(), 204);
    h.begin("app").await;
    assert_eq!(files(&h.dir.path().join("uploads")), 40, "a description and a file for each");
}

#[tokio::test]
async fn digests_that_lie_leave_nothing() {
    let h = Harness::start().await;
    h.create("app").await;
    let other = sha256(b"something else");
    let url = format!("/v2/app/blobs/uploads/?digest={other}");
    let answer = h.request("POST", &url).body("content").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), code(answer).await.as_str()), (400, "DIGEST_INVALID"));
    let location = h.begin("app").await;
    let end = format!("{location}?digest={other}");
    let answer = h.request("PUT", &end).body("content").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), code(answer).await.as_str()), (400, "DIGEST_INVALID"));
    let manifest = r#"{"schemaVersion":2}"#;
    let answer = h.put_manifest("app", &other, OCI_MANIFEST, manifest).await;
    assert_eq!(answer.status(), 400);
    for digest in [&other, &sha256(b"content")] {
        assert_eq!(h.send("GET", &format!("/v2/app/blobs/{digest}")).await.status(), 404);
    }
    assert_eq!(files(h.dir.path()), 1, "the token's key");
}

/// A length that isn't kept, either way, changes nothing that a client can see.
#[tokio::test]
async fn uploads_that_lie_about_their_length() {
    let h = Harness::start().await;
    h.create("app").await;
    let location = h.begin("app").await;
    // Less than announced, and then the connection ends.
    let head = format!("PATCH {location} HTTP/1.1\r\ncontent-length: 100\r\ncontent-range: 0-99");
    let answer = raw(&h, &head, b"\r\nabc").await;
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    let status = h.send("GET", &location).await;
    assert_eq!(status.headers()["range"], "0-0");
    // A range that is larger than the body, and one that ends before it begins.
    for range in ["0-99", "5-1", "0-18446744073709551615", "-1-2"] {
        let patch = h.request("PATCH", &location).header("content-range", range).body("abc");
        let status = patch.send().await.unwrap().status().as_u16();
        assert!(matches!(status, 400 | 416), "{range}: {status}");
    }
    let digest = sha256(b"abc");
    let answer = h.request("PUT", &format!("{location}?digest={digest}")).body("abc").send().await.unwrap();
    assert_eq!(answer.status(), 201);
}

/// Of many chunks for the same place one is taken.
#[tokio::test]
async fn chunks_that_race() {
    let h = Harness::start().await;
    h.create("app").await;
    let location = h.begin("app").await;
    let chunk = vec![b'x'; 100_000];
    let send = || async {
        let patch = h.request("PATCH", &location).header("content-range", "0-99999").body(chunk.clone());
        patch.send().await.unwrap().status().as_u16()
    };
    let mut statuses = futures_util::future::join_all((0..16).map(|_| send())).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [&[202][..], &[416; 15]].concat());
    let digest = sha256(&chunk);
    // And of many ends one.
    let end = format!("{location}?digest={digest}");
    let ends = (0..8).map(|_| async { h.send("PUT", &end).await.status().as_u16() });
    let ends = futures_util::future::join_all(ends).await;
    assert_eq!(ends.iter().filter(|status| **status == 201).count(), 1, "{ends:?}");
    assert!(ends.iter().all(|status| matches!(status, 201 | 404)), "{ends:?}");
}

#[tokio::test]
async fn manifests_that_are_too_much() {
    let h = Harness::start().await;
    h.create("app").await;
    let deep = format!(r#"{{"schemaVersion":2,"x":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let large = format!(r#"{{"schemaVersion":2,"x":"{}"}}"#, "x".repeat(5 << 20));
    let word = format!(r#"{{"schemaVersion":2,"mediaType":"{}"}}"#, "x".repeat(1 << 20));
    for (manifest, status) in [(&deep, 400), (&large, 413), (&word, 400)] {
        let answer = h.put_manifest("app", "v1", OCI_MANIFEST, manifest).await;
        assert_eq!(answer.status().as_u16(), status);
        let text = answer.text().await.unwrap();
        assert!(text.contains("MANIFEST_INVALID") && text.len() < 4096, "{} bytes", text.len());
    }
    // Ten thousand layers that aren't there.
    let layers: Vec<_> = (0..10_000)
        .map(|n: u32| json!({"mediaType": "x", "digest": sha256(&n.to_be_bytes()), "size": 1}))
        .collect();
    let manifest =
        json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": layers[0], "layers": layers});
    let answer = h.put_manifest("app", "v1", OCI_MANIFEST, &manifest.to_string()).await;
    assert_eq!((answer.status().as_u16(), code(answer).await.as_str()), (400, "MANIFEST_BLOB_UNKNOWN"));
    assert_eq!(h.send("GET", "/v2/app/manifests/v1").await.status(), 404);
}

#[tokio::test]
async fn names_that_climb() {
    let h = Harness::start().await;
    h.create("app").await;
    let before = files(h.dir.path());
    for path in [
        "/v2/../../etc/blobs/uploads/",
        "/v2/app/../../x/blobs/uploads/",
        "/v2/%2e%2e/%2e%2e/x/blobs/uploads/",
        "/v2/app%2f..%2f..%2fx/blobs/uploads/",
        "/v2//app/blobs/uploads/",
        "/v2/app%00/blobs/uploads/",
    ] {
        let answer = raw(&h, &format!("POST {path} HTTP/1.1\r\ncontent-length: 0"), b"\r\n").await;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(matches!(status, "400" | "404"), "{path}: {answer}");
    }
    let answer = h.send("GET", "/v2/app/blobs/sha256:..%2f..%2ftoken.key").await;
    assert_eq!(answer.status(), 400);
    let error = h.call("CreateRepository", json!({"repositoryName": "../x"})).await.unwrap_err();
    assert_eq!(error.code, "InvalidParameterException");
    assert_eq!(files(h.dir.path()), before);
}
