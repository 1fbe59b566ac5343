//! AWS Query forms, and the way from any request to its operation.

use wire::operation::Operation;
use wire::{Credentials, client, codec, protocol, sts};

use crate::alike::texts_alike;
use crate::supply::Supply;

pub fn check(data: &[u8]) {
    let mut supply = Supply(data);
    let flags = supply.byte();
    let (target, scope, query) = (supply.text(), supply.text(), supply.text());
    let body = supply.0;
    let route = protocol::route(
        (flags & 1 != 0).then_some(target.as_str()),
        (flags & 2 != 0).then_some(scope.as_str()),
        &query,
        body,
    );
    match &route {
        Ok(route) => assert!(route.service.operation(route.operation).is_some(), "an operation of no model"),
        Err(misrouted) => {
            assert!(!misrouted.error.code.is_empty());
            let answer = protocol::respond(misrouted.protocol, None, Err(misrouted.error.clone()), "id");
            assert!((400..600).contains(&answer.status), "a refusal with status {}", answer.status);
            assert!(answer.body.len() <= 4096 + 8 * data.len(), "an answer larger than what was asked");
        }
    }
    round_trip::<sts::ops::AssumeRole>(body);
    round_trip::<sts::ops::AssumeRoleWithWebIdentity>(body);
    round_trip::<sts::ops::GetCallerIdentity>(body);
    round_trip::<sts::ops::GetFederationToken>(body);
    round_trip::<sts::ops::GetSessionToken>(body);
}

/// What a form says is said by the form that our client makes of it.
fn round_trip<O: Operation>(body: &[u8]) {
    let Ok(input) = codec::decode::<O>(body) else { return };
    let credentials = Credentials {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret_access_key: "secret".to_owned(),
        session_token: None,
    };
    let caller =
        client::Caller { endpoint: "http://127.0.0.1", credentials: &credentials, region: "us-east-1" };
    let request = client::build::<O>(&input, &caller, 0).expect("an input can be sent");
    let again = codec::decode::<O>(&request.body).expect("what our client sends is read");
    let text = |input: &O::Input| serde_json::to_string(input).expect("an input is JSON");
    assert!(texts_alike(&text(&again), &text(&input)), "{}: {}", O::INFO.name, text(&input));
}
