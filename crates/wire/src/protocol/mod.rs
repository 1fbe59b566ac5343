//! The two protocols around a body: which operation a request is for ([`route`]), and how its
//! result becomes an HTTP response ([`respond`]).

mod route;
mod xml;

pub use route::{Misrouted, Route, route};

use serde_json::{Map, Value};

use crate::error::Error;
use crate::operation::{Operation, Protocol, ServiceInfo};

/// An answer to write on any HTTP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

/// The body of a success, for the service's protocol.
pub fn encode_output<O: Operation>(output: &O::Output, request_id: &str) -> Result<Vec<u8>, Error> {
    let failed = |_| Error::internal(O::INFO.service, "The answer could not be encoded.");
    match (O::INFO.service.protocol, O::INFO.output) {
        (Protocol::Json, None) => Ok(Vec::new()),
        (Protocol::Json, Some(_)) => serde_json::to_vec(output).map_err(failed),
        (Protocol::Query, _) => {
            let value = serde_json::to_value(output).map_err(failed)?;
            Ok(xml::success(O::INFO, &value, request_id).into_bytes())
        }
    }
}

/// What `Router::call` answered, as an HTTP response.
///
/// `service`: `None` where none could be found; `protocol` then says in which form to fail.
pub fn respond(
    protocol: Protocol,
    service: Option<&ServiceInfo>,
    result: Result<Vec<u8>, Error>,
    request_id: &str,
) -> Response {
    let (status, body) = match (result, protocol) {
        (Ok(body), _) => (200, body),
        (Err(error), Protocol::Json) => (error.status(), error_json(&error)),
        (Err(error), Protocol::Query) => {
            let namespace = service.map_or("", |service| service.xml_namespace);
            (error.status(), xml::failure(&error, namespace, request_id).into_bytes())
        }
    };
    let content_type = match protocol {
        Protocol::Json => "application/x-amz-json-1.1",
        Protocol::Query => "text/xml",
    };
    let headers =
        vec![("content-type", content_type.to_owned()), ("x-amzn-requestid", request_id.to_owned())];
    Response { status, headers, body }
}

/// `{"__type": …, "message": …}` and the further members of the error's shape.
fn error_json(error: &Error) -> Vec<u8> {
    let mut body = Map::new();
    body.insert("__type".to_owned(), Value::String(error.code.clone()));
    body.insert("message".to_owned(), Value::String(error.message.clone()));
    body.extend(error.details.clone());
    Value::Object(body).to_string().into_bytes()
}
