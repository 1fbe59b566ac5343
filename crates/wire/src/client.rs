//! Requests and answers as a client sees them: pure, to be carried by any HTTP library.

use serde_json::Value;

use crate::codec::query;
use crate::context::Credentials;
use crate::form;
use crate::operation::{Operation, Protocol};
use crate::sigv4::{self, Signer};

/// A signed request, ready to send. `Host` is among the headers: it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    pub method: &'static str,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Where and as whom to call.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    /// `http://127.0.0.1:4580`, with or without a slash behind it.
    pub endpoint: &'a str,
    pub credentials: &'a Credentials,
    pub region: &'a str,
}

#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("{0:?} is no http:// or https:// endpoint")]
    Endpoint(String),
    #[error("the input of {operation} can't be written as JSON")]
    Input {
        operation: &'static str,
        #[source]
        source: serde_json::Error,
    },
}

/// What a service answered instead of its output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message} (status {status})")]
pub struct ServiceError {
    /// Without the namespace that some front ends put in front; `Unreadable` where the body
    /// couldn't be read.
    pub code: String,
    pub message: String,
    /// Of HTTP.
    pub status: u16,
}

impl ServiceError {
    pub const UNREADABLE: &str = "Unreadable";

    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        self.status >= 500 || self.status == 429 || self.code.contains("Throttl")
    }
}

/// The request for `O`, signed at `now_ms` (milliseconds since the epoch).
pub fn build<O: Operation>(
    input: &O::Input,
    caller: &Caller<'_>,
    now_ms: u64,
) -> Result<HttpRequest, BuildError> {
    let Endpoint { origin, host, path } = Endpoint::parse(caller.endpoint)?;
    let failed = |source| BuildError::Input { operation: O::INFO.name, source };
    let service = O::INFO.service;
    let (content_type, target, body) = match service.protocol {
        Protocol::Json => {
            let target = format!("{}.{}", service.target_prefix, O::INFO.name);
            let body = serde_json::to_vec(input).map_err(failed)?;
            ("application/x-amz-json-1.1", Some(target), body)
        }
        Protocol::Query => {
            let mut fields = vec![
                ("Action".to_owned(), O::INFO.name.to_owned()),
                ("Version".to_owned(), service.api_version.to_owned()),
            ];
            if let Some(shape) = O::INFO.input {
                let value = serde_json::to_value(input).map_err(failed)?;
                query::fields(shape, "", &value, &mut fields);
            }
            let pairs: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            let body = form::encode(&pairs).into_bytes();
            ("application/x-www-form-urlencoded; charset=utf-8", None, body)
        }
    };
    let mut headers =
        vec![("Host".to_owned(), host.to_owned()), ("Content-Type".to_owned(), content_type.to_owned())];
    headers.extend(target.map(|target| ("X-Amz-Target".to_owned(), target)));
    let refs: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let request = sigv4::Request { method: "POST", path, query: "", headers: &refs, body: &body };
    let signer = Signer {
        credentials: caller.credentials,
        region: caller.region,
        service: service.signing_name,
        now_ms,
    };
    let signature = sigv4::sign(&request, &signer);
    headers.extend(signature);
    let url = format!("{origin}{path}");
    Ok(HttpRequest { method: "POST", url, headers, body })
}

/// An endpoint's parts. Without a path, the path is `/`.
struct Endpoint<'a> {
    /// Scheme and host.
    origin: &'a str,
    /// With the port, if the endpoint names one.
    host: &'a str,
    path: &'a str,
}

impl<'a> Endpoint<'a> {
    fn parse(text: &'a str) -> Result<Self, BuildError> {
        let bad = || BuildError::Endpoint(text.to_owned());
        let scheme = ["http://", "https://"].into_iter().find(|scheme| text.starts_with(scheme));
        let scheme = scheme.ok_or_else(bad)?;
        let rest = &text[scheme.len()..];
        let end = rest.find('/').unwrap_or(rest.len());
        if end == 0 || rest.contains(['?', '#', '@']) {
            return Err(bad());
        }
        Ok(Self {
            origin: &text[..scheme.len() + end],
            host: &rest[..end],
            path: if end == rest.len() { "/" } else { &rest[end..] },
        })
    }
}

/// Reads the answer to a request for `O`. Members that we don't know are ignored.
///
/// Of a Query service only errors can be read; a success is `Unreadable`.
pub fn parse<O: Operation>(status: u16, body: &[u8]) -> Result<O::Output, ServiceError> {
    if !(200..300).contains(&status) {
        return Err(match O::INFO.service.protocol {
            Protocol::Json => json_error(status, body),
            Protocol::Query => xml_error(status, body),
        });
    }
    let unreadable =
        |message: String| ServiceError { code: ServiceError::UNREADABLE.to_owned(), message, status };
    if O::INFO.service.protocol == Protocol::Query {
        return Err(unreadable("answers in XML aren't read".to_owned()));
    }
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    let mut value: Value = serde_json::from_slice(body).map_err(|error| unreadable(error.to_string()))?;
    if let Value::Object(members) = &mut value {
        members.retain(|_, member| !member.is_null());
    }
    serde_json::from_value(value).map_err(|error| unreadable(error.to_string()))
}

fn json_error(status: u16, body: &[u8]) -> ServiceError {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let code = text("__type").or_else(|| text("code")).unwrap_or(ServiceError::UNREADABLE);
    let code = code.rsplit('#').next().unwrap_or(code).to_owned();
    let message = text("message").or_else(|| text("Message")).unwrap_or_default().to_owned();
    ServiceError { code, message, status }
}

fn xml_error(status: u16, body: &[u8]) -> ServiceError {
    let text = String::from_utf8_lossy(body);
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        let (content, _) = rest.split_once(&format!("</{name}>"))?;
        let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")];
        Some(plain.iter().fold(content.to_owned(), |text, (from, to)| text.replace(from, to)))
    };
    ServiceError {
        code: element("Code").unwrap_or_else(|| ServiceError::UNREADABLE.to_owned()),
        message: element("Message").unwrap_or_default(),
        status,
    }
}
