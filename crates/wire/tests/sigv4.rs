//! Requests that botocore signed (`sigv4/generate.py`), and their tampered twins.

use proptest::prelude::*;
use serde::Deserialize;
use wire::Credentials;
use wire::sigv4::{MAX_SKEW_MS, Refusal, Request, Signer, Verified, presign, sign, verify};

#[derive(Clone, Debug, Deserialize)]
struct Vector {
    name: String,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
    now_ms: u64,
    secret: String,
    token: Option<String>,
    service: String,
    region: String,
}

const KEY: &str = "AKIDEXAMPLE";

impl Vector {
    fn all() -> Vec<Self> {
        serde_json::from_str(include_str!("sigv4/vectors.json")).unwrap()
    }

    fn named(name: &str) -> Self {
        Self::all().into_iter().find(|v| v.name == name).unwrap()
    }

    fn credentials(&self) -> Credentials {
        Credentials {
            access_key_id: KEY.to_owned(),
            secret_access_key: self.secret.clone(),
            session_token: self.token.clone(),
        }
    }

    fn verify_at(&self, now_ms: u64) -> Result<Verified, Refusal> {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let request = Request {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &headers,
            body: self.body.as_bytes(),
        };
        let lookup = |id: &str| (id == KEY).then(|| self.credentials());
        verify(&request, now_ms, Some(&self.service), lookup)
    }

    fn verify(&self) -> Result<Verified, Refusal> {
        self.verify_at(self.now_ms)
    }

    fn header(&mut self, name: &str) -> &mut String {
        let found = self.headers.iter_mut().find(|(have, _)| have.eq_ignore_ascii_case(name));
        &mut found.unwrap().1
    }

    fn is_presigned(&self) -> bool {
        self.query.contains("X-Amz-Signature")
    }
}

#[test]
fn what_botocore_signs_is_authentic() {
    for vector in Vector::all() {
        let verified = vector.verify().unwrap_or_else(|e| panic!("{}: {e}", vector.name));
        assert_eq!(verified.access_key_id, KEY, "{}", vector.name);
        assert_eq!(verified.region, vector.region, "{}", vector.name);
        assert_eq!(verified.service, vector.service, "{}", vector.name);
        assert_eq!(verified.signed_at_ms, vector.now_ms, "{}", vector.name);
    }
}

#[test]
fn we_sign_as_botocore_does() {
    for vector in Vector::all().into_iter().filter(|v| !v.is_presigned()) {
        let credentials = vector.credentials();
        let signer = Signer {
            credentials: &credentials,
            region: &vector.region,
            service: &vector.service,
            now_ms: vector.now_ms,
        };
        let signs = ["authorization", "x-amz-date", "x-amz-security-token"];
        let mut ours = vector.clone();
        ours.headers.retain(|(name, _)| !signs.contains(&name.to_lowercase().as_str()));
        let headers: Vec<(&str, &str)> =
            ours.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let request = Request {
            method: &vector.method,
            path: &vector.path,
            query: &vector.query,
            headers: &headers,
            body: vector.body.as_bytes(),
        };
        let added = sign(&request, &signer);
        let authorization = &added.iter().find(|(name, _)| name == "Authorization").unwrap().1;
        assert_eq!(authorization, vector.clone().header("authorization"), "{}", vector.name);
    }
}

#[test]
fn what_we_presign_is_authentic_until_it_expires() {
    let vector = Vector::named("session token");
    let credentials = vector.credentials();
    let signer =
        Signer { credentials: &credentials, region: "us-east-1", service: "sts", now_ms: vector.now_ms };
    let headers = [("Host", "127.0.0.1:4580")];
    let base = Request {
        method: "GET",
        path: "/",
        query: "Action=GetCallerIdentity&Version=2011-06-15",
        headers: &headers,
        body: b"",
    };
    let query = presign(&base, &signer, 60);
    let signed = Request { query: &query, ..base };
    let at = |ms| verify(&signed, ms, Some("sts"), |_| Some(credentials.clone()));
    assert!(at(vector.now_ms + 60_000).is_ok());
    assert!(matches!(at(vector.now_ms + 61_000), Err(Refusal::Expired { .. })));
}

