//! Just enough HTTP/1.1 to serve a page: the request line and headers are read within bounds, the
//! answer is written, the connection is closed.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::time::Duration;

/// A client that sends more than this before its request ends is dropped.
const MAX_REQUEST_BYTES: u64 = 8 * 1024;
/// A client that is silent for longer is dropped, so that it can't hold a worker for ever.
pub const IDLE: Duration = Duration::from_secs(5);

/// What a request asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub path: String,
}

/// Reads a request head. `None`: the client closed, or sent something that isn't HTTP.
pub fn read_request(stream: impl Read) -> io::Result<Option<Request>> {
    let mut lines = BufReader::new(stream.take(MAX_REQUEST_BYTES)).lines();
    let Some(first) = lines.next().transpose()? else { return Ok(None) };
    let mut words = first.split_ascii_whitespace();
    let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next()) else {
        return Ok(None);
    };
    if !version.starts_with("HTTP/1.") {
        return Ok(None);
    }
    let request =
        Request { method: method.to_owned(), path: target.split('?').next().unwrap_or_default().to_owned() };
    for line in lines {
        if line?.is_empty() {
            return Ok(Some(request));
        }
    }
    Ok(None)
}

/// Writes a whole answer. `head_only` leaves the body out, as HEAD asks.
pub fn respond(
    mut stream: impl Write,
    status: &str,
    kind: &str,
    body: &str,
    head_only: bool,
) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    if !head_only {
        stream.write_all(body.as_bytes())?;
    }
    stream.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_method_and_path_without_the_query() {
        let request = read_request(&b"GET /a/b?c=d HTTP/1.1\r\nHost: x\r\n\r\n"[..]).unwrap();
        assert_eq!(request, Some(Request { method: "GET".into(), path: "/a/b".into() }));
    }

    #[test]
    fn what_is_not_a_whole_request_is_none() {
        for input in ["", "GET /\r\n\r\n", "GET / SPDY/9\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n"] {
            assert_eq!(read_request(input.as_bytes()).unwrap(), None, "{input:?}");
        }
    }

    #[test]
    fn an_endless_head_ends_at_the_bound() {
        let endless = io::repeat(b'a');
        assert_eq!(read_request(endless).unwrap(), None);
    }

    #[test]
    fn head_has_the_length_but_no_body() {
        let mut out = Vec::new();
        respond(&mut out, "200 OK", "text/plain", "hello", true).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("Content-Length: 5\r\n") && text.ends_with("\r\n\r\n"));
    }
}
