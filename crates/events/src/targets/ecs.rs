//! Tasks of a cluster. Nothing of the event comes to them, except what a template or a constant says as overrides.

use serde_json::{Map, Value, json};
use wire::events::{EcsParameters, Target};

use super::input::Input;
use super::{Call, Calls, Failure, Outcome};
use crate::state::{Delivery, RuleKey};

pub(super) struct Cluster {
    pub account: String,
    pub region: String,
    pub name: String,
}

/// RunTask takes at most so many at once.
const AT_ONCE: u32 = 10;

/// Runs as many as are left to run. The same attempt, made again after a crash, runs none twice: its token is the same.
pub(super) async fn run(
    calls: &dyn Calls,
    number: u64,
    delivery: &Delivery,
    target: &Target,
    cluster: &Cluster,
    input: &Input,
) -> Outcome {
    let Some(parameters) = &target.ecs_parameters else {
        return Outcome::never("INVALID_PARAMETER", "the target has no EcsParameters");
    };
    let overrides = match overrides(target, input) {
        Ok(overrides) => overrides,
        Err(reason) => return Outcome::never("INVALID_PARAMETER", reason),
    };
    let wanted =
        delivery.left.or(parameters.task_count.and_then(|count| u32::try_from(count).ok())).unwrap_or(1);
    let mut left = wanted;
    let mut failed = None;
    while left > 0 && failed.is_none() {
        let count = left.min(AT_ONCE);
        let token = format!("event-{number}-{}-{left}", delivery.attempts);
        let mut body = request(&delivery.rule, parameters, &cluster.name, count, &token);
        if let Some(overrides) = &overrides {
            body.insert("overrides".to_owned(), overrides.clone());
        }
        let call = Call {
            service: "ecs",
            operation: "RunTask",
            account: cluster.account.clone(),
            region: cluster.region.clone(),
            on_behalf_of: delivery.rule.arn(),
            body: Value::Object(body).to_string().into_bytes(),
        };
        match calls.call(call).await {
            Ok(answer) => {
                let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
                let started = answer.get("tasks").and_then(Value::as_array).map_or(0, Vec::len);
                left -= u32::try_from(started).unwrap_or(count).min(count);
                if started < usize::try_from(count).unwrap_or(usize::MAX) {
                    let reason =
                        answer.pointer("/failures/0/reason").and_then(Value::as_str).unwrap_or("no reason");
                    failed = Some(Failure { code: "RunTaskFailure".to_owned(), message: reason.to_owned() });
                }
            }
            Err(error) => match Outcome::refused(error) {
                Outcome::Later { error, .. } => failed = Some(error),
                never => return never,
            },
        }
    }
    match failed {
        None => Outcome::Done,
        Some(error) => Outcome::Later { error, after: None, left: Some(left) },
    }
}

/// What is given of the event, as RunTask's overrides.
fn overrides(target: &Target, input: &Input) -> Result<Option<Value>, String> {
    if target.input.is_none() && target.input_path.is_none() && target.input_transformer.is_none() {
        return Ok(None);
    }
    match input {
        Input::Json(overrides @ Value::Object(_)) => Ok(Some(overrides.clone())),
        other => Err(format!("what is given to the tasks is no object of overrides: {}", other.text())),
    }
}

fn request(
    rule: &RuleKey,
    given: &EcsParameters,
    cluster: &str,
    count: u32,
    token: &str,
) -> Map<String, Value> {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            body.insert(name.to_owned(), value);
        }
    };
    put("cluster", cluster.into());
    put("taskDefinition", given.task_definition_arn.as_str().into());
    put("count", count.into());
    put("clientToken", token.into());
    // In the words of EventBridge; a task tells with it who ran it.
    put("startedBy", format!("events-rule/{}", rule.name).into());
    put("launchType", json!(given.launch_type));
    put("capacityProviderStrategy", json!(given.capacity_provider_strategy));
    put("platformVersion", json!(given.platform_version));
    put("group", json!(given.group));
    put("enableECSManagedTags", json!(given.enable_ecs_managed_tags));
    put("enableExecuteCommand", json!(given.enable_execute_command));
    put("placementConstraints", json!(given.placement_constraints));
    put("placementStrategy", json!(given.placement_strategy));
    put("propagateTags", json!(given.propagate_tags));
    put("referenceId", json!(given.reference_id));
    put("networkConfiguration", network(given));
    let tags = given.tags.iter().flatten().map(|tag| json!({"key": tag.key, "value": tag.value}));
    put("tags", tags.collect::<Vec<_>>().into());
    body
}

/// The two services spell its members alike but for the case of their first letters.
fn network(given: &EcsParameters) -> Value {
    let awsvpc =
        given.network_configuration.as_ref().and_then(|network| network.awsvpc_configuration.as_ref());
    let Some(awsvpc) = awsvpc else { return Value::Null };
    let mut configuration = json!({ "subnets": awsvpc.subnets });
    if let Some(groups) = &awsvpc.security_groups {
        configuration["securityGroups"] = json!(groups);
    }
    if let Some(public) = &awsvpc.assign_public_ip {
        configuration["assignPublicIp"] = json!(public);
    }
    json!({ "awsvpcConfiguration": configuration })
}
