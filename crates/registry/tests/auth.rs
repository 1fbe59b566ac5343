//! Passwords, bearer tokens, and whose registry they open.

mod common;

use std::sync::atomic::Ordering;

use common::{Harness, START_MS, basic, code, password};
use serde_json::{Value, json};
use tower::ServiceExt;

const HOUR_MS: u64 = 3600 * 1000;

#[tokio::test]
async fn no_credentials_no_answer() {
    let h = Harness::start().await;
    h.create("app").await;
    for path in ["/v2", "/v2/", "/v2/app/tags/list", "/v2/app", "/v2/token"] {
        let answer = h.anonymous("GET", path).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{path}");
        let challenges: Vec<String> = answer
            .headers()
            .get_all("www-authenticate")
            .iter()
            .map(|c| c.to_str().unwrap().to_owned())
            .collect();
        let base = &h.base;
        assert_eq!(challenges[0], format!("Basic realm=\"{base}/\",service=\"ecr.amazonaws.com\""));
        assert!(challenges[1].starts_with(&format!("Bearer realm=\"{base}/v2/token\"")));
        assert_eq!(code(answer).await, "UNAUTHORIZED");
    }
    for (user, password) in [("AWS", "nonsense"), ("root", h.password.as_str()), ("AWS", "")] {
        let answer = h.anonymous("GET", "/v2/").basic_auth(user, Some(password)).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{user}");
    }
    for value in ["Basic", "Basic !!!", "Bearer", "Bearer a.b", "Digest x", "Basic QVdT"] {
        let answer = h.anonymous("GET", "/v2/").header("authorization", value).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{value}");
    }
}

#[tokio::test]
async fn a_password_is_good_for_twelve_hours_and_over_restarts() {
    let h = Harness::start().await;
    assert_eq!(h.send("GET", "/v2/").await.status(), 200);
    let old = h.password.clone();
    let h = h.restart().await;
    let get = || h.anonymous("GET", "/v2/").basic_auth("AWS", Some(&old)).send();
    h.now_ms.store(START_MS + 12 * HOUR_MS - 1, Ordering::SeqCst);
    assert_eq!(get().await.unwrap().status(), 200);
    h.now_ms.store(START_MS + 12 * HOUR_MS, Ordering::SeqCst);
    let answer = get().await.unwrap();
    assert_eq!((answer.status().as_u16(), code(answer).await.as_str()), (403, "DENIED"));
}

#[tokio::test]
async fn a_bearer_token_for_a_password() {
    let h = Harness::start().await;
    let answer = h.send("GET", "/v2/token?service=ecr.amazonaws.com&scope=repository:app:pull").await;
    let body: Value = answer.json().await.unwrap();
    assert_eq!(
        (body["expires_in"].as_u64(), &body["issued_at"]),
        (Some(3600), &json!("2026-09-21T14:13:20Z"))
    );
    let token = body["token"].as_str().unwrap();
    let get = || h.anonymous("GET", "/v2/").bearer_auth(token).send();
    assert_eq!(get().await.unwrap().status(), 200);
    // A bearer token is no password, and a password no bearer token.
    let answer = h.anonymous("GET", "/v2/token").basic_auth("AWS", Some(token)).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    let answer = h.anonymous("GET", "/v2/").bearer_auth(&h.password).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    h.now_ms.store(START_MS + HOUR_MS, Ordering::SeqCst);
    let expired = get().await.unwrap();
    assert_eq!(expired.status(), 401);
    let challenges: Vec<_> = expired.headers().get_all("www-authenticate").iter().collect();
    assert!(challenges[1].to_str().unwrap().contains("error=\"invalid_token\""));
}

#[tokio::test]
async fn regions_are_apart() {
    let h = Harness::start().await;
    h.create("app").await;
    h.push_image("app", "v1", b"layer").await;
    let other = password(&h.registry, "eu-west-1").await;
    let answer = h.anonymous("GET", "/v2/app/tags/list").basic_auth("AWS", Some(&other)).send();
    assert_eq!(answer.await.unwrap().status(), 404);
    let listed = h.call_in("eu-west-1", "DescribeRepositories", json!({})).await.unwrap();
    assert_eq!(listed["repositories"], json!([]));
}

#[tokio::test]
async fn a_strange_host_is_not_repeated() {
    let h = Harness::start().await;
    let answer = h.anonymous("GET", "/v2/").header("host", "evil\"@x").send().await.unwrap();
    let challenge = answer.headers().get("www-authenticate").map(|c| c.to_str().unwrap().to_owned());
    // Refused by the HTTP server itself, or answered with our own address.
    assert!(challenge.is_none_or(|c| !c.contains("evil")));
}

#[tokio::test]
async fn hostile_paths_touch_nothing() {
    let h = Harness::start().await;
    h.create("app").await;
    let paths = [
        "/v2/app/blobs/sha256:..%2f..%2ftoken.key",
        "/v2/app%2f..%2f..%2fetc/manifests/latest",
        "/v2/app/blobs/uploads/..%2f..%2ftoken.key",
        "/v2/app/blobs/uploads/%00",
        "/v2/app/manifests/%2e%2e",
        "/v2/app/referrers/..",
        "/v2/-/tags/list",
        "/v2/../../etc/passwd",
        "/v2/app/../../blobs/x",
    ];
    for path in paths {
        for method in ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"] {
            // Not by way of the client, which would tidy the path up.
            let request = http::Request::builder()
                .method(method)
                .uri(path)
                .header("authorization", basic(&h.password))
                .body(axum::body::Body::empty())
                .unwrap();
            let status = h.registry.routes().oneshot(request).await.unwrap().status();
            assert!(status.is_client_error(), "{method} {path} {status}");
        }
    }
}
