//! Whether a caller may do what they ask for. Before the operation sees the request; what the request is
//! about is told by `resources.rs`.

use axum::http::request::Parts;
use iam::{Caller as Told, Decision, Denial, Keys, Kind, Request};
use wire::protocol::Route;
use wire::{Error, Protocol, Scheme, codec};

use super::authenticate::{self, Caller};
use super::resources::{self, About, Lent};
use crate::app::App;

/// Of a call of an API.
pub(crate) fn call(app: &App, caller: &Caller, parts: &Parts, route: &Route<'_>) -> Result<(), Error> {
    let service = route.service;
    let has_policies = service.name == wire::ecr::SERVICE.name;
    // Of whom nothing can be denied, nothing is asked.
    match caller.key.principal.kind {
        Kind::Agent => return Ok(()),
        Kind::Root if !has_policies => return Ok(()),
        Kind::Root | Kind::User { .. } | Kind::Role { .. } | Kind::Instance { .. } => {}
    }
    let Some(operation) = service.operation(route.operation) else { return Ok(()) };
    // What isn't the operation's input never reaches it: the same decoder stands before it, and says why.
    let Ok(input) = codec::decode_value(operation, &route.input) else { return Ok(()) };
    let home = wire::arn::Home { region: &caller.region, account: caller.key.principal.account.as_str() };
    let world = app.world();
    let about = resources::of(operation, &input, home, &world);
    let action = format!("{}:{}", service.name, route.operation);
    decide(app, caller, parts, service.name, &action, about)
        .map_err(|denial| refused(service.protocol, &denial))?;
    for Lent { service: of, action, resource, keys } in resources::lent(operation, &input, home, &world) {
        let about = About { resources: vec![resource], keys };
        decide(app, caller, parts, of, action, about).map_err(|denial| refused(service.protocol, &denial))?;
    }
    Ok(())
}

/// Of what is no operation in a model.
pub(crate) fn plain(
    app: &App,
    caller: &Caller,
    parts: &Parts,
    action: &str,
    resource: &str,
) -> Result<(), Error> {
    let about = About { resources: vec![resource.to_owned()], keys: Vec::new() };
    decide(app, caller, parts, "ecs", action, about).map_err(|denial| refused(Protocol::Json, &denial))
}

/// Each resource must be allowed.
fn decide(
    app: &App,
    caller: &Caller,
    parts: &Parts,
    service: &str,
    action: &str,
    about: About,
) -> Result<(), Denial> {
    let principal = &caller.key.principal;
    let told = Told {
        principal,
        access_key_id: &caller.key.credentials.access_key_id,
        region: &caller.region,
        source: authenticate::source(parts),
        user_agent: authenticate::header(parts, "user-agent"),
        secure: authenticate::scheme(parts) == Scheme::Https,
    };
    let mut keys = Keys::of(&told, app.now_ms());
    about.keys.iter().for_each(|(key, value)| keys.put(key, value.as_str()));
    for resource in &about.resources {
        let guard = app.policies.guard(service, &principal.account, &caller.region, resource);
        let mut keys = keys.clone();
        guard.keys.iter().for_each(|(key, value)| keys.put(key, value.as_str()));
        let home = wire::arn::Home { region: &caller.region, account: principal.account.as_str() };
        resources::keys_of(resource, home).iter().for_each(|(key, value)| keys.put(key, value.as_str()));
        let policies: Vec<_> = guard.policies.iter().map(|policy| &**policy).collect();
        let request = Request { principal, action, resource, keys: &keys };
        if let Decision::Denied(denial) = iam::evaluate(&request, &policies) {
            return Err(denial);
        }
    }
    Ok(())
}

fn refused(protocol: Protocol, denial: &Denial) -> Error {
    Error::new(denied(protocol), denial.to_string())
}

/// The code of a refusal.
pub(super) fn denied(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Json => "AccessDeniedException",
        Protocol::Query => "AccessDenied",
    }
}