#[test]
fn fifteen_minutes_of_skew_are_allowed_and_no_more() {
    let vector = Vector::named("json");
    assert!(vector.verify_at(vector.now_ms + MAX_SKEW_MS).is_ok());
    assert!(vector.verify_at(vector.now_ms - MAX_SKEW_MS).is_ok());
    let late = vector.verify_at(vector.now_ms + MAX_SKEW_MS + 1000).unwrap_err();
    assert_eq!(
        late.to_string(),
        "Signature expired: 20261123T114932Z is now earlier than 20261123T114933Z \
         (20261123T120433Z - 15 min.)"
    );
    let early = vector.verify_at(vector.now_ms - MAX_SKEW_MS - 1000).unwrap_err();
    assert_eq!(
        early.to_string(),
        "Signature not yet current: 20261123T114932Z is still later than 20261123T114931Z \
         (20261123T113431Z + 15 min.)"
    );
}

#[test]
fn a_request_without_a_claim_lacks_its_token() {
    let mut vector = Vector::named("json");
    vector.headers.retain(|(name, _)| name != "Authorization");
    assert_eq!(vector.verify(), Err(Refusal::MissingAuthenticationToken));
}

#[test]
fn an_unknown_key_and_a_wrong_session_token_are_told_alike() {
    let mut vector = Vector::named("json");
    let other = vector.header("authorization").replace(KEY, "AKIDOTHER");
    *vector.header("authorization") = other;
    assert_eq!(vector.verify(), Err(Refusal::UnknownToken));

    let mut vector = Vector::named("session token");
    vector.header("x-amz-security-token").push('x');
    assert_eq!(vector.verify(), Err(Refusal::UnknownToken));
    let mut vector = Vector::named("session token");
    vector.headers.retain(|(name, _)| name != "X-Amz-Security-Token");
    assert_eq!(vector.verify(), Err(Refusal::UnknownToken));
    let mut vector = Vector::named("json");
    vector.headers.push(("X-Amz-Security-Token".to_owned(), "made up".to_owned()));
    assert_eq!(vector.verify(), Err(Refusal::UnknownToken));
}

#[test]
fn another_service_is_out_of_scope() {
    let mut vector = Vector::named("json");
    vector.service = "sts".to_owned();
    let refusal = vector.verify().unwrap_err();
    assert_eq!(refusal.to_string(), "Credential should be scoped to correct service: 'sts'. ");
}

#[test]
fn claims_that_cannot_be_read_say_what_is_missing() {
    let with = |authorization: &str| {
        let mut vector = Vector::named("json");
        *vector.header("authorization") = authorization.to_owned();
        vector.verify().unwrap_err()
    };
    for (authorization, message) in [
        (
            "AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=host",
            "Authorization header requires 'Signature' parameter. Authorization=",
        ),
        ("AWS4-HMAC-SHA256 nothing", "'nothing' not a valid key=value pair (missing equal-sign)"),
        (
            "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=00",
            "Credential must have exactly 5 slash-delimited elements",
        ),
        (
            "AWS4-HMAC-SHA512 Credential=a/b/c/d/aws4_request, SignedHeaders=host, Signature=00",
            "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA512'.",
        ),
    ] {
        let refusal = with(authorization);
        assert!(matches!(refusal, Refusal::Incomplete(_)), "{refusal:?}");
        assert!(refusal.to_string().starts_with(message), "{refusal}");
    }
    assert_eq!(with("Bearer abc"), Refusal::MissingAuthenticationToken);
}

#[test]
fn the_operation_must_be_signed() {
    // Signed without a target, then given one.
    let mut vector = Vector::named("query protocol");
    vector.headers.push(("X-Amz-Target".to_owned(), "Logs_20140328.DeleteLogGroup".to_owned()));
    assert!(vector.verify().is_err());
}

/// One change to one part of a request that its signature covers.
#[derive(Clone, Debug)]
enum Tampering {
    Method,
    Path(usize, char),
    Query(usize, char),
    QueryParameter(String),
    Body(usize, char),
    HeaderValue(usize, usize, char),
    HeaderGone(usize),
    HeaderTwice(usize),
}

