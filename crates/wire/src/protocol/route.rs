//! From a request to its operation.

use std::borrow::Cow;

use crate::dispatch;
use crate::error::Error;
use crate::form;
use crate::operation::{Protocol, ServiceInfo};

/// Whom a request is for.
#[derive(Clone, Debug)]
pub struct Route<'a> {
    pub service: &'static ServiceInfo,
    /// Of the service's model.
    pub operation: &'static str,
    /// What the operation's input is decoded from.
    pub input: Cow<'a, [u8]>,
}

/// A request that is for none of our operations, and the protocol to say so in.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{error}")]
pub struct Misrouted {
    pub protocol: Protocol,
    /// Where at least the service is known.
    pub service: Option<&'static str>,
    pub error: Error,
}

/// Finds the operation by `X-Amz-Target` (AWS JSON), else by the form's `Action` (AWS Query; in
/// the body, or in the query of a GET).
///
/// `target`: that header. `scope_service`: the signing name in the credential scope, if any; it
/// decides in which protocol a request without a target fails.
pub fn route<'a>(
    target: Option<&str>,
    scope_service: Option<&str>,
    query: &'a str,
    body: &'a [u8],
) -> Result<Route<'a>, Misrouted> {
    if let Some(target) = target {
        return by_target(target, body);
    }
    let json = crate::SERVICES
        .iter()
        .find(|service| service.protocol == Protocol::Json && scope_service == Some(service.signing_name));
    if let Some(service) = json {
        return Err(Misrouted {
            protocol: Protocol::Json,
            service: Some(service.name),
            error: dispatch::unknown(""),
        });
    }
    by_action(query, body)
}

fn by_target<'a>(target: &str, body: &'a [u8]) -> Result<Route<'a>, Misrouted> {
    let (prefix, operation) = target.trim().rsplit_once('.').unwrap_or(("", target));
    let service = crate::SERVICES
        .iter()
        .find(|service| !service.target_prefix.is_empty() && service.target_prefix == prefix);
    let known = service.and_then(|service| Some((service, service.operation(operation)?)));
    match known {
        Some((service, operation)) => {
            Ok(Route { service, operation: operation.name, input: Cow::Borrowed(body) })
        }
        None => Err(Misrouted {
            protocol: Protocol::Json,
            service: service.map(|service| service.name),
            error: dispatch::unknown(operation),
        }),
    }
}

fn by_action<'a>(query: &'a str, body: &'a [u8]) -> Result<Route<'a>, Misrouted> {
    let fail = |service: Option<&'static str>, code: &str, message: String| {
        let error = Error::new(code, message);
        Err(Misrouted { protocol: Protocol::Query, service, error })
    };
    if form::has_too_many(body) {
        return fail(None, "MalformedInput", form::TOO_MANY.to_owned());
    }
    let in_body = std::str::from_utf8(body).map(form::pairs).unwrap_or_default();
    let in_query = form::pairs(query);
    let get = |pairs: &[(String, String)], name: &str| {
        pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    };
    let (pairs, input) = match get(&in_body, "Action") {
        Some(_) => (&in_body, Cow::Borrowed(body)),
        None => (&in_query, Cow::Borrowed(query.as_bytes())),
    };
    let Some(action) = get(pairs, "Action") else {
        return fail(None, "MissingAction", "The request names no action.".to_owned());
    };
    let version = get(pairs, "Version");
    let found = crate::SERVICES.iter().find_map(|service| {
        let same = version.as_deref().is_none_or(|version| version == service.api_version);
        let operation =
            (service.protocol == Protocol::Query && same).then(|| service.operation(&action)).flatten()?;
        Some(Route { service, operation: operation.name, input: input.clone() })
    });
    found.map_or_else(
        || {
            let version = version.unwrap_or_else(|| "NO_VERSION_SPECIFIED".to_owned());
            let message = format!("Could not find operation {action} for version {version}");
            fail(None, "InvalidAction", message)
        },
        Ok,
    )
}
