//! What a request claims: who signed it, when, for what. In the `Authorization` header or in the
//! query.

use super::canonical::Scope;
use super::refusal::Refusal;
use super::{ALGORITHM, Request, stamp};
use crate::form;

/// A claim that could be read; nothing of it is verified.
#[derive(Clone, Debug)]
pub struct Claim {
    pub access_key_id: String,
    pub scope: Scope,
    pub signed_headers: Vec<String>,
    /// Hexadecimal, as sent.
    pub signature: String,
    /// As in `X-Amz-Date`.
    pub stamp: String,
    pub signed_at_ms: u64,
    pub session_token: Option<String>,
    /// Query form: for how long the URL is good.
    pub expires_ms: Option<u64>,
}

/// The longest life of a presigned URL: a week.
const MAX_EXPIRES_S: u64 = 604_800;

impl Claim {
    pub fn read(request: &Request<'_>) -> Result<Self, Refusal> {
        let query = form::pairs(request.query);
        let in_query = query.iter().any(|(key, _)| key == "X-Amz-Algorithm");
        let mut headers = request.header_values("authorization");
        match (headers.next(), in_query) {
            (Some(_), true) => Err(Refusal::Incomplete(
                "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP \
                 header."
                    .to_owned(),
            )),
            (Some(_), false) if headers.next().is_some() => {
                Err(Refusal::Incomplete("The request has more than one 'Authorization' header.".to_owned()))
            }
            (Some(header), false) => Self::from_header(request, header),
            (None, true) => Self::from_query(request, &query),
            (None, false) => Err(Refusal::MissingAuthenticationToken),
        }
    }

    fn from_header(request: &Request<'_>, header: &str) -> Result<Self, Refusal> {
        let header = header.trim();
        let (algorithm, rest) = header.split_once(char::is_whitespace).unwrap_or((header, ""));
        if !algorithm.starts_with("AWS4-") {
            return Err(Refusal::MissingAuthenticationToken);
        }
        check_algorithm(algorithm)?;
        let mut parts: Vec<(&str, &str)> = Vec::new();
        for part in rest.split(',').map(str::trim) {
            let (key, value) = part.split_once('=').ok_or_else(|| not_a_pair(part, header))?;
            if value.contains(char::is_whitespace) || parts.iter().any(|(have, _)| *have == key) {
                return Err(not_a_pair(part, header));
            }
            parts.push((key, value));
        }
        let get =
            |name: &str| parts.iter().find(|(key, value)| *key == name && !value.is_empty()).map(|(_, v)| *v);
        let date = request.header("x-amz-date").or_else(|| request.header("date"));
        let (Some(credential), Some(signature), Some(signed_headers), Some(date)) =
            (get("Credential"), get("Signature"), get("SignedHeaders"), date)
        else {
            let missing = ["Credential", "Signature", "SignedHeaders"]
                .into_iter()
                .filter(|name| get(name).is_none())
                .map(|name| format!("Authorization header requires '{name}' parameter. "));
            let mut message: String = missing.collect();
            if date.is_none() {
                message.push_str(
                    "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' \
                     header. ",
                );
            }
            return Err(Refusal::Incomplete(format!("{message}Authorization={header}")));
        };
        let signed_at_ms = read_date(date)?;
        let (access_key_id, scope) = read_credential(credential)?;
        Ok(Self {
            access_key_id,
            scope,
            signed_headers: read_signed_headers(signed_headers)?,
            signature: signature.to_owned(),
            stamp: stamp_of(signed_at_ms)?,
            signed_at_ms,
            session_token: request.header("x-amz-security-token").map(str::to_owned),
            expires_ms: None,
        })
    }

