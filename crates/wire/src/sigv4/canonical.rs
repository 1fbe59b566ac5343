//! The canonical request, the string to sign, the signature.

use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

use super::{ALGORITHM, Request};
use crate::form::escape_bytes;

/// What a credential is scoped to: `20261123/us-east-1/ecs/aws4_request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// `YYYYMMDD`
    pub date: String,
    pub region: String,
    pub service: String,
}

impl Scope {
    pub fn text(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }
}

pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// `signed_headers`: lower case, in the order in which the signature names them.
pub fn request(request: &Request<'_>, query: &str, signed_headers: &[&str], payload_hash: &str) -> String {
    let mut text = format!("{}\n{}\n{query}\n", request.method, path(request.path));
    for name in signed_headers {
        text.push_str(name);
        let mut before = ":";
        for value in request.header_values(name) {
            text.push_str(before);
            push_single_spaced(&mut text, value);
            before = ",";
        }
        text.push_str(if before == ":" { ":\n" } else { "\n" });
    }
    text.push('\n');
    text.push_str(&signed_headers.join(";"));
    text.push('\n');
    text.push_str(payload_hash);
    text
}

/// The path without dot segments and doubled slashes, percent-encoded once more (all services but
/// S3 do so).
fn path(raw: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in raw.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    let ends_open = matches!(raw.rsplit('/').next(), Some("" | "." | ".."));
    let mut path = String::from("/");
    let encoded: Vec<String> = kept.iter().map(|s| escape_bytes(s.as_bytes())).collect();
    path.push_str(&encoded.join("/"));
    if ends_open && !kept.is_empty() {
        path.push('/');
    }
    path
}

/// The query's parameters decoded, encoded anew and sorted; `X-Amz-Signature` is no part of it.
/// A `+` is a space, as the clients mean it that write one.
pub fn query(raw: &str) -> String {
    let mut pairs: Vec<(String, String)> = raw
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            (recode(key), recode(value))
        })
        .filter(|(key, _)| key != "X-Amz-Signature")
        .collect();
    pairs.sort();
    let parts: Vec<String> = pairs.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    parts.join("&")
}

fn recode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    let bytes: Vec<u8> = percent_decode_str(&spaced).collect();
    escape_bytes(&bytes)
}

/// Trimmed, with runs of white space as one space.
fn push_single_spaced(text: &mut String, value: &str) {
    for (n, word) in value.split_whitespace().enumerate() {
        if n > 0 {
            text.push(' ');
        }
        text.push_str(word);
    }
}

/// `stamp`: as in `X-Amz-Date`.
pub fn signature(secret: &str, stamp: &str, scope: &Scope, canonical_request: &str) -> [u8; 32] {
    let to_sign =
        format!("{ALGORITHM}\n{stamp}\n{}\n{}", scope.text(), sha256_hex(canonical_request.as_bytes()));
    let mut key = hmac(format!("AWS4{secret}").as_bytes(), scope.date.as_bytes());
    for part in [scope.region.as_str(), &scope.service, "aws4_request"] {
        key = hmac(&key, part.as_bytes());
    }
    hmac(&key, to_sign.as_bytes())
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}