fn tampering() -> impl Strategy<Value = Tampering> {
    let place = 0..1000usize;
    let letter = prop::char::range('!', '~');
    prop_oneof![
        Just(Tampering::Method),
        (place.clone(), letter.clone()).prop_map(|(at, c)| Tampering::Path(at, c)),
        (place.clone(), letter.clone()).prop_map(|(at, c)| Tampering::Query(at, c)),
        "[a-z]{1,5}=[a-z]{0,5}".prop_map(Tampering::QueryParameter),
        (place.clone(), letter.clone()).prop_map(|(at, c)| Tampering::Body(at, c)),
        (place.clone(), place.clone(), letter)
            .prop_map(|(header, at, c)| Tampering::HeaderValue(header, at, c)),
        place.clone().prop_map(Tampering::HeaderGone),
        place.prop_map(Tampering::HeaderTwice),
    ]
}

/// Puts `c` at some place of `text`; `false` where nothing would change.
fn put(text: &mut String, at: usize, c: char) -> bool {
    let mut chars: Vec<char> = text.chars().collect();
    if chars.is_empty() {
        text.push(c);
        return true;
    }
    let at = at % chars.len();
    let changed = chars[at] != c;
    chars[at] = c;
    *text = chars.into_iter().collect();
    changed
}

/// Applies it; `None` where it leaves the meaning of the request as it was.
fn tamper(mut vector: Vector, tampering: &Tampering) -> Option<Vector> {
    let unsigned = ["user-agent", "expect"];
    let covered: Vec<usize> = (0..vector.headers.len())
        .filter(|&i| !unsigned.contains(&vector.headers[i].0.to_lowercase().as_str()))
        // A presigned URL covers only the headers it names.
        .filter(|&i| {
            let name = vector.headers[i].0.to_lowercase();
            !vector.is_presigned() || name == "host" || name == "x-k8s-aws-id"
        })
        .collect();
    let pick = |i: usize| covered[i % covered.len()];
    let before = vector.clone();
    let changed = match tampering {
        Tampering::Method => {
            vector.method = if vector.method == "GET" { "PUT" } else { "GET" }.to_owned();
            true
        }
        Tampering::Path(at, c) => put(&mut vector.path, *at, *c),
        Tampering::Query(at, c) => {
            put(&mut vector.query, *at, *c) && meaning(&vector.query) != meaning(&before.query)
        }
        Tampering::QueryParameter(more) => {
            let glue = if vector.query.is_empty() { "" } else { "&" };
            vector.query = format!("{}{glue}{more}", vector.query);
            true
        }
        Tampering::Body(at, c) => vector.name != "unsigned body" && put(&mut vector.body, *at, *c),
        Tampering::HeaderValue(i, at, c) => {
            let value = &mut vector.headers[pick(*i)].1;
            put(value, *at, *c)
        }
        Tampering::HeaderGone(i) => {
            let index = pick(*i);
            // An empty header is canonically an absent one.
            let tells = !vector.headers[index].1.is_empty();
            vector.headers.remove(index);
            tells
        }
        Tampering::HeaderTwice(i) => {
            let again = vector.headers[pick(*i)].clone();
            vector.headers.push(again);
            true
        }
    };
    changed.then_some(vector)
}

/// A query's parameters, decoded and sorted.
fn meaning(query: &str) -> Vec<String> {
    let mut parts: Vec<String> = query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let part = if part.contains('=') { part.to_owned() } else { format!("{part}=") };
            percent_encoding::percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned()
        })
        .collect();
    parts.sort();
    parts
}

/// `/a//b/./c/../` and `/a/b/` are one path, canonically.
fn plain(path: &str) -> Vec<&str> {
    let mut kept = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            other => kept.push(other),
        }
    }
    if matches!(path.rsplit('/').next(), Some("" | "." | "..")) && !kept.is_empty() {
        kept.push("/");
    }
    kept
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4000) })]

    #[test]
    fn every_tampered_twin_is_refused(index in 0..1000usize, tampering in tampering()) {
        let all = Vector::all();
        let vector = all[index % all.len()].clone();
        if let Some(twin) = tamper(vector.clone(), &tampering)
            && (twin.path == vector.path || plain(&twin.path) != plain(&vector.path))
        {
            prop_assert!(twin.verify().is_err(), "{}: {tampering:?}", vector.name);
        }
    }

    #[test]
    fn no_claim_makes_verification_panic(authorization in "\\PC*", date in "\\PC*", query in "\\PC*") {
        let headers = [
            ("Authorization", authorization.as_str()),
            ("X-Amz-Date", date.as_str()),
            ("Host", "x"),
        ];
        let request = Request { method: "GET", path: "/", query: &query, headers: &headers, body: b"" };
        let _ = verify(&request, 0, None, |_| None);
    }
}