    fn from_query(request: &Request<'_>, query: &[(String, String)]) -> Result<Self, Refusal> {
        let get = |name: &str| -> Result<Option<&str>, Refusal> {
            let mut found = query.iter().filter(|(key, _)| key == name).map(|(_, v)| v.as_str());
            let first = found.next().filter(|value| !value.is_empty());
            match found.next() {
                None => Ok(first),
                Some(_) => Err(Refusal::Incomplete(format!(
                    "AWS query-string parameters must include '{name}' only once."
                ))),
            }
        };
        let need = |name: &str| -> Result<&str, Refusal> {
            get(name)?.ok_or_else(|| {
                Refusal::Incomplete(format!("AWS query-string parameters must include '{name}'."))
            })
        };
        check_algorithm(need("X-Amz-Algorithm")?)?;
        let credential = need("X-Amz-Credential")?;
        let signature = need("X-Amz-Signature")?;
        let signed_headers = need("X-Amz-SignedHeaders")?;
        let date = need("X-Amz-Date")?;
        let signed_at_ms = stamp::parse_basic(date).ok_or_else(|| bad_date(date))?;
        let expires = match get("X-Amz-Expires")? {
            None => None,
            Some(text) => Some(
                text.parse::<u64>().ok().filter(|seconds| (1..=MAX_EXPIRES_S).contains(seconds)).ok_or_else(
                    || {
                        Refusal::Incomplete(format!(
                            "X-Amz-Expires must be a number of seconds from 1 to {MAX_EXPIRES_S}. \
                             Got '{text}'."
                        ))
                    },
                )?,
            ),
        };
        let token = match get("X-Amz-Security-Token")? {
            Some(token) => Some(token.to_owned()),
            None => request.header("x-amz-security-token").map(str::to_owned),
        };
        let (access_key_id, scope) = read_credential(credential)?;
        Ok(Self {
            access_key_id,
            scope,
            signed_headers: read_signed_headers(signed_headers)?,
            signature: signature.to_owned(),
            stamp: stamp_of(signed_at_ms)?,
            signed_at_ms,
            session_token: token,
            expires_ms: expires.map(|seconds| seconds * 1000),
        })
    }
}

fn check_algorithm(algorithm: &str) -> Result<(), Refusal> {
    if algorithm == ALGORITHM {
        return Ok(());
    }
    Err(Refusal::Incomplete(format!("Unsupported AWS 'algorithm': '{algorithm}'.")))
}

fn not_a_pair(part: &str, header: &str) -> Refusal {
    Refusal::Incomplete(format!(
        "'{part}' not a valid key=value pair (missing equal-sign) in Authorization header: \
         '{header}'."
    ))
}

fn bad_date(date: &str) -> Refusal {
    Refusal::Incomplete(format!(
        "Date must be in ISO-8601 'basic format'. Got '{date}'. See \
         http://en.wikipedia.org/wiki/ISO_8601"
    ))
}

fn read_date(date: &str) -> Result<u64, Refusal> {
    let date = date.trim();
    stamp::parse_basic(date).or_else(|| stamp::parse_http_date(date)).ok_or_else(|| bad_date(date))
}

fn stamp_of(signed_at_ms: u64) -> Result<String, Refusal> {
    stamp::format(signed_at_ms).ok_or_else(|| bad_date(&signed_at_ms.to_string()))
}

/// An access key id holds no slash; a scope's parts don't either.
fn read_credential(credential: &str) -> Result<(String, Scope), Refusal> {
    let parts: Vec<&str> = credential.split('/').collect();
    let [key, date, region, service, term] = parts.as_slice() else {
        return Err(Refusal::Incomplete(format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. \
             keyid/date/region/service/term, got '{credential}'"
        )));
    };
    if *term != "aws4_request" {
        return Err(Refusal::Scope(format!(
            "Credential should be scoped with a valid terminator: 'aws4_request', not '{term}'."
        )));
    }
    if region.is_empty() {
        return Err(Refusal::Scope("Credential should be scoped to a valid region.".to_owned()));
    }
    let scope =
        Scope { date: (*date).to_owned(), region: (*region).to_owned(), service: (*service).to_owned() };
    Ok(((*key).to_owned(), scope))
}

fn read_signed_headers(list: &str) -> Result<Vec<String>, Refusal> {
    let names: Vec<String> = list.split(';').map(str::to_owned).collect();
    if names.iter().any(|name| name.is_empty() || name.bytes().any(|b| b.is_ascii_uppercase())) {
        return Err(Refusal::Incomplete(format!(
            "'SignedHeaders' must be lower-case names between semicolons. Got '{list}'."
        )));
    }
    if !names.iter().any(|name| name == "host") {
        return Err(Refusal::Scope(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".to_owned(),
        ));
    }
    Ok(names)
}
