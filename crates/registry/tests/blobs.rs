//! Pushing, pulling and deleting blobs over HTTP.

mod common;

use common::{Harness, basic, code, files, header, sha256};
use futures_util::stream;
use sha2::{Digest, Sha512};
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn post_then_put() {
    let h = Harness::start().await;
    h.create("app").await;
    let location = h.begin("app").await;
    let digest = sha256(b"hello");
    let url = format!("{location}?digest={digest}");
    let answer = h.request("PUT", &url).body("hello").send().await.unwrap();
    assert_eq!(answer.status(), 201);
    assert_eq!(header(&answer, "docker-content-digest"), digest);
    let blob = header(&answer, "location");

    let head = h.send("HEAD", &blob).await;
    assert_eq!((head.status().as_u16(), header(&head, "content-length")), (200, "5".into()));
    let get = h.send("GET", &blob).await;
    assert_eq!(header(&get, "docker-content-digest"), digest);
    assert_eq!(get.bytes().await.unwrap(), "hello");
    // The session is over.
    assert_eq!(h.send("GET", &location).await.status(), 404);
}

#[tokio::test]
async fn chunks_in_order_and_out_of_it() {
    let h = Harness::start().await;
    h.create("app").await;
    let location = h.begin("app").await;
    let chunk = |range: &str, body: &'static str| {
        h.request("PATCH", &location).header("content-range", range).body(body).send()
    };
    let answer = chunk("0-2", "abc").await.unwrap();
    assert_eq!((answer.status().as_u16(), header(&answer, "range")), (202, "0-2".into()));
    // A gap, a repetition, and nonsense: refused, and the session stands where it stood.
    for range in ["5-7", "0-2", "x-y", "7-5"] {
        let answer = chunk(range, "xyz").await.unwrap();
        assert_eq!(answer.status(), 416, "{range}");
    }
    let status = h.send("GET", &location).await;
    assert_eq!((status.status().as_u16(), header(&status, "range")), (204, "0-2".into()));
    // A range that the body doesn't fill.
    let answer = chunk("3-9", "de").await.unwrap();
    assert_eq!((answer.status().as_u16(), code(answer).await.as_str()), (400, "SIZE_INVALID"));

    // An out-of-order end leaves the session open too.
    let digest = sha256(b"abcdef");
    let end = format!("{location}?digest={digest}");
    let put = |range: &str| h.request("PUT", &end).header("content-range", range).body("def").send();
    assert_eq!(put("4-6").await.unwrap().status(), 416);
    assert_eq!(put("3-5").await.unwrap().status(), 201);
    let get = h.send("GET", &format!("/v2/app/blobs/{digest}")).await;
    assert_eq!(get.bytes().await.unwrap(), "abcdef");
}

#[tokio::test]
async fn an_upload_goes_on_after_a_restart() {
    let h = Harness::start().await;
    h.create("app").await;
    let location = h.begin("app").await;
    h.request("PATCH", &location).body("first ").send().await.unwrap();
    let h = h.restart().await;
    let status = h.send("GET", &location).await;
    assert_eq!(header(&status, "range"), "0-5");
    let digest = sha256(b"first second");
    let url = format!("{location}?digest={digest}");
    let answer = h.request("PUT", &url).header("content-range", "6-11").body("second").send();
    assert_eq!(answer.await.unwrap().status(), 201);
    let h = h.restart().await;
    let get = h.send("GET", &format!("/v2/app/blobs/{digest}")).await;
    assert_eq!(get.bytes().await.unwrap(), "first second");
}

#[tokio::test]
async fn a_lying_digest_keeps_nothing() {
    let h = Harness::start().await;
    h.create("app").await;
    let before = files(h.dir.path());
    let lie = sha256(b"something else");
    let location = h.begin("app").await;
    for url in [format!("{location}?digest={lie}"), format!("/v2/app/blobs/uploads/?digest={lie}")] {
        let method = if url.contains("uploads/?") { "POST" } else { "PUT" };
        let answer = h.request(method, &url).body("hello").send().await.unwrap();
        assert_eq!((answer.status().as_u16(), code(answer).await.as_str()), (400, "DIGEST_INVALID"));
    }
    for url in [format!("{}?digest=md5:00", h.begin("app").await), h.begin("app").await] {
        let answer = h.request("PUT", &url).body("hello").send().await.unwrap();
        assert_eq!((answer.status().as_u16(), code(answer).await.as_str()), (400, "DIGEST_INVALID"));
        let url = url.split('?').next().unwrap();
        assert_eq!(h.send("DELETE", url).await.status(), 204);
    }
    assert_eq!(h.send("HEAD", &format!("/v2/app/blobs/{lie}")).await.status(), 404);
    assert_eq!(files(h.dir.path()), before);
}

