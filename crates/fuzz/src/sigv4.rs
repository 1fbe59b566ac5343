//! Signatures: ours verify, everything else doesn't.

use wire::Credentials;
use wire::sigv4::{Refusal, Request, Signer, presign, sign, verify};

use crate::supply::Supply;

const NOW_MS: u64 = 1_790_000_000_000;
const SERVICE: &str = "ecs";

/// What stands on a request's line and below it.
#[derive(Clone, PartialEq)]
struct Sent {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Sent {
    fn verify(&self, now_ms: u64) -> Result<(), Refusal> {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let request = Request {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &headers,
            body: &self.body,
        };
        let known = |id: &str| (id == credentials().access_key_id).then(credentials);
        verify(&request, now_ms, Some(SERVICE), known).map(|_| ())
    }
}

fn credentials() -> Credentials {
    Credentials {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
        session_token: None,
    }
}

pub fn check(data: &[u8]) {
    let mut supply = Supply(data);
    let flags = supply.byte();
    let tamper = (supply.byte(), supply.byte());
    let sent = Sent {
        method: supply.one_of(&["POST", "GET", "PUT", ""]).to_owned(),
        path: format!("/{}", supply.text()),
        query: supply.text(),
        headers: vec![
            ("Host".to_owned(), "127.0.0.1:4580".to_owned()),
            ("X-Amz-Target".to_owned(), supply.text()),
            ("Authorization".to_owned(), supply.text()),
            ("X-Amz-Date".to_owned(), supply.text()),
        ],
        body: supply.0.to_vec(),
    };
    // Nobody guesses a secret.
    assert!(sent.verify(NOW_MS).is_err(), "a request that nobody signed is authentic");
    let mut signed = Sent { headers: sent.headers[..2].to_vec(), ..sent };
    // The claim may stand in one place only.
    signed.query = signed.query.replace("X-Amz-", "x-");
    if signed.query.contains('%') {
        signed.query = signed.query.replace('%', "25");
    }
    signed_in_headers(&signed, flags, tamper);
    signed_in_query(&signed, flags);
}

fn signed_in_headers(sent: &Sent, flags: u8, tamper: (u8, u8)) {
    let mut sent = sent.clone();
    let credentials = credentials();
    let signer = Signer { credentials: &credentials, region: "us-east-1", service: SERVICE, now_ms: NOW_MS };
    let added = with(&sent, |request| sign(request, &signer));
    sent.headers.extend(added);
    assert_eq!(sent.verify(NOW_MS), Ok(()), "what we signed is not authentic");
    assert!(sent.verify(NOW_MS + 16 * 60_000).is_err(), "a signature never ends");
    assert!(sent.verify(NOW_MS - 16 * 60_000).is_err(), "a signature of the future");
    let mut tampered = sent.clone();
    let (at, bit) = (usize::from(tamper.0), tamper.1 | 1);
    match flags % 6 {
        0 => tampered.body.push(bit),
        1 if !sent.body.is_empty() => {
            let at = at % sent.body.len();
            tampered.body[at] ^= bit;
        }
        2 => tampered.headers[1].1.push('x'),
        3 => tampered.query.push_str("&extra=1"),
        4 => {
            // One digit of the signature.
            let authorization = &mut tampered.headers.last_mut().expect("it was added").1;
            let at = authorization.len() - 1 - at % 64;
            let digit = if authorization.as_bytes()[at] == b'0' { "1" } else { "0" };
            authorization.replace_range(at..=at, digit);
        }
        _ => tampered.method.push('X'),
    }
    if tampered != sent {
        assert!(tampered.verify(NOW_MS).is_err(), "a changed request is authentic");
    }
}

fn signed_in_query(sent: &Sent, flags: u8) {
    let mut sent = sent.clone();
    // Only what the URL's user sends too.
    sent.headers.truncate(1);
    let credentials = credentials();
    let signer = Signer { credentials: &credentials, region: "us-east-1", service: SERVICE, now_ms: NOW_MS };
    sent.query = with(&sent, |request| presign(request, &signer, 60));
    assert_eq!(sent.verify(NOW_MS), Ok(()), "what we presigned is not authentic");
    assert!(sent.verify(NOW_MS + 62_000).is_err(), "a URL outlives its time");
    let mut longer = sent.clone();
    longer.query = longer.query.replace("X-Amz-Expires=60", "X-Amz-Expires=600");
    assert!(longer.verify(NOW_MS).is_err(), "a URL's time can be lengthened");
    let mut twice = sent.clone();
    twice.query = format!("{}&X-Amz-Expires={flags}", sent.query);
    assert!(twice.verify(NOW_MS).is_err(), "a URL's parameter stands there twice");
}

fn with<T>(sent: &Sent, use_it: impl FnOnce(&Request<'_>) -> T) -> T {
    let headers: Vec<(&str, &str)> =
        sent.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    use_it(&Request {
        method: &sent.method,
        path: &sent.path,
        query: &sent.query,
        headers: &headers,
        body: &sent.body,
    })
}
