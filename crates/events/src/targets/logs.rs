//! A log group: each target of a rule has a stream of its own there.

use serde_json::{Value, json};

use super::input::Input;
use super::{Call, Calls, Outcome};
use crate::state::RuleKey;

pub(super) struct Group {
    pub account: String,
    pub region: String,
    pub name: String,
    pub stream: String,
}

/// One log event. Its time is the event's, unless a template made another (`{"timestamp": …, "message": …}`: EventBridge
/// user guide, "CloudWatch Logs group targets").
pub(super) async fn put(
    calls: &dyn Calls,
    rule: &RuleKey,
    group: &Group,
    event: &Value,
    input: &Input,
) -> Outcome {
    let at = event.get("time").and_then(Value::as_str).and_then(wire::Timestamp::from_iso8601);
    let (timestamp, message) =
        made(input).unwrap_or_else(|| (at.map_or(0, wire::Timestamp::ms), input.text()));
    let events = json!({
        "logGroupName": group.name,
        "logStreamName": group.stream,
        "logEvents": [{"timestamp": timestamp, "message": message}],
    });
    let call = |operation, body: &Value| {
        calls.call(Call {
            service: "logs",
            operation,
            account: group.account.clone(),
            region: group.region.clone(),
            on_behalf_of: rule.arn(),
            body: body.to_string().into_bytes(),
        })
    };
    let mut put = call("PutLogEvents", &events).await;
    if put.as_ref().is_err_and(|error| error.code == "ResourceNotFoundException") {
        let stream = json!({"logGroupName": group.name, "logStreamName": group.stream});
        match call("CreateLogStream", &stream).await {
            Ok(_) => {}
            Err(error) if error.code == "ResourceAlreadyExistsException" => {}
            Err(error) => return Outcome::refused(error),
        }
        put = call("PutLogEvents", &events).await;
    }
    match put {
        Err(error) => Outcome::refused(error),
        Ok(body) => {
            let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
            match answer.get("rejectedLogEventsInfo").filter(|info| !info.is_null()) {
                Some(info) => {
                    Outcome::never("REJECTED", format!("the log group took no event of that time: {info}"))
                }
                None => Outcome::Done,
            }
        }
    }
}

fn made(input: &Input) -> Option<(u64, String)> {
    let Input::Json(Value::Object(object)) = input else { return None };
    let message = object.get("message").filter(|_| object.len() == 2)?;
    let message = message.as_str().map_or_else(|| message.to_string(), str::to_owned);
    Some((object.get("timestamp")?.as_u64()?, message))
}