#[tokio::test]
async fn a_truncated_upload_can_be_resumed() {
    let h = Harness::start().await;
    h.create("app").await;
    let location = h.begin("app").await;
    let host = h.base.trim_start_matches("http://");
    // Sends part of a body and hangs up.
    let break_off = async |headers: &str, part: &str| {
        let mut socket = tokio::net::TcpStream::connect(host).await.unwrap();
        let authorization = basic(&h.password);
        let request = format!(
            "PATCH {location} HTTP/1.1\r\nhost: {host}\r\nauthorization: {authorization}\r\n{headers}\r\n\r\n{part}"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
    };
    // A stream: what came is kept. A chunk with a range: all of it or nothing.
    break_off("transfer-encoding: chunked", "3\r\nabc\r\n").await;
    let mut offset = String::new();
    for _ in 0..200 {
        offset = header(&h.send("GET", &location).await, "range");
        if offset == "0-2" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(offset, "0-2");
    break_off("content-range: 3-9\r\ncontent-length: 7", "xyz").await;
    let chunk = h.request("PATCH", &location).header("content-range", "3-5").body("def").send();
    assert_eq!(chunk.await.unwrap().status(), 202);
    let digest = sha256(b"abcdef");
    let answer = h.send("PUT", &format!("{location}?digest={digest}")).await;
    assert_eq!(answer.status(), 201);
}

#[tokio::test]
async fn ranges_of_a_blob() {
    let h = Harness::start().await;
    h.create("app").await;
    let digest = h.push_blob("app", b"0123456789").await;
    let url = format!("/v2/app/blobs/{digest}");
    let get = |range: &'static str| h.request("GET", &url).header("range", range).send();
    let part = get("bytes=2-4").await.unwrap();
    assert_eq!((part.status().as_u16(), header(&part, "content-range")), (206, "bytes 2-4/10".into()));
    assert_eq!(part.bytes().await.unwrap(), "234");
    assert_eq!(get("bytes=-3").await.unwrap().bytes().await.unwrap(), "789");
    assert_eq!(get("bytes=10-").await.unwrap().status(), 416);
    assert_eq!(get("bytes=0-1,4-5").await.unwrap().status(), 200);
}

#[tokio::test]
async fn sha512_and_empty_blobs() {
    let h = Harness::start().await;
    h.create("app").await;
    let digest = format!("sha512:{}", hex::encode(Sha512::digest(b"long")));
    // Announced, not announced, and at once.
    for begin in ["?digest-algorithm=sha512", ""] {
        let answer = h.send("POST", &format!("/v2/app/blobs/uploads/{begin}")).await;
        let location = header(&answer, "location");
        h.request("PATCH", &location).body("lo").send().await.unwrap();
        let url = format!("{location}?digest={digest}");
        assert_eq!(h.request("PUT", &url).body("ng").send().await.unwrap().status(), 201);
    }
    assert_eq!(h.send("GET", &format!("/v2/app/blobs/{digest}")).await.bytes().await.unwrap(), "long");
    let empty = h.push_blob("app", b"").await;
    let get = h.send("GET", &format!("/v2/app/blobs/{empty}")).await;
    assert_eq!((get.status().as_u16(), header(&get, "content-length")), (200, "0".into()));
}

#[tokio::test]
async fn a_blob_belongs_to_its_repositories_only() {
    let h = Harness::start().await;
    h.create("one").await;
    h.create("two").await;
    let digest = h.push_blob("one", b"layer").await;
    let elsewhere = format!("/v2/two/blobs/{digest}");
    assert_eq!(h.send("GET", &elsewhere).await.status(), 404);

    let nothing = sha256(b"nothing");
    let answer = h.send("POST", &format!("/v2/two/blobs/uploads/?mount={nothing}&from=one")).await;
    assert_eq!(answer.status(), 202);
    let answer = h.send("POST", &format!("/v2/two/blobs/uploads/?mount={digest}&from=none")).await;
    assert_eq!(answer.status(), 202);
    let answer = h.send("POST", &format!("/v2/two/blobs/uploads/?mount={digest}&from=one")).await;
    assert_eq!((answer.status().as_u16(), header(&answer, "location")), (201, elsewhere.clone()));

    // Deleted in one, it stays in the other; deleted in both, its file is gone.
    assert_eq!(h.send("DELETE", &format!("/v2/one/blobs/{digest}")).await.status(), 202);
    assert_eq!(h.send("GET", &elsewhere).await.bytes().await.unwrap(), "layer");
    assert_eq!(h.send("DELETE", &elsewhere).await.status(), 202);
    assert_eq!(h.send("DELETE", &elsewhere).await.status(), 404);
    assert_eq!(files(&h.dir.path().join("blobs")), 0);
}

#[tokio::test]
async fn an_upload_is_its_repositorys() {
    let h = Harness::start().await;
    h.create("one").await;
    h.create("two").await;
    let location = h.begin("one").await;
    let stolen = location.replace("/one/", "/two/");
    for method in ["GET", "PATCH", "DELETE"] {
        let answer = h.request(method, &stolen).body("x").send().await.unwrap();
        assert_eq!(answer.status(), 404, "{method}");
    }
    let h = h.restart().await;
    assert_eq!(h.send("GET", &stolen).await.status(), 404);
    assert_eq!(h.send("GET", &location).await.status(), 204);
}

#[tokio::test]
async fn an_unknown_repository_is_told_as_ecr_does() {
    let h = Harness::start().await;
    let answer = h.send("POST", "/v2/nope/blobs/uploads/").await;
    assert_eq!(answer.status(), 404);
    let body: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(body["errors"][0]["code"], "NAME_UNKNOWN");
    let message = "The repository with name 'nope' does not exist in the registry with id '000000000000'";
    assert_eq!(body["errors"][0]["message"], message);
}

#[tokio::test]
async fn a_large_blob_goes_through_whole() {
    let h = Harness::start().await;
    h.create("app").await;
    let bytes: Vec<u8> = (0..20_000_003u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let digest = sha256(&bytes);
    let frames: Vec<Result<Vec<u8>, std::io::Error>> =
        bytes.chunks(65_536 + 7).map(|c| Ok(c.to_vec())).collect();
    let location = h.begin("app").await;
    let body = reqwest::Body::wrap_stream(stream::iter(frames));
    assert_eq!(h.request("PATCH", &location).body(body).send().await.unwrap().status(), 202);
    assert_eq!(h.send("PUT", &format!("{location}?digest={digest}")).await.status(), 201);
    let get = h.send("GET", &format!("/v2/app/blobs/{digest}")).await;
    assert_eq!(sha256(&get.bytes().await.unwrap()), digest);
}
